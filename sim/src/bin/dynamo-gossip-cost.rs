//! What gossip and the routing table cost, measured on whole nodes in virtual time: no
//! disks, no requests, a network that delivers everything after a millisecond. Prints the
//! Markdown tables of `docs/performance.md`; the same numbers every time.

use clap::Parser;
use dynamo_core::{
    gossip::{GOSSIP_EVERY, Member, Stage},
    id::{Generation, Incarnation, NodeId},
    message::Message,
    node::{Config, Effect, Input, Node},
    reap::Reaping,
    ring::{Plan, Ring, Seal, Seat},
    time::{Instant, Now, Stamp},
};
use dynamo_proto::v1;
use prost::Message as _;
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64;
use std::{collections::BTreeMap, mem::size_of, sync::Arc, time::Duration};

/// Measures gossip and the routing table, and prints Markdown tables
#[derive(Parser)]
#[command(version)]
struct Args {
    /// Sizes of clusters
    #[arg(long, value_delimiter = ',', default_value = "10,100,1000")]
    members: Vec<usize>,
    /// How long each is measured once all nodes know each other, in simulated seconds
    #[arg(long, default_value_t = 120)]
    seconds: u64,
}

const DELAY: Duration = Duration::from_millis(1);

/// Nodes meet and learn each other's rhythm before anything is counted.
const WARM_UP: Duration = Duration::from_secs(60);

/// How often it is looked whether news has arrived.
const GLANCE: Duration = Duration::from_millis(100);

/// Every so often one node's heartbeat is followed.
const FOLLOW_EVERY: u64 = 10;

/// Partitions of rings that are measured.
const RINGS: [usize; 3] = [256, 1_024, 16_384];

fn main() {
    let args = Args::parse();
    println!("| members | sent by a node | its largest message | messages | news reaches all |");
    println!("|---|---|---|---|---|");
    for members in args.members {
        let mut cluster = Cluster::new(members);
        cluster.run_until(WARM_UP);
        cluster.sent = Sent::default();
        let spread = cluster.measure(args.seconds);
        let per = |total: usize| total as f64 / members as f64 / args.seconds as f64;
        println!(
            "| {members} | {:.2} kB/s | {:.1} kB | {:.1}/s | after {:.1} rounds, at most {:.1} |",
            per(cluster.sent.bytes) / 1e3,
            cluster.sent.largest as f64 / 1e3,
            per(cluster.sent.messages),
            spread.iter().sum::<f64>() / spread.len() as f64,
            spread.iter().copied().fold(0.0, f64::max),
        );
        let Sent { digests, answers, entries, wrong, .. } = cluster.sent;
        eprintln!(
            "{members} members: {digests} digests, {answers} answers, {entries} lists of \
             entries; living members were taken for dead {wrong} times"
        );
    }
    println!("\n| partitions | members | encoded | in memory |\n|---|---|---|---|");
    for partitions in RINGS {
        for members in [10, 100, 1_000].into_iter().filter(|&m| m <= partitions) {
            let ring = ring(partitions, members);
            println!(
                "| {partitions} | {members} | {:.1} kB | {:.1} kB |",
                v1::Ring::from(&ring).encoded_len() as f64 / 1e3,
                in_memory(&ring) as f64 / 1e3
            );
        }
    }
}

/// What was sent by all nodes together.
#[derive(Default)]
struct Sent {
    /// Of encoded messages, without what HTTP/2 and TCP add.
    bytes: usize,
    messages: usize,
    largest: usize,
    digests: usize,
    answers: usize,
    entries: usize,
    /// How often a member was seen down, by how many, looking once in [`FOLLOW_EVERY`].
    wrong: usize,
}

enum Event {
    Tick(usize),
    Deliver(usize, usize, Box<Message>),
}

struct Cluster {
    nodes: Vec<Node>,
    at: BTreeMap<NodeId, usize>,
    addresses: BTreeMap<String, usize>,
    /// Events of one moment come in the order in which they were made.
    queue: BTreeMap<(Duration, u64), Event>,
    made: u64,
    clock: Duration,
    sent: Sent,
    effects: Vec<Effect>,
}

impl Cluster {
    fn new(members: usize) -> Self {
        let mut rng = Pcg64::seed_from_u64(1);
        let ids: Vec<_> = (0..members).map(id).collect();
        let ring = Arc::new(ring(members.next_power_of_two().max(256), members));
        let node = |m: usize| {
            Node::new(Config {
                member: member(m),
                incarnation: Incarnation(1),
                seeds: (0..3).map(|s| member(s).address).collect(),
                read_quorum: 2,
                write_quorum: 2,
                reserved: 0,
                ring: Some(ring.clone()),
                reaping: Reaping::default(),
                seed: m as u64,
            })
        };
        let mut cluster = Cluster {
            nodes: (0..members).map(node).collect(),
            at: ids.into_iter().zip(0..).collect(),
            addresses: (0..members).map(|m| (member(m).address, m)).collect(),
            queue: BTreeMap::new(),
            made: 0,
            clock: Duration::ZERO,
            sent: Sent::default(),
            effects: Vec::new(),
        };
        for m in 0..members {
            let starts = Duration::from_micros(rng.random_range(0..1_000_000));
            cluster.add(starts, Event::Tick(m));
        }
        cluster
    }

