//! One stream to one peer, from dialling to its end.

use super::{
    frames,
    hello::{BadHello, Local},
};
use crate::{driver::LATE, metrics::Metrics};
use dynamo_core::{id::NodeId, message::Message};
use dynamo_proto::v1::{Frame, peer_client::PeerClient};
use futures::{Stream, StreamExt, future, stream};
use std::{
    convert::Infallible,
    error::Error,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{
    sync::{mpsc::Receiver, oneshot},
    time::timeout,
};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming, transport::Endpoint};

/// How long a TCP connection may take.
const CONNECT: Duration = Duration::from_secs(1);

/// How long everything up to the peer's hello may take, name look-up included.
const GREET: Duration = Duration::from_secs(3);

/// A peer that is silent for the first is asked for a sign of life, and given up when
/// none comes within the second.
pub(crate) const PING: Duration = Duration::from_secs(2);
pub(crate) const PONG: Duration = Duration::from_secs(3);

/// A hello is small; nothing else is read on this side.
const ANSWER_LIMIT: usize = 64 << 10;

/// Why there is no stream, or none any more.
#[derive(Debug, thiserror::Error)]
pub(super) enum Broken {
    #[error("{0:?} is no address")]
    Address(String),
    #[error("cannot connect to {address}: {why}")]
    Connect { address: String, why: String },
    #[error("{address} did not say hello within {} s", GREET.as_secs())]
    Silent { address: String },
    #[error("{address} refused: {why}")]
    Refused { address: String, why: String },
    #[error("at {address}: {why}")]
    Hello { address: String, why: BadHello },
    #[error("{address} is now node {found}")]
    OtherNode { address: String, found: NodeId },
    #[error("the stream to {0} ended")]
    Ended(String),
}

/// Sends batches to `peer` for as long as that works, and as none has waited for too long.
pub(super) async fn run(
    local: &Local,
    metrics: Arc<Metrics>,
    peer: NodeId,
    address: &str,
    batches: Receiver<(Instant, Vec<Message>)>,
) -> Result<Infallible, Broken> {
    let batches = ReceiverStream::new(batches)
        .take_while(|(since, _)| future::ready(since.elapsed() < LATE))
        .map(|(_, batch)| batch);
    let (found, open, mut answers) = greet(local, metrics, address, batches).await?;
    if found != peer {
        return Err(Broken::OtherNode { address: address.to_owned(), found });
    }
    // Nobody has stopped waiting: this task does, below.
    let _ = open.send(());
    end_of(&mut answers, address).await
}

/// Opens a stream and exchanges hellos. The batches are held back until `open` is told,
/// so that whoever is there by mistake gets none.
pub(super) async fn greet(
    local: &Local,
    metrics: Arc<Metrics>,
    address: &str,
    batches: impl Stream<Item = Vec<Message>> + Send + 'static,
) -> Result<(NodeId, oneshot::Sender<()>, Streaming<Frame>), Broken> {
    let (open, opened) = oneshot::channel();
    let batches = batches.flat_map(move |batch| stream::iter(frames::encode(batch, &metrics)));
    let gated = async move {
        match opened.await {
            Ok(()) => batches.left_stream(),
            Err(_) => stream::empty().right_stream(),
        }
    };
    let hello = stream::once(std::future::ready(local.hello()));
    let outbound = hello.chain(stream::once(gated).flatten());
    let silent = |_| Broken::Silent { address: address.to_owned() };
    let greeting = exchange(local, address, outbound);
    let (found, answers) = timeout(GREET, greeting).await.map_err(silent)??;
    Ok((found, open, answers))
}

async fn exchange(
    local: &Local,
    address: &str,
    outbound: impl Stream<Item = Frame> + Send + 'static,
) -> Result<(NodeId, Streaming<Frame>), Broken> {
    let channel = Endpoint::from_shared(format!("http://{address}"))
        .map_err(|_| Broken::Address(address.to_owned()))?
        .connect_timeout(CONNECT)
        .tcp_nodelay(true)
        .http2_keep_alive_interval(PING)
        .keep_alive_timeout(PONG)
        .keep_alive_while_idle(true)
        .connect()
        .await
        .map_err(|e| Broken::Connect { address: address.to_owned(), why: innermost(&e) })?;
    let mut client = PeerClient::new(channel).max_decoding_message_size(ANSWER_LIMIT);
    let refused = |s: Status| Broken::Refused { address: address.to_owned(), why: said(&s) };
    let mut answers = client.exchange(outbound).await.map_err(refused)?.into_inner();
    let hello = answers.message().await.map_err(refused)?;
    let bad = |why| Broken::Hello { address: address.to_owned(), why };
    let (found, _) = local.check(hello).map_err(bad)?;
    Ok((found, answers))
}

/// Waits until the peer, which has nothing more to say here, ends the stream.
pub(super) async fn end_of(
    answers: &mut Streaming<Frame>,
    address: &str,
) -> Result<Infallible, Broken> {
    match answers.message().await {
        Err(s) => Err(Broken::Refused { address: address.to_owned(), why: said(&s) }),
        Ok(_) => Err(Broken::Ended(address.to_owned())),
    }
}

fn said(status: &Status) -> String {
    match status.source() {
        Some(source) => innermost(source),
        None => status.message().to_owned(),
    }
}

/// The cause that the others are wrapped around.
fn innermost(mut error: &(dyn Error + 'static)) -> String {
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}
