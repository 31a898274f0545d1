//! What users and the `restricted` profile rely on, by value.

use super::*;
use crate::testing::{cluster, cluster_of};
use serde_json::{Value, json};
use uuid::Uuid;

const RING: Uuid = Uuid::from_u128(7);

fn set(spec: &str, replicas: u32) -> Value {
    serde_json::to_value(stateful_set(&cluster_of(spec), RING, replicas)).unwrap()
}

fn plain(replicas: u32) -> Value {
    set("spec: {replicas: 3, storage: {size: 10Gi}}", replicas)
}

#[test]
fn scaling_does_not_touch_the_pods() {
    let three = set("spec: {replicas: 3, storage: {size: 10Gi}}", 3);
    let five = set("spec: {replicas: 5, storage: {size: 10Gi}}", 5);
    assert_eq!(three["spec"]["template"], five["spec"]["template"]);
    assert_eq!(five["spec"]["replicas"], 5);
    assert_eq!(five["metadata"]["annotations"][REPLICAS], "5");
}

#[test]
fn pods_are_told_who_they_are_and_whom_to_ask() {
    let set = plain(3);
    let args = set["spec"]["template"]["spec"]["containers"][0]["args"].as_array().unwrap();
    let domain = "cart-dynamo-peers.shop.svc";
    let seeds: Vec<_> = (0..3).map(|i| format!("cart-dynamo-{i}.{domain}:7071")).collect();
    for wanted in [
        format!("--cluster-id={RING}"),
        "--name=$(POD_NAME)".into(),
        format!("--advertise-peer=$(POD_NAME).{domain}:7071"),
        format!("--advertise-client=$(POD_NAME).{domain}:7070"),
        format!("--seeds={}", seeds.join(",")),
        "--read-quorum=2".into(),
        "--write-quorum=2".into(),
        "--durability=sync".into(),
        "--key-limit=4096".into(),
        "--value-limit=1048576".into(),
        "--log-level=info".into(),
    ] {
        assert!(args.contains(&json!(wanted)), "{wanted} is not in {args:?}");
    }
}

#[test]
fn pods_pass_the_restricted_profile() {
    let pod = &plain(3)["spec"]["template"]["spec"];
    let of_pod = &pod["securityContext"];
    assert_eq!(of_pod["runAsNonRoot"], true);
    for who in ["runAsUser", "runAsGroup", "fsGroup"] {
        assert_eq!(of_pod[who], 65532);
    }
    assert_eq!(of_pod["seccompProfile"]["type"], "RuntimeDefault");
    let of_container = &pod["containers"][0]["securityContext"];
    assert_eq!(of_container["allowPrivilegeEscalation"], false);
    assert_eq!(of_container["readOnlyRootFilesystem"], true);
    assert_eq!(of_container["capabilities"]["drop"], json!(["ALL"]));
    assert_eq!(pod["automountServiceAccountToken"], false);
}

#[test]
fn only_the_operator_replaces_pods() {
    let spec = &plain(3)["spec"];
    assert_eq!(spec["podManagementPolicy"], "Parallel");
    assert_eq!(spec["updateStrategy"]["type"], "OnDelete");
}

#[test]
fn volumes_outlive_the_cluster_unless_asked_otherwise_and_name_their_ring() {
    let policy = "persistentVolumeClaimRetentionPolicy";
    let retain = json!({"whenDeleted": "Retain", "whenScaled": "Retain"});
    let kept = plain(3);
    assert_eq!(kept["spec"][policy], retain);
    let claim = &kept["spec"]["volumeClaimTemplates"][0];
    assert_eq!(claim["metadata"]["annotations"], json!({"dynamokv.io/ring-id": RING.to_string()}));
    assert_eq!(claim["spec"]["resources"]["requests"]["storage"], "10Gi");
    let delete = "spec: {replicas: 3, storage: {size: 10Gi, \
                  retentionPolicy: {whenDeleted: Delete}}}";
    assert_eq!(set(delete, 3)["spec"][policy]["whenDeleted"], "Delete");
}

#[test]
fn a_restart_changes_the_pods_and_nothing_else() {
    let asked = "spec: {replicas: 3, storage: {size: 10Gi}, restartedAt: 2026-01-02T03:04:05Z}";
    let mut restarted = set(asked, 3);
    let template = &mut restarted["spec"]["template"]["metadata"];
    let annotations = template.as_object_mut().unwrap().remove("annotations");
    assert_eq!(annotations, Some(json!({"dynamokv.io/restarted-at": "2026-01-02T03:04:05Z"})));
    assert_eq!(restarted, plain(3));
}

