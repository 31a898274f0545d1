//! The protocol of Dynamo (DeCandia and others, SOSP 2007) as pure state machines: no
//! clock, no I/O, no randomness of its own.
//!
//! ```text
//!   client requests ─┐                                ┌─▶ replies
//!   orders ──────────┤                                ├─▶ messages to peers
//!   peers' messages ─┼─▶ Node::handle(now, input) ────┼─▶ jobs for the local replica ─┐
//!   replica answers ─┤   Node::deadline()             ├─▶ records to persist          │
//!   unreachable ─────┤                                └─▶ notes (logs, metrics)       │
//!   tick ────────────┘                                                                │
//!         ▲                                                                           │
//!         └────────────── replica::run(store, jobs, records): one batch ◀─────────────┘
//! ```
//!
//! A driver, real or simulated, reads its clocks, hands over what has happened, and
//! does what it is told. In one turn it takes in all inputs that wait, runs all jobs and
//! records as one batch, and only then lets messages and replies leave.
//!
//! # What holds
//!
//! - A dot is never used twice: counters are reserved on disk before their first use.
//! - A version leaves its coordinator only after the coordinator has stored it.
//! - Replicas exchange everything they hold of a key and merge; merging is commutative,
//!   associative and idempotent, and drops nothing that no newer version has seen.
//! - A write is acknowledged after W of the key's N seats have stored it, each by its primary
//!   or by a node that stands in for it and keeps a hint. A read rests on R seats. What
//!   primaries have acknowledged, a read of enough primaries shows.
//! - An actor signs only for what it holds: a node whose record of a key is gone, because a
//!   hint was delivered, a tombstone reaped or a disk damaged, makes its next version of it
//!   as another actor.
//! - A hint goes only after its owner has exactly it on disk; a tombstone only after a
//!   proof that nothing older exists; a clock entry only if it covers no sibling.
//! - A request is answered exactly once, at its deadline at the latest.
//!
//! # Where to read
//!
//! | module | what | paper |
//! |---|---|---|
//! | [`key`], [`ring`] | where a key lives and who holds it | 4.2, 4.3, 6.2 |
//! | [`version`] | clocks, siblings, merging | 4.4 |
//! | `coordinator`, [`quorum`] | puts and gets, each a machine | 4.5, 5 |
//! | [`replica`], [`store`] | what is done on disk | 5 |
//! | `node::handoff` | what is kept for others, and brought to them | 4.6 |
//! | [`merkle`], `node::anti_entropy` | how replicas find what they do not both hold | 4.7 |
//! | [`reap`] | how a deletion is forgotten | |
//! | [`pace`] | how fast background work may go | 6.5 |
//! | [`gossip`] | membership and who is up | 4.8 |
//! | [`node`] | all of it together | |

pub mod gossip;
pub mod id;
pub mod key;
pub mod limits;
pub mod merkle;
pub mod message;
pub mod node;
pub mod pace;
pub mod quorum;
pub mod reap;
pub mod replica;
pub mod request;
pub mod ring;
pub mod store;
pub mod time;
pub mod version;

mod coordinator;
