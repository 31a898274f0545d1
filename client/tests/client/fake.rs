//! A node that does what its script says, request by request, and then answers well.

use bytes::Bytes;
use dynamo_proto::v1::{
    self,
    admin_server::{Admin, AdminServer},
    key_value_server::{KeyValue, KeyValueServer},
};
use std::{
    collections::VecDeque,
    net::{Shutdown, TcpListener},
    sync::{Arc, Mutex},
    thread,
};
use tokio::sync::oneshot;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Code, Request, Response, Status, transport::Server};

/// What becomes of one request.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// It is refused, with a `dynamo-outcome` if one is given.
    Refuse(Code, &'static str, Option<&'static str>),
    /// It is never answered.
    Hang,
}

/// What the fake answers when its script is over.
#[derive(Clone, Debug, Default)]
pub(crate) struct Answers {
    pub(crate) siblings: Vec<Bytes>,
    pub(crate) context: Bytes,
    pub(crate) versions: u32,
}

/// A request that arrived.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Seen {
    Get(v1::GetRequest),
    Put(v1::PutRequest),
    Delete(v1::DeleteRequest),
    Status,
    Ring,
}

#[derive(Default)]
struct State {
    script: VecDeque<Step>,
    answers: Answers,
    seen: Vec<Seen>,
}

/// A running fake node; it ends when dropped.
pub(crate) struct Fake {
    pub(crate) address: String,
    state: Arc<Mutex<State>>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Fake {
    /// A node that follows the script and then gives the answers.
    pub(crate) fn start(script: impl Into<VecDeque<Step>>, answers: Answers) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let state = State { script: script.into(), answers, seen: Vec::new() };
        let state = Arc::new(Mutex::new(state));
        let (stop, stopped) = oneshot::channel();
        let node = Node(state.clone());
        let thread = thread::spawn(move || serve(listener, node, stopped));
        Fake { address, state, stop: Some(stop), thread: Some(thread) }
    }

    /// Everything that arrived so far.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.state.lock().unwrap().seen.clone()
    }

    /// The puts among it.
    pub(crate) fn puts(&self) -> Vec<v1::PutRequest> {
        let put = |seen| match seen {
            Seen::Put(put) => Some(put),
            _ => None,
        };
        self.seen().into_iter().filter_map(put).collect()
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// The address of something that accepts every connection and closes it at once.
pub(crate) fn hangs_up() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    thread::spawn(move || {
        for connection in listener.incoming() {
            let _ = connection.unwrap().shutdown(Shutdown::Both);
        }
    });
    address
}

/// An address at which nothing listens.
pub(crate) fn nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().to_string()
}

#[tokio::main(flavor = "current_thread")]
async fn serve(listener: TcpListener, node: Node, stopped: oneshot::Receiver<()>) {
    let listener = tokio::net::TcpListener::from_std(listener).unwrap();
    let server = Server::builder()
        .add_service(KeyValueServer::new(node.clone()))
        .add_service(AdminServer::new(node))
        .serve_with_incoming(TcpListenerStream::new(listener));
    tokio::select! {
        ended = server => ended.unwrap(),
        _ = stopped => {}
    }
}

#[derive(Clone)]
struct Node(Arc<Mutex<State>>);

impl Node {
    /// Notes the request and does what the script says.
    async fn step(&self, seen: Seen) -> Result<Answers, Status> {
        let (step, answers) = {
            let mut state = self.0.lock().unwrap();
            state.seen.push(seen);
            (state.script.pop_front(), state.answers.clone())
        };
        match step {
            None => Ok(answers),
            Some(Step::Hang) => std::future::pending().await,
            Some(Step::Refuse(code, message, outcome)) => {
                let mut status = Status::new(code, message);
                if let Some(outcome) = outcome {
                    status.metadata_mut().insert("dynamo-outcome", outcome.parse().unwrap());
                }
                Err(status)
            }
        }
    }
}

const COORDINATOR: &str = "00000000000000aa";

