//! Starting and ending: identities, directories, signals, exit statuses.

use crate::node::{Node, refused, until};
use nix::sys::signal::Signal;
use std::{fs, time::Duration};
use tempfile::tempdir;

#[test]
fn it_ends_cleanly_and_soon_when_it_is_told_to() {
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let dir = tempdir().unwrap();
        let mut node = Node::start(dir.path(), &[]);
        node.signal(signal);
        let (status, took) = node.ended();
        assert!(status.success() && took < Duration::from_secs(5), "{status} {took:?}");
    }
}

#[test]
fn it_can_be_made_to_end_with_its_parent() {
    let dir = tempdir().unwrap();
    let mut node = Node::start(dir.path(), &["--exit-with-parent"]);
    node.close_stdin();
    assert!(node.ended().0.success());
    let mut other = Node::start(dir.path(), &[]);
    other.close_stdin();
    assert_eq!(other.page("/healthz").0, 200);
}

#[test]
fn it_is_the_same_node_after_a_crash_in_a_later_generation() {
    let dir = tempdir().unwrap();
    let mut first = Node::start(dir.path(), &[]);
    first.kill();
    let second = Node::start(dir.path(), &[]);
    assert_eq!(first.id, second.id);
    assert_eq!((first.generation, second.generation), (1, 2));
    let elsewhere = tempdir().unwrap();
    assert_ne!(Node::start(elsewhere.path(), &[]).id, first.id, "an empty directory, a new node");
}

#[test]
fn directories_that_are_not_its_own_are_refused_in_one_line() {
    let dir = tempdir().unwrap();
    let held = Node::start(dir.path(), &[]);
    let says = |more: &[&str], named: &[&str]| {
        let (status, line) = refused(dir.path(), more);
        assert_eq!(status, 1, "{line}");
        assert!(named.iter().all(|n| line.contains(n)), "{line}");
        assert!(line.starts_with("dynamo-node: ") && line.lines().count() == 1, "{line}");
    };
    says(&[], &["another process"]);
    drop(held);
    let other = "3f2c1a70-6a7e-4f6e-9a53-0d7c3f1b2a11";
    says(&["--cluster-id", other], &[other, crate::node::CLUSTER, "empty directory"]);
    fs::write(dir.path().join("identity"), "").unwrap();
    says(&[], &["identity file", "damaged", "restore the volume", "empty directory"]);
    fs::remove_file(dir.path().join("identity")).unwrap();
    says(&[], &["no identity file", "restore the volume", "empty directory"]);
    fs::write(dir.path().join("notes.txt"), "").unwrap();
    says(&[], &["notes.txt"]);
}

#[tokio::test]
async fn a_damaged_store_is_set_aside_and_the_node_goes_on_as_itself() {
    let dir = tempdir().unwrap();
    let mut first = Node::start(dir.path(), &[]);
    let before = first.status().await;
    first.kill();
    fs::write(dir.path().join("store/CURRENT"), "garbage\n").unwrap();
    let second = Node::start(dir.path(), &[]);
    let after = second.status().await;
    assert_eq!((&first.id, first.generation + 1), (&second.id, second.generation));
    assert_eq!(after.incarnation, before.incarnation + 1);
    assert!(dir.path().join("store.damaged-1/CURRENT").exists());
    drop(second);
    let third = Node::start(dir.path(), &[]).status().await;
    assert_eq!(third.incarnation, after.incarnation, "once is enough");
}

#[test]
fn what_cannot_be_used_is_refused_in_one_line() {
    let dir = tempdir().unwrap();
    let node = Node::start(dir.path(), &[]);
    let elsewhere = dir.path().join("elsewhere");
    for (status, flag, value, named) in [
        (1, "--http-listen", node.http.as_str(), "--http-listen"),
        (2, "--write-quorum", "0", "--write-quorum is 0"),
        (2, "--durability", "never", "never"),
        (2, "--sneeds", "a:1", "--sneeds"),
    ] {
        let (code, line) = refused(&elsewhere, &[flag, value]);
        assert_eq!((code, line.lines().count()), (status, 1), "{line}");
        assert!(line.starts_with("dynamo-node: ") && line.contains(named), "{line}");
    }
    assert!(!elsewhere.exists(), "nothing was touched");
}

#[tokio::test]
async fn an_idle_node_is_small() {
    let dir = tempdir().unwrap();
    let node = Node::start(dir.path(), &[]);
    node.bootstrap("first", &[&node]).await.unwrap();
    until("it has settled", || node.metric("dynamo_ring_epoch") == 1.0);
    assert!(node.metric("process_resident_memory_bytes") < 60.0 * 1024.0 * 1024.0);
}
