//! Events in the order of virtual time; those of one moment in the order in which they
//! were added.

use std::{cmp::Ordering, collections::BinaryHeap, time::Duration};

pub(crate) struct Queue<E> {
    heap: BinaryHeap<Entry<E>>,
    added: u64,
}

struct Entry<E> {
    at: Duration,
    order: u64,
    event: E,
}

impl<E> Queue<E> {
    pub(crate) fn new() -> Self {
        Queue { heap: BinaryHeap::new(), added: 0 }
    }

    pub(crate) fn add(&mut self, at: Duration, event: E) {
        self.added += 1;
        self.heap.push(Entry { at, order: self.added, event });
    }

    pub(crate) fn next(&mut self) -> Option<(Duration, E)> {
        self.heap.pop().map(|e| (e.at, e.event))
    }
}

impl<E> Ord for Entry<E> {
    /// The heap gives out its greatest entry, which has to be the earliest.
    fn cmp(&self, other: &Self) -> Ordering {
        (other.at, other.order).cmp(&(self.at, self.order))
    }
}

impl<E> PartialOrd for Entry<E> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<E> PartialEq for Entry<E> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl<E> Eq for Entry<E> {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn earliest_first_and_then_first_come_first_served() {
        let mut q = Queue::new();
        for (at, name) in [(2, 'c'), (1, 'a'), (2, 'd'), (1, 'b')] {
            q.add(Duration::from_secs(at), name);
        }
        let order: String = std::iter::from_fn(|| q.next()).map(|(_, name)| name).collect();
        assert_eq!(order, "abcd");
    }
}
