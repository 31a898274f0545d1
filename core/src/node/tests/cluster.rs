//! Some nodes with their disks, the messages between them carried by hand, and a clock that
//! the test turns.

use super::{machine::Machine, *};
use crate::{request::Got, store::Store};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// A message on its way.
#[derive(Clone, Debug)]
pub(super) struct Parcel {
    pub(super) from: NodeId,
    generation: Generation,
    pub(super) to: NodeId,
    pub(super) message: Message,
}

impl Parcel {
    /// Whether it asks a replica to merge, and to sync.
    pub(super) fn merges(&self) -> Option<bool> {
        match &self.message {
            Message::ReplicaRequest { operation: PeerOperation::Merge { sync, .. }, .. } => {
                Some(*sync)
            }
            _ => None,
        }
    }
}

/// What happens to a message.
pub(super) enum Fate {
    Deliver,
    Drop,
    /// It is late; [`Cluster::release`] delivers it.
    Hold,
}

/// The clock moves on by so much.
const STEP: u64 = 100;

pub(super) struct Cluster {
    pub(super) machines: BTreeMap<NodeId, Machine>,
    pub(super) ring: Arc<Ring>,
    reaping: Reaping,
    at: u64,
    generations: BTreeMap<NodeId, Generation>,
    /// They reach nobody and nobody reaches them.
    cut: BTreeSet<NodeId>,
    /// They do nothing, and what they are sent waits.
    paused: BTreeSet<NodeId>,
    pub(super) rule: Box<dyn FnMut(&Parcel) -> Fate>,
    queue: VecDeque<Parcel>,
    held: Vec<Parcel>,
    /// All that was delivered, gossip left out.
    pub(super) delivered: Vec<Parcel>,
    pub(super) notes: Vec<(NodeId, Note)>,
    replies: BTreeMap<Token, Reply>,
    next: u64,
}

impl Cluster {
    /// The first `size` nodes, which have met.
    pub(super) fn of(size: usize) -> Self {
        let reaping = Reaping { after: Duration::from_secs(5), settle: Duration::from_secs(4) };
        let mut cluster = Cluster {
            machines: BTreeMap::new(),
            ring: laid(&ALL[..size]),
            reaping,
            at: 0,
            generations: BTreeMap::new(),
            cut: BTreeSet::new(),
            paused: BTreeSet::new(),
            rule: Box::new(|_| Fate::Deliver),
            queue: VecDeque::new(),
            held: Vec::new(),
            delivered: Vec::new(),
            notes: Vec::new(),
            replies: BTreeMap::new(),
            next: 1,
        };
        for &node in &ALL[..size] {
            let machine = Machine::new(cluster.start(node, 0));
            cluster.machines.insert(node, machine);
        }
        cluster.run(3_000);
        cluster
    }

    fn start(&mut self, node: NodeId, reserved: u64) -> Node {
        let generation = self.generations.entry(node).or_insert(Generation(0));
        generation.0 += 1;
        let member = Member { generation: *generation, ..member(node) };
        let seeds = self.ring.seats().iter().map(|s| format!("{}:1", s.node)).collect();
        let ring = Some(self.ring.clone());
        let (reaping, seed) = (self.reaping, node.0);
        Node::new(Config { member, seeds, reserved, reaping, seed, ..config(ring) })
    }

    /// Another process on the same disk.
    pub(super) fn restart(&mut self, node: NodeId) {
        let reserved = |record: &Record| match record {
            Record::Reserved(n) => Some(*n),
            Record::Ring(_) => None,
        };
        let records = self.machines[&node].replica.store().records();
        let reserved = records.iter().filter_map(reserved).max().unwrap_or(0);
        let fresh = self.start(node, reserved);
        self.machine(node).node = fresh;
        self.run(3_000);
    }

    pub(super) fn machine(&mut self, node: NodeId) -> &mut Machine {
        self.machines.get_mut(&node).unwrap()
    }

    pub(super) fn now(&self) -> Now {
        now(self.at)
    }

    /// Nobody reaches it any more, and all notice when they try.
    pub(super) fn cut(&mut self, node: NodeId) {
        self.cut.insert(node);
        for other in ALL.into_iter().filter(|n| *n != node) {
            if self.machines.contains_key(&other) {
                self.feed(other, Input::Unreachable(node));
                self.feed(node, Input::Unreachable(other));
            }
        }
        self.carry();
    }

    /// It can be reached again, and is.
    pub(super) fn heal(&mut self, node: NodeId) {
        self.cut.remove(&node);
        self.run(12_000);
    }

    pub(super) fn pause(&mut self, node: NodeId) {
        self.paused.insert(node);
    }

    /// It goes on as if nothing had happened, with all that waits for it.
    pub(super) fn resume(&mut self, node: NodeId) {
        self.paused.remove(&node);
        self.carry();
    }

    /// Delivers what was held.
    pub(super) fn release(&mut self) {
        self.rule = Box::new(|_| Fate::Deliver);
        self.queue.extend(std::mem::take(&mut self.held));
        self.carry();
    }

