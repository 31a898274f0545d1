//! The Kubernetes operator that runs Dynamo clusters.
//!
//! ```text
//!   DynamoCluster ──▶ validate ──▶ ValidatedCluster ─┐
//!                                                    ├─▶ plan ──▶ steps ──▶ apply ─┐
//!   API server ──┐                                   │                             │
//!   nodes' Admin ┴──▶ observe ──▶ Observed ──────────┘                             │
//!                                    └────────▶ status ◀────────── outcome ◀───────┘
//! ```
//! `validate`, `plan`, `build`, `status` and `events` are pure and tested by value. Only
//! `observe`, `apply` and `admin` talk to anybody.
//!
//! # What holds
//!
//! - The ring's id is in the status before anything is made, and a ring is laid once.
//! - Everything is decided on what is seen now; an operator that dies at any point is
//!   followed by one that goes on from there.
//! - Pods depend on the specification alone: neither scaling nor an upgrade of the
//!   operator restarts a node.
//! - An idle operator writes nothing.

pub mod admin;
pub mod api;
pub mod apply;
pub mod build;
pub mod controller;
pub mod events;
pub mod leader;
pub mod metrics;
pub mod object;
pub mod observe;
pub mod observed;
pub mod pass;
pub mod plan;
pub mod status;
pub mod validate;

#[cfg(test)]
mod testing;
