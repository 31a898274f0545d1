//! Everything that is counted, in one place. Names and units are what
//! docs/operations.md tells people to watch.

use crate::{driver::Published, kernel};
use dynamo_core::node::RequestKind;
use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{
        counter::Counter,
        family::Family,
        gauge::Gauge,
        histogram::{Histogram, exponential_buckets},
    },
    registry::{Metric, Registry},
};
use std::{
    fmt,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

/// What a client asked and how it ended: `ok`, or the gRPC code in words.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct Asked {
    pub(crate) kind: &'static str,
    pub(crate) outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct Kind {
    pub(crate) kind: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct Way {
    pub(crate) direction: &'static str,
}

/// Why something that came to the peer port was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Refused {
    /// It does not even speak HTTP/2.
    NotHttp2,
    /// Its first frame is no hello, or none came in time.
    NoHello,
    OtherCluster,
    /// It speaks another protocol than this node.
    Protocol,
    /// A frame is over the limit; it was not read.
    TooLarge,
    /// A frame makes no sense.
    Malformed,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Reason {
    reason: &'static str,
}

impl From<Refused> for Reason {
    fn from(refused: Refused) -> Self {
        let reason = match refused {
            Refused::NotHttp2 => "not_http2",
            Refused::NoHello => "no_hello",
            Refused::OtherCluster => "other_cluster",
            Refused::Protocol => "protocol",
            Refused::TooLarge => "too_large",
            Refused::Malformed => "malformed",
        };
        Reason { reason }
    }
}

/// To a peer, and from one.
pub(crate) const OUT: Way = Way { direction: "out" };
pub(crate) const IN: Way = Way { direction: "in" };

/// Counters that are written where things happen, and gauges that are set when asked.
#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Registry,
    /// By clients at this node.
    pub(crate) requests: Family<Asked, Counter>,
    pub(crate) request_seconds: Family<Kind, Histogram, fn() -> Histogram>,
    coordinated: Family<Asked, Counter>,
    pub(crate) turn_inputs: Histogram,
    pub(crate) commit_seconds: Histogram,
    pub(crate) messages: Family<Way, Counter>,
    pub(crate) frames: Family<Way, Counter>,
    refused_frames: Family<Reason, Counter>,
    pub(crate) dropped_messages: Counter,
    pub(crate) stale_messages: Counter,
    by_fallbacks: Family<Kind, Counter>,
    pub(crate) repair: Repair,
    gauges: Gauges,
}

/// How replicas become equal again after a fault.
#[derive(Debug)]
pub(crate) struct Repair {
    pub(crate) hints_stored: Counter,
    pub(crate) hints_delivered: Counter,
    pub(crate) read_repairs: Counter,
    pub(crate) comparisons: Counter,
    pub(crate) keys_differed: Counter,
    pub(crate) damaged: Counter,
    pub(crate) truncated: Counter,
    pub(crate) reaped: Counter,
}

#[derive(Debug, Default)]
struct Gauges {
    members_known: Gauge,
    members_up: Gauge,
    members_down: Gauge,
    ring_epoch: Gauge,
    partitions: Gauge,
    in_flight: Gauge,
    ready: Gauge,
    keys: Gauge,
    bytes: Gauge,
    hints: Gauge,
    resident: Gauge,
}

/// From 50 µs, less than a synced write takes, to the longest time-out.
fn seconds() -> Histogram {
    Histogram::new(exponential_buckets(50e-6, 2.0, 20))
}

impl Metrics {
    pub(crate) fn new() -> Arc<Self> {
        let mut root = Registry::default();
        let started = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let start_time = Gauge::<f64, std::sync::atomic::AtomicU64>::default();
        start_time.set(started.as_secs_f64());
        root.register("process_start_time_seconds", "Start, since the Unix epoch", start_time);
        let gauges = Gauges::default();
        root.register("process_resident_memory_bytes", "Memory in use", gauges.resident.clone());
        let r = root.sub_registry_with_prefix("dynamo");
        gauges.register(r);
        let request_seconds = Family::new_with_constructor(seconds as fn() -> Histogram);
        let turn_inputs = Histogram::new(exponential_buckets(1.0, 2.0, 12));
        Metrics {
            requests: add(r, "requests", "Requests of clients by outcome", Family::default()),
            request_seconds: add(r, "request_seconds", "Time of a request", request_seconds),
            coordinated: add(r, "coordinated", "Requests worked on here", Family::default()),
            turn_inputs: add(r, "turn_inputs", "Inputs of a turn of the driver", turn_inputs),
            commit_seconds: add(r, "commit_seconds", "Time of a turn's work on disk", seconds()),
            messages: add(r, "peer_messages", "Messages between nodes", Family::default()),
            frames: add(r, "peer_frames", "Frames that carried them", Family::default()),
            refused_frames: add(r, "refused_frames", "Peers' frames refused", <_>::default()),
            dropped_messages: add(r, "dropped_messages", "Too large to send", <_>::default()),
            stale_messages: add(r, "stale_messages", "Of former processes", <_>::default()),
            by_fallbacks: add(r, "fallback_answers", "With help of fallbacks", <_>::default()),
            repair: Repair::new(r),
            gauges,
            registry: root,
        }
        .into()
    }

    /// A request that this node coordinated or handed on has ended.
    pub(crate) fn finished(&self, kind: RequestKind, ok: bool) {
        let kind = match kind {
            RequestKind::Get => "get",
            RequestKind::Put => "put",
            RequestKind::Forward => "forward",
        };
        let outcome = if ok { "ok" } else { "failed" };
        self.coordinated.get_or_create(&Asked { kind, outcome }).inc();
    }

    /// Something that came to the peer port was refused.
    pub(crate) fn refused(&self, why: Refused) {
        self.refused_frames.get_or_create(&why.into()).inc();
    }

    /// How often that has happened.
    #[cfg(test)]
    pub(crate) fn refusals(&self, why: Refused) -> u64 {
        self.refused_frames.get_or_create(&why.into()).get()
    }

    /// A client's request was answered, and not by primaries alone.
    pub(crate) fn answered_by_fallbacks(&self, kind: &'static str) {
        self.by_fallbacks.get_or_create(&Kind { kind }).inc();
    }

    /// All of them, as Prometheus reads them.
    pub(crate) fn text(&self, now: &Published) -> Result<String, fmt::Error> {
        self.gauges.set(now);
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

impl Repair {
    fn new(r: &mut Registry) -> Self {
        let mut counter = |name, help| add(r, name, help, Counter::default());
        Repair {
            hints_stored: counter("hints_stored", "Writes kept for another node"),
            hints_delivered: counter("hints_delivered", "Hints that their owners took"),
            read_repairs: counter("read_repairs", "Replicas brought up to date by reads"),
            comparisons: counter("merkle_comparisons", "Merkle trees compared with a peer's"),
            keys_differed: counter("merkle_keys_differed", "Keys that these found to differ"),
            damaged: counter("damaged_leaves", "Places on disk with damaged records"),
            truncated: counter("truncated_clock_entries", "Dropped from version vectors"),
            reaped: counter("reaped_tombstones", "Deleted keys that were forgotten"),
        }
    }
}

impl Gauges {
    fn register(&self, r: &mut Registry) {
        for (name, help, gauge) in [
            ("members_known", "Members, this node included", &self.members_known),
            ("members_up", "Members that requests go to, this node included", &self.members_up),
            ("members_down_for_cluster", "Members that several call dead", &self.members_down),
            ("ring_epoch", "Epoch of the ring, 0 for none", &self.ring_epoch),
            ("partitions_owned", "Partitions that this node owns", &self.partitions),
            ("requests_in_flight", "Requests being worked on", &self.in_flight),
            ("ready", "1 when clients should be sent here", &self.ready),
            ("keys_estimate", "Keys stored here, roughly", &self.keys),
            ("data_bytes", "Bytes stored here, roughly", &self.bytes),
            ("hints_pending", "Keys kept for others, roughly", &self.hints),
        ] {
            r.register(name, help, gauge.clone());
        }
    }

    fn set(&self, now: &Published) {
        let members = &now.view.members;
        let number = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
        let large = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
        self.members_known.set(number(members.len()));
        self.members_up.set(number(members.iter().filter(|m| m.up).count()));
        self.members_down.set(number(members.iter().filter(|m| m.down_for_cluster).count()));
        self.ring_epoch.set(large(now.view.ring.as_ref().map_or(0, |r| r.epoch())));
        self.partitions.set(number(members.first().map_or(0, |own| own.partitions)));
        self.in_flight.set(number(now.in_flight));
        self.ready.set(i64::from(now.view.ready));
        self.keys.set(large(now.size.keys));
        self.bytes.set(large(now.size.bytes));
        self.hints.set(large(now.size.hints));
        self.resident.set(large(kernel::resident_bytes()));
    }
}

fn add<M: Metric + Clone>(r: &mut Registry, name: &str, help: &str, metric: M) -> M {
    r.register(name, help, metric.clone());
    metric
}
