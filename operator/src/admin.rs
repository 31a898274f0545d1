//! Talks to the nodes: the Admin service on the peer port, by the address of the pod.
//!
//! Addresses are used because names of pods that have just started do not resolve yet.
//! Every call has a time limit, so that a node that hangs costs a pass two seconds.

use crate::{
    build::PEER_PORT,
    observed::{Node, Sight},
};
use dynamo_core::{
    id::NodeId,
    ring::{BadRing, Plan, Ring, Seal, Seat},
};
use dynamo_proto::v1::{
    BootstrapRequest, MemberStatus, Reachability, RingMember, RingRequest, RingResponse,
    StatusRequest, StatusResponse, admin_client::AdminClient,
};
use std::{collections::BTreeMap, net::IpAddr, time::Duration};
use tonic::transport::{Channel, Endpoint};

/// Nodes answer these calls from memory.
const ANSWER: Duration = Duration::from_secs(2);

const CONNECT: Duration = Duration::from_secs(1);

/// Laying a ring is one synced write on one node.
const LAY: Duration = Duration::from_secs(10);

/// Why a node could not be asked.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// It has no address that can be called.
    #[error("{0:?} is not an address of a pod")]
    Address(String),
    /// It does not take calls.
    #[error("no connection: {0}")]
    Connect(#[from] tonic::transport::Error),
    /// It refused, or did not answer in time.
    #[error("{} ({:?})", .0.message(), .0.code())]
    Refused(Box<tonic::Status>),
    /// It is not one of ours, or of another version.
    #[error("it answered with {0}")]
    Nonsense(String),
}

impl From<tonic::Status> for AdminError {
    fn from(status: tonic::Status) -> Self {
        AdminError::Refused(Box::new(status))
    }
}

impl From<BadRing> for AdminError {
    fn from(bad: BadRing) -> Self {
        AdminError::Nonsense(format!("a ring that is none: {bad}"))
    }
}

async fn connect(ip: &str, limit: Duration) -> Result<AdminClient<Channel>, AdminError> {
    let ip: IpAddr = ip.parse().map_err(|_| AdminError::Address(ip.into()))?;
    let uri = match ip {
        IpAddr::V4(ip) => format!("http://{ip}:{PEER_PORT}"),
        IpAddr::V6(ip) => format!("http://[{ip}]:{PEER_PORT}"),
    };
    let endpoint = Endpoint::from_shared(uri)?.connect_timeout(CONNECT).timeout(limit);
    Ok(AdminClient::new(endpoint.connect().await?))
}

/// Who the node is and whom it sees.
pub async fn status(ip: &str) -> Result<Node, AdminError> {
    let mut client = connect(ip, ANSWER).await?;
    node(client.status(StatusRequest {}).await?.into_inner())
}

/// The ring that the node holds, if it holds one.
pub async fn ring(ip: &str) -> Result<Option<Ring>, AdminError> {
    let mut client = connect(ip, ANSWER).await?;
    let answer = client.ring(RingRequest {}).await?.into_inner();
    if answer.epoch == 0 { Ok(None) } else { read_ring(answer).map(Some) }
}

/// Lays the ring.
pub async fn bootstrap(ip: &str, request: BootstrapRequest) -> Result<(), AdminError> {
    let mut client = connect(ip, LAY).await?;
    client.bootstrap(request).await?;
    Ok(())
}

fn id(text: &str) -> Result<NodeId, AdminError> {
    text.parse().map_err(|e| AdminError::Nonsense(format!("a node id that is none: {e}")))
}

fn node(status: StatusResponse) -> Result<Node, AdminError> {
    let own = id(&status.node_id)?;
    let sight = |m: &MemberStatus| {
        let up = m.reachability() == Reachability::Up;
        Ok((id(&m.node_id)?, Sight { up, generation: m.generation }))
    };
    let mut members: BTreeMap<_, _> =
        status.members.iter().map(sight).collect::<Result<_, AdminError>>()?;
    members.insert(own, Sight { up: true, generation: status.generation });
    Ok(Node {
        cluster: status.cluster_id,
        id: own,
        generation: status.generation,
        version: status.version,
        epoch: status.ring_epoch,
        ready: status.ready,
        pending_hints: status.pending_hints,
        members,
    })
}

fn read_ring(answer: RingResponse) -> Result<Ring, AdminError> {
    let seat =
        |m: &RingMember| Ok(Seat { node: id(&m.node_id)?, zone: m.zone.clone(), weight: m.weight });
    let seats = answer.members.iter().map(seat).collect::<Result<_, AdminError>>()?;
    let owner = |o: &u32| {
        u16::try_from(*o).map_err(|_| AdminError::Nonsense(format!("{o} as an owner's index")))
    };
    let owners = answer.owners.iter().map(owner).collect::<Result<_, AdminError>>()?;
    let plan = Plan {
        operation: answer.operation_id,
        partitions: answer.owners.len(),
        factor: usize::try_from(answer.factor).unwrap_or(usize::MAX),
        seats,
    };
    // What contexts are sealed with is nobody's business but the nodes'.
    Ok(Ring::from_parts(answer.epoch, plan, owners, Seal([0; 16]))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_knows_itself_and_a_ring_is_checked() {
        let answer = StatusResponse {
            node_id: "000000000000000a".into(),
            generation: 3,
            pending_hints: 5,
            ..StatusResponse::default()
        };
        let own = NodeId(10);
        let members = [(own, Sight { up: true, generation: 3 })].into();
        let node = node(answer).unwrap();
        assert_eq!((node.members, node.pending_hints), (members, 5));

        let member =
            |n: u64| RingMember { node_id: NodeId(n).to_string(), zone: "a".into(), weight: 1 };
        let mut answer = RingResponse {
            epoch: 1,
            factor: 2,
            members: vec![member(1), member(2)],
            owners: vec![0, 1],
            ..RingResponse::default()
        };
        assert_eq!(read_ring(answer.clone()).unwrap().owned_by(NodeId(2)), 1);
        answer.owners = vec![0, 2];
        assert!(read_ring(answer).is_err());
    }
}
