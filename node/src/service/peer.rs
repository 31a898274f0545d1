//! The receiving end of peers' streams: hellos are checked, frames become messages.
//! What makes no sense ends its stream and is counted; it never harms the node.

use crate::{
    driver::{Event, Mailbox},
    metrics::Metrics,
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
use tonic::{Request, Response, Status, Streaming};
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
            let limit = HELLO.as_secs();
            return Err(Status::invalid_argument(format!("no hello came within {limit} s")));
        };
        let first = first.map_err(|s| Status::new(s.code(), self.refuse(s.message())))?;
        self.local.check(first).map_err(|why| match why {
            BadHello::Missing | BadHello::ClusterId(_) => {
                Status::invalid_argument(self.refuse(&why.to_string()))
            }
            // A name that stands for all nodes leads back here now and then; the side
            // that called tells people.
            BadHello::ThisNode(_) => Status::failed_precondition(why.to_string()),
            BadHello::OtherCluster { .. } | BadHello::Protocol { .. } => {
                Status::failed_precondition(self.refuse(&why.to_string()))
            }
        })
    }

    /// Tells people and Prometheus, and hands on what the caller is told.
    fn refuse(&self, why: &str) -> String {
        self.metrics.refused_frames.inc();
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
        let refused = loop {
            let messages = match calls.message().await {
                Ok(None) => return,
                Ok(Some(frame)) => transport::decode(frame, &metrics).map_err(|e| e.to_string()),
                // A connection that broke is no fault of the frame.
                Err(s) if std::error::Error::source(&s).is_some() => return,
                Err(s) => Err(s.message().to_owned()),
            };
            match messages {
                Ok(messages) => {
                    if mailbox.send(Event::Messages(node, generation, messages)).await.is_err() {
                        return;
                    }
                }
                Err(why) => break why,
            }
        };
        metrics.refused_frames.inc();
        warn!(%node, why = refused, "a peer sent a frame that makes no sense");
        let _ = answer.send(Err(Status::invalid_argument(refused))).await;
    }
}
