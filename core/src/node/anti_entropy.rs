//! Anti-entropy (paper, section 4.7): now and then this node compares its Merkle tree with
//! that of another that holds some of the same partitions, and both bring the keys that
//! differ to the same state.
//!
//! One comparison at a time, with all such nodes in turn. It is what guarantees that
//! replicas become equal: hints and read repair are faster, but may be lost or never come.

use super::{
    Effect, Node, Note,
    requests::{Machine, Origin},
};
use crate::{
    coordinator::{Electorate, get::Get},
    id::{NodeId, OpId},
    key::Key,
    merkle::{Answer, Exchange, Question, Step},
    message::{Message, PeerOperation},
    quorum::{Quorum, Voter},
    replica::{Asker, Job, ReplicaAnswer, Task},
    ring::{Partition, Ring},
    time::{Instant, Now},
};
use std::{
    collections::{BTreeSet, VecDeque},
    time::Duration,
};

/// How often a comparison begins, if the last one has ended.
pub(super) const COMPARE_EVERY: Duration = Duration::from_secs(2);

/// One that makes no progress for so long is given up.
const PATIENCE: Duration = Duration::from_secs(10);

/// A key must be the same on both sides by then, or the next comparison finds it again.
const KEY_TIMEOUT: Duration = Duration::from_secs(5);

/// The comparison under way, and when and with whom the next one is.
#[derive(Debug, Default)]
pub(super) struct AntiEntropy {
    session: Option<Session>,
    last_peer: Option<NodeId>,
    next: Instant,
    /// How far the scrub has come.
    scrubbed: u16,
    scrubbing: Option<OpId>,
}

#[derive(Debug)]
struct Session {
    peer: NodeId,
    exchange: Exchange,
    asked: Option<(OpId, Option<Answer>, Option<Answer>)>,
    /// Keys that differ and are not being dealt with yet.
    keys: VecDeque<Key>,
    /// Those that are.
    syncing: BTreeSet<OpId>,
    progress: Instant,
}

impl AntiEntropy {
    /// Whether any key is being brought to the same state.
    pub(super) fn is_busy(&self) -> bool {
        self.session.as_ref().is_some_and(|s| !s.syncing.is_empty())
    }

    /// A node cannot be reached.
    pub(super) fn lost(&mut self, node: NodeId) {
        self.session.take_if(|s| s.peer == node);
    }
}

impl Node {
    /// To be called once a second.
    pub(super) fn compare(&mut self, now: Now, out: &mut Vec<Effect>) {
        let late = |s: &mut Session| now.instant.since(s.progress) >= PATIENCE;
        self.anti_entropy.session.take_if(late);
        if self.anti_entropy.session.is_some() || now.instant < self.anti_entropy.next {
            return;
        }
        self.anti_entropy.next = now.instant + COMPARE_EVERY;
        let Some(ring) = self.ring.clone() else { return };
        let own = self.membership.own().node;
        let Some(peer) = self.next_peer(now, &ring) else { return };
        self.anti_entropy.last_peer = Some(peer);
        let partitions = common(&ring, own, peer);
        let Ok(exchange) = Exchange::new(partitions, ring.partitions()) else { return };
        self.anti_entropy.session = Some(Session {
            peer,
            exchange,
            asked: None,
            keys: VecDeque::new(),
            syncing: BTreeSet::new(),
            progress: now.instant,
        });
        self.go_on(now, out);
    }

    /// Looks for damaged records, some leaves a second, which is about once an hour for each:
    /// what is never read would never be missed. To be called once a second.
    pub(super) fn scrub(&mut self, out: &mut Vec<Effect>) {
        if self.anti_entropy.scrubbing.is_none() && self.ring.is_some() {
            let id = self.next_id();
            self.anti_entropy.scrubbing = Some(id);
            let task = Task::Scrub { from: self.anti_entropy.scrubbed };
            out.push(Effect::Replica(Job { asker: Asker::Own(id), task }));
        }
    }

    /// The own replica has looked.
    pub(super) fn scrubbed(&mut self, id: OpId, answer: &ReplicaAnswer, out: &mut Vec<Effect>) {
        if self.anti_entropy.scrubbing.take_if(|asked| *asked == id).is_none() {
            return;
        }
        if let ReplicaAnswer::Scrubbed { wrong, next } = *answer {
            self.anti_entropy.scrubbed = next.unwrap_or(0);
            if wrong > 0 {
                out.push(Effect::Note(Note::Damaged { leaves: wrong }));
            }
        }
    }

