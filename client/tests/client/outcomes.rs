//! What a call ends as: done, not applied, or nobody knows; and what is tried before.

use crate::fake::{Answers, Fake, Seen, Step, hangs_up, nobody};
use dynamo_client::{Client, Error, Key, RequestId};
use std::time::{Duration, Instant};
use tonic::Code;

const UNAVAILABLE: Step =
    Step::Refuse(Code::Unavailable, "1 of 3 replicas is up", Some("not-applied"));
const INDETERMINATE: Step =
    Step::Refuse(Code::DeadlineExceeded, "1 of 2 acknowledged", Some("indeterminate"));

fn client(addresses: &[&str]) -> Client {
    let timeout = Duration::from_millis(600);
    Client::connect(addresses.iter().copied())
        .timeout(timeout)
        .attempt_timeout(timeout / 3)
        .build()
        .unwrap()
}

fn forever(step: Step) -> Vec<Step> {
    vec![step; 1000]
}

#[tokio::test]
async fn a_node_that_is_unavailable_once_is_asked_again() {
    let fake = Fake::start([UNAVAILABLE], Answers::default());
    client(&[&fake.address]).put("k", "v").await.unwrap();
    assert_eq!(fake.puts().len(), 2);
}

#[tokio::test]
async fn all_retries_of_a_write_carry_one_request_id_and_no_other_write_does() {
    let script = [INDETERMINATE, Step::Hang, UNAVAILABLE];
    let fake = Fake::start(script, Answers::default());
    let client = client(&[&fake.address]);
    client.put("k", "v").await.unwrap();
    client.put("k", "v").await.unwrap();
    let ids: Vec<_> = fake.puts().into_iter().map(|put| put.request_id).collect();
    assert_eq!(ids.len(), 5);
    assert!(ids[..4].iter().all(|id| *id == ids[0] && id.len() == 16));
    assert_ne!(ids[4], ids[0]);
}

#[tokio::test]
async fn another_node_is_asked_when_one_is_away_or_unavailable() {
    let busy = Fake::start(forever(UNAVAILABLE), Answers::default());
    let well = Fake::start([], Answers::default());
    let client = client(&[&nobody(), &busy.address, &well.address]);
    client.put("k", "v").await.unwrap();
    client.put("k", "w").await.unwrap();
    assert_eq!(busy.puts().len(), 1, "the second put goes to the node that served the first");
    assert_eq!(well.puts().len(), 2);
}

#[tokio::test]
async fn a_write_that_was_never_applied_says_so() {
    let fake = Fake::start(forever(UNAVAILABLE), Answers::default());
    let error = client(&[&fake.address]).put("k", "v").await.unwrap_err();
    assert!(matches!(error, Error::Unavailable { .. }), "{error:?}");
    assert!(!error.is_indeterminate());
    let line = error.to_string();
    assert!(line.contains("1 of 3 replicas is up") && line.contains(&fake.address), "{line}");
}

#[tokio::test]
async fn one_attempt_that_may_have_been_applied_makes_the_outcome_unknown() {
    let mut script = forever(UNAVAILABLE);
    script[0] = INDETERMINATE;
    let fake = Fake::start(script, Answers::default());
    let error = client(&[&fake.address]).delete("k").await.unwrap_err();
    assert!(error.is_indeterminate(), "{error}");
}

#[tokio::test]
async fn a_silent_node_makes_a_write_unknown_and_a_read_late() {
    let fake = Fake::start(forever(Step::Hang), Answers::default());
    let client = client(&[&fake.address]);
    let began = Instant::now();
    assert!(client.put("k", "v").await.unwrap_err().is_indeterminate());
    let error = client.get("k").await.unwrap_err();
    assert!(matches!(error, Error::TimedOut { .. }), "{error:?}");
    assert!(began.elapsed() < Duration::from_secs(3), "both end within their time-out");
}

#[tokio::test]
async fn a_connection_that_breaks_leaves_a_write_unknown() {
    let error = client(&[&hangs_up()]).put("k", "v").await.unwrap_err();
    assert!(error.is_indeterminate(), "{error}");
}

#[tokio::test]
async fn nodes_that_are_not_there_are_named_and_nothing_is_in_doubt() {
    let (one, two) = (nobody(), nobody());
    let error = client(&[&one, &two]).put("k", "v").await.unwrap_err();
    assert!(matches!(error, Error::Unreachable { .. }), "{error:?}");
    let line = error.to_string();
    assert!(line.contains(&one) && line.contains(&two) && !line.contains('\n'), "{line}");
    assert!(line.contains("refused"), "{line}");
}