fn acknowledgements() -> Option<v1::Acknowledgements> {
    Some(v1::Acknowledgements { primaries: 2, fallbacks: 1, durable: 2 })
}

#[tonic::async_trait]
impl KeyValue for Node {
    async fn get(
        &self,
        request: Request<v1::GetRequest>,
    ) -> Result<Response<v1::GetResponse>, Status> {
        let answers = self.step(Seen::Get(request.into_inner())).await?;
        let value = |value| v1::Value { value, written_ms: 1_700_000_000_123 };
        Ok(Response::new(v1::GetResponse {
            siblings: answers.siblings.into_iter().map(value).collect(),
            context: answers.context,
            primaries: 2,
            fallbacks: 1,
            coordinator: COORDINATOR.into(),
        }))
    }

    async fn put(
        &self,
        request: Request<v1::PutRequest>,
    ) -> Result<Response<v1::PutResponse>, Status> {
        let answers = self.step(Seen::Put(request.into_inner())).await?;
        Ok(Response::new(v1::PutResponse {
            context: answers.context,
            acknowledgements: acknowledgements(),
            coordinator: COORDINATOR.into(),
            siblings: answers.versions,
        }))
    }

    async fn delete(
        &self,
        request: Request<v1::DeleteRequest>,
    ) -> Result<Response<v1::DeleteResponse>, Status> {
        let answers = self.step(Seen::Delete(request.into_inner())).await?;
        Ok(Response::new(v1::DeleteResponse {
            context: answers.context,
            acknowledgements: acknowledgements(),
            coordinator: COORDINATOR.into(),
            siblings: answers.versions,
        }))
    }
}

fn member(id: &str, name: &str, reachability: v1::Reachability) -> v1::MemberStatus {
    v1::MemberStatus {
        node_id: id.into(),
        name: name.into(),
        client_address: format!("{name}:7070"),
        reachability: reachability.into(),
        partitions: 128,
        version: "0.1.0".into(),
        ..Default::default()
    }
}

#[tonic::async_trait]
impl Admin for Node {
    async fn status(
        &self,
        _: Request<v1::StatusRequest>,
    ) -> Result<Response<v1::StatusResponse>, Status> {
        self.step(Seen::Status).await?;
        Ok(Response::new(v1::StatusResponse {
            cluster_id: "11111111-2222-4333-8444-555555555555".into(),
            node_id: COORDINATOR.into(),
            quorum: Some(v1::Quorum { factor: 2, read: 1, write: 2 }),
            ring_epoch: 1,
            durability: "sync".into(),
            ready: true,
            pending_hints: 7,
            members: vec![
                member(COORDINATOR, "one", v1::Reachability::Up),
                v1::MemberStatus {
                    down_for_cluster: true,
                    ..member("00000000000000bb", "two", v1::Reachability::Down)
                },
                member("00000000000000cc", "three", v1::Reachability::Down),
            ],
            ..Default::default()
        }))
    }

    async fn ring(
        &self,
        _: Request<v1::RingRequest>,
    ) -> Result<Response<v1::RingResponse>, Status> {
        self.step(Seen::Ring).await?;
        let seat = |id: &str| v1::RingMember { node_id: id.into(), zone: String::new(), weight: 1 };
        Ok(Response::new(v1::RingResponse {
            epoch: 1,
            operation_id: "first".into(),
            partitions: 4,
            factor: 2,
            members: vec![seat(COORDINATOR), seat("00000000000000bb")],
            owners: vec![0, 1, 0, 0],
            digest: "abcd".into(),
        }))
    }

    async fn bootstrap(
        &self,
        _: Request<v1::BootstrapRequest>,
    ) -> Result<Response<v1::BootstrapResponse>, Status> {
        Err(Status::permission_denied("not on this port"))
    }

    async fn join(
        &self,
        _: Request<v1::JoinRequest>,
    ) -> Result<Response<v1::JoinResponse>, Status> {
        Err(Status::permission_denied("not on this port"))
    }
}
