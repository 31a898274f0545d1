//! Who may talk to the pods.

use super::{CLIENT_PORT, HTTP_PORT, PEER_PORT, label_selector, metadata};
use crate::{api::MANAGER, validate::ValidatedCluster};
use k8s_openapi::{
    api::networking::v1::{
        NetworkPolicy, NetworkPolicyIngressRule, NetworkPolicyPeer, NetworkPolicyPort,
        NetworkPolicySpec,
    },
    apimachinery::pkg::{apis::meta::v1::LabelSelector, util::intstr::IntOrString},
};

/// Everybody may use the client port, and read metrics. Only nodes and the operator may
/// use the peer port, where a ring can be changed; `operator_namespace` is unknown when
/// the operator runs outside of the cluster, and then the policy lets no operator in.
///
/// Seeds elsewhere cannot be named by labels: with them the peer port is open.
pub fn network_policy(
    cluster: &ValidatedCluster,
    operator_namespace: Option<&str>,
) -> NetworkPolicy {
    let mut callers = vec![NetworkPolicyPeer {
        pod_selector: Some(label_selector(cluster)),
        ..NetworkPolicyPeer::default()
    }];
    callers.extend(operator_namespace.map(operator_in));
    let peers = NetworkPolicyIngressRule {
        from: cluster.external_seeds.is_empty().then_some(callers),
        ports: Some(vec![port(PEER_PORT)]),
    };
    let everybody = NetworkPolicyIngressRule {
        ports: Some(vec![port(CLIENT_PORT), port(HTTP_PORT)]),
        ..NetworkPolicyIngressRule::default()
    };
    let spec = NetworkPolicySpec {
        pod_selector: Some(label_selector(cluster)),
        ingress: Some(vec![peers, everybody]),
        policy_types: Some(vec!["Ingress".into()]),
        ..NetworkPolicySpec::default()
    };
    NetworkPolicy { metadata: metadata(cluster, cluster.workload()), spec: Some(spec) }
}

/// The pods of the chart's Deployment.
fn operator_in(namespace: &str) -> NetworkPolicyPeer {
    let matching = |key: &str, value: &str| LabelSelector {
        match_labels: Some([(key.to_owned(), value.to_owned())].into()),
        ..LabelSelector::default()
    };
    NetworkPolicyPeer {
        namespace_selector: Some(matching("kubernetes.io/metadata.name", namespace)),
        pod_selector: Some(matching("app.kubernetes.io/name", MANAGER)),
        ..NetworkPolicyPeer::default()
    }
}

fn port(port: i32) -> NetworkPolicyPort {
    NetworkPolicyPort {
        port: Some(IntOrString::Int(port)),
        protocol: Some("TCP".into()),
        ..NetworkPolicyPort::default()
    }
}
