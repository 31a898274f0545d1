//! `dynamo status`: the cluster as one node sees it.

use crate::{
    args::Format,
    output::{self, table},
};
use dynamo_client::{Client, MemberStatus, Quorum, Reachability, StatusResponse};
use jiff::SignedDuration;
use serde_json::{Value, json};
use std::io::{self, Write};

/// Runs it.
pub(crate) async fn run(
    client: &Client,
    format: Format,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    let mut status = client.status().await?;
    status.members.sort_by(|a, b| (&a.name, &a.node_id).cmp(&(&b.name, &b.node_id)));
    match format {
        Format::Json => output::json(out, &document(&status))?,
        Format::Text => text(out, &status)?,
    }
    Ok(out.flush()?)
}

fn text(out: &mut impl Write, status: &StatusResponse) -> io::Result<()> {
    let ready = if status.ready { "ready" } else { "not ready" };
    let up = SignedDuration::from_secs((status.uptime_ms / 1000).try_into().unwrap_or(i64::MAX));
    writeln!(out, "cluster  {}", status.cluster_id)?;
    writeln!(
        out,
        "node     {} (incarnation {}, generation {}), version {}, running for {up:#}, {ready}",
        status.node_id, status.incarnation, status.generation, status.version
    )?;
    match (&status.quorum, status.ring_epoch) {
        (Some(q), epoch) if epoch > 0 => writeln!(
            out,
            "quorum   {} replicas, {} must answer a read, {} must acknowledge a write; ring epoch {epoch}",
            q.factor, q.read, q.write
        )?,
        _ => writeln!(out, "quorum   none: the ring has not been laid yet")?,
    }
    writeln!(
        out,
        "storage  about {}, {} on disk, durability {}",
        output::count(usize::try_from(status.keys_estimate).unwrap_or(usize::MAX), "key"),
        output::count(usize::try_from(status.bytes_on_disk).unwrap_or(usize::MAX), "byte"),
        status.durability
    )?;
    if status.pending_hints > 0 {
        let hints = usize::try_from(status.pending_hints).unwrap_or(usize::MAX);
        writeln!(out, "hints    about {} kept for other nodes", output::count(hints, "key"))?;
    }
    writeln!(out)?;
    let header = ["NAME", "ID", "STATE", "ADDRESS", "ZONE", "PARTITIONS", "VERSION"];
    table(out, &header, status.members.iter().map(row).collect())
}

fn row(member: &MemberStatus) -> Vec<String> {
    let address =
        if member.client_address.is_empty() { &member.address } else { &member.client_address };
    vec![
        member.name.clone(),
        member.node_id.clone(),
        seen(member),
        address.clone(),
        if member.zone.is_empty() { "-".to_owned() } else { member.zone.clone() },
        member.partitions.to_string(),
        member.version.clone(),
    ]
}

/// Whether this node can reach a member, and whether it is alone with that.
fn seen(member: &MemberStatus) -> String {
    let (state, others) = (state(member.reachability()), member.down_for_cluster);
    match (member.reachability(), others) {
        (Reachability::Down, true) => format!("{state} for all"),
        (Reachability::Up, true) => format!("{state} here only"),
        _ => state.to_owned(),
    }
}

/// Whether a member can be reached, in a word.
pub(crate) fn state(reachability: Reachability) -> &'static str {
    match reachability {
        Reachability::Up => "up",
        Reachability::Down => "down",
        Reachability::Unspecified => "unknown",
    }
}

fn document(status: &StatusResponse) -> Value {
    let quorum = |q: &Quorum| json!({"factor": q.factor, "read": q.read, "write": q.write});
    json!({
        "cluster_id": status.cluster_id,
        "node_id": status.node_id,
        "incarnation": status.incarnation,
        "generation": status.generation,
        "version": status.version,
        "uptime_ms": status.uptime_ms,
        "quorum": status.quorum.as_ref().map(quorum),
        "ring_epoch": status.ring_epoch,
        "keys_estimate": status.keys_estimate,
        "bytes_on_disk": status.bytes_on_disk,
        "durability": status.durability,
        "ready": status.ready,
        "pending_hints": status.pending_hints,
        "members": status.members.iter().map(member).collect::<Vec<_>>(),
    })
}

fn member(member: &MemberStatus) -> Value {
    json!({
        "node_id": member.node_id,
        "name": member.name,
        "address": member.address,
        "client_address": member.client_address,
        "zone": member.zone,
        "generation": member.generation,
        "state": state(member.reachability()),
        "down_for_cluster": member.down_for_cluster,
        "heard_ms_ago": member.heard_ms_ago,
        "partitions": member.partitions,
        "version": member.version,
        "ring_epoch": member.ring_epoch,
    })
}
