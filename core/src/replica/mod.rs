//! The local replica: tasks for it, and how a turn's worth of them is run.
//!
//! To its coordinator the local replica is one more peer that is sent an operation and
//! answers later. So the protocol never waits for a disk, and all tasks that wait share
//! one batch and one sync.
//!
//! The Merkle tree and the list of graves change in the same batch as the record: whatever
//! a crash leaves behind, they fit each other.

mod task;

pub use task::{Asker, Draft, Job, Operation, ReplicaAnswer, Task};

use crate::{
    id::{Actor, Dot, Life, NodeId},
    key::Key,
    limits::Bounds,
    merkle::{self, Hash, Question, Tree},
    reap::Grave,
    store::{Batch, From, Held, Place, Record, Room, Store, StoreError},
    time::Stamp,
    version::{Applied, Version, Versions, Write},
};
use std::{collections::BTreeSet, ops::RangeInclusive};

/// What one page of a scan may hold.
const PAGE: Room = Room { records: 256, bytes: 1 << 20, last: u16::MAX };

/// A store and the Merkle tree over what it holds.
#[derive(Debug)]
pub struct Replica<S> {
    store: S,
    tree: Tree,
    bounds: Bounds,
}

/// The first record, wherever it is.
const FIRST: Room = Room { records: 1, bytes: 1, last: u16::MAX };

/// How many leaves are looked at in one go.
const SCRUB: usize = 16;

impl<S: Store> Replica<S> {
    /// Takes a store over. Leaves that cannot be read are counted anew, which reads
    /// everything.
    pub fn open(store: S, bounds: Bounds) -> Result<Self, StoreError> {
        let leaves = store.leaves();
        let damaged = leaves.is_err();
        let tree = Tree::from_leaves(leaves.unwrap_or_default());
        let mut replica = Replica { store, tree, bounds };
        if damaged {
            replica.recount_all()?;
        }
        Ok(replica)
    }

    /// The store.
    pub fn store(&self) -> &S {
        &self.store
    }

    /// The store, to be changed in ways that do not touch records.
    pub fn store_mut(&mut self) -> &mut S {
        &mut self.store
    }

    /// The store, when nothing more is to be done.
    pub fn into_store(self) -> S {
        self.store
    }

    /// The Merkle tree.
    pub fn tree(&self) -> &Tree {
        &self.tree
    }

    /// Runs the tasks of one turn in their order and commits what they changed, together
    /// with `records`, as one batch. Each job is answered exactly once.
    ///
    /// A record that cannot be read fails its own jobs only. A batch that cannot be
    /// committed is an error, after which the replica must not be used any more.
    pub fn run(
        &mut self,
        jobs: Vec<Job>,
        records: Vec<Record>,
    ) -> Result<Vec<(Asker, ReplicaAnswer)>, StoreError> {
        let mut turn = Turn {
            batch: Batch { records, ..Batch::default() },
            damaged: BTreeSet::new(),
            durable: self.store.is_durable(),
        };
        let mut answers = Vec::with_capacity(jobs.len());
        for Job { asker, task } in jobs {
            let leaf = task.leaf();
            let answer = self.perform(&mut turn, task).unwrap_or_else(|error| {
                if let StoreError::Damaged { .. } = error {
                    turn.damaged.extend(leaf);
                }
                ReplicaAnswer::Failed
            });
            answers.push((asker, answer));
        }
        let Turn { mut batch, damaged, .. } = turn;
        // What cannot be read does not count, so that peers notice what is missing here.
        for leaf in damaged {
            let hash = self.recount(leaf, &batch);
            self.tree.set_leaf(leaf, hash);
            batch.leaves.insert(leaf, hash);
        }
        if !batch.is_empty() {
            self.store.commit(batch)?;
        }
        Ok(answers)
    }