    fn add(&mut self, at: Duration, event: Event) {
        self.queue.insert((at, self.made), event);
        self.made += 1;
    }

    fn now(&self) -> Now {
        Now { instant: Instant(self.clock), wall: Stamp(0) }
    }

    fn run_until(&mut self, end: Duration) {
        while let Some(next) = self.queue.first_entry().filter(|e| e.key().0 <= end) {
            let ((at, _), event) = next.remove_entry();
            self.clock = at;
            match event {
                Event::Tick(m) => {
                    self.give(m, Input::Tick);
                    self.add(self.nodes[m].deadline().0, Event::Tick(m));
                }
                Event::Deliver(from, to, message) => {
                    self.give(to, Input::Message(id(from), Generation(1), *message));
                }
            }
        }
        self.clock = end;
    }

    fn give(&mut self, m: usize, input: Input) {
        let (now, mut effects) = (self.now(), std::mem::take(&mut self.effects));
        self.nodes[m].handle(now, input, &mut effects);
        for effect in effects.drain(..) {
            match effect {
                Effect::Send(to, message) => self.send(m, self.at[&to], message),
                Effect::SendToSeed(address, message) => {
                    self.send(m, self.addresses[&address], message);
                }
                _ => {}
            }
        }
        self.effects = effects;
    }

    fn send(&mut self, from: usize, to: usize, message: Message) {
        if let Message::Gossip(gossip) = &message {
            match gossip.stage {
                Stage::Digest { .. } => self.sent.digests += 1,
                Stage::Answer { .. } => self.sent.answers += 1,
                Stage::Entries(_) => self.sent.entries += 1,
            }
        }
        let bytes = v1::Message::from(message.clone()).encoded_len();
        self.sent.bytes += bytes;
        self.sent.largest = self.sent.largest.max(bytes);
        self.sent.messages += 1;
        self.add(self.clock + DELAY, Event::Deliver(from, to, Box::new(message)));
    }

    /// Runs for so long. Returns in how many rounds news of some nodes reached all.
    fn measure(&mut self, seconds: u64) -> Vec<f64> {
        let (begin, mut spread) = (self.clock, Vec::new());
        let mut followed: Option<(NodeId, u64, Duration)> = None;
        let end = begin + Duration::from_secs(seconds);
        let mut follow_at = begin;
        while self.clock < end {
            self.run_until((self.clock + GLANCE).min(end));
            if let Some((node, heartbeat, since)) = followed {
                let knows = |n: &Node| n.member(node).is_some_and(|m| m.heartbeat >= heartbeat);
                if self.nodes.iter().all(knows) {
                    let rounds = (self.clock - since).as_secs_f64() / GOSSIP_EVERY.as_secs_f64();
                    spread.push(rounds);
                    followed = None;
                }
            } else if self.clock >= follow_at {
                follow_at = self.clock + Duration::from_secs(FOLLOW_EVERY);
                self.count_wrong();
                let m = spread.len() * 7 % self.nodes.len();
                let heartbeat = self.nodes[m].member(id(m)).map_or(0, |m| m.heartbeat);
                // From its next round on.
                followed = Some((id(m), heartbeat + 1, self.nodes[m].deadline().0));
            }
        }
        spread
    }

    fn count_wrong(&mut self) {
        let (now, all) = (self.now(), self.nodes.len());
        let down = |n: &&Node| (0..all).filter(|&m| !n.is_up(id(m), now)).count();
        self.sent.wrong += self.nodes.iter().map(|n| down(&n)).sum::<usize>();
    }
}

/// Spread over all 64 bits, as random ids are.
fn id(m: usize) -> NodeId {
    NodeId((m as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15))
}

/// As the operator names them.
fn member(m: usize) -> Member {
    let name = format!("cart-dynamo-{m}");
    let host = format!("{name}.cart-dynamo-peers.shop.svc.cluster.local");
    Member {
        node: id(m),
        address: format!("{host}:7071"),
        client_address: format!("{host}:7070"),
        name,
        zone: format!("zone-{}", m % 3),
        version: "0.1.0".into(),
        generation: Generation(1),
        heartbeat: 0,
        ring_epoch: 0,
        stopping: false,
    }
}

fn ring(partitions: usize, members: usize) -> Ring {
    let seat = |m| Seat { node: id(m), zone: member(m).zone, weight: 1 };
    let seats = (0..members).map(seat).collect();
    let plan = Plan { operation: "bootstrap".into(), partitions, factor: 3, seats };
    Ring::first(plan, Seal([0; 16])).expect("a valid plan")
}

/// An estimate: the table of owners, the primaries of all partitions, the seats.
fn in_memory(ring: &Ring) -> usize {
    let primaries = ring.partitions() * ring.factor() * size_of::<NodeId>();
    let zones: usize = ring.seats().iter().map(|s| s.zone.len()).sum();
    size_of::<Ring>() + size_of_val(ring.owners()) + primaries + size_of_val(ring.seats()) + zones
}
