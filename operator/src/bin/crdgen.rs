//! Writes the CustomResourceDefinition, generated from the types, to standard output
//! or into a directory.

use anyhow::Context;
use clap::Parser;
use std::path::PathBuf;

/// Generates the CustomResourceDefinition of DynamoCluster.
#[derive(Parser)]
#[command(version)]
struct Options {
    /// Write into this directory instead of to standard output.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

fn main() -> anyhow::Result<()> {
    let crd = dynamo_operator::api::definition();
    let yaml = format!(
        "# Generated from operator/src/api by crdgen; do not edit.\n{}",
        serde_yaml_ng::to_string(&crd)?
    );
    let Some(dir) = Options::parse().out else {
        print!("{yaml}");
        return Ok(());
    };
    let file = dir.join(format!("{}.yaml", crd.metadata.name.unwrap_or_default()));
    std::fs::create_dir_all(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
    std::fs::write(&file, yaml).with_context(|| format!("cannot write {}", file.display()))
}
