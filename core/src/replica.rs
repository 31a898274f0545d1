//! The local replica: operations on it, and how a turn's worth of them is run.
//!
//! To its coordinator the local replica is one more peer that is sent an operation and
//! answers later. So the protocol never waits for a disk, and all operations that wait
//! share one batch and one sync.

use crate::{
    id::{NodeId, OpId},
    key::Key,
    store::{Batch, Record, Store, StoreError},
    version::{Applied, Versions, Write},
};
use std::collections::{BTreeMap, btree_map};

/// What may be asked of the local replica.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation {
    /// All that it knows of the key.
    Read,
    /// To make a version of its own. Only the coordinator of a write asks this.
    Write(Write),
    /// To take versions of other replicas in.
    Merge(Versions),
}

/// Who asked, and gets the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Asker {
    /// A request that this node coordinates.
    Own(OpId),
    /// A peer's.
    Peer(NodeId, OpId),
}

/// One operation of a turn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// Who gets the answer.
    pub asker: Asker,
    /// What it is about.
    pub key: Key,
    /// What is wanted.
    pub operation: Operation,
}

/// What a replica answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReplicaAnswer {
    /// To a read: what it holds, which is nothing for an unknown key.
    Holds(Versions),
    /// To a write: what it holds now.
    Wrote {
        /// All versions, to be sent to the other replicas.
        versions: Versions,
        /// Whether they are synced to disk.
        durable: bool,
    },
    /// To a merge.
    Merged {
        /// Whether they are synced to disk.
        durable: bool,
    },
    /// The record is damaged, the disk failed to read it, or it holds an older state
    /// than it once did. Nothing was changed.
    Failed,
}

/// Runs the operations of one turn in their order and commits what they changed,
/// together with `records`, as one batch. Each job is answered exactly once.
///
/// A record that cannot be read fails its own jobs only. A batch that cannot be
/// committed is an error, after which the store must not be used any more.
pub fn run<S: Store>(
    store: &mut S,
    jobs: Vec<Job>,
    records: Vec<Record>,
) -> Result<Vec<(Asker, ReplicaAnswer)>, StoreError> {
    let mut changed = BTreeMap::new();
    let mut answers = Vec::with_capacity(jobs.len());
    let durable = store.is_durable();
    for Job { asker, key, operation } in jobs {
        let answer = perform(store, &mut changed, key, operation, durable);
        answers.push((asker, answer.unwrap_or(ReplicaAnswer::Failed)));
    }
    let batch = Batch { versions: changed, records };
    if !batch.is_empty() {
        store.commit(batch)?;
    }
    Ok(answers)
}

fn perform<S: Store>(
    store: &S,
    changed: &mut BTreeMap<Key, Versions>,
    key: Key,
    operation: Operation,
    durable: bool,
) -> Result<ReplicaAnswer, StoreError> {
    match operation {
        Operation::Read => {
            let held = match changed.get(&key) {
                Some(v) => Some(v.clone()),
                None => store.get(&key)?,
            };
            Ok(ReplicaAnswer::Holds(held.unwrap_or_default()))
        }
        Operation::Write(write) => {
            // A retry changes nothing, and so costs no second write.
            let (mut held, slot) = load(store, changed, key)?;
            let applied = held.write(write);
            keep_if(applied == Applied::New, slot, &held);
            Ok(match applied {
                Applied::New | Applied::Before => ReplicaAnswer::Wrote { versions: held, durable },
                Applied::Reused => ReplicaAnswer::Failed,
            })
        }
        Operation::Merge(versions) => {
            let (mut held, slot) = load(store, changed, key)?;
            let news = held.merge(&versions);
            keep_if(news, slot, &held);
            Ok(ReplicaAnswer::Merged { durable })
        }
    }
}

/// What is held of a key after the jobs before, and where a change of it goes.
fn load<'a, S: Store>(
    store: &S,
    changed: &'a mut BTreeMap<Key, Versions>,
    key: Key,
) -> Result<(Versions, btree_map::Entry<'a, Key, Versions>), StoreError> {
    let held = match changed.get(&key) {
        Some(v) => v.clone(),
        None => store.get(&key)?.unwrap_or_default(),
    };
    Ok((held, changed.entry(key)))
}

fn keep_if(news: bool, slot: btree_map::Entry<'_, Key, Versions>, held: &Versions) {
    if news {
        slot.insert_entry(held.clone());
    }
}
