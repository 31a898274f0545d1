//! How the rest of the process talks to the driver: events in, through a bounded queue;
//! what the node knows out, as a snapshot that anybody may read at any time.

use crate::{clock::Clock, storage::Size, transport::LinkId};
use arc_swap::ArcSwap;
use dynamo_core::{
    id::{Generation, NodeId},
    message::Message,
    node::{Order, OrderRefused, View},
    request::{Reply, Request},
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, SyncSender, TrySendError, sync_channel},
    },
    time::{Duration, Instant},
};
use tokio::sync::{oneshot, watch};

/// How many events wait at most. Clients beyond it are refused at once; peers' streams
/// are not read further, which holds the peers back.
const QUEUE: usize = 4096;

/// How long a peer's stream waits before it looks for room again.
const NO_ROOM: Duration = Duration::from_millis(1);

/// A peer's messages that have waited for so long are dropped, and its stream ends if there
/// was no room for them. Those who asked have given up by then, and what is reaped relies
/// on that nothing is under way for long (`dynamo_core::reap`).
pub(crate) const LATE: Duration = Duration::from_secs(10);

/// A driver that has not turned for so long is stuck. It turns every second when there
/// is nothing to do; a disk may keep it waiting for some.
const STUCK_AFTER: Duration = Duration::from_secs(10);

/// What the driver is told.
#[derive(Debug)]
pub(crate) enum Event {
    /// A client asks.
    Request(Request, oneshot::Sender<Reply>),
    /// An operator orders.
    Order(Order, oneshot::Sender<Result<u64, OrderRefused>>),
    /// A peer says something.
    Messages(NodeId, Generation, Vec<Message>),
    /// A peer has opened a stream, so that one to it is worth another try.
    Arrived(NodeId),
    /// A link is no more.
    LinkDown(NodeId, LinkId, String),
    /// The process is to end: drain, then return.
    Stop,
}

/// What the node knew at the end of a turn.
#[derive(Clone, Debug)]
pub(crate) struct Published {
    pub(crate) view: View,
    pub(crate) size: Size,
    pub(crate) in_flight: usize,
}

/// An event that was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotTaken {
    /// The queue is full; try again later.
    Busy,
    /// The driver has ended.
    Gone,
}

/// An event, and when somebody first wanted to hand it over.
pub(super) type Waiting = (Instant, Event);

/// The driver, as everybody else sees it.
#[derive(Clone, Debug)]
pub(crate) struct Mailbox {
    events: SyncSender<Waiting>,
    shared: Arc<Shared>,
}

/// Written by the driver, read by everybody.
#[derive(Debug)]
pub(super) struct Shared {
    published: ArcSwap<Published>,
    /// Milliseconds on the clock.
    last_turn: AtomicU64,
    ready: watch::Sender<bool>,
    clock: Clock,
}

/// A mailbox, and the driver's end of it.
pub(super) fn mailbox(clock: Clock, first: Published) -> (Mailbox, Receiver<Waiting>, Arc<Shared>) {
    let (events, inbox) = sync_channel(QUEUE);
    let shared = Arc::new(Shared {
        published: ArcSwap::from_pointee(first),
        last_turn: AtomicU64::new(0),
        ready: watch::Sender::new(false),
        clock,
    });
    (Mailbox { events, shared: shared.clone() }, inbox, shared)
}

impl Mailbox {
    /// Hands an event over if there is room.
    pub(crate) fn try_send(&self, event: Event) -> Result<(), NotTaken> {
        self.events.try_send((Instant::now(), event)).map_err(|e| match e {
            TrySendError::Full(_) => NotTaken::Busy,
            TrySendError::Disconnected(_) => NotTaken::Gone,
        })
    }

    /// Hands an event over when there is room. For a peer's messages there has to be some
    /// before they are [`LATE`].
    pub(crate) async fn send(&self, event: Event) -> Result<(), NotTaken> {
        let mut waiting = (Instant::now(), event);
        loop {
            match self.events.try_send(waiting) {
                Ok(()) => return Ok(()),
                Err(TrySendError::Disconnected(_)) => return Err(NotTaken::Gone),
                Err(TrySendError::Full(back)) if is_late(&back) => return Err(NotTaken::Busy),
                Err(TrySendError::Full(back)) => waiting = back,
            }
            tokio::time::sleep(NO_ROOM).await;
        }
    }

    /// What the node knew at the end of its last turns.
    pub(crate) fn published(&self) -> Arc<Published> {
        self.shared.published.load_full()
    }

    /// Changes when the node becomes ready or stops being so.
    pub(crate) fn ready(&self) -> watch::Receiver<bool> {
        self.shared.ready.subscribe()
    }

    /// Whether the driver turns.
    pub(crate) fn is_alive(&self) -> bool {
        let last = Duration::from_millis(self.shared.last_turn.load(Ordering::Relaxed));
        self.shared.clock.instant().0.saturating_sub(last) < STUCK_AFTER
    }

    /// Since the process started.
    pub(crate) fn uptime(&self) -> Duration {
        self.shared.clock.instant().0
    }
}

/// Whether it is better not to take an event any more.
pub(super) fn is_late((since, event): &Waiting) -> bool {
    matches!(event, Event::Messages(..)) && since.elapsed() >= LATE
}

impl Shared {
    pub(super) fn turned(&self) {
        let now = self.clock.instant().0.as_millis();
        self.last_turn.store(u64::try_from(now).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    pub(super) fn publish(&self, published: Published) {
        let ready = published.view.ready;
        self.published.store(Arc::new(published));
        self.ready.send_if_modified(|was| std::mem::replace(was, ready) != ready);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_messages_of_peers_can_be_late() {
        let long_ago = Instant::now().checked_sub(LATE).unwrap();
        let messages = || Event::Messages(NodeId(1), Generation(1), Vec::new());
        assert!(is_late(&(long_ago, messages())));
        assert!(!is_late(&(Instant::now(), messages())));
        assert!(!is_late(&(long_ago, Event::Stop)));
    }
}
