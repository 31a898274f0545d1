//! Messages to peers: one long-lived stream to each, made when there is something to
//! say, gone when it breaks.
//!
//! - What is sent arrives in order or the peer is reported unreachable, once for each
//!   link that breaks. Nothing is repeated: requests have time-outs, gossip goes on.
//! - A link goes to a node, not to an address. Whoever answers says in its hello who it
//!   is; a message never reaches another node or another cluster.
//! - A peer that cannot be reached is not dialled more than about once a second.
//! - A link that says nothing is noticed within 5 s, also when no reset ever comes. One that
//!   lives but takes nothing is given up: nothing leaves this node that has waited for
//!   longer than [`LATE`](crate::driver::LATE). So no message is under way for long.

mod frames;
mod hello;
mod link;
mod seeds;

pub(crate) use frames::{FRAME_LIMIT, decode};
pub(crate) use hello::{BadHello, Local};
pub(crate) use link::{PING, PONG};

use crate::{
    driver::{Event, Mailbox},
    metrics::Metrics,
};
use dynamo_core::{id::NodeId, message::Message};
use seeds::Seeds;
use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{
    runtime::Handle,
    sync::mpsc::{self, Sender},
    task::AbortHandle,
};
use tracing::{debug, info};

/// Batches that wait for a peer. One that is further behind is not going to catch up in
/// the time that requests have.
const QUEUE: usize = 64;

/// A little less than the time between rounds of gossip, so that each may try again.
const BACK_OFF: Duration = Duration::from_millis(900);

/// A link that breaks so soon after the one before is no news to people.
const STILL: Duration = Duration::from_secs(10);

/// One attempt to have a stream to a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LinkId(u64);

/// The streams of this node to its peers.
pub(crate) struct Links {
    local: Arc<Local>,
    mailbox: Mailbox,
    metrics: Arc<Metrics>,
    runtime: Handle,
    open: BTreeMap<NodeId, Link>,
    /// When the last attempt failed, until the peer is heard of again.
    failed: BTreeMap<NodeId, Instant>,
    last_id: u64,
    seeds: Seeds,
}

struct Link {
    id: LinkId,
    queue: Sender<(Instant, Vec<Message>)>,
    task: AbortHandle,
}

impl Drop for Link {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Links {
    /// Tasks are run by `runtime`; links that break are told to `mailbox`.
    pub(crate) fn new(
        local: Arc<Local>,
        mailbox: Mailbox,
        metrics: Arc<Metrics>,
        runtime: Handle,
    ) -> Self {
        let seeds = Seeds::new(local.clone(), metrics.clone(), runtime.clone());
        Links {
            local,
            mailbox,
            metrics,
            runtime,
            open: BTreeMap::new(),
            failed: BTreeMap::new(),
            last_id: 0,
            seeds,
        }
    }

    /// Sends to a peer, which is at `address` if a link has to be made. False when the
    /// peer cannot be reached, unless that has been reported already.
    pub(crate) fn send(
        &mut self,
        peer: NodeId,
        address: Option<&str>,
        messages: Vec<Message>,
    ) -> bool {
        if !self.open.contains_key(&peer) {
            let resting = self.failed.get(&peer).is_some_and(|at| at.elapsed() < BACK_OFF);
            let Some(address) = address.filter(|_| !resting) else { return false };
            self.connect(peer, address.to_owned());
        }
        let sent = self
            .open
            .get(&peer)
            .is_some_and(|l| l.queue.try_send((Instant::now(), messages)).is_ok());
        if !sent {
            debug!(%peer, "the link is broken or too far behind");
            self.open.remove(&peer);
            self.failed.insert(peer, Instant::now());
        }
        sent
    }

    /// Sends to whoever is at an address, if not too many such attempts are under way.
    pub(crate) fn send_to_seed(&self, address: String, message: Message) {
        self.seeds.send(address, message);
    }

    /// A link has ended. True if that is news.
    pub(crate) fn down(&mut self, peer: NodeId, id: LinkId, why: &str) -> bool {
        if self.open.get(&peer).is_none_or(|link| link.id != id) {
            return false;
        }
        self.open.remove(&peer);
        match self.failed.insert(peer, Instant::now()) {
            Some(before) if before.elapsed() < STILL => {
                debug!(%peer, why, "the link to a peer is still down");
            }
            _ => info!(%peer, why, "the link to a peer is down"),
        }
        true
    }

    /// The peer has opened a stream of its own: it is worth trying at once.
    pub(crate) fn arrived(&mut self, peer: NodeId) {
        self.failed.remove(&peer);
    }

    fn connect(&mut self, peer: NodeId, address: String) {
        self.last_id += 1;
        let id = LinkId(self.last_id);
        let (queue, batches) = mpsc::channel(QUEUE);
        let (local, metrics) = (self.local.clone(), self.metrics.clone());
        let mailbox = self.mailbox.clone();
        let task = self.runtime.spawn(async move {
            let Err(why) = link::run(&local, metrics, peer, &address, batches).await;
            // When the driver is gone nobody needs to know.
            let _ = mailbox.send(Event::LinkDown(peer, id, why.to_string())).await;
        });
        self.open.insert(peer, Link { id, queue, task: task.abort_handle() });
    }
}
