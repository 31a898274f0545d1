//! A node process under test, ended and its directory removed with the value.

use dynamo_proto::v1::{
    BootstrapRequest, BootstrapResponse, RingMember, StatusRequest, StatusResponse,
    admin_client::AdminClient, key_value_client::KeyValueClient, peer_client::PeerClient,
};
use nix::{sys::signal, unistd::Pid};
use serde_json::Value;
use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};
use tonic::{Status, transport::Channel};

pub(crate) const CLUSTER: &str = "3f2c1a70-6a7e-4f6e-9a53-0d7c3f1b2a10";

/// Everything that is waited for comes much sooner.
const LIMIT: Duration = Duration::from_secs(20);

/// A process, and what it said of itself.
pub(crate) struct Node {
    child: Child,
    pub(crate) id: String,
    pub(crate) generation: u64,
    pub(crate) peer: String,
    pub(crate) client: String,
    pub(crate) http: String,
}

/// A command that starts a node, on free ports and in this cluster unless told otherwise.
fn command(dir: &Path, log: &str, more: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dynamo-node"));
    command.arg("--data-dir").arg(dir).args(["--log-format", log]);
    for (flag, value) in [
        ("--client-listen", "127.0.0.1:0"),
        ("--peer-listen", "127.0.0.1:0"),
        ("--http-listen", "127.0.0.1:0"),
        ("--cluster-id", CLUSTER),
    ] {
        if !more.contains(&flag) {
            command.args([flag, value]);
        }
    }
    command.args(more).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    command
}

/// Runs a node that refuses to start: its exit status and what it says.
pub(crate) fn refused(dir: &Path, more: &[&str]) -> (i32, String) {
    let output = command(dir, "text", more).output().unwrap();
    (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
}

impl Node {
    pub(crate) fn start(dir: &Path, more: &[&str]) -> Self {
        let mut child = command(dir, "json", more).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let said = loop {
            let line = lines.next().expect("it says who it is").unwrap();
            let said: Value = serde_json::from_str(&line).expect(&line);
            if said["message"] == "this is Dynamo" {
                break said;
            }
        };
        // Read on, so that the process never waits for us.
        thread::spawn(move || lines.for_each(drop));
        let text = |field: &str| said[field].as_str().unwrap().to_owned();
        Node {
            child,
            id: text("node"),
            generation: said["generation"].as_u64().unwrap(),
            peer: text("peer"),
            client: text("client"),
            http: text("http"),
        }
    }

    pub(crate) async fn key_value(&self) -> KeyValueClient<Channel> {
        KeyValueClient::connect(format!("http://{}", self.client)).await.unwrap()
    }

    /// On the peer port, where orders are taken.
    pub(crate) async fn admin(&self) -> AdminClient<Channel> {
        AdminClient::connect(format!("http://{}", self.peer)).await.unwrap()
    }

    pub(crate) async fn peer(&self) -> PeerClient<Channel> {
        PeerClient::connect(format!("http://{}", self.peer)).await.unwrap()
    }

    pub(crate) async fn status(&self) -> StatusResponse {
        self.admin().await.status(StatusRequest {}).await.unwrap().into_inner()
    }

    pub(crate) async fn bootstrap(
        &self,
        operation: &str,
        members: &[&Node],
    ) -> Result<BootstrapResponse, Status> {
        let member =
            |n: &&Node| RingMember { node_id: n.id.clone(), zone: String::new(), weight: 1 };
        let request = BootstrapRequest {
            cluster_id: CLUSTER.into(),
            operation_id: operation.into(),
            partitions: 16,
            factor: u32::try_from(members.len()).unwrap(),
            members: members.iter().map(member).collect(),
        };
        Ok(self.admin().await.bootstrap(request).await?.into_inner())
    }

    /// Status code and body of a page.
    pub(crate) fn page(&self, path: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(&self.http).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: node\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
    }

    /// The value of a metric that has no labels, or is given with them.
    pub(crate) fn metric(&self, name: &str) -> f64 {
        let (_, text) = self.page("/metrics");
        let line = text.lines().find(|l| l.strip_prefix(name).is_some_and(|r| r.starts_with(' ')));
        line.and_then(|l| l.rsplit(' ').next()?.parse().ok()).unwrap_or(0.0)
    }

    pub(crate) fn signal(&self, signal: signal::Signal) {
        signal::kill(Pid::from_raw(i32::try_from(self.child.id()).unwrap()), signal).unwrap();
    }

    pub(crate) fn close_stdin(&mut self) {
        self.child.stdin.take();
    }

    /// Waits for the end, and says how long that took.
    pub(crate) fn ended(&mut self) -> (ExitStatus, Duration) {
        let began = Instant::now();
        let mut status = None;
        until("the process ends", || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        (status.unwrap(), began.elapsed())
    }

    /// As the machine would do it that has no memory left.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits for a condition, with a limit.
pub(crate) fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < LIMIT, "waited in vain until {what}");
        thread::sleep(Duration::from_millis(20));
    }
}
