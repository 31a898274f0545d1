//! What cannot be is refused when it is applied, with a message that says why.

use anyhow::{Context, Result};
use dynamo_e2e::kube::{Cluster, scenario};

/// Specifications that cannot be, and what must be said about them.
const NEW: &[(&str, &str)] = &[
    ("{replicas: 2, storage: {size: 1Gi}}", "replicas is 2 but replication.factor is 3"),
    (
        "{replicas: 3, replication: {readQuorum: 4}, storage: {size: 1Gi}}",
        "replication.readQuorum is 4 but replication.factor is 3",
    ),
    (
        "{replicas: 3, replication: {writeQuorum: 4}, storage: {size: 1Gi}}",
        "replication.writeQuorum is 4 but replication.factor is 3",
    ),
    (
        "{replicas: 5, ring: {partitions: 4}, storage: {size: 1Gi}}",
        "replicas is 5 but ring.partitions is 4",
    ),
    (
        "{replicas: 3, ring: {partitions: 100}, storage: {size: 1Gi}}",
        "ring.partitions is 100: it must be a power of two",
    ),
    (
        "{replicas: 3, storage: {size: 1Gi}, podTemplate: {env: [{name: DYNAMO_SEEDS, value: x}]}}",
        "podTemplate.env cannot set",
    ),
    (
        "{replicas: 3, storage: {size: 1Gi}, podTemplate: {metadata: {labels: {app.kubernetes.io/name: x}}}}",
        "podTemplate.metadata.labels cannot set",
    ),
    (
        "{replicas: 3, storage: {size: 1Gi}, podTemplate: {metadata: {annotations: {dynamokv.io/x: z}}}}",
        "podTemplate.metadata.annotations cannot set",
    ),
    ("{replicas: 0, storage: {size: 1Gi}}", "spec.replicas"),
    ("{replicas: 3, storage: {size: lots}}", "spec.storage.size"),
    ("{replicas: 3}", "spec.storage"),
    ("{replicas: 3, storage: {size: 1Gi}, seeds: {external: [no-port]}}", "spec.seeds.external"),
    ("{replicas: 3, storage: {size: 1Gi}, config: {keyLimit: 0}}", "spec.config.keyLimit"),
    ("{replicas: 3, storage: {size: 1Gi}, replication: {n: 3}}", "unknown field"),
];

/// Changes that cannot be made to a cluster that exists.
const CHANGES: &[(&str, &str)] = &[
    (
        r#"{"spec":{"replication":{"factor":5}}}"#,
        "replication.factor is 3 and cannot be changed yet",
    ),
    (r#"{"spec":{"ring":{"partitions":512}}}"#, "ring.partitions is 256 and cannot be changed"),
    (r#"{"spec":{"storage":{"size":"2Gi"}}}"#, "storage.size is 1Gi and cannot be changed yet"),
    (
        r#"{"spec":{"storage":{"storageClassName":"other"}}}"#,
        "storage.storageClassName cannot be changed",
    ),
    (r#"{"spec":{"replication":{"readQuorum":4}}}"#, "replication.readQuorum is 4"),
    (r#"{"spec":{"replicas":2}}"#, "replicas is 2 but replication.factor is 3"),
];

#[test]
#[ignore = "needs a Kubernetes: e2e/run"]
fn what_cannot_be_is_refused_with_the_reason() -> Result<()> {
    scenario("refused", |ns| {
        let cluster = Cluster::named(ns, "refused");
        for (spec, reason) in NEW {
            ns.apply(&cluster.manifest(spec))?
                .refused(reason)
                .with_context(|| (*spec).to_owned())?;
        }
        let long = Cluster::named(ns, &"a".repeat(41));
        ns.apply(&long.manifest("{replicas: 3, storage: {size: 1Gi}}"))?
            .refused("metadata.name has at most 40 characters")?;

        // Paused, since it needs no pods.
        let spec = "{replicas: 3, storage: {size: 1Gi}, paused: true}";
        ns.apply(&cluster.manifest(spec))?.ok()?;
        for (change, reason) in CHANGES {
            cluster.patch(change)?.refused(reason)?;
        }
        cluster.scale(2)?.refused("replicas is 2 but replication.factor is 3")?;
        cluster.scale(300)?.refused("replicas is 300 but ring.partitions is 256")?;
        cluster.scale(501)?.refused("spec.replicas")?;
        Ok(())
    })
}
