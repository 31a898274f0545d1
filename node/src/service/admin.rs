//! What operators call. Reading is answered from the last snapshot, wherever clients
//! are; orders go to the driver, and are taken on the peer port only.

use super::not_taken;
use crate::{
    config::{self, Durability},
    driver::{Event, Mailbox},
    transport::Local,
};
use dynamo_core::{
    id::{Incarnation, NodeId},
    node::{MemberView, Order, OrderRefused},
    request::Refusal,
    ring::{Plan, Ring, Seal, Seat},
};
use dynamo_proto::v1::{
    self, BootstrapRequest, BootstrapResponse, JoinRequest, JoinResponse, MemberStatus, Quorum,
    Reachability, RingMember, RingRequest, RingResponse, StatusRequest, StatusResponse,
    admin_server::{Admin, AdminServer},
};
use prost::Message;
use rand::{TryRng, rngs::SysRng};
use sha2::{Digest, Sha256};
use std::{sync::Arc, time::Duration};
use tokio::sync::oneshot;
use tonic::{Request, Response, Status};

/// Seeds that one Join may bring.
const MAX_SEEDS: usize = 100;

/// On which port the service is.
#[derive(Clone, Debug)]
pub(crate) enum Port {
    /// Where orders are refused, and where they are taken instead.
    Client {
        peer: String,
    },
    Peer,
}

/// The service.
#[derive(Clone)]
pub(crate) struct Operators {
    pub(crate) local: Arc<Local>,
    pub(crate) incarnation: Incarnation,
    pub(crate) durability: Durability,
    pub(crate) mailbox: Mailbox,
    pub(crate) port: Port,
}

impl Operators {
    pub(crate) fn server(self) -> AdminServer<Self> {
        AdminServer::new(self)
    }

    /// Orders change the cluster: they are for those who reach the peer port.
    fn may_order(&self, cluster: &str) -> Result<(), Status> {
        if let Port::Client { peer } = &self.port {
            return Err(Status::permission_denied(format!(
                "this is the client port, where nothing is changed: call the peer port, {peer}"
            )));
        }
        let ours = self.local.cluster.to_string();
        if !cluster.is_empty() && !cluster.eq_ignore_ascii_case(&ours) {
            return Err(Status::failed_precondition(format!(
                "this node is of cluster {ours}, not of {cluster:?}"
            )));
        }
        Ok(())
    }

    async fn order(&self, order: Order) -> Result<u64, Status> {
        let (done, answer) = oneshot::channel();
        self.mailbox.try_send(Event::Order(order, done)).map_err(not_taken)?;
        let gone = |_| Status::unavailable("this node has stopped");
        answer.await.map_err(gone)?.map_err(|refused| match refused {
            OrderRefused::BadRing(_) => Status::invalid_argument(refused.to_string()),
            OrderRefused::RingExists { .. } => Status::failed_precondition(refused.to_string()),
            OrderRefused::RingElsewhere(_) | OrderRefused::NotUp(_) => {
                Status::unavailable(refused.to_string())
            }
        })
    }

    fn ring(&self) -> Result<Arc<Ring>, Status> {
        let ring = self.mailbox.published().view.ring.clone();
        ring.ok_or_else(|| Status::failed_precondition(Refusal::NoRing.to_string()))
    }
}

#[tonic::async_trait]
impl Admin for Operators {
    async fn status(&self, _: Request<StatusRequest>) -> Result<Response<StatusResponse>, Status> {
        let published = self.mailbox.published();
        let view = &published.view;
        let quorum = view.ring.as_ref().map(|ring| Quorum {
            factor: count(ring.factor()),
            read: count(view.read_quorum),
            write: count(view.write_quorum),
        });
        Ok(Response::new(StatusResponse {
            cluster_id: self.local.cluster.to_string(),
            node_id: self.local.node.to_string(),
            incarnation: self.incarnation.0,
            generation: self.local.generation.0,
            version: env!("CARGO_PKG_VERSION").into(),
            uptime_ms: millis(self.mailbox.uptime()),
            quorum,
            ring_epoch: view.ring.as_ref().map_or(0, |r| r.epoch()),
            members: view.members.iter().map(member).collect(),
            keys_estimate: published.size.keys,
            bytes_on_disk: published.size.bytes,
            durability: self.durability.name().into(),
            ready: view.ready,
            pending_hints: published.size.hints,
        }))
    }

