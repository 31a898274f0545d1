//! What people and programs are shown: siblings, the cluster, the ring.

use crate::cli::{dynamo, holding};
use serde_json::Value;

fn json(args: &[&str], siblings: &[&'static [u8]]) -> Value {
    let fake = holding(siblings);
    let output = dynamo(&fake).args(args).args(["--output", "json"]).output().unwrap();
    serde_json::from_slice(&output.stdout).unwrap()
}

fn text(args: &[&str]) -> String {
    let fake = holding(&[]);
    let output = dynamo(&fake).args(args).assert().success().get_output().clone();
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn siblings_are_shown_one_by_one() {
    let fake = holding(&[b"apples", b"\xff", b"pears\n"]);
    let assert = dynamo(&fake).args(["get", "k"]).assert().success();
    let shown = String::from_utf8(assert.get_output().stdout.clone()).unwrap();
    assert_eq!(
        shown,
        "sibling 1 of 3, written 2023-11-14T22:13:20.123Z, 6 bytes:\n\
         apples\n\
         sibling 2 of 3, written 2023-11-14T22:13:20.123Z, 1 byte:\n\
         (not text: --sibling 2 prints it as it is)\n\
         sibling 3 of 3, written 2023-11-14T22:13:20.123Z, 6 bytes:\n\
         pears\n"
    );
    let hint = String::from_utf8(assert.get_output().stderr.clone()).unwrap();
    assert!(hint.contains("3 siblings"), "{hint}");

    dynamo(&fake).args(["get", "k", "--sibling", "2"]).assert().success().stdout(&b"\xff"[..]);
    let assert = dynamo(&fake).args(["get", "k", "--sibling", "4"]).assert().code(1);
    let line = String::from_utf8(assert.get_output().stderr.clone()).unwrap();
    assert!(line.contains("no sibling 4") && line.contains("3 versions"), "{line}");
}

#[test]
fn json_tells_text_from_bytes() {
    let document = json(&["get", "k", "--sort-key", "s"], &[b"text", b"\xff\x00"]);
    assert_eq!(document["key"], "k");
    assert_eq!(document["sort_key"], "s");
    assert_eq!(document["siblings"][0]["value"], "text");
    assert_eq!(document["siblings"][1]["value_base64"], "/wA=");
    assert_eq!(document["siblings"][1]["size"], 2);
    assert_eq!(document["context"], "c2Vlbg==");
    assert_eq!((&document["primaries"], &document["fallbacks"]), (&2.into(), &1.into()));
    assert_eq!(json(&["get", "k"], &[])["siblings"].as_array().unwrap().len(), 0);
}

#[test]
fn json_of_a_write_tells_who_acknowledged() {
    for (args, outcome) in [(&["put", "k", "v"][..], "stored"), (&["delete", "k"], "deleted")] {
        let document = json(args, &[]);
        assert_eq!(document["outcome"], outcome);
        assert_eq!(document["acknowledgements"]["primaries"], 2);
        assert_eq!(document["acknowledgements"]["fallbacks"], 1);
        assert_eq!(document["acknowledgements"]["durable"], 2);
        assert_eq!(document["context"], "c2Vlbg==");
        assert_eq!(document["coordinator"], "00000000000000aa");
    }
}

#[test]
fn a_write_that_fallbacks_keep_says_so() {
    let shown = text(&["put", "k", "v"]);
    assert!(shown.contains("2 primary replicas and 1 fallback, 2 of them durably"), "{shown}");
}

#[test]
fn status_shows_every_member_and_the_quorum() {
    let shown = text(&["status"]);
    assert!(shown.contains("11111111-2222-4333-8444-555555555555"), "{shown}");
    assert!(shown.contains("2 replicas, 1 must answer a read, 2 must acknowledge"), "{shown}");
    let row = shown.lines().find(|l| l.starts_with("two ")).unwrap();
    let words: Vec<_> = row.split_whitespace().collect();
    let state = ["down", "for", "all"];
    assert_eq!(words[..2], ["two", "00000000000000bb"]);
    assert_eq!((&words[2..5], &words[5..]), (&state[..], &["two:7070", "-", "128", "0.1.0"][..]));
    assert!(shown.lines().any(|l| l.starts_with("three ") && !l.contains("for all")), "{shown}");
    assert!(shown.contains("about 7 keys kept for other nodes"), "{shown}");
    let document = json(&["status"], &[]);
    let two = document["members"].as_array().unwrap().iter().find(|m| m["name"] == "two").unwrap();
    assert_eq!((&two["state"], &two["down_for_cluster"]), (&"down".into(), &true.into()));
    assert_eq!(document["pending_hints"], 7);
    assert_eq!(document["quorum"]["factor"], 2);
}

#[test]
fn ring_shows_who_owns_how_much_and_who_is_up() {
    let shown = text(&["ring"]);
    assert!(shown.contains("4 partitions, 2 replicas of each key, 1 of 2 nodes up"), "{shown}");
    let row = shown.lines().find(|l| l.starts_with("one ")).unwrap();
    let words: Vec<_> = row.split_whitespace().collect();
    assert_eq!(words, ["one", "00000000000000aa", "up", "-", "1", "3", "75.0", "%"]);
    let document = json(&["ring"], &[]);
    assert_eq!(document["owners"], serde_json::json!([0, 1, 0, 0]));
    assert_eq!(document["members"][0]["partitions"], 3);
}
