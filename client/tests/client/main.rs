//! The library and the command against nodes that misbehave as told.

// Clippy allows it in test functions; here everything is one.
#![allow(clippy::unwrap_used)]

mod cli;
mod fake;
mod outcomes;
mod shown;