    fn perform(&mut self, turn: &mut Turn, task: Task) -> Result<ReplicaAnswer, StoreError> {
        match task {
            Task::One { key, place, operation } => self.one(turn, place, key, operation),
            Task::ReadHints { key, owners } => {
                let mut versions = Versions::default();
                for owner in owners {
                    versions.merge(&self.held(turn, Place::Hint(owner), &key)?.versions);
                }
                Ok(ReplicaAnswer::Holds(versions))
            }
            Task::Owners => Ok(ReplicaAnswer::Owners(self.store.owners()?)),
            Task::Hints { owner, after, limit } => {
                // A scan sees what is on disk, and a hint that it does not see is forgotten.
                if turn.batch.held.keys().any(|(place, _)| *place == Place::Hint(owner)) {
                    self.store.commit(std::mem::take(&mut turn.batch))?;
                }
                let from = after.as_ref().map_or(From::Start, From::After);
                let room = Room { records: limit.min(PAGE.records), ..PAGE };
                let page = self.store.scan(Place::Hint(owner), from, room)?;
                // One that cannot be read will never go, and nothing would be reaped for it.
                let lost = page.damaged.into_iter().map(|key| ((Place::Hint(owner), key), None));
                turn.batch.held.extend(lost);
                let records = page.records.into_iter().map(|(k, held)| (k, held.versions));
                Ok(ReplicaAnswer::Records { records: records.collect(), next: page.next })
            }
            Task::Tree(question) => self.tree_answer(&question),
            Task::Scrub { from } => self.scrub(turn, from),
            Task::Graves { after, before } => self.graves(after.as_ref(), before),
            Task::Inspect(graves) => {
                turn.batch.sync = true;
                // What cannot be read is in doubt.
                let inspect = |grave| self.inspect(turn, grave).unwrap_or(false);
                Ok(ReplicaAnswer::Inspected(graves.iter().map(inspect).collect()))
            }
            Task::Bury(graves) => {
                let mut buried = 0;
                for grave in graves {
                    let before = self.held(turn, Place::Own, &grave.key)?;
                    if grave.is_primary && before.versions.is_same_state(&grave.versions) {
                        self.remove(turn, Place::Own, grave.key, &before);
                        buried += 1;
                    }
                }
                Ok(ReplicaAnswer::Buried(buried))
            }
        }
    }

    fn one(
        &mut self,
        turn: &mut Turn,
        place: Place,
        key: Key,
        operation: Operation,
    ) -> Result<ReplicaAnswer, StoreError> {
        match operation {
            Operation::Read => Ok(ReplicaAnswer::Holds(self.held(turn, place, &key)?.versions)),
            Operation::Write(draft) => {
                // A retry changes nothing, and so costs no second write.
                let before = self.held(turn, place, &key)?;
                let mut held = before.clone();
                let (applied, truncated) = held.write(draft, self.bounds.clock);
                if applied == Applied::Reused {
                    return Ok(ReplicaAnswer::Failed);
                }
                let versions = held.versions.clone();
                if applied == Applied::New {
                    let (siblings, bytes) = (versions.siblings().len(), versions.size());
                    let grows = siblings > before.versions.siblings().len();
                    if grows && !self.bounds.allow(siblings, bytes) {
                        return Ok(ReplicaAnswer::TooManySiblings { siblings, bytes });
                    }
                    self.keep(turn, place, key, &before, held);
                }
                Ok(ReplicaAnswer::Wrote { versions, durable: turn.durable, truncated })
            }
            Operation::Merge { versions, sync } => {
                let (before, damaged) = match self.held(turn, place, &key) {
                    // Nothing is worse than what cannot be read.
                    Err(StoreError::Damaged { .. }) => (Held::default(), true),
                    read => (read?, false),
                };
                let mut held = before.clone();
                if held.versions.merge(&versions) || damaged {
                    if damaged && place == Place::Own {
                        // Neither is known of what was there.
                        turn.damaged.insert(key.leaf());
                        turn.batch.graves.insert(key.clone(), held.versions.is_grave());
                    }
                    self.keep(turn, place, key, &before, held);
                }
                turn.batch.sync |= sync;
                Ok(ReplicaAnswer::Merged { durable: turn.durable || sync })
            }
            Operation::Forget(exactly) => {
                let before = self.held(turn, place, &key)?;
                if before == Held::default() {
                    return Ok(ReplicaAnswer::Forgot(true));
                }
                let same = before.versions == exactly;
                if same {
                    self.remove(turn, place, key, &before);
                }
                Ok(ReplicaAnswer::Forgot(same))
            }
        }
    }

