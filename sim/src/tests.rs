//! The simulator itself: runs repeat, faults bite, and known hard seeds pass.

use crate::{Keep, Numbers, Options, Schedule, run, run_all, run_caught};

#[test]
fn a_seed_is_the_same_run_every_time() {
    for seed in [1, 7, 37] {
        let (once, twice) = (run(seed), run(seed));
        assert_eq!(once.hash, twice.hash, "seed {seed}");
        assert_eq!(once.tally.to_string(), twice.tally.to_string());
    }
    assert_ne!(run(1).hash, run(2).hash);
}

#[test]
fn a_part_of_a_schedule_is_the_same_run_every_time_and_another_one_than_the_whole() {
    let (faults, clients) = (Some(Numbers([1].into())), Some(Numbers([0].into())));
    let keep = Keep { faults, clients, operations: Some(10) };
    let part = || run_caught(7, Schedule::draw(7).keep(&keep), false);
    assert_eq!(part().hash, part().hash);
    assert_ne!(part().hash, run(7).hash);
    assert_eq!(part().violation, None);
}

/// A fault that never hits anything tests nothing.
#[test]
fn every_kind_of_fault_bites_and_nothing_breaks() {
    let options = Options { start: 0, seeds: 100, recorded: true, until_failure: false };
    let summary = run_all(options);
    assert!(summary.failed.is_empty(), "{:?}", summary.failed);
    assert!(summary.never_bit().is_empty(), "{:?}", summary.never_bit());
    assert!(summary.tally.judged_reads > 1_000);
}
