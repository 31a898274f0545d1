//! What happened, in lines for a person.

use crate::{
    load::Tally,
    tree::{Files, VALUE_LIMIT},
};
use anyhow::Result;
use dynamo_client::StatusResponse;
use dynamo_e2e::local_ring::{LocalRing, built_program};
use std::{collections::BTreeMap, path::Path, time::Duration};

/// Names of nodes by their ids.
type Names = BTreeMap<String, String>;

/// The ring that was laid.
pub(crate) fn ring(status: &StatusResponse, took: Duration) {
    let partitions: u32 = status.members.iter().map(|m| m.partitions).sum();
    let quorum = status.quorum.unwrap_or_default();
    println!(
        "ring of {partitions} partitions over {} nodes, N={} R={} W={}, durability {}, after {:.1} s",
        status.members.len(),
        quorum.factor,
        quorum.read,
        quorum.write,
        status.durability,
        took.as_secs_f64()
    );
}

/// What was written.
pub(crate) fn stored(files: &Files, writes: &Tally, names: &Names) {
    println!(
        "stored {} keys, {} bytes: {:.0} writes/s; coordinators: {}",
        writes.files,
        files.bytes(),
        writes.per_second(),
        coordinators(writes, names)
    );
    for path in &files.too_large {
        println!("left out {}: it is over the limit of {VALUE_LIMIT} bytes", path.display());
    }
}

/// What was read.
pub(crate) fn read_back(through: &str, reads: &Tally, names: &Names) {
    println!(
        "read {} keys back through {through}, all equal byte for byte: {:.0} reads/s; \
         coordinators: {}",
        reads.files,
        reads.per_second(),
        coordinators(reads, names)
    );
}

/// How to go on by hand.
pub(crate) fn how_to_try(ring: &LocalRing) -> Result<()> {
    let running: Vec<_> = ring.nodes().iter().filter(|n| n.is_running()).collect();
    let servers: Vec<_> = running.iter().map(|node| node.client_address()).collect();
    let program = built_program("dynamo")?;
    println!("\nThe ring stays up; node: clients, metrics");
    for node in running {
        println!(
            "  {}: {}, http://{}/metrics",
            node.name(),
            node.client_address(),
            node.http_address()
        );
    }
    println!("\nTry it in another terminal:");
    println!("  export PATH={}:$PATH", program.parent().unwrap_or(Path::new(".")).display());
    println!("  export DYNAMO_SERVER={}", servers.join(","));
    println!("  dynamo ring");
    println!("  dynamo put greeting hello --context-file /tmp/greeting");
    println!("  dynamo get greeting");
    println!("  dynamo put greeting 'hello again' --context-file /tmp/greeting");
    println!("  dynamo status --output json");
    println!("\nCtrl-C ends it and removes the data.");
    Ok(())
}

fn coordinators(tally: &Tally, names: &Names) -> String {
    let name = |id: &str| names.get(id).cloned().unwrap_or_else(|| id.to_owned());
    let mut shares: Vec<_> = tally.coordinators.iter().map(|(id, n)| (name(id), n)).collect();
    shares.sort();
    shares.iter().map(|(name, n)| format!("{name} {n}")).collect::<Vec<_>>().join(", ")
}
