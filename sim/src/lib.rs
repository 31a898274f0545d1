//! A whole cluster in one thread: the real core and the real codec on a network, disks
//! and clocks that are made up, with faults, and an oracle that watches clients.
//!
//! ```text
//!   seed ─▶ Schedule ─▶ World: one queue of events in virtual time
//!                        ├─ machines: Node + Disk + clocks, driven turn by turn
//!                        ├─ network:  streams that delay, break and part
//!                        ├─ faults:   what goes wrong, and when it ends
//!                        ├─ load:     when clients begin, give up and try again
//!                        ├─ clients:  gets, puts, deletes, retries
//!                        └─ history ─▶ invariants ─▶ passed, or what was broken ─▶ shrink
//! ```
//!
//! One seed is one run, and the same run every time: nothing in it depends on the
//! machine, the clock or the order of a hash table, and its trace hashes to the same
//! value. A run has two phases: load under faults, then quiet, in which all faults have
//! ended and everything must come right. A time-out tells the oracle nothing: the write
//! may be there or not.
//!
//! What is checked stands in `invariants`, one file each.

mod clients;
mod cluster;
mod dice;
mod disk;
mod driver;
mod edge;
mod faults;
mod history;
mod invariants;
mod load;
mod machine;
mod network;
mod oracle;
mod queue;
mod scenario;
mod schedule;
mod shrink;
mod suite;
mod tally;
mod trace;
mod world;

pub use invariants::Violation;
pub use schedule::{Keep, Numbers, Schedule};
pub use shrink::{Shrunk, shrink};
pub use suite::{Options, Recorded, Summary, run_all, run_caught};
pub use tally::Tally;
pub use world::{Finished, run};

#[cfg(test)]
mod tests;
