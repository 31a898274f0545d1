//! Streams between machines. Each keeps its order, as TCP does; what is in flight on a
//! stream that breaks is lost, from some point on, and the sender is told or is not.

use crate::tally::Bite;
use dynamo_core::id::Generation;
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// From, to: indexes of machines.
pub(crate) type Link = (usize, usize);

/// A message under way.
pub(crate) struct Envelope {
    pub(crate) link: Link,
    /// Of the process that sent it.
    pub(crate) generation: Generation,
    /// Of the stream when it was sent.
    stream: u64,
    pub(crate) bytes: Vec<u8>,
}

/// What happens to messages on a link that is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    /// The sender is told at once.
    Refused,
    /// They vanish.
    Dropped,
    /// They wait, and arrive when the link is whole again.
    Held,
}

/// Links that are cut for a while.
pub(crate) struct Partition {
    pub(crate) links: BTreeSet<Link>,
    pub(crate) cut: Cut,
    /// What a message that it stops is counted as.
    pub(crate) bite: Bite,
}

#[derive(Default)]
pub(crate) struct Network {
    /// For each link how often its stream broke, and when its last message arrives.
    streams: BTreeMap<Link, (u64, Duration)>,
    partitions: BTreeMap<u64, Partition>,
    held: Vec<Envelope>,
    next: u64,
}

impl Network {
    /// Puts a message on the stream; it arrives then, after all before it.
    pub(crate) fn send(
        &mut self,
        link: Link,
        generation: Generation,
        bytes: Vec<u8>,
        arrives: Duration,
    ) -> (Duration, Envelope) {
        let (stream, last) = self.streams.entry(link).or_default();
        *last = arrives.max(*last);
        (*last, Envelope { link, generation, stream: *stream, bytes })
    }

    /// Breaks the stream: what is in flight on it does not arrive.
    pub(crate) fn break_stream(&mut self, link: Link) {
        let (stream, last) = self.streams.entry(link).or_default();
        *stream += 1;
        *last = Duration::ZERO;
        self.held.retain(|e| e.link != link);
    }

    /// Whether its stream still exists.
    pub(crate) fn carries(&self, envelope: &Envelope) -> bool {
        self.streams.get(&envelope.link).is_some_and(|&(stream, _)| stream == envelope.stream)
    }

    /// The partition that cuts the link, if any.
    pub(crate) fn cut(&self, link: Link) -> Option<&Partition> {
        self.partitions.values().find(|p| p.links.contains(&link))
    }

    /// Cuts links until [`heal`](Network::heal) is called with the number returned.
    pub(crate) fn part(&mut self, partition: Partition) -> u64 {
        self.next += 1;
        self.partitions.insert(self.next, partition);
        self.next
    }

    /// Keeps a message back until its link is whole.
    pub(crate) fn hold(&mut self, envelope: Envelope) {
        self.held.push(envelope);
    }

    /// Ends a partition. Returns what was held and can go now, in its order; it arrives
    /// then, before all that is sent later.
    pub(crate) fn heal(&mut self, number: u64, arrives: Duration) -> Vec<Envelope> {
        self.partitions.remove(&number);
        let (held, free): (_, Vec<Envelope>) =
            std::mem::take(&mut self.held).into_iter().partition(|e| self.cut(e.link).is_some());
        self.held = held;
        for envelope in &free {
            let (_, last) = self.streams.entry(envelope.link).or_default();
            *last = arrives.max(*last);
        }
        free
    }
}