    /// In turn, those that are up and hold some of the same partitions.
    fn next_peer(&self, now: Now, ring: &Ring) -> Option<NodeId> {
        let own = self.membership.own().node;
        if !self.membership.is_up(own, now.instant) {
            return None;
        }
        let shared = partitions(ring).map(|p| ring.primaries(p)).filter(|p| p.contains(&own));
        let peers: BTreeSet<_> = shared.flatten().copied().filter(|node| *node != own).collect();
        let mut up = peers.into_iter().filter(|node| self.membership.is_up(*node, now.instant));
        let last = self.anti_entropy.last_peer;
        let first = up.next();
        first.filter(|node| Some(*node) > last).or_else(|| up.find(|n| Some(*n) > last)).or(first)
    }

    /// Does as much as there is to do without waiting.
    fn go_on(&mut self, now: Now, out: &mut Vec<Effect>) {
        loop {
            let Some(session) = &mut self.anti_entropy.session else { return };
            let peer = session.peer;
            if session.syncing.len() >= self.pace.window() {
                return;
            }
            if let Some(key) = session.keys.pop_front() {
                self.sync_key(now, peer, key, out);
                continue;
            }
            if session.asked.is_some() {
                return;
            }
            match session.exchange.next() {
                Step::Ask(question) => {
                    let id = self.next_id();
                    let Some(session) = &mut self.anti_entropy.session else { return };
                    session.asked = Some((id, None, None));
                    let asker = Asker::Own(id);
                    let task = Task::Tree(question.clone());
                    out.push(Effect::Replica(Job { asker, task }));
                    out.push(Effect::Send(peer, Message::TreeRequest { id, question }));
                }
                Step::Differ(keys) => session.keys.extend(keys),
                Step::Done if session.syncing.is_empty() => {
                    let counts = session.exchange.counts();
                    self.anti_entropy.session = None;
                    out.push(Effect::Note(Note::Compared { peer, counts }));
                }
                Step::Done => return,
            }
        }
    }

    /// A read of both replicas that writes back what either lacks, for no client.
    fn sync_key(&mut self, now: Now, peer: NodeId, key: Key, out: &mut Vec<Effect>) {
        let own = self.membership.own().node;
        let voters = [own, peer].map(|node| Voter { node, stands_for: None });
        let quorum = Quorum { total: 2, primaries: 2 };
        let electorate = Electorate { quorum, voters: voters.to_vec(), of: 2, strict: true };
        let machine = Machine::Get(Get::new(own, &electorate, Some(2)));
        let times = (now.instant, now.instant + KEY_TIMEOUT);
        let id = self.admit(Origin::Nobody, key.clone(), times, machine);
        if let Some(session) = &mut self.anti_entropy.session {
            session.syncing.insert(id);
        }
        for voter in voters {
            self.ask(id, &key, voter, PeerOperation::Read, out);
        }
    }

    /// A key was dealt with, or given up for this time.
    pub(super) fn synced(&mut self, now: Now, id: OpId, out: &mut Vec<Effect>) {
        let Some(session) = &mut self.anti_entropy.session else { return };
        if session.syncing.remove(&id) {
            session.progress = now.instant;
            self.go_on(now, out);
        }
    }

    /// A peer asks about this node's tree.
    pub(super) fn tree_asked(
        &self,
        from: NodeId,
        id: OpId,
        question: Question,
        out: &mut Vec<Effect>,
    ) {
        let asker = Asker::Peer(from, id);
        out.push(Effect::Replica(Job { asker, task: Task::Tree(question) }));
    }

    /// One of both sides answers. Whatever does not answer the question ends the
    /// comparison.
    pub(super) fn tree_answered(
        &mut self,
        now: Now,
        id: OpId,
        from: NodeId,
        answer: ReplicaAnswer,
        out: &mut Vec<Effect>,
    ) {
        let own = self.membership.own().node;
        let Some(session) = &mut self.anti_entropy.session else { return };
        let Some((asked, ours, theirs)) = &mut session.asked else { return };
        if *asked != id || ![own, session.peer].contains(&from) {
            return;
        }
        let ReplicaAnswer::Tree(answer) = answer else {
            self.anti_entropy.session = None;
            return;
        };
        *(if from == own { ours } else { theirs }) = Some(answer);
        if let Some((_, Some(ours), Some(theirs))) =
            session.asked.take_if(|(_, ours, theirs)| ours.is_some() && theirs.is_some())
        {
            session.progress = now.instant;
            if session.exchange.answered(ours, theirs).is_err() {
                self.anti_entropy.session = None;
                return;
            }
            self.go_on(now, out);
        }
    }
}

/// The partitions of which both are primaries.
fn common(ring: &Ring, one: NodeId, other: NodeId) -> Vec<Partition> {
    let both = |p: &Partition| {
        let primaries = ring.primaries(*p);
        primaries.contains(&one) && primaries.contains(&other)
    };
    partitions(ring).filter(both).collect()
}

fn partitions(ring: &Ring) -> impl Iterator<Item = Partition> {
    (0..ring.partitions()).filter_map(|p| u16::try_from(p).ok()).map(Partition)
}
