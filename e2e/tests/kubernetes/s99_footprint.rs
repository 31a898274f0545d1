//! What it all costs when nothing happens.

use anyhow::{Context, Result, ensure};
use dynamo_e2e::{
    kube::{Cluster, items, kubectl, scenario, text},
    wait::until,
};
use std::time::Duration;

const MIB: f64 = 1024.0 * 1024.0;

/// The largest resident memory of an idle node.
const NODE_MEMORY: f64 = 60.0 * MIB;

/// The largest images, in bytes.
const IMAGES: [(&str, u64); 2] =
    [("dynamokv/node:", 120_000_000), ("dynamokv/operator:", 60_000_000)];

#[test]
#[ignore = "needs a Kubernetes: e2e/run"]
fn idle_nodes_and_images_are_small() -> Result<()> {
    scenario("footprint", |ns| {
        let cluster = Cluster::ready(ns, "idle", 3)?;
        for ordinal in 0..3 {
            let memory = cluster.memory(ordinal)?;
            println!("pod {ordinal}: {:.0} MiB resident", memory / MIB);
            ensure!(memory < NODE_MEMORY, "an idle node takes {memory} bytes");
        }
        IMAGES.iter().try_for_each(|&(image, limit)| {
            // A machine tells its images a while after they came.
            let size =
                until(&format!("the size of {image}"), Duration::from_secs(60), || size(image))?;
            println!("{image} {} MB", size / 1_000_000);
            ensure!(size < limit, "the image {image} has {size} bytes, more than {limit}");
            Ok(())
        })
    })
}

/// The size of an image on the machine that has it.
fn size(image: &str) -> Result<Option<u64>> {
    let nodes = kubectl(&["get", "nodes", "--output=json"])?.json()?;
    for node in items(&nodes) {
        let images = node["status"]["images"].as_array().context("a machine without images")?;
        let named = |i: &&serde_json::Value| i["names"].to_string().contains(image);
        if let Some(found) = images.iter().find(named) {
            return Ok(found["sizeBytes"].as_u64());
        }
        ensure!(!text(node, "/metadata/name").is_empty(), "a machine without a name");
    }
    Ok(None)
}
