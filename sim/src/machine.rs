//! A machine: a disk and clocks that last, and a process that comes and goes.

use crate::{dice::Dice, disk::Disk};
use dynamo_core::{
    gossip::Member,
    id::{Generation, Incarnation, NodeId},
    limits::Bounds,
    node::{Config, Effect, Input, Node},
    reap::Reaping,
    replica::{Job, Replica},
    store::Record,
    time::{Instant, Now, Stamp},
};
use std::time::Duration;

/// What the wall clocks say when a run begins, in milliseconds since the Unix epoch.
const EPOCH_MS: u64 = 1_700_000_000_000;

/// How far a wall clock may be off, in milliseconds.
pub(crate) const MAX_SKEW_MS: usize = 5_000;

/// Of a machine that has lost nothing.
const FIRST: Incarnation = Incarnation(1);

pub(crate) struct Machine {
    pub(crate) node: NodeId,
    pub(crate) name: String,
    pub(crate) zone: String,
    /// Where seeds find it, whatever its address is.
    pub(crate) seed: String,
    pub(crate) address: String,
    /// The disk, and the tree that a process has of it.
    pub(crate) replica: Replica<Disk>,
    syncs: bool,
    bounds: Bounds,
    pub(crate) generation: Generation,
    pub(crate) incarnation: Incarnation,
    /// How far the wall clock is ahead, of a clock that is `MAX_SKEW_MS` behind.
    pub(crate) skew_ms: usize,
    /// A machine that is gone, so that nobody says that its port is closed.
    pub(crate) dark: bool,
    pub(crate) process: Option<Process>,
}

/// A running node and its driver.
pub(crate) struct Process {
    pub(crate) node: Node,
    /// Its monotonic clock at its start, and when that was.
    clock: Duration,
    started: Duration,
    pub(crate) waiting: Vec<Input>,
    /// What its disk works on.
    pub(crate) batch: Option<Turn>,
    /// When it is woken next.
    pub(crate) wake: Option<Duration>,
    pub(crate) paused: bool,
    /// When the last pause ended: what was late before that is excused.
    pub(crate) resumed: Duration,
    pub(crate) draining: bool,
    /// It will crash while its disk works on its next batch, and be back so much later.
    pub(crate) doomed: Option<Duration>,
}

/// What a turn wants: stored first, and then out of the node.
#[derive(Default)]
pub(crate) struct Turn {
    pub(crate) jobs: Vec<Job>,
    pub(crate) records: Vec<Record>,
    pub(crate) leaving: Vec<Effect>,
}

/// How a process is started, but for what is on its machine.
pub(crate) struct Start {
    pub(crate) seeds: Vec<String>,
    pub(crate) read_quorum: usize,
    pub(crate) write_quorum: usize,
    pub(crate) reaping: Reaping,
    pub(crate) seed: u64,
    pub(crate) clock: Duration,
}

/// What a machine is for the whole run.
pub(crate) struct Site {
    pub(crate) node: NodeId,
    pub(crate) name: String,
    pub(crate) zone: String,
    pub(crate) seed: String,
    pub(crate) address: String,
    pub(crate) skew_ms: usize,
    /// Whether every commit is synced.
    pub(crate) syncs: bool,
    pub(crate) bounds: Bounds,
}

fn opened(disk: Disk, bounds: Bounds) -> Replica<Disk> {
    Replica::open(disk, bounds).expect("leaves read back")
}

impl Machine {
    /// One on which nothing has run yet.
    pub(crate) fn new(site: Site) -> Self {
        let Site { node, name, zone, seed, address, skew_ms, syncs, bounds } = site;
        let replica = opened(Disk::new(syncs), bounds);
        let (generation, incarnation) = (Generation(0), FIRST);
        let (dark, process) = (false, None);
        Machine {
            node,
            name,
            zone,
            seed,
            address,
            replica,
            syncs,
            bounds,
            generation,
            incarnation,
            skew_ms,
            dark,
            process,
        }
    }

    pub(crate) fn disk(&self) -> &Disk {
        self.replica.store()
    }

    pub(crate) fn disk_mut(&mut self) -> &mut Disk {
        self.replica.store_mut()
    }

    /// Whether the disk has ever lost anything.
    pub(crate) fn has_lost(&self) -> bool {
        self.incarnation > FIRST || self.disk().damaged
    }

    /// Starts a process on what the disk has.
    pub(crate) fn start(&mut self, at: Duration, start: Start) {
        self.reopen();
        self.generation.0 += 1;
        self.dark = false;
        let member = Member {
            node: self.node,
            name: self.name.clone(),
            address: self.address.clone(),
            client_address: String::new(),
            zone: self.zone.clone(),
            version: "sim".into(),
            generation: self.generation,
            heartbeat: 0,
            ring_epoch: 0,
            stopping: false,
        };
        let node = Node::new(Config {
            member,
            incarnation: self.incarnation,
            seeds: start.seeds,
            read_quorum: start.read_quorum,
            write_quorum: start.write_quorum,
            reserved: self.disk().reserved(),
            ring: self.disk().ring(),
            reaping: start.reaping,
            seed: start.seed,
        });
        self.process = Some(Process {
            node,
            clock: start.clock,
            started: at,
            waiting: Vec::new(),
            batch: None,
            wake: None,
            paused: false,
            resumed: Duration::ZERO,
            draining: false,
            doomed: None,
        });
    }

    /// Replaces the disk by an empty one, between two processes. Returns whether there was
    /// anything on it.
    pub(crate) fn lose_disk(&mut self) -> bool {
        self.incarnation.0 += 1;
        let empty = opened(Disk::new(self.syncs), self.bounds);
        std::mem::replace(&mut self.replica, empty).store().holds_anything()
    }

    /// What a new process knows is what the disk has.
    fn reopen(&mut self) {
        let empty = opened(Disk::new(self.syncs), self.bounds);
        let disk = std::mem::replace(&mut self.replica, empty).into_store();
        self.replica = opened(disk, self.bounds);
    }

    /// The power fails, between two processes. Returns whether anything was lost.
    pub(crate) fn lose_power(&mut self, dice: &mut Dice) -> bool {
        let lost = self.disk_mut().lose_unsynced(dice);
        // It cannot know whether anything was.
        self.incarnation.0 += u32::from(lost.is_some());
        lost.unwrap_or(false)
    }

    /// Both clocks of its process; a machine without one has no monotonic clock.
    pub(crate) fn now(&self, at: Duration) -> Now {
        let instant = self.process.as_ref().map_or(Duration::ZERO, |p| p.clock + (at - p.started));
        let run_ms = u64::try_from(at.as_millis()).expect("runs are short");
        let wall = EPOCH_MS + run_ms + self.skew_ms as u64 - MAX_SKEW_MS as u64;
        Now { instant: Instant(instant), wall: Stamp(wall) }
    }
}

impl Process {
    /// When the node wants to be woken, in the time of the run.
    pub(crate) fn deadline(&self) -> Duration {
        self.started + self.node.deadline().0.saturating_sub(self.clock)
    }

    /// Nothing is asked of it any more.
    pub(crate) fn is_drained(&self) -> bool {
        self.node.in_flight() == 0 && self.batch.is_none() && self.waiting.is_empty()
    }
}
