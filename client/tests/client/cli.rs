//! The command `dynamo`: bytes in, bytes out, one line when something is wrong.

use crate::fake::{Answers, Fake, Seen, Step, nobody};
use assert_cmd::{Command, assert::Assert, cargo::cargo_bin_cmd};
use bytes::Bytes;
use std::{
    ffi::OsStr,
    fs,
    io::Read,
    os::unix::ffi::OsStrExt,
    process::{self, Stdio},
};
use tonic::Code;

/// `dynamo` against this node.
pub(crate) fn dynamo(fake: &Fake) -> Command {
    let mut command = cargo_bin_cmd!("dynamo");
    command.env("DYNAMO_SERVER", &fake.address);
    command
}

pub(crate) fn holding(siblings: &[&'static [u8]]) -> Fake {
    let siblings: Vec<_> = siblings.iter().map(|s| Bytes::from_static(s)).collect();
    Fake::start([], Answers { siblings, context: "seen".into(), versions: 1 })
}

fn failed(command: &mut Command, status: i32) -> String {
    let assert = command.assert().code(status);
    assert!(assert.get_output().stdout.is_empty(), "nothing but the error is printed");
    one_line(&assert)
}

fn one_line(assert: &Assert) -> String {
    let text = String::from_utf8(assert.get_output().stderr.clone()).unwrap();
    assert!(text.starts_with("dynamo: ") && text.ends_with('\n'), "{text:?}");
    assert_eq!(text.lines().count(), 1, "{text:?}");
    text
}

#[test]
fn a_value_comes_out_as_it_is() {
    for value in [&b"plain"[..], b"", b"\x00\xff\n\r\n", b"line\n"] {
        let fake = holding(&[value]);
        dynamo(&fake).args(["get", "k"]).assert().success().stdout(value).stderr("");
    }
}

#[test]
fn a_value_goes_in_as_it_is_from_the_command_line_a_file_and_standard_input() {
    let fake = holding(&[]);
    let dir = tempfile::tempdir().unwrap();
    let (file, value) = (dir.path().join("value"), &b"\x00\xff\n"[..]);
    fs::write(&file, value).unwrap();
    dynamo(&fake).args(["put", "k", "\u{e9}"]).assert().success();
    dynamo(&fake).args(["put", "k"]).arg(OsStr::from_bytes(b"\xff")).assert().success();
    dynamo(&fake).args(["put", "k", "--file"]).arg(&file).assert().success();
    dynamo(&fake).args(["put", "k", "-"]).write_stdin(value).assert().success();
    dynamo(&fake).args(["put", "k", ""]).assert().success();
    let values: Vec<_> = fake.puts().into_iter().map(|put| put.value).collect();
    assert_eq!(values, ["\u{e9}".as_bytes(), b"\xff", value, value, b""]);
}

#[test]
fn keys_are_any_bytes_and_may_have_a_sort_part() {
    let fake = holding(&[]);
    let mut command = dynamo(&fake);
    command.arg("put").arg(OsStr::from_bytes(b"a\xffb")).args(["v", "--sort-key", "2026"]);
    command.args(["-w", "3"]).assert().success();
    let put = &fake.puts()[0];
    let key = put.key.as_ref().unwrap();
    assert_eq!((&key.partition[..], &key.sort[..], put.w), (&b"a\xffb"[..], &b"2026"[..], 3));
}

#[test]
fn primaries_and_strictness_are_asked_for() {
    let fake = holding(&[b"v"]);
    dynamo(&fake).args(["get", "k", "-r", "3", "--pr", "2", "--strict"]).assert().success();
    for write in [&["put", "k", "v"][..], &["delete", "k"]] {
        dynamo(&fake).args(write).args(["-w", "3", "--pw", "2", "--strict"]).assert().success();
        dynamo(&fake).args(write).assert().success();
    }
    let asked: Vec<_> = fake
        .seen()
        .into_iter()
        .map(|seen| match seen {
            Seen::Get(m) => (m.r, m.pr, m.strict),
            Seen::Put(m) => (m.w, m.pw, m.strict),
            Seen::Delete(m) => (m.w, m.pw, m.strict),
            other => panic!("{other:?}"),
        })
        .collect();
    let (all, none) = ((3, 2, true), (0, 0, false));
    assert_eq!(asked, [all, all, none, all, none]);
}

#[test]
fn the_context_travels_through_its_file() {
    let fake = holding(&[b"old"]);
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("context");
    let with = |args: &[&str]| {
        let mut command = dynamo(&fake);
        command.args(args).arg("--context-file").arg(&file).assert().success();
    };
    with(&["put", "k", "blind"]);
    fs::remove_file(&file).unwrap();
    with(&["get", "k"]);
    assert_eq!(fs::read(&file).unwrap(), b"seen");
    with(&["put", "k", "new"]);
    with(&["delete", "k"]);
    let seen = fake.seen();
    let contexts: Vec<_> = seen
        .iter()
        .filter_map(|seen| match seen {
            Seen::Put(put) => Some(&put.context[..]),
            Seen::Delete(delete) => Some(&delete.context[..]),
            _ => None,
        })
        .collect();
    assert_eq!(contexts, [&b""[..], b"seen", b"seen"]);
}

#[test]
fn a_write_that_did_not_see_siblings_leaves_no_context_and_says_so() {
    let answers = Answers { versions: 2, ..Answers::default() };
    let fake = Fake::start([], answers);
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("context");
    fs::write(&file, "stale").unwrap();
    let mut command = dynamo(&fake);
    let assert = command.args(["put", "k", "v", "--context-file"]).arg(&file).assert().success();
    let line = one_line(&assert);
    assert!(line.contains("did not see") && line.contains("2 versions"), "{line}");
    assert_eq!(fs::read(&file).unwrap(), b"");
}

#[test]
fn a_key_that_does_not_exist_is_exit_status_1() {
    let fake = holding(&[]);
    let line = failed(dynamo(&fake).args(["get", "nothing\n"]), 1);
    assert!(line.contains("\"nothing\\n\""), "{line}");
}

#[test]
fn what_the_node_says_is_passed_on() {
    let said = "the value has 2 bytes, the limit is 1";
    let refuse = Step::Refuse(Code::InvalidArgument, said, Some("not-applied"));
    let fake = Fake::start(vec![refuse], Answers::default());
    let line = failed(dynamo(&fake).args(["put", "k", "ab"]), 1);
    assert_eq!(line, format!("dynamo: {said}\n"));
}

#[test]
fn a_node_that_is_not_there_is_named() {
    let address = nobody();
    let mut command = cargo_bin_cmd!("dynamo");
    let line = failed(command.args(["--server", &address, "--timeout", "300ms", "status"]), 1);
    assert!(line.contains(&address), "{line}");
}

#[test]
fn an_unknown_outcome_is_called_unknown() {
    let fake = Fake::start(vec![Step::Hang; 100], Answers::default());
    let line = failed(dynamo(&fake).args(["put", "k", "v", "--timeout", "300ms"]), 1);
    assert!(line.contains("not known"), "{line}");
}

#[test]
fn an_empty_key_and_files_that_cannot_be_read_are_exit_status_1() {
    let fake = holding(&[]);
    let line = failed(dynamo(&fake).args(["put", "", "v"]), 1);
    assert!(line.contains("key is empty"), "{line}");
    let line = failed(dynamo(&fake).args(["put", "k", "--file", "/no/such/file"]), 1);
    assert!(line.contains("/no/such/file"), "{line}");
    let line = failed(dynamo(&fake).args(["put", "k", "--file", "/dev/zero"]), 1);
    assert!(line.contains("/dev/zero") && line.contains("67108864"), "{line}");
    let line = failed(dynamo(&fake).args(["delete", "k", "--context-file", "/"]), 1);
    assert!(line.contains("cannot read /"), "{line}");
    assert!(fake.seen().is_empty());
}

#[test]
fn a_wrong_command_line_is_one_line_and_exit_status_2() {
    let fake = holding(&[]);
    for (args, names) in [
        (&["get", "k", "--frobnicate"][..], "--frobnicate"),
        (&["put", "k"], "--file"),
        (&["put", "k", "v", "--file", "f"], "--file"),
        (&["get", "k", "-r", "0"], "0"),
        (&["get", "k", "--pw", "1"], "--pw"),
        (&["put", "k", "v", "--pw", "0"], "0"),
        (&["get", "k", "--timeout", "soon"], "soon"),
        (&["get", "k", "--timeout", "31s"], "30s"),
        (&["fetch", "k"], "fetch"),
    ] {
        let line = failed(dynamo(&fake).args(args), 2);
        assert!(line.contains(names), "{args:?}: {line}");
    }
    assert!(fake.seen().is_empty());
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let siblings = vec![Bytes::from(vec![b'x'; 4 << 20])];
    let fake = Fake::start([], Answers { siblings, ..Answers::default() });
    let mut child = process::Command::new(assert_cmd::cargo::cargo_bin!("dynamo"))
        .args(["get", "k"])
        .env("DYNAMO_SERVER", &fake.address)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = [0; 1];
    child.stdout.take().unwrap().read_exact(&mut first).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
}
