//! The driver: one thread in which core, storage and transport meet.
//!
//! ```text
//! wait ─▶ take everything that waits ─▶ core ─▶ one batch, one sync ─▶ core ─▶ send
//!  ▲                                      replica answers ─────────────▲         │
//!  └─────────────────────────────────────────────────────────────────────────────┘
//! ```
//!
//! Nothing leaves the node before the batch of its turn is on disk. The cost of the sync,
//! of a frame and of waking a thread is shared by all requests in flight: the more there
//! is to do, the less each costs. A batch that fails ends the driver, and with it the
//! process: after a failed sync nobody knows what the disk holds. So does damage that
//! concerns more than one record. One record that is damaged is the core's business.

mod mailbox;
mod outbox;

pub(crate) use mailbox::{Event, LATE, Mailbox, NotTaken, Published};

use crate::{clock::Clock, metrics::Metrics, notes, storage::RocksStore, transport::Links};
use dynamo_core::{
    id::NodeId,
    node::{Effect, Input, Node, Note, Order},
    replica::Replica,
    store::StoreError,
    time::{Instant, Now},
};
use mailbox::Shared;
use outbox::{Outbox, Waiting};
use std::{
    sync::{
        Arc,
        mpsc::{Receiver, RecvTimeoutError},
    },
    time::Duration,
};
use tracing::warn;

/// Inputs of one turn at most, so that the first does not wait for ever.
const TURN: usize = 1024;

/// How often the snapshot is renewed when nothing special happens.
const PUBLISH_EVERY: Duration = Duration::from_secs(1);

/// A node that is to end still answers peers for so long: they have just been told.
const LINGER: Duration = Duration::from_millis(300);

/// After so long it ends whatever it is doing; its process has 5 s for everything.
const DRAIN: Duration = Duration::from_secs(4);

/// The thread's state.
pub(crate) struct Driver {
    node: Node,
    replica: Replica<RocksStore>,
    links: Links,
    clock: Clock,
    metrics: Arc<Metrics>,
    inbox: Receiver<mailbox::Waiting>,
    shared: Arc<Shared>,
    waiting: Waiting,
    outbox: Outbox,
    /// Peers that could not be reached in the last turn.
    lost: Vec<NodeId>,
    published: Instant,
    stopping: Option<Instant>,
}

impl Driver {
    /// A driver, and the way to talk to it. Nothing happens before [`Driver::run`].
    pub(crate) fn new(
        node: Node,
        replica: Replica<RocksStore>,
        links: impl FnOnce(Mailbox) -> Links,
        clock: Clock,
        metrics: Arc<Metrics>,
    ) -> (Self, Mailbox) {
        let view = node.view(clock.now());
        notes::quorums(&view);
        let first = Published { view, size: replica.store().size(), in_flight: 0 };
        let (mailbox, inbox, shared) = mailbox::mailbox(clock, first);
        let driver = Driver {
            node,
            replica,
            links: links(mailbox.clone()),
            clock,
            metrics,
            inbox,
            shared,
            waiting: Waiting::default(),
            outbox: Outbox::default(),
            lost: Vec::new(),
            published: Instant::default(),
            stopping: None,
        };
        (driver, mailbox)
    }

    /// Turns until it is told to stop and has drained, or the disk fails.
    pub(crate) fn run(mut self) -> Result<(), StoreError> {
        while !self.is_done() {
            let events = self.wait();
            self.turn(events)?;
            self.shared.turned();
        }
        self.replica.into_store().close()
    }

    fn is_done(&self) -> bool {
        let Some(since) = self.stopping else { return false };
        let stopping_for = self.clock.instant().since(since);
        stopping_for >= DRAIN || (stopping_for >= LINGER && self.node.in_flight() == 0)
    }

    /// Everything that has happened; waits for something if nothing has.
    fn wait(&mut self) -> Vec<Event> {
        let deadline = self.node.deadline().since(self.clock.instant());
        let patience = match (self.lost.is_empty(), self.stopping) {
            (false, _) => Duration::ZERO,
            (true, Some(_)) => deadline.min(LINGER / 10),
            (true, None) => deadline,
        };
        match self.inbox.recv_timeout(patience) {
            Ok(first) => self.and_what_waits(first),
            Err(RecvTimeoutError::Timeout) => Vec::new(),
            // Nobody is left to talk to.
            Err(RecvTimeoutError::Disconnected) => vec![Event::Stop],
        }
    }

