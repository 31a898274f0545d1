//! The receiving end of peers' streams: hellos are checked, frames become messages.
//! What makes no sense ends its stream and is counted; it never harms the node.

use crate::{
    driver::{Event, Mailbox},
    metrics::{Metrics, Refused},
    transport::{self, BadHello, FRAME_LIMIT, Local},
};
use dynamo_core::id::{Generation, NodeId};
use dynamo_proto::v1::{
    Frame,
    peer_server::{Peer, PeerServer},
};
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::mpsc::{self, Sender},
    time::timeout,
};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Request, Response, Status, Streaming};
use tracing::warn;

/// How long a caller may take to say who it is.
const HELLO: Duration = Duration::from_secs(5);

/// The service behind the peer port.
pub(crate) struct Peers {
    pub(crate) local: Arc<Local>,
    pub(crate) mailbox: Mailbox,
    pub(crate) metrics: Arc<Metrics>,
}

impl Peers {
    /// Larger frames are refused by their length, before they are read.
    pub(crate) fn server(self) -> PeerServer<Self> {
        PeerServer::new(self).max_decoding_message_size(FRAME_LIMIT)
    }

    /// The first frame says who is calling.
    async fn greet(&self, calls: &mut Streaming<Frame>) -> Result<(NodeId, Generation), Status> {
        let Ok(first) = timeout(HELLO, calls.message()).await else {
            let why = format!("no hello came within {} s", HELLO.as_secs());
            return Err(Status::invalid_argument(self.refuse(Refused::NoHello, &why)));
        };
        let first = match first {
            Ok(first) => first,
            Err(s) if is_broken(&s) => return Err(s),
            Err(s) => return Err(Status::new(s.code(), self.refuse(unread(&s), s.message()))),
        };
        self.local.check(first).map_err(|why| {
            let refused = match why {
                BadHello::Missing | BadHello::ClusterId(_) => Refused::NoHello,
                // A name that stands for all nodes leads back here now and then; the side
                // that called tells people.
                BadHello::ThisNode(_) => return Status::failed_precondition(why.to_string()),
                BadHello::OtherCluster { .. } => Refused::OtherCluster,
                BadHello::Protocol { .. } => Refused::Protocol,
            };
            let said = self.refuse(refused, &why.to_string());
            match refused {
                Refused::NoHello => Status::invalid_argument(said),
                _ => Status::failed_precondition(said),
            }
        })
    }

    /// Tells people and Prometheus, and hands on what the caller is told.
    fn refuse(&self, reason: Refused, why: &str) -> String {
        self.metrics.refused(reason);
        warn!(why, "refused a peer's stream");
        why.to_owned()
    }
}

#[tonic::async_trait]
impl Peer for Peers {
    type ExchangeStream = ReceiverStream<Result<Frame, Status>>;

    async fn exchange(
        &self,
        request: Request<Streaming<Frame>>,
    ) -> Result<Response<Self::ExchangeStream>, Status> {
        let mut calls = request.into_inner();
        let (node, generation) = self.greet(&mut calls).await?;
        let (answer, answers) = mpsc::channel(2);
        // There is room: nothing has been sent.
        let _ = answer.try_send(Ok(self.local.hello()));
        let _ = self.mailbox.try_send(Event::Arrived(node));
        let caller = Caller { node, generation, answer };
        tokio::spawn(caller.listen(calls, self.mailbox.clone(), self.metrics.clone()));
        Ok(Response::new(ReceiverStream::new(answers)))
    }
}

/// A peer that has said who it is.
struct Caller {
    node: NodeId,
    generation: Generation,
    answer: Sender<Result<Frame, Status>>,
}

impl Caller {
    /// Hands over what comes until the stream ends, which ends the answering one too.
    async fn listen(self, mut calls: Streaming<Frame>, mailbox: Mailbox, metrics: Arc<Metrics>) {
        let Caller { node, generation, answer } = self;
        let (reason, why) = loop {
            let messages = match calls.message().await {
                Ok(None) => return,
                Ok(Some(frame)) => transport::decode(frame, &metrics)
                    .map_err(|e| (Refused::Malformed, e.to_string())),
                Err(s) if is_broken(&s) => return,
                Err(s) => Err((unread(&s), s.message().to_owned())),
            };
            match messages {
                Ok(messages) => {
                    if mailbox.send(Event::Messages(node, generation, messages)).await.is_err() {
                        return;
                    }
                }
                Err(refused) => break refused,
            }
        };
        metrics.refused(reason);
        warn!(%node, why, "a peer sent a frame that makes no sense");
        let _ = answer.send(Err(Status::invalid_argument(why))).await;
    }
}

/// A connection that broke is no fault of the frame.
fn is_broken(status: &Status) -> bool {
    std::error::Error::source(status).is_some()
}

/// Why a frame did not become a message: its length was over the limit, or its bytes are
/// nothing.
fn unread(status: &Status) -> Refused {
    match status.code() {
        Code::OutOfRange => Refused::TooLarge,
        _ => Refused::Malformed,
    }
}