    /// Lets so many milliseconds pass.
    pub(super) fn run(&mut self, ms: u64) {
        let end = self.at + ms;
        while self.at < end {
            self.at += STEP;
            let ids: Vec<_> = self.machines.keys().copied().collect();
            for id in ids {
                let due = self.machines[&id].node.deadline() <= self.now().instant;
                if due && !self.paused.contains(&id) {
                    self.feed(id, Input::Tick);
                }
            }
            self.carry();
        }
    }

    /// Lets time pass until it is so, and says whether that was within the limit.
    pub(super) fn run_until(&mut self, limit: u64, so: impl Fn(&Cluster) -> bool) -> bool {
        let end = self.at + limit;
        while !so(self) && self.at < end {
            self.run(STEP);
        }
        so(self)
    }

    fn feed(&mut self, node: NodeId, input: Input) {
        let (now, generation) = (self.now(), self.generations[&node]);
        for effect in self.machine(node).handle(now, input) {
            match effect {
                Effect::Send(to, message) => {
                    self.queue.push_back(Parcel { from: node, generation, to, message });
                }
                Effect::SendToSeed(address, message) => {
                    let to = address.split(':').next().unwrap().parse().unwrap();
                    self.queue.push_back(Parcel { from: node, generation, to, message });
                }
                Effect::Reply(token, reply) => {
                    let twice = self.replies.insert(token, reply);
                    assert_eq!(twice, None, "a request is answered exactly once");
                }
                Effect::Note(note) => self.notes.push((node, note)),
                other => panic!("{other:?}"),
            }
        }
    }

    fn carry(&mut self) {
        let mut waiting = Vec::new();
        while let Some(parcel) = self.queue.pop_front() {
            let Parcel { from, to, .. } = parcel;
            if self.cut.contains(&from) || self.cut.contains(&to) {
                self.feed(from, Input::Unreachable(to));
                continue;
            }
            if self.paused.contains(&to) {
                waiting.push(parcel);
                continue;
            }
            match (self.rule)(&parcel) {
                Fate::Deliver => {
                    let Parcel { generation, message, .. } = parcel.clone();
                    if !matches!(message, Message::Gossip(_)) {
                        self.delivered.push(parcel);
                    }
                    self.feed(to, Input::Message(from, generation, message));
                }
                Fate::Drop => {}
                Fate::Hold => self.held.push(parcel),
            }
        }
        self.queue.extend(waiting);
    }

    /// A request of a client, and its answer.
    pub(super) fn request(
        &mut self,
        at: NodeId,
        key: &Key,
        command: Command,
        wanted: Wanted,
    ) -> Reply {
        let token = Token(self.next);
        self.next += 1;
        let timeout = Duration::from_secs(2);
        let request = Request { key: key.clone(), command, wanted, timeout };
        self.feed(at, Input::Request(token, request));
        self.carry();
        assert!(self.run_until(3_000, |c| c.replies.contains_key(&token)), "it was not answered");
        self.replies.remove(&token).unwrap()
    }

    /// A write that must succeed; the value's absence deletes. Returns its context.
    pub(super) fn write(
        &mut self,
        at: NodeId,
        key: &Key,
        value: Option<&'static str>,
        context: Context,
    ) -> Written {
        let request = RequestId(u128::from(self.next).to_be_bytes());
        let write = WriteCommand { request, context, value: value.map(Into::into) };
        let wanted = Wanted { total: Some(1), ..Wanted::default() };
        match self.request(at, key, Command::Write(write), wanted) {
            Reply::Written(written) => written,
            other => panic!("{other:?}"),
        }
    }

    pub(super) fn read(&mut self, at: NodeId, key: &Key) -> Got {
        match self.request(at, key, Command::Get, Wanted::default()) {
            Reply::Got(got) => got,
            other => panic!("{other:?}"),
        }
    }

    pub(super) fn values(&mut self, at: NodeId, key: &Key) -> Vec<String> {
        texts(&self.read(at, key).siblings)
    }

    /// What a node holds as a primary.
    pub(super) fn holds(&self, node: NodeId, key: &Key) -> Versions {
        self.machines[&node].held(Place::Own, key)
    }

    /// Whether its record is there and not damaged.
    pub(super) fn holds_readably(&self, node: NodeId, key: &Key) -> bool {
        matches!(self.machines[&node].replica.store().get(Place::Own, key), Ok(Some(_)))
    }

    pub(super) fn hint(&self, at: NodeId, owner: NodeId, key: &Key) -> Versions {
        self.machines[&at].held(Place::Hint(owner), key)
    }

    pub(super) fn list(&self, key: &Key) -> PreferenceList {
        self.ring.preference_list(self.ring.partition_of(key))
    }
}

/// The values, sorted.
pub(super) fn texts(siblings: &[Version]) -> Vec<String> {
    let text = |v: &Version| String::from_utf8_lossy(v.value.as_deref().unwrap_or(b"-")).into();
    let mut texts: Vec<String> = siblings.iter().map(text).collect();
    texts.sort();
    texts
}