    fn inspect(&self, turn: &Turn, grave: &Grave) -> Result<bool, StoreError> {
        for owner in &grave.owners {
            if self.held(turn, Place::Hint(*owner), &grave.key)? != Held::default() {
                return Ok(false);
            }
        }
        let held = self.held(turn, Place::Own, &grave.key)?.versions;
        Ok(match grave.is_primary {
            true => held.is_same_state(&grave.versions),
            false => held == Versions::default(),
        })
    }

    /// What is held after the tasks before.
    fn held(&self, turn: &Turn, place: Place, key: &Key) -> Result<Held, StoreError> {
        // A lookup by reference would need the pair to be borrowed; keys are cheap to clone.
        match turn.batch.held.get(&(place, key.clone())) {
            Some(held) => Ok(held.clone().unwrap_or_default()),
            None => Ok(self.store.get(place, key)?.unwrap_or_default()),
        }
    }

    fn keep(&mut self, turn: &mut Turn, place: Place, key: Key, before: &Held, after: Held) {
        if place == Place::Own {
            let hash = Hash::of(&key, &after.versions);
            self.count(turn, &key, Self::hash(&key, before), hash);
            let (was, is) = (before.versions.is_grave(), after.versions.is_grave());
            if was != is {
                turn.batch.graves.insert(key.clone(), is);
            }
        }
        turn.batch.held.insert((place, key), Some(after));
    }

    fn remove(&mut self, turn: &mut Turn, place: Place, key: Key, before: &Held) {
        if place == Place::Own {
            self.count(turn, &key, Self::hash(&key, before), Hash::ABSENT);
            turn.batch.graves.insert(key.clone(), false);
        }
        turn.batch.held.insert((place, key), None);
    }

    fn hash(key: &Key, held: &Held) -> Hash {
        Hash::of(key, &held.versions)
    }

    fn count(&mut self, turn: &mut Turn, key: &Key, old: Hash, new: Hash) {
        let leaf = key.leaf();
        self.tree.replace(leaf, old, new);
        turn.batch.leaves.insert(leaf, self.tree.leaf(leaf));
    }

    /// The hash of a leaf from the records in it, as far as they can be read.
    fn recount(&self, leaf: u16, pending: &Batch) -> Hash {
        let mut sum = Hash::ABSENT;
        let mut add = |key: &Key, held: &Held| sum = sum.plus(Self::hash(key, held));
        let mut after: Option<Key> = None;
        loop {
            let from = after.as_ref().map_or(From::Leaf(leaf), From::After);
            let room = Room { last: leaf, ..PAGE };
            let Ok(page) = self.store.scan(Place::Own, from, room) else { break };
            for (key, held) in page.records.iter().filter(|(k, _)| k.leaf() == leaf) {
                if !pending.held.contains_key(&(Place::Own, key.clone())) {
                    add(key, held);
                }
            }
            after = page.next.filter(|next| next.leaf() == leaf);
            if after.is_none() {
                break;
            }
        }
        for ((place, key), held) in &pending.held {
            if let (Place::Own, Some(held)) = (place, held)
                && key.leaf() == leaf
            {
                add(key, held);
            }
        }
        sum
    }

    fn recount_all(&mut self) -> Result<(), StoreError> {
        let mut batch = Batch::default();
        for leaf in 0..=u16::MAX {
            let hash = self.recount(leaf, &Batch::default());
            self.tree.set_leaf(leaf, hash);
            batch.leaves.insert(leaf, hash);
        }
        self.store.commit(batch)
    }

