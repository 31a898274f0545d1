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
//! - A write is acknowledged after W distinct replicas have stored it; a read answers
//!   with what R of them hold. With R+W>N they have one in common.
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
//! | [`merkle`] | how replicas find what they do not both hold | 4.7 |
//! | [`gossip`] | membership and who is up | 4.8 |
//! | [`node`] | all of it together | |

pub mod gossip;
pub mod id;
pub mod key;
pub mod limits;
pub mod merkle;
pub mod message;
pub mod node;
pub mod quorum;
pub mod replica;
pub mod request;
pub mod ring;
pub mod store;
pub mod time;
pub mod version;

mod coordinator;
