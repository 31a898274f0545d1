//! The container of a node: its arguments, probes and rights.

use super::{CLIENT_PORT, HTTP_PORT, PEER_PORT, VOLUME};
use crate::{
    api::{Durability, LogLevel, Resources},
    validate::ValidatedCluster,
};
use k8s_openapi::{
    api::core::v1::{
        Capabilities, Container, ContainerPort, EnvVar, EnvVarSource, HTTPGetAction,
        ObjectFieldSelector, Probe, ResourceRequirements, SecurityContext, VolumeMount,
    },
    apimachinery::pkg::util::intstr::IntOrString,
};
use uuid::Uuid;

/// Where the volume is mounted. The data is in a directory below, because some
/// filesystems come with a `lost+found`.
const MOUNT: &str = "/var/lib/dynamo";

pub(super) fn container(cluster: &ValidatedCluster, ring: Uuid) -> Container {
    let name = EnvVar {
        name: "POD_NAME".into(),
        value_from: Some(EnvVarSource {
            field_ref: Some(ObjectFieldSelector {
                field_path: "metadata.name".into(),
                ..ObjectFieldSelector::default()
            }),
            ..EnvVarSource::default()
        }),
        ..EnvVar::default()
    };
    Container {
        name: "node".into(),
        image: Some(cluster.image.clone()),
        image_pull_policy: Some("IfNotPresent".into()),
        args: Some(arguments(cluster, ring)),
        env: Some([vec![name], cluster.pod_template.env.clone()].concat()),
        ports: Some(vec![
            port("client", CLIENT_PORT),
            port("peer", PEER_PORT),
            port("http", HTTP_PORT),
        ]),
        // A large store may need minutes to open. Once it is open, liveness is the
        // node's own event loop and never what its peers do.
        startup_probe: Some(probe("/healthz", 1, 600)),
        liveness_probe: Some(probe("/healthz", 10, 6)),
        readiness_probe: Some(probe("/readyz", 2, 2)),
        resources: resources(&cluster.resources),
        volume_mounts: Some(vec![VolumeMount {
            name: VOLUME.into(),
            mount_path: MOUNT.into(),
            ..VolumeMount::default()
        }]),
        security_context: Some(SecurityContext {
            allow_privilege_escalation: Some(false),
            read_only_root_filesystem: Some(true),
            capabilities: Some(Capabilities { drop: Some(vec!["ALL".into()]), add: None }),
            ..SecurityContext::default()
        }),
        ..Container::default()
    }
}

fn arguments(cluster: &ValidatedCluster, ring: Uuid) -> Vec<String> {
    let advertised = format!("$(POD_NAME).{}", cluster.domain());
    let durability = match cluster.config.durability {
        Durability::Sync => "sync",
        Durability::Os => "os",
    };
    let level = match cluster.config.log_level {
        LogLevel::Error => "error",
        LogLevel::Warn => "warn",
        LogLevel::Info => "info",
        LogLevel::Debug => "debug",
        LogLevel::Trace => "trace",
    };
    vec![
        format!("--data-dir={MOUNT}/node"),
        format!("--cluster-id={ring}"),
        "--name=$(POD_NAME)".into(),
        format!("--client-listen=0.0.0.0:{CLIENT_PORT}"),
        format!("--peer-listen=0.0.0.0:{PEER_PORT}"),
        format!("--http-listen=0.0.0.0:{HTTP_PORT}"),
        format!("--advertise-client={advertised}:{CLIENT_PORT}"),
        format!("--advertise-peer={advertised}:{PEER_PORT}"),
        format!("--seeds={}", seeds(cluster).join(",")),
        format!("--read-quorum={}", cluster.read_quorum),
        format!("--write-quorum={}", cluster.write_quorum),
        format!("--durability={durability}"),
        format!("--key-limit={}", cluster.config.key_limit),
        format!("--value-limit={}", cluster.config.value_limit),
        "--log-format=json".into(),
        format!("--log-level={level}"),
    ]
}

/// The same for any number of replicas, or a change of that would restart every node.
fn seeds(cluster: &ValidatedCluster) -> Vec<String> {
    let pod = |i| format!("{}.{}:{PEER_PORT}", cluster.pod(i), cluster.domain());
    (0..cluster.seeds).map(pod).chain(cluster.external_seeds.iter().cloned()).collect()
}

fn port(name: &str, port: i32) -> ContainerPort {
    ContainerPort {
        name: Some(name.into()),
        container_port: port,
        protocol: Some("TCP".into()),
        ..ContainerPort::default()
    }
}

fn probe(path: &str, period: i32, failures: i32) -> Probe {
    Probe {
        http_get: Some(HTTPGetAction {
            path: Some(path.into()),
            port: IntOrString::String("http".into()),
            ..HTTPGetAction::default()
        }),
        period_seconds: Some(period),
        timeout_seconds: Some(3),
        failure_threshold: Some(failures),
        ..Probe::default()
    }
}

fn resources(wanted: &Resources) -> Option<ResourceRequirements> {
    let some = |m: &std::collections::BTreeMap<_, _>| (!m.is_empty()).then(|| m.clone());
    let (requests, limits) = (some(&wanted.requests), some(&wanted.limits));
    (requests.is_some() || limits.is_some()).then(|| ResourceRequirements {
        requests,
        limits,
        ..ResourceRequirements::default()
    })
}
