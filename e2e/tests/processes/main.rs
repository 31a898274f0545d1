//! Promises that only real processes can keep: real disks, real sockets, real signals.
//!
//! Every test starts a ring of its own on free ports of 127.0.0.1 and ends it, also when
//! the test fails. The program `dynamo-node` must have been built.

// Clippy allows it in test functions; here everything is one.
#![allow(clippy::unwrap_used)]

mod bad_input;
mod documents;
mod identity;
mod limits;
mod quorum;
mod running;
mod sloppy;