#[test]
fn what_users_add_to_pods_arrives() {
    let spec = "
spec:
  replicas: 3
  storage: {size: 10Gi, storageClassName: fast}
  image: dynamokv/node:9
  config: {durability: Os, logLevel: Debug, keyLimit: 10, valueLimit: 20}
  resources: {requests: {cpu: 1}, limits: {memory: 1Gi}}
  podTemplate: {metadata: {labels: {team: a}, annotations: {note: b}}, env: [{name: X, value: y}]}
  placement: {antiAffinity: Required, nodeSelector: {disk: ssd}, tolerations: [{operator: Exists}]}
";
    let set = set(spec, 3);
    let template = &set["spec"]["template"];
    assert_eq!(template["metadata"]["labels"]["team"], "a");
    assert_eq!(template["metadata"]["annotations"], json!({"note": "b"}));
    let pod = &template["spec"];
    let container = &pod["containers"][0];
    assert_eq!(container["image"], "dynamokv/node:9");
    assert_eq!(container["env"][1], json!({"name": "X", "value": "y"}));
    assert_eq!(
        container["resources"],
        json!({"requests": {"cpu": "1"}, "limits": {"memory": "1Gi"}})
    );
    for wanted in ["--durability=os", "--log-level=debug", "--key-limit=10", "--value-limit=20"] {
        assert!(container["args"].as_array().unwrap().contains(&json!(wanted)), "{wanted}");
    }
    assert_eq!(pod["nodeSelector"], json!({"disk": "ssd"}));
    assert_eq!(pod["tolerations"], json!([{"operator": "Exists"}]));
    let required = "requiredDuringSchedulingIgnoredDuringExecution";
    assert!(pod["affinity"]["podAntiAffinity"][required].is_array());
    assert_eq!(set["spec"]["volumeClaimTemplates"][0]["spec"]["storageClassName"], "fast");
}

#[test]
fn nodes_find_each_other_before_they_are_ready_and_clients_only_ready_ones() {
    let peers = serde_json::to_value(peer_service(&cluster())).unwrap();
    assert_eq!(peers["metadata"]["name"], "cart-dynamo-peers");
    assert_eq!(peers["spec"]["clusterIP"], "None");
    assert_eq!(peers["spec"]["publishNotReadyAddresses"], true);
    let client = serde_json::to_value(client_service(&cluster())).unwrap();
    assert_eq!(client["metadata"]["name"], "cart-dynamo");
    assert_eq!(client["spec"]["ports"][0]["port"], 7070);
    assert_eq!(client["spec"]["publishNotReadyAddresses"], Value::Null);
    assert_eq!(client["spec"]["selector"], peers["spec"]["selector"]);
}

#[test]
fn the_budget_lets_one_node_be_away_and_broken_ones_be_evicted() {
    let budget = serde_json::to_value(pod_disruption_budget(&cluster(), 3)).unwrap();
    assert_eq!(budget["spec"]["maxUnavailable"], 1);
    assert_eq!(budget["spec"]["unhealthyPodEvictionPolicy"], "AlwaysAllow");
    assert_eq!(pod_disruption_budget(&cluster(), 1), None);
}

#[test]
fn the_peer_port_is_for_nodes_and_the_operator() {
    let policy = serde_json::to_value(network_policy(&cluster(), Some("ops"))).unwrap();
    let peers = &policy["spec"]["ingress"][0];
    assert_eq!(peers["ports"][0]["port"], 7071);
    let callers = peers["from"].as_array().unwrap();
    assert_eq!(callers.len(), 2);
    assert_eq!(
        callers[1],
        json!({
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "ops"}},
            "podSelector": {"matchLabels": {"app.kubernetes.io/name": "dynamo-operator"}},
        })
    );
    assert_eq!(policy["spec"]["ingress"][1]["from"], Value::Null);

    let abroad = "spec: {replicas: 3, storage: {size: 1Gi}, seeds: {external: ['a.example:7071']}}";
    let policy = network_policy(&cluster_of(abroad), Some("ops"));
    let policy = serde_json::to_value(policy).unwrap();
    assert_eq!(policy["spec"]["ingress"][0]["from"], Value::Null);
}
