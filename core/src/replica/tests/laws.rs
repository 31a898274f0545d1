//! What holds after any sequence of tasks, with damage in between.

use super::*;
use proptest::prelude::*;

/// What may happen to one of few keys.
#[derive(Clone, Debug)]
enum Step {
    Write {
        deletes: bool,
        seen: bool,
    },
    /// A peer has another version, which has seen all here or nothing.
    Merge {
        deletes: bool,
        seen: bool,
    },
    Forget,
    Bury,
    /// Found by whatever reads it next.
    Damage,
}

fn step() -> impl Strategy<Value = Step> {
    let flags = || any::<(bool, bool)>();
    prop_oneof![
        3 => flags().prop_map(|(deletes, seen)| Step::Write { deletes, seen }),
        3 => flags().prop_map(|(deletes, seen)| Step::Merge { deletes, seen }),
        1 => Just(Step::Forget),
        1 => Just(Step::Bury),
        1 => Just(Step::Damage),
    ]
}

fn turns() -> impl Strategy<Value = Vec<Vec<(usize, bool, Step)>>> {
    prop::collection::vec(prop::collection::vec((0..3usize, any::<bool>(), step()), 1..5), 1..12)
}

/// A step as a task, in the state of before its turn. `None` for damage, which is done.
fn task(
    replica: &mut Replica<Fragile>,
    n: u64,
    place: Place,
    key: &Key,
    step: &Step,
) -> Option<Task> {
    let now = replica.store().get(place, key).ok().flatten().unwrap_or_default().versions;
    let context = |seen: bool| if seen { now.context() } else { Context::default() };
    let value = |deletes: bool| (!deletes).then_some("v");
    Some(match *step {
        Step::Write { deletes, seen } => {
            one(key, place, Operation::Write(draft(n, value(deletes), &context(seen))))
        }
        Step::Merge { deletes, seen } => {
            let draft = Draft { node: NodeId(2), ..draft(n, value(deletes), &context(seen)) };
            let mut theirs = Held::default();
            theirs.write(draft, usize::MAX);
            merge(key, place, &theirs.versions, false)
        }
        Step::Forget => one(key, place, Operation::Forget(now)),
        Step::Bury => Task::Bury(vec![grave(key, &now)]),
        Step::Damage => {
            replica.store_mut().damage(place, key);
            return None;
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn tree_and_graves_follow_the_records(turns in turns()) {
        let (mut replica, keys, mut n) = (replica(), keys(), 0);
        for turn in turns {
            let mut jobs = Vec::new();
            for (key, own, step) in turn {
                n += 1;
                let place = if own { Place::Own } else { HINT };
                let task = task(&mut replica, n, place, &keys[key], &step);
                jobs.extend(task.map(|task| Job { asker: Asker::Own(OpId(n)), task }));
            }
            let (asked, commits) = (jobs.len(), replica.store().commits);
            prop_assert_eq!(replica.run(jobs, vec![]).unwrap().len(), asked);
            prop_assert!(replica.store().commits <= commits + 1, "one batch at most");
            run(&mut replica, [Task::Scrub { from: 0 }]);
            check(&replica);
        }
        let again = Replica::open(replica.store().clone(), Bounds::default()).unwrap();
        prop_assert_eq!(again.tree(), replica.tree());
    }

    /// A version that was made while another was not held must not cover it: nobody who has
    /// both may lose the earlier.
    #[test]
    fn no_version_covers_one_that_its_maker_did_not_hold(turns in turns()) {
        let (mut replica, keys, mut n) = (replica(), keys(), 0);
        let mut made: BTreeMap<usize, Vec<Dot>> = BTreeMap::new();
        for (key, own, step) in turns.into_iter().flatten() {
            n += 1;
            let place = if own { Place::Own } else { HINT };
            let before = replica.store().get(place, &keys[key]).ok().flatten().unwrap_or_default();
            let Some(task) = task(&mut replica, n, place, &keys[key], &step) else { continue };
            let [answer] = run(&mut replica, [task]);
            let ReplicaAnswer::Wrote { versions: after, .. } = answer else { continue };
            let Some(new) = after.siblings().iter().find(|v| v.dot.counter == n) else { continue };
            let earlier = made.entry(key).or_default();
            for dot in earlier.iter() {
                let covers = after.seen().covers(*dot);
                let knew = before.versions.seen().covers(*dot);
                prop_assert!(!covers || knew, "{:?} covers {dot:?}", new.dot);
            }
            earlier.push(new.dot);
        }
    }
}
