//! A node with its disk: jobs are run and answered at once, whatever else it wants comes out.

use super::*;
use crate::{limits::Bounds, replica::Replica, store::Store, store::fragile::Fragile};
use std::collections::VecDeque;

pub(super) struct Machine {
    pub(super) node: Node,
    pub(super) replica: Replica<Fragile>,
}

impl Machine {
    /// With an empty disk.
    pub(super) fn new(node: Node) -> Self {
        Machine { node, replica: Replica::open(Fragile::default(), Bounds::default()).unwrap() }
    }

    /// Node A of five, with an empty disk.
    pub(super) fn of_five() -> Self {
        Machine::new(node_in(&ALL))
    }

    /// Whatever is neither a job nor a record.
    pub(super) fn handle(&mut self, now: Now, input: Input) -> Vec<Effect> {
        let mut inputs = VecDeque::from([input]);
        let mut out = Vec::new();
        while let Some(input) = inputs.pop_front() {
            let (mut jobs, mut records) = (Vec::new(), Vec::new());
            for effect in handle(&mut self.node, now, input) {
                match effect {
                    Effect::Replica(job) => jobs.push(job),
                    Effect::Persist(record) => records.push(record),
                    other => out.push(other),
                }
            }
            let done = self.replica.run(jobs, records).unwrap();
            inputs.extend(done.into_iter().map(|(asker, a)| Input::Replica(asker, a)));
        }
        out
    }

    /// Runs something on the disk behind the node's back.
    pub(super) fn perform(&mut self, task: Task) -> ReplicaAnswer {
        let job = Job { asker: Asker::Own(OpId(0)), task };
        self.replica.run(vec![job], vec![]).unwrap().remove(0).1
    }

    /// Puts a record on the disk behind the node's back.
    pub(super) fn store(&mut self, place: Place, key: &Key, versions: &Versions) {
        let operation = Operation::Merge { versions: versions.clone(), sync: true };
        self.perform(Task::One { key: key.clone(), place, operation });
    }

    pub(super) fn held(&self, place: Place, key: &Key) -> Versions {
        self.replica.store().get(place, key).unwrap().unwrap_or_default().versions
    }

    /// All others are heard of again, so that nobody is taken for dead for lack of news.
    pub(super) fn hear_all(&mut self, now: Now) {
        for other in [B, C, D, E] {
            let alive = Member { heartbeat: now.wall.0, ..member(other) };
            self.handle(now, told(other, vec![alive], RingTag::MAX));
        }
    }
}