    async fn ring(&self, _: Request<RingRequest>) -> Result<Response<RingResponse>, Status> {
        let ring = Operators::ring(self)?;
        let seat = |s: &Seat| RingMember {
            node_id: s.node.to_string(),
            zone: s.zone.clone(),
            weight: s.weight,
        };
        Ok(Response::new(RingResponse {
            epoch: ring.epoch(),
            operation_id: ring.operation().into(),
            partitions: count(ring.partitions()),
            factor: count(ring.factor()),
            members: ring.seats().iter().map(seat).collect(),
            owners: ring.owners().iter().map(|&o| o.into()).collect(),
            digest: digest(&ring),
        }))
    }

    async fn bootstrap(
        &self,
        request: Request<BootstrapRequest>,
    ) -> Result<Response<BootstrapResponse>, Status> {
        let request = request.into_inner();
        self.may_order(&request.cluster_id)?;
        if request.operation_id.is_empty() {
            return Err(Status::invalid_argument("the operation id is empty: choose one"));
        }
        let plan = Plan {
            operation: request.operation_id,
            partitions: uncount(request.partitions),
            factor: uncount(request.factor),
            seats: request.members.into_iter().map(seat).collect::<Result<_, _>>()?,
        };
        let epoch = self.order(Order::Bootstrap { plan, seal: fresh_seal()? }).await?;
        let digest = digest(&*Operators::ring(self)?);
        Ok(Response::new(BootstrapResponse { epoch, digest }))
    }

    async fn join(&self, request: Request<JoinRequest>) -> Result<Response<JoinResponse>, Status> {
        let JoinRequest { cluster_id, seeds } = request.into_inner();
        self.may_order(&cluster_id)?;
        if seeds.len() > MAX_SEEDS {
            return Err(Status::invalid_argument(format!(
                "{} seeds were given; the limit is {MAX_SEEDS}",
                seeds.len()
            )));
        }
        for seed in &seeds {
            config::address(seed).map_err(Status::invalid_argument)?;
        }
        self.order(Order::Join { seeds }).await?;
        Ok(Response::new(JoinResponse {}))
    }
}

fn member(m: &MemberView) -> MemberStatus {
    let reachability = if m.up { Reachability::Up } else { Reachability::Down };
    MemberStatus {
        node_id: m.member.node.to_string(),
        name: m.member.name.clone(),
        address: m.member.address.clone(),
        zone: m.member.zone.clone(),
        generation: m.member.generation.0,
        reachability: reachability.into(),
        heard_ms_ago: millis(m.heard_ago),
        partitions: count(m.partitions),
        version: m.member.version.clone(),
        client_address: m.member.client_address.clone(),
        ring_epoch: m.member.ring_epoch,
        down_for_cluster: m.down_for_cluster,
    }
}

fn seat(member: RingMember) -> Result<Seat, Status> {
    let node: NodeId =
        member.node_id.parse().map_err(|e| Status::invalid_argument(format!("{e}")))?;
    Ok(Seat { node, zone: member.zone, weight: member.weight })
}

/// Of everything about a ring that is shown: equal digests are equal rings.
fn digest(ring: &Ring) -> String {
    let shown = v1::Ring { seal: bytes::Bytes::new(), ..ring.into() };
    let hash = Sha256::digest(shown.encode_to_vec());
    hash.iter().map(|b| format!("{b:02x}")).collect()
}

fn fresh_seal() -> Result<Seal, Status> {
    let mut seal = [0; 16];
    let failed = |e| Status::internal(format!("the operating system gives no random bytes: {e}"));
    SysRng.try_fill_bytes(&mut seal).map_err(failed)?;
    Ok(Seal(seal))
}

fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

fn uncount(n: u32) -> usize {
    usize::try_from(n).unwrap_or(usize::MAX)
}

fn millis(d: Duration) -> u64 {
    u64::try_from(d.as_millis()).unwrap_or(u64::MAX)
}
