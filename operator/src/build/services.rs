//! The two services: names for pods, and the way in for clients.

use super::{CLIENT_PORT, PEER_PORT, metadata, selector};
use crate::validate::ValidatedCluster;
use k8s_openapi::{
    api::core::v1::{Service, ServicePort, ServiceSpec},
    apimachinery::pkg::util::intstr::IntOrString,
};

/// Gives every pod a name, also before it is ready: nodes must find each other in order
/// to become ready.
pub fn peer_service(cluster: &ValidatedCluster) -> Service {
    let spec = ServiceSpec {
        cluster_ip: Some("None".into()),
        publish_not_ready_addresses: Some(true),
        selector: Some(selector(cluster)),
        ports: Some(vec![port("peer", PEER_PORT), port("client", CLIENT_PORT)]),
        ..ServiceSpec::default()
    };
    let metadata = metadata(cluster, cluster.peers());
    Service { metadata, spec: Some(spec), ..Service::default() }
}

/// The way in: any ready node serves any request.
pub fn client_service(cluster: &ValidatedCluster) -> Service {
    let spec = ServiceSpec {
        selector: Some(selector(cluster)),
        ports: Some(vec![port("client", CLIENT_PORT)]),
        ..ServiceSpec::default()
    };
    let metadata = metadata(cluster, cluster.workload());
    Service { metadata, spec: Some(spec), ..Service::default() }
}

fn port(name: &str, port: i32) -> ServicePort {
    ServicePort {
        name: Some(name.into()),
        port,
        target_port: Some(IntOrString::String(name.into())),
        protocol: Some("TCP".into()),
        ..ServicePort::default()
    }
}
