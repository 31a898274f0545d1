//! What clients are told and what disks hold, judged by what clients have done.

use crate::{
    invariants::{
        Read, Violation, acknowledged_is_stored, acknowledged_survives, answered_once,
        answers_fit_questions, context_is_honest, converged, deleted_stays_deleted,
        hint_reaches_its_owner, refused_never_appears, siblings_are_concurrent,
    },
    machine::Machine,
    world::World,
};
use dynamo_core::{
    id::{NodeId, RequestId},
    key::Key,
    message::Message,
    node::Token,
    request::{Acks, Got, Wanted, Written},
    store::Place,
    version::Versions,
};

impl World {
    /// A write was acknowledged by the process on a machine: is it stored where it says?
    pub(crate) fn check_acknowledged(
        &self,
        m: usize,
        request: RequestId,
        wanted: Wanted,
        acks: Acks,
    ) -> Result<(), Violation> {
        let Some(process) = &self.machines[m].process else { return Ok(()) };
        let (Some(ring), Some(write)) = (process.node.ring(), self.history.get(request)) else {
            return Ok(());
        };
        // A clock that was cut does not tell what it has overwritten.
        if self.history.is_truncated(&write.key) {
            return Ok(());
        }
        let scenario = &self.schedule.scenario;
        let seats = ring.primaries(ring.partition_of(&write.key)).iter().map(|owner| {
            let disks = self.machines.iter().map(|m| {
                let place = if m.node == *owner { Place::Own } else { Place::Hint(*owner) };
                (m.node == *owner, m.disk().holds(place, &write.key))
            });
            let holders = disks.filter(|(_, held)| write.is_held(held)).map(|(own, _)| own);
            holders.fold((false, false), |(_, primary), own| (true, primary || own))
        });
        let seats: Vec<_> = seats.collect();
        let quorum = wanted.total.unwrap_or(scenario.write_quorum).max(wanted.primaries);
        let quorums = (quorum, if wanted.strict { quorum } else { wanted.primaries });
        acknowledged_is_stored::check_write(write, acks, quorums, &seats, scenario.victims)
    }

    /// A machine sends a message.
    pub(crate) fn check_question(&mut self, m: usize, message: &Message) -> Result<(), Violation> {
        let (Message::ReplicaRequest { id, .. }
        | Message::ForwardRequest { id, .. }
        | Message::TreeRequest { id, .. }
        | Message::ReapRequest { id, .. }) = *message
        else {
            return Ok(());
        };
        let Machine { node, generation, .. } = self.machines[m];
        let first = *self.asked.entry((m, id)).or_insert(generation);
        answers_fit_questions::check((node, id), generation, first)
    }

    /// A node has deleted a hint.
    pub(crate) fn check_delivered(
        &self,
        owner: NodeId,
        key: &Key,
        hint: &Versions,
    ) -> Result<(), Violation> {
        match self.machines.iter().find(|m| m.node == owner) {
            // A clock that was cut has forgotten what it had seen.
            Some(owner) if !self.history.is_truncated(key) => {
                hint_reaches_its_owner::check(owner, key, hint)
            }
            _ => Ok(()),
        }
    }

    pub(crate) fn check_written(
        &self,
        request: RequestId,
        written: &Written,
    ) -> Result<(), Violation> {
        match (self.history.get(request), &written.context) {
            (Some(write), Some(context)) => {
                context_is_honest::check_written(&self.history, write, context)
            }
            _ => Ok(()),
        }
    }

    /// A client has read a key.
    pub(crate) fn read(&mut self, token: Token, key: &Key, got: &Got) {
        let call = &self.calls[&token];
        let (wanted, scenario) = (call.request.wanted, &self.schedule.scenario);
        let quorum = wanted.total.unwrap_or(scenario.read_quorum).max(wanted.primaries);
        let (copies, asked) = (scenario.factor + scenario.victims, call.began);
        let read = Read { key, copies, asked, got };
        let write_quorum = scenario.write_quorum;
        self.judge(|w| {
            acknowledged_is_stored::check_read(got, quorum, wanted)?;
            refused_never_appears::check(&w.history, key, got.siblings.iter())?;
            deleted_stays_deleted::check(&w.history, key, got.siblings.iter())?;
            siblings_are_concurrent::check(&w.history, key, &got.siblings)?;
            context_is_honest::check_read(&w.history, &read)?;
            if acknowledged_survives::check_read(&w.history, &read)? {
                w.tally.judged_reads += 1;
            }
            Ok(())
        });
        if wanted.strict {
            let shown = got.siblings.iter().map(|v| v.request).collect();
            self.history.read_strictly(shown, self.now, write_quorum);
        }
    }

    /// What all disks hold of every key must account for every write.
    pub(crate) fn check_history(&self) -> Result<(), Violation> {
        for key in self.history.keys() {
            let mut held = Versions::default();
            for machine in &self.machines {
                let own = machine.disk().holds(Place::Own, key);
                refused_never_appears::check(&self.history, key, own.siblings().iter())?;
                deleted_stays_deleted::check(&self.history, key, own.siblings().iter())?;
                held.merge(&own);
            }
            siblings_are_concurrent::check(&self.history, key, held.siblings())?;
            acknowledged_survives::check_end(&self.history, key, &held)?;
        }
        for call in self.calls.values() {
            let machine = &self.machines[call.machine];
            let there = call.reached.is_some_and(|r| r.generation == machine.generation);
            if let Some(process) = machine.process.as_ref().filter(|_| there) {
                answered_once::check_end(call, process, self.now)?;
            }
        }
        Ok(())
    }

    /// Whether all replicas are equal.
    pub(crate) fn check_converged(&self) -> Result<(), Violation> {
        let running = self.machines.iter().find_map(|m| m.process.as_ref());
        let Some(ring) = running.and_then(|p| p.node.ring()) else { return Ok(()) };
        converged::check(&self.machines, ring, self.schedule.scenario.reaps)
    }
}
