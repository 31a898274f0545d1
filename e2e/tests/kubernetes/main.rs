//! What users do on a real Kubernetes, one file per scenario, numbered as in the list
//! of scenarios in the design.
//!
//! `e2e/run` starts a Kubernetes and runs them one after the other; with KUBECONFIG set
//! it uses that one. They need `kubectl`, `helm` and `dynamo` in PATH, and Services that
//! answer from here.

mod s00_readme;
mod s01_create;
mod s02_refused;
mod s03_quorum_warning;
mod s04_scale_up;
mod s09_scale_down;
mod s12_guard;
mod s13_pod_deleted;
mod s14_all_deleted;
mod s15_roll;
mod s19_volume_deleted;
mod s21_cut_off;
mod s29_delete;
mod s30_restricted;
mod s34_chart;
mod s99_footprint;
