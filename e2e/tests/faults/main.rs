//! What breaks on real machines, done to real processes under load: every acknowledged
//! write is still there, on all its replicas, some time after the fault has ended.
//!
//! `make faults` builds the programs and runs these one after the other. Each takes a
//! minute or two. Those that break a disk or a network need root; what they make is in
//! namespaces that go with this program.

mod fault;
mod flipped_bytes;
mod full_disk;
mod kill_nine;
mod network;
mod partition;
mod paused;
