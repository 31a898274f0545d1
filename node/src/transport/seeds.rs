//! Gossip with whoever is at an address: short streams that carry one message.

use super::{
    hello::Local,
    link::{Broken, end_of, greet},
};
use crate::metrics::Metrics;
use dynamo_core::message::Message;
use futures::stream;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{runtime::Handle, sync::Semaphore, time::timeout};
use tracing::{debug, info, warn};

/// Attempts under way at a time. The next round of gossip tries again.
const AT_A_TIME: usize = 4;

/// How long the other side may take to read one message.
const DELIVER: Duration = Duration::from_secs(2);

/// Sends single messages to addresses.
pub(super) struct Seeds {
    local: Arc<Local>,
    metrics: Arc<Metrics>,
    runtime: Handle,
    room: Arc<Semaphore>,
    told: Arc<Told>,
}

/// The last trouble with each address, so that it is logged once and not every second.
#[derive(Default)]
struct Told(Mutex<BTreeMap<String, String>>);

impl Seeds {
    pub(super) fn new(local: Arc<Local>, metrics: Arc<Metrics>, runtime: Handle) -> Self {
        let room = Arc::new(Semaphore::new(AT_A_TIME));
        Seeds { local, metrics, runtime, room, told: Arc::default() }
    }

    pub(super) fn send(&self, address: String, message: Message) {
        let Ok(permit) = self.room.clone().try_acquire_owned() else {
            debug!(address, "too many seeds are being asked; this one is left out");
            return;
        };
        let (local, metrics) = (self.local.clone(), self.metrics.clone());
        let told = self.told.clone();
        self.runtime.spawn(async move {
            let trouble = deliver(&local, metrics, &address, message).await.err();
            told.tell(address, trouble);
            drop(permit);
        });
    }
}

async fn deliver(
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

impl Told {
    fn tell(&self, address: String, trouble: Option<Broken>) {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(trouble) = trouble else {
            told.remove(&address);
            return;
        };
        let line = trouble.to_string();
        if told.get(&address) == Some(&line) {
            return;
        }
        match trouble {
            Broken::Hello { .. } | Broken::Refused { .. } => {
                warn!(address, why = line, "a seed refuses");
            }
            _ => info!(address, why = line, "a seed does not answer yet"),
        }
        told.insert(address, line);
    }
}
