//! A volume is lost with its pod. The node that lived there is gone for good; the one
//! that comes up in its place is another, without a part in the ring, and does no harm.
//!
//! It does not take the lost one's place yet: then this scenario will ask for that.

use anyhow::{Result, ensure};
use dynamo_e2e::{
    kube::{Cluster, Machines, scenario, text},
    wait::until,
    workload::{Ledger, Plan, Workload},
};
use std::{fs, time::Duration};

const NODES: u32 = 3;

/// The pod that loses its volume.
const LOST: u32 = 2;

/// How long Kubernetes may take to make a pod with another volume.
const ANOTHER: Duration = Duration::from_secs(120);

#[test]
#[ignore = "needs a Kubernetes: e2e/run"]
fn the_loss_of_a_volume_loses_nothing_and_its_new_node_harms_nobody() -> Result<()> {
    scenario("volume-deleted", |ns| {
        let cluster = Cluster::ready(ns, "bereft", NODES)?;
        let mut ledger = Ledger::write(&cluster.address()?, 100)?;
        let digest = cluster.dynamo_json(0, &["ring"])?["digest"].clone();
        let lost = node_id(&cluster, LOST)?;
        let survivors = cluster.pod_addresses(LOST)?;
        let load = Workload::begin(Plan::sloppy(&survivors))?;

        delete_with_volume(&cluster, LOST)?;
        let stranger = until("a node on the new volume", ANOTHER, || {
            let Ok(id) = node_id(&cluster, LOST) else { return Ok(None) };
            Ok(Some(id))
        })?;
        ensure!(stranger != lost, "an empty volume gave {stranger} the name of what it lost");

        // With N=3, R=W=2 the other two serve everything, under the same ring. Through
        // the new node the same is read, or nothing, but never that there is nothing.
        load.go_on(100)?;
        ledger.extend(&survivors, 100)?;
        for address in survivors.iter().chain([&cluster.pod_address(LOST)?]) {
            ledger.verify(address)?;
        }
        for ordinal in 0..LOST {
            let ring = cluster.dynamo_json(ordinal, &["ring"])?;
            ensure!(ring["digest"] == digest, "the ring changed at pod {ordinal}: {ring}");
        }
        cluster.wait_condition("Available", "True", "")?;

        let report = load.settle(&survivors, NODES - 1, Duration::from_secs(60))?;
        println!("meanwhile: {report}");
        report.no_failure()
    })
}

/// What people do by hand today when a disk has gone bad: empty the store, keep the
/// identity. The node comes back as itself and is refilled by the others.
#[test]
#[ignore = "needs a Kubernetes: e2e/run"]
fn a_node_whose_store_is_lost_comes_back_as_itself_and_is_refilled() -> Result<()> {
    let Some(machines) = Machines::here("damage to a volume") else { return Ok(()) };
    scenario("store-lost", |ns| {
        let cluster = Cluster::ready(ns, "refilled", NODES)?;
        let ledger = Ledger::write(&cluster.address()?, 100)?;
        let lost = node_id(&cluster, LOST)?;
        let load = Workload::begin(Plan::sloppy(&cluster.pod_addresses(LOST)?))?;
        let uid = cluster.pod_uid(LOST)?;
        let store = machines.volume(&cluster, LOST)?.join("node/store");
        // The database names its parts in this file: without it there is none.
        fs::write(store.join("CURRENT"), "not the name of a manifest\n")?;
        ns.kubectl(&["delete", "pod", &cluster.pod(LOST), "--force", "--grace-period=0"])?.ok()?;
        cluster.wait_replaced(LOST, &uid)?;
        cluster.wait_ready(NODES)?;
        ensure!(node_id(&cluster, LOST)? == lost, "the node came back as another");

        let addresses = cluster.pod_addresses(NODES)?;
        for address in &addresses {
            until("every replica of every key", Duration::from_secs(60), || {
                Ok(ledger.is_complete(address, NODES)?.then_some(()))
            })?;
        }
        let report = load.settle(&addresses, NODES, Duration::from_secs(60))?;
        println!("meanwhile: {report}");
        report.no_failure()
    })
}

fn node_id(cluster: &Cluster<'_>, ordinal: u32) -> Result<String> {
    let status = cluster.dynamo_json(ordinal, &["status"])?;
    let id = text(&status, "/node_id");
    ensure!(!id.is_empty(), "the node in {} has no id: {status}", cluster.pod(ordinal));
    Ok(id.to_owned())
}

/// Deletes a pod and its claim, and waits until both are others.
fn delete_with_volume(cluster: &Cluster<'_>, ordinal: u32) -> Result<()> {
    let (ns, pod) = (cluster.namespace(), cluster.pod(ordinal));
    let (claim, uid) = (cluster.claim_name(ordinal)?, cluster.pod_uid(ordinal)?);
    let volume = text(&cluster.claim(ordinal)?, "/metadata/uid").to_owned();
    // The claim goes when no pod uses it any more.
    ns.kubectl(&["delete", "pvc", &claim, "--wait=false"])?.ok()?;
    ns.kubectl(&["delete", "pod", &pod, "--wait=false"])?.ok()?;
    cluster.wait_replaced(ordinal, &uid)?;
    until(&format!("another volume for {pod}"), ANOTHER, || {
        let found = ns.kubectl(&["get", "pvc", &claim, "--output=jsonpath={.metadata.uid}"])?;
        if found.status == 0 && found.stdout != volume {
            return Ok(Some(()));
        }
        // A pod that was made before the old claim was gone may wait for it for ever.
        if found.status != 0 {
            ns.kubectl(&["delete", "pod", &pod, "--ignore-not-found", "--wait=false"])?;
        }
        Ok(None)
    })
}
