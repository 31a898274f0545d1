//! Processes that start, end and crash; the operator that lays the ring; messages that
//! arrive.

use crate::{
    dice::Dice,
    invariants::{Violation, laid_once},
    machine::{MAX_SKEW_MS, Machine, Site, Start},
    network::{Cut, Envelope},
    scenario::Scenario,
    tally::Bite,
    world::{Event, World},
};
use dynamo_core::{
    gossip::Gossip,
    id::{Generation, NodeId},
    message::{Message, PeerOperation},
    node::{Input, Order, OrderRefused, Token},
    ring::{Plan, Seal, Seat},
};
use dynamo_proto::v1;
use prost::Message as _;
use std::time::Duration;

/// Orders are told from requests by their tokens.
const ORDER: Token = Token(u64::MAX);

/// All machines of a run, none of which runs yet.
pub(crate) fn machines(scenario: &Scenario, dice: &mut Dice) -> Vec<Machine> {
    let machine = |i: usize, dice: &mut Dice| {
        Machine::new(Site {
            node: NodeId(dice.any()),
            name: format!("node-{i}"),
            zone: match scenario.zones {
                0 => String::new(),
                zones => format!("zone-{}", i % zones),
            },
            seed: format!("node-{i}.peers:7071"),
            address: address(i, Generation(0)),
            skew_ms: dice.number(0..=2 * MAX_SKEW_MS),
            syncs: scenario.syncs,
            bounds: scenario.bounds,
        })
    };
    (0..scenario.nodes()).map(|i| machine(i, dice)).collect()
}

fn address(m: usize, generation: Generation) -> String {
    format!("10.0.{}.{m}:7071", generation.0)
}

impl World {
    /// Starts a process on a machine.
    pub(crate) fn start(&mut self, m: usize) {
        let machine = &mut self.machines[m];
        if machine.process.is_some() {
            return;
        }
        if self.schedule.scenario.moving && machine.generation > Generation(0) {
            self.tally.bite(Bite::Moved);
            machine.address = address(m, machine.generation);
        }
        // Two of the first machines: with them every machine finds all others.
        let seeds = vec!["node-0.peers:7071".into(), "node-1.peers:7071".into()];
        let start = Start {
            seeds,
            read_quorum: self.schedule.scenario.read_quorum,
            write_quorum: self.schedule.scenario.write_quorum,
            reaping: self.schedule.scenario.reaping,
            seed: self.dice.any(),
            clock: self.dice.millis(0..=1_000_000_000),
        };
        machine.start(self.now, start);
        let generation = machine.generation.0;
        self.trace.line(self.now, format_args!("n{m} starts, generation {generation}"));
        self.turn(m);
    }

    /// Ends a process without warning. Its disk finishes what it works on, or does not.
    pub(crate) fn crash(&mut self, m: usize) {
        let Some(process) = self.machines[m].process.take() else { return };
        self.trace.line(self.now, format_args!("n{m} ends"));
        if let Some(turn) = process.batch {
            if self.dice.chance(0.5) {
                self.tally.bite(Bite::CrashKeptBatch);
                self.commit(m, turn.jobs, turn.records);
            } else {
                self.tally.bite(Bite::CrashLostBatch);
            }
        }
        let dark = self.dice.chance(0.3);
        self.machines[m].dark = dark;
        for other in 0..self.machines.len() {
            if other != m {
                self.break_stream((other, m), dark);
                // What it had sent may still arrive.
                if self.dice.chance(0.5) {
                    self.network.break_stream((m, other));
                }
            }
        }
        let generation = self.machines[m].generation;
        self.requests_lost(m, generation);
    }

    /// Asks a node to end, and sees to it that it does.
    pub(crate) fn drain(&mut self, m: usize) {
        let Some(process) = &mut self.machines[m].process else { return };
        process.draining = true;
        self.trace.line(self.now, format_args!("n{m} is told to stop"));
        self.give(m, Input::Order(ORDER, Order::Stop));
        self.queue.add(self.now + Duration::from_millis(50), Event::Drained(m, 5));
    }

    /// Ends the process once it has answered everybody, at the latest after a while.
    pub(crate) fn drained(&mut self, m: usize, more_chances: u32) {
        let Some(process) = self.machines[m].process.as_ref().filter(|p| p.draining) else {
            return;
        };
        if process.is_drained() || more_chances == 0 {
            self.tally.bite(Bite::Drained);
            self.crash(m);
            let back = self.now + self.dice.millis(200..=2_000);
            self.queue.add(back, Event::Start(m));
        } else {
            let again = self.now + Duration::from_secs(1);
            self.queue.add(again, Event::Drained(m, more_chances - 1));
        }
    }

