//! `dynamo ring`: who owns how many partitions, and who of them is up.

use crate::{
    args::Format,
    output::{self, table},
    status::state,
};
use dynamo_client::{Client, MemberStatus, Reachability, RingResponse, StatusResponse};
use serde_json::{Value, json};
use std::io::{self, Write};

/// One member's place.
struct Seat<'a> {
    node_id: &'a str,
    name: &'a str,
    zone: &'a str,
    weight: u32,
    owned: usize,
    share: f64,
    state: Reachability,
}

/// Runs it.
pub(crate) async fn run(
    client: &Client,
    format: Format,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    let (ring, status) = (client.ring().await?, client.status().await?);
    let seats = seats(&ring, &status);
    match format {
        Format::Json => output::json(out, &document(&ring, &seats))?,
        Format::Text => text(out, &ring, &seats)?,
    }
    Ok(out.flush()?)
}

fn seats<'a>(ring: &'a RingResponse, status: &'a StatusResponse) -> Vec<Seat<'a>> {
    let mut owned = vec![0_usize; ring.members.len()];
    for owner in &ring.owners {
        if let Some(n) = owned.get_mut(*owner as usize) {
            *n += 1;
        }
    }
    let known = |id: &str| status.members.iter().find(|m| m.node_id == id);
    let seat = |(member, owned): (&'a dynamo_client::RingMember, usize)| {
        let known: Option<&MemberStatus> = known(&member.node_id);
        Seat {
            node_id: &member.node_id,
            name: known.map_or("-", |m| &m.name),
            zone: &member.zone,
            weight: member.weight,
            owned,
            share: owned as f64 * 100.0 / f64::from(ring.partitions.max(1)),
            state: known.map_or(Reachability::Unspecified, MemberStatus::reachability),
        }
    };
    ring.members.iter().zip(owned).map(seat).collect()
}

fn text(out: &mut impl Write, ring: &RingResponse, seats: &[Seat<'_>]) -> io::Result<()> {
    let up = seats.iter().filter(|s| s.state == Reachability::Up).count();
    writeln!(
        out,
        "ring epoch {}: {} partitions, {} replicas of each key, {up} of {} up, digest {}\n",
        ring.epoch,
        ring.partitions,
        ring.factor,
        output::count(seats.len(), "node"),
        ring.digest
    )?;
    let row = |seat: &Seat<'_>| {
        vec![
            seat.name.to_owned(),
            seat.node_id.to_owned(),
            state(seat.state).to_owned(),
            if seat.zone.is_empty() { "-" } else { seat.zone }.to_owned(),
            seat.weight.to_string(),
            seat.owned.to_string(),
            format!("{:.1} %", seat.share),
        ]
    };
    let mut seats: Vec<_> = seats.iter().collect();
    seats.sort_by_key(|seat| (seat.name, seat.node_id));
    let header = ["NAME", "ID", "STATE", "ZONE", "WEIGHT", "PARTITIONS", "SHARE"];
    table(out, &header, seats.into_iter().map(row).collect())
}

fn document(ring: &RingResponse, seats: &[Seat<'_>]) -> Value {
    let member = |seat: &Seat<'_>| {
        json!({
            "node_id": seat.node_id,
            "name": seat.name,
            "zone": seat.zone,
            "weight": seat.weight,
            "partitions": seat.owned,
            "state": state(seat.state),
        })
    };
    json!({
        "epoch": ring.epoch,
        "operation_id": ring.operation_id,
        "partitions": ring.partitions,
        "factor": ring.factor,
        "digest": ring.digest,
        "members": seats.iter().map(member).collect::<Vec<_>>(),
        "owners": ring.owners,
    })
}