    fn and_what_waits(&self, first: mailbox::Waiting) -> Vec<Event> {
        let inputs = |event: &Event| match event {
            Event::Messages(_, _, messages) => messages.len(),
            _ => 1,
        };
        let (mut room, mut late) = (TURN, 0);
        let mut events = Vec::new();
        let mut next = Some(first);
        while let Some(waiting) = next {
            if mailbox::is_late(&waiting) {
                late += inputs(&waiting.1);
            } else {
                room = room.saturating_sub(inputs(&waiting.1));
                events.push(waiting.1);
            }
            next = if room > 0 { self.inbox.try_recv().ok() } else { None };
        }
        if late > 0 {
            warn!(messages = late, "dropped messages of peers that had waited for too long");
        }
        events
    }

    fn turn(&mut self, events: Vec<Event>) -> Result<(), StoreError> {
        let now = self.clock.now();
        let mut effects = Vec::new();
        let mut inputs = 0;
        for event in events {
            self.take(event, |node, input| {
                inputs += 1;
                node.handle(now, input, &mut effects);
            });
        }
        for node in std::mem::take(&mut self.lost) {
            self.node.handle(now, Input::Unreachable(node), &mut effects);
        }
        if now.instant >= self.node.deadline() {
            self.node.handle(now, Input::Tick, &mut effects);
        }
        if inputs > 0 {
            self.metrics.turn_inputs.observe(f64::from(inputs));
        }
        while !effects.is_empty() {
            self.outbox.take(&mut effects);
            self.work_on_disk(&mut effects)?;
        }
        self.publish(now);
        self.send();
        Ok(())
    }

    fn take(&mut self, event: Event, mut handle: impl FnMut(&mut Node, Input)) {
        let node = &mut self.node;
        match event {
            Event::Request(request, client) => {
                handle(node, Input::Request(self.waiting.client(client), request));
            }
            Event::Order(order, operator) => {
                handle(node, Input::Order(self.waiting.operator(operator), order));
            }
            Event::Messages(from, generation, messages) => {
                for message in messages {
                    handle(node, Input::Message(from, generation, message));
                }
            }
            Event::Arrived(peer) => self.links.arrived(peer),
            Event::LinkDown(peer, id, why) => {
                if self.links.down(peer, id, &why) {
                    handle(node, Input::Unreachable(peer));
                }
            }
            Event::Stop if self.stopping.is_none() => {
                self.stopping = Some(self.clock.instant());
                handle(node, Input::Order(self.waiting.token(), Order::Stop));
            }
            Event::Stop => {}
        }
    }

    /// Runs what waits in the outbox as one batch and gives the core its answers.
    fn work_on_disk(&mut self, effects: &mut Vec<Effect>) -> Result<(), StoreError> {
        let jobs = std::mem::take(&mut self.outbox.jobs);
        let records = std::mem::take(&mut self.outbox.records);
        if jobs.is_empty() && records.is_empty() {
            return Ok(());
        }
        let began = self.clock.instant();
        let answers = self.replica.run(jobs, records)?;
        self.replica.store().broken().cloned().map_or(Ok(()), Err)?;
        let now: Now = self.clock.now();
        self.metrics.commit_seconds.observe(now.instant.since(began).as_secs_f64());
        for (asker, answer) in answers {
            self.node.handle(now, Input::Replica(asker, answer), effects);
        }
        Ok(())
    }

    /// Renews the snapshot when it is old or something happened that people wait for.
    fn publish(&mut self, now: Now) {
        let is_news = |note: &Note| {
            let of_a_request = matches!(note, Note::Finished { .. } | Note::Hinted(_));
            let of_its_versions = matches!(note, Note::Repaired { .. } | Note::Truncated { .. });
            let of_a_round = matches!(note, Note::Stale(_) | Note::Compared { .. });
            !(of_a_request || of_its_versions || of_a_round)
        };
        let news = !self.outbox.obeyed.is_empty() || self.outbox.notes.iter().any(is_news);
        for note in self.outbox.notes.drain(..) {
            notes::take(&note, &self.metrics);
            if note == Note::Superseded {
                self.stopping.get_or_insert(now.instant);
            }
        }
        if news || now.instant.since(self.published) >= PUBLISH_EVERY || self.stopping.is_some() {
            self.published = now.instant;
            let (view, mut size) = (self.node.view(now), self.replica.store().size());
            // The database counts a hint that has grown as several. Whether there are any
            // at all is known.
            size.hints = if view.hinted_for == 0 { 0 } else { size.hints.max(1) };
            self.shared.publish(Published { view, size, in_flight: self.node.in_flight() });
        }
    }

    fn send(&mut self) {
        for (peer, messages) in std::mem::take(&mut self.outbox.to_peers) {
            let address = self.node.address_of(peer);
            if !self.links.send(peer, address, messages) {
                self.lost.push(peer);
            }
        }
        for (address, message) in self.outbox.to_seeds.drain(..) {
            self.links.send_to_seed(address, message);
        }
        self.waiting.answer(&mut self.outbox);
    }
}
