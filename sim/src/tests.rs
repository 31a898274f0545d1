//! The simulator itself: runs repeat, faults bite, and known hard seeds pass.

use crate::{run, run_all};

#[test]
fn a_seed_is_the_same_run_every_time() {
    for seed in [1, 7, 37] {
        let (once, twice) = (run(seed, false), run(seed, false));
        assert_eq!(once.hash, twice.hash, "seed {seed}");
        assert_eq!(once.tally.to_string(), twice.tally.to_string());
    }
    assert_ne!(run(1, false).hash, run(2, false).hash);
}

/// A fault that never hits anything tests nothing.
#[test]
fn every_kind_of_fault_bites_and_nothing_breaks() {
    let summary = run_all(0, 100);
    assert!(summary.failed.is_empty(), "{:?}", summary.failed);
    for (fault, times) in summary.tally.bites() {
        assert!(times > 0, "{fault}: never");
    }
    assert!(summary.tally.judged_reads > 1_000);
}