#[tokio::test]
async fn what_a_node_said_is_told_rather_than_that_another_is_away() {
    let busy = Fake::start(forever(UNAVAILABLE), Answers::default());
    let error = client(&[&busy.address, &nobody()]).put("k", "v").await.unwrap_err();
    assert!(matches!(error, Error::Unavailable { .. }), "{error:?}");
    assert!(error.to_string().contains(&busy.address), "{error}");
}

#[tokio::test]
async fn what_the_node_refuses_is_not_tried_again() {
    let said = "the value has 1048577 bytes, the limit is 1048576";
    let refuse = Step::Refuse(Code::InvalidArgument, said, Some("not-applied"));
    let fake = Fake::start(forever(refuse), Answers::default());
    let error = client(&[&fake.address]).put("k", "v").await.unwrap_err();
    assert_eq!(error, Error::InvalidRequest { reason: said.into() });
    assert_eq!(fake.puts().len(), 1);

    let said = "this node has no ring yet";
    let refuse = Step::Refuse(Code::FailedPrecondition, said, Some("not-applied"));
    let fake = Fake::start(forever(refuse), Answers::default());
    let error = client(&[&fake.address]).get("k").await.unwrap_err();
    assert!(matches!(error, Error::Refused { code: Code::FailedPrecondition, .. }), "{error:?}");
    assert_eq!(fake.seen().len(), 1);
}

#[tokio::test]
async fn an_empty_key_is_refused_before_anything_is_sent() {
    let fake = Fake::start([], Answers::default());
    let client = client(&[&fake.address]);
    for error in [
        client.get("").await.unwrap_err(),
        client.put("", "v").await.unwrap_err(),
        client.delete(Key::new("", "sort")).await.unwrap_err(),
    ] {
        assert!(matches!(error, Error::InvalidRequest { .. }), "{error:?}");
    }
    assert!(fake.seen().is_empty());
}

#[tokio::test]
async fn requests_carry_what_was_asked_for() {
    let answers = Answers { context: "seen".into(), versions: 1, ..Answers::default() };
    let fake = Fake::start([], answers);
    let client = client(&[&fake.address]);
    let got = client.get("k").r(3).pr(2).strict().await.unwrap();
    assert_eq!((got.primaries, got.fallbacks), (2, 1));
    let Some(Seen::Get(get)) = fake.seen().pop() else { panic!("it was asked for") };
    assert_eq!((get.r, get.pr, get.strict), (3, 2, true));
    let context = got.context;
    let id = RequestId::random();
    let put = client.put(Key::new("p", "s"), "v").context(&context).w(3).pw(2).strict();
    let put = put.request_id(id);
    let reply = put.clone().await.unwrap();
    put.await.unwrap();
    assert_eq!(reply.context, Some(context));
    let acks = reply.acknowledgements;
    assert_eq!((acks.primaries, acks.fallbacks, acks.durable), (2, 1, 2));

    let puts = fake.puts();
    assert_eq!(puts[0], puts[1], "a retry by the program itself is the same request");
    assert_eq!((puts[0].w, &puts[0].context[..], &puts[0].value[..]), (3, &b"seen"[..], &b"v"[..]));
    assert_eq!((puts[0].pw, puts[0].strict), (2, true));
    let key = puts[0].key.as_ref().unwrap();
    assert_eq!((&key.partition[..], &key.sort[..]), (&b"p"[..], &b"s"[..]));
    let limit = puts[0].timeout_ms;
    assert!((1..200).contains(&limit), "the node must answer before the client gives up: {limit}");
}

#[test]
fn a_client_that_cannot_work_is_not_built() {
    let second = Duration::from_secs(1);
    for builder in [
        Client::connect(Vec::<String>::new()),
        Client::connect(["localhost"]),
        Client::connect(["a:1"]).timeout(Duration::ZERO),
        Client::connect(["a:1"]).timeout(31 * second),
        Client::connect(["a:1"]).attempt_timeout(31 * second),
    ] {
        let error = builder.build().unwrap_err();
        assert!(matches!(error, Error::InvalidRequest { .. }), "{error:?}");
    }
}
