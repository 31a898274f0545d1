//! What the tests of whole systems share: running programs, waiting, checking what
//! clients saw, and a Kubernetes as users see it.

pub mod command;
pub mod docs;
pub mod history;
pub mod kube;
pub mod local_ring;
pub mod sandbox;
pub mod wait;
pub mod workload;