    fn tree_answer(&self, question: &Question) -> Result<ReplicaAnswer, StoreError> {
        let Ok(answer) = self.tree.answer(question) else { return Ok(ReplicaAnswer::Failed) };
        Ok(ReplicaAnswer::Tree(match (answer, question) {
            (Some(answer), _) => answer,
            (None, Question::Keys { first, last, after }) => {
                self.key_page(*first..=*last, after.as_ref())?
            }
            (None, _) => return Ok(ReplicaAnswer::Failed),
        }))
    }

    fn key_page(
        &self,
        leaves: RangeInclusive<u16>,
        after: Option<&Key>,
    ) -> Result<merkle::Answer, StoreError> {
        let room = Room { records: merkle::LIST, last: *leaves.end(), ..PAGE };
        let page = self.store.scan(
            Place::Own,
            after.map_or(From::Leaf(*leaves.start()), From::After),
            room,
        )?;
        let inside = |key: &Key| leaves.contains(&key.leaf());
        let more = page.next.as_ref().is_some_and(inside);
        let keys = page.records.iter().filter(|(key, _)| inside(key));
        let mut keys =
            merkle::Page::of(keys.map(|(key, held)| (key.clone(), Self::hash(key, held))));
        keys.more |= more && !keys.keys.is_empty();
        Ok(merkle::Answer::Keys(keys))
    }

    /// Counts some leaves anew, which reads all that is in them.
    fn scrub(&mut self, turn: &mut Turn, mut leaf: u16) -> Result<ReplicaAnswer, StoreError> {
        let mut wrong = 0;
        for _ in 0..SCRUB {
            let page = self.store.scan(Place::Own, From::Leaf(leaf), FIRST)?;
            let first = page.records.first().map(|(key, _)| key).or(page.damaged.first());
            let Some(next) = first.map(Key::leaf) else {
                return Ok(ReplicaAnswer::Scrubbed { wrong, next: None });
            };
            leaf = next;
            if self.recount(leaf, &turn.batch) != self.tree.leaf(leaf) {
                turn.damaged.insert(leaf);
                wrong += 1;
            }
            match leaf.checked_add(1) {
                Some(next) => leaf = next,
                None => return Ok(ReplicaAnswer::Scrubbed { wrong, next: None }),
            }
        }
        Ok(ReplicaAnswer::Scrubbed { wrong, next: Some(leaf) })
    }

    fn graves(&self, after: Option<&Key>, before: Stamp) -> Result<ReplicaAnswer, StoreError> {
        let keys = self.store.graves(after, PAGE.records)?;
        let next = keys.last().filter(|_| keys.len() == PAGE.records).cloned();
        let mut records = Vec::new();
        for key in keys {
            let Ok(Some(held)) = self.store.get(Place::Own, &key) else { continue };
            let versions = held.versions;
            let old = versions.siblings().iter().all(|v| v.stamp < before);
            if versions.is_grave() && old {
                records.push((key, versions));
            }
        }
        Ok(ReplicaAnswer::Records { records, next })
    }
}

/// A turn under way.
struct Turn {
    batch: Batch,
    /// Leaves with a record that could not be read.
    damaged: BTreeSet<u16>,
    durable: bool,
}

impl Held {
    /// Makes a version, and cuts the clock if the limit of its entries calls for it. Not
    /// for a deletion: what that has seen is what keeps the key deleted.
    fn write(&mut self, draft: Draft, clock: usize) -> (Applied, usize) {
        let Draft { node, incarnation, counter, request, stamp, value, context } = draft;
        let life = if self.life == Life::default() { Life(counter) } else { self.life };
        let dot = Dot { actor: Actor { node, incarnation, life }, counter };
        let deletes = value.is_none();
        let version = Version { dot, request, stamp, value };
        let applied = self.versions.write(Write { version, context });
        if applied != Applied::New {
            return (applied, 0);
        }
        self.life = life;
        let truncated = if deletes { 0 } else { self.versions.truncate(clock) };
        (applied, truncated)
    }
}

/// Who holds a key for somebody else, and for whom, as a place.
pub(crate) fn place(stands_for: Option<NodeId>) -> Place {
    stands_for.map_or(Place::Own, Place::Hint)
}

#[cfg(test)]
mod tests;