    /// The operator's step: one Bootstrap over all first members, until it is obeyed.
    pub(crate) fn bootstrap(&mut self) {
        let seat = |m: &Machine| Seat { node: m.node, zone: m.zone.clone(), weight: 1 };
        let plan = Plan {
            operation: "bootstrap".into(),
            partitions: self.schedule.scenario.partitions,
            factor: self.schedule.scenario.factor,
            seats: self.machines[..self.schedule.scenario.members].iter().map(seat).collect(),
        };
        let seal = Seal(u128::from(self.dice.any()).to_be_bytes());
        self.give(0, Input::Order(ORDER, Order::Bootstrap { plan, seal }));
    }

    /// A node has answered an order.
    pub(crate) fn obeyed(&mut self, m: usize, result: Result<u64, OrderRefused>) {
        let draining = self.machines[m].process.as_ref().is_some_and(|p| p.draining);
        match result {
            _ if draining => {}
            Err(OrderRefused::NotUp(_) | OrderRefused::RingElsewhere(_)) => {
                self.queue.add(self.now + Duration::from_millis(500), Event::Operator);
            }
            other => {
                let again = std::mem::replace(&mut self.laid, true);
                self.judge(|_| laid_once::check(&other));
                if !again {
                    self.begin_load();
                    // An operator that did not hear the answer orders it once more.
                    self.queue.add(self.now + Duration::from_secs(1), Event::Operator);
                }
            }
        }
    }

    /// A message arrives, if its stream and its receiver still exist.
    pub(crate) fn deliver(&mut self, envelope: Envelope) {
        if !self.network.carries(&envelope) {
            return;
        }
        let (from, to) = envelope.link;
        if let Some(partition) = self.network.cut(envelope.link) {
            if partition.cut == Cut::Held {
                self.tally.bite(Bite::HeldMessage);
                self.network.hold(envelope);
            } else {
                let bite = partition.bite;
                self.tally.bite(bite);
            }
            return;
        }
        self.tally.messages += 1;
        let message = v1::Message::decode(&*envelope.bytes).map_err(dynamo_proto::Malformed::from);
        match message.and_then(Message::try_from) {
            Ok(message) => {
                self.trace.line(self.now, format_args!("n{from} -> n{to} {}", summary(&message)));
                let node = self.machines[from].node;
                self.give(to, Input::Message(node, envelope.generation, message));
            }
            Err(e) => self.judge(|_| Err(Violation::new("messages read back", e.to_string()))),
        }
    }

    /// Ends a partition and lets go what it held.
    pub(crate) fn heal(&mut self, number: u64) {
        let at = self.now + Duration::from_millis(1);
        for envelope in self.network.heal(number, at) {
            self.queue.add(at, Event::Deliver(envelope));
        }
    }
}

/// Few words for the trace.
fn summary(message: &Message) -> String {
    match message {
        Message::ReplicaRequest { id, key, stands_for, operation } => {
            let what = match operation {
                PeerOperation::Read => "read",
                PeerOperation::Merge { .. } => "merge",
            };
            let hint = stands_for.map(|owner| format!(" for {owner}")).unwrap_or_default();
            format!("{what} {key:?}{hint} #{:x}", id.0)
        }
        Message::ReplicaResponse { id, .. } => format!("answers #{:x}", id.0),
        Message::ForwardRequest { id, write } => {
            format!("forward {:?} {:?} #{:x}", write.key, write.write.request, id.0)
        }
        Message::ForwardResponse { id, result } => {
            format!("forwarded #{:x}: {}", id.0, if result.is_ok() { "ok" } else { "refused" })
        }
        Message::TreeRequest { id, question } => format!("{question:?} #{:x}", id.0),
        Message::TreeResponse { id, .. } => format!("answers about its tree #{:x}", id.0),
        Message::ReapRequest { id, request } => {
            let keys: Vec<_> = request.graves.iter().map(|(key, _)| key).collect();
            format!("{:?} {keys:?} #{:x}", request.step, id.0)
        }
        Message::ReapResponse { id, agreed } => format!("agrees {agreed:?} #{:x}", id.0),
        Message::Gossip(Gossip { stage, .. }) => {
            format!("gossip: {} entries, {} pulses", stage.entries().len(), stage.pulses().len())
        }
    }
}
