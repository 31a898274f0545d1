//! The process as its users meet it: started with flags, asked over its ports, ended by
//! signals. Each test has processes, ports and directories of its own.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod client_port;
mod life;
mod node;
mod peer_port;
mod ring;
