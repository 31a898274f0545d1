//! Gossip with whoever is at a seed: short streams that carry one message.
//!
//! A seed is HOST:PORT, and its host may be the name of one node or of many, such as
//! that of a headless service. The name is looked up anew for every message, and
//! messages begin with one address after the other, so that all are asked in turn
//! whatever order the resolver has. Nobody gives up: the next message is for the core to
//! send, and it does so for as long as the process lives.

use super::{
    hello::{BadHello, Local},
    link::{Broken, end_of, greet},
};
use crate::metrics::Metrics;
use dynamo_core::message::Message;
use futures::stream;
use std::{
    collections::BTreeMap,
    io,
    mem::{Discriminant, discriminant},
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::{net::lookup_host, runtime::Handle, sync::Semaphore, time::timeout};
use tracing::{debug, info, warn};

/// Messages under way at a time. The next round of gossip tries again.
const AT_A_TIME: usize = 4;

/// Addresses of one name that are tried for one message. Each may take up to 4 s.
const TRIES: usize = 3;

/// How long a name may take to be looked up.
const LOOK_UP: Duration = Duration::from_secs(3);

/// How long the other side may take to read one message.
const DELIVER: Duration = Duration::from_secs(2);

/// Sends single messages to seeds.
pub(super) struct Seeds {
    local: Arc<Local>,
    metrics: Arc<Metrics>,
    runtime: Handle,
    room: Arc<Semaphore>,
    told: Arc<Told>,
    /// How many messages there were. Nodes begin at different places.
    turn: AtomicU64,
}

/// The last trouble with each seed, so that it is logged once and not every second.
#[derive(Default)]
struct Told(Mutex<BTreeMap<String, Kind>>);

/// Two of one kind are no news, although the address may be another.
type Kind = (Discriminant<Trouble>, Option<Discriminant<Broken>>);

/// Why a message reached nobody.
#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error("{seed} cannot be looked up: {why}")]
    LookUp { seed: String, why: io::Error },
    #[error("{seed} has no address")]
    NoAddress { seed: String },
    #[error("none of {tried} addresses of {seed} took a message, for one: {last}")]
    Nobody { seed: String, tried: usize, last: Broken },
}

impl Seeds {
    pub(super) fn new(local: Arc<Local>, metrics: Arc<Metrics>, runtime: Handle) -> Self {
        let room = Arc::new(Semaphore::new(AT_A_TIME));
        let turn = AtomicU64::new(local.node.0);
        Seeds { local, metrics, runtime, room, told: Arc::default(), turn }
    }

    pub(super) fn send(&self, seed: String, message: Message) {
        let Ok(permit) = self.room.clone().try_acquire_owned() else {
            debug!(seed, "too many seeds are being asked; this one is left out");
            return;
        };
        let (local, metrics) = (self.local.clone(), self.metrics.clone());
        let told = self.told.clone();
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        self.runtime.spawn(async move {
            let trouble = deliver(&local, &metrics, &seed, message, turn).await.err();
            told.tell(seed, trouble);
            drop(permit);
        });
    }
}

/// To the first that takes it.
async fn deliver(
    local: &Local,
    metrics: &Arc<Metrics>,
    seed: &str,
    message: Message,
    turn: u64,
) -> Result<(), Trouble> {
    let tried = in_turn(look_up(seed).await?, turn);
    let (mut last, this_node) = (None, BadHello::ThisNode(local.node).to_string());
    for address in &tried {
        match tell(local, metrics.clone(), &address.to_string(), message.clone()).await {
            Ok(()) => return Ok(()),
            // That a service has this node among others is no trouble. The called side,
            // which is this node too, is the one that says so.
            Err(Broken::Refused { why, .. }) if tried.len() > 1 && why == this_node => {}
            Err(broken) => last = Some(broken),
        }
    }
    match last {
        Some(last) => Err(Trouble::Nobody { seed: seed.to_owned(), tried: tried.len(), last }),
        None => Ok(()),
    }
}

/// All addresses of a seed; at least one.
async fn look_up(seed: &str) -> Result<Vec<SocketAddr>, Trouble> {
    let failed = |why| Trouble::LookUp { seed: seed.to_owned(), why };
    let late = |_| failed(io::Error::from(io::ErrorKind::TimedOut));
    let found = timeout(LOOK_UP, lookup_host(seed)).await.map_err(late)?.map_err(failed)?;
    let found: Vec<_> = found.collect();
    if found.is_empty() { Err(Trouble::NoAddress { seed: seed.to_owned() }) } else { Ok(found) }
}

/// Those to be tried at this turn: a few, another one first each time.
fn in_turn(mut addresses: Vec<SocketAddr>, turn: u64) -> Vec<SocketAddr> {
    addresses.sort_unstable();
    addresses.dedup();
    let first = usize::try_from(turn % addresses.len().max(1) as u64).unwrap_or(0);
    addresses.rotate_left(first);
    addresses.truncate(TRIES);
    addresses
}

/// Hands one message to whoever is at an address.
async fn tell(
    local: &Local,
    metrics: Arc<Metrics>,
    address: &str,
    message: Message,
) -> Result<(), Broken> {
    let batches = stream::iter([vec![message]]);
    let (_, open, mut answers) = greet(local, metrics, address, batches).await?;
    let _ = open.send(());
    // When all is read the other side ends the stream. If it does not, or if the
    // connection breaks, the message may be lost, as any gossip may.
    let _ = timeout(DELIVER, end_of(&mut answers, address)).await;
    Ok(())
}

impl Trouble {
    fn kind(&self) -> Kind {
        let broken = match self {
            Trouble::Nobody { last, .. } => Some(discriminant(last)),
            _ => None,
        };
        (discriminant(self), broken)
    }
}

impl Told {
    fn tell(&self, seed: String, trouble: Option<Trouble>) {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(trouble) = trouble else {
            told.remove(&seed);
            return;
        };
        if told.get(&seed) == Some(&trouble.kind()) {
            return;
        }
        match &trouble {
            Trouble::Nobody { last: Broken::Hello { .. } | Broken::Refused { .. }, .. } => {
                warn!(seed, why = %trouble, "a seed refuses");
            }
            _ => info!(seed, why = %trouble, "a seed does not answer yet"),
        }
        told.insert(seed, trouble.kind());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[tokio::test]
    async fn a_seed_is_a_name_or_an_address() {
        let found = look_up("localhost:7071").await.unwrap();
        assert!(found.iter().all(|a| a.ip().is_loopback() && a.port() == 7071), "{found:?}");
        assert_eq!(look_up("[::1]:7071").await.unwrap().len(), 1);
        let refused = look_up("no-such-host.invalid:7071").await.unwrap_err().to_string();
        assert!(refused.contains("no-such-host.invalid:7071"), "{refused}");
    }

    #[test]
    fn all_addresses_of_a_name_get_their_turn_in_whatever_order_they_come() {
        let all: Vec<SocketAddr> = (0..10).map(|i| ([10, 0, 0, i], 7071).into()).collect();
        let mut firsts = BTreeSet::new();
        for turn in 0..10 {
            let mut answered = all.clone();
            answered.rotate_left(usize::try_from(turn * 7 % 10).unwrap());
            let tried = in_turn(answered, u64::MAX - turn);
            assert_eq!(tried.len(), TRIES);
            firsts.insert(tried[0]);
        }
        assert_eq!(firsts, all.into_iter().collect());
    }
}
