//! What is written is read, and what cannot be is refused by name.

use super::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_048))]

    #[test]
    fn messages_read_back(message in message()) {
        prop_assert_eq!(read(&encode(&message)), Ok(message));
    }

    #[test]
    fn records_read_back(held in held(), ring in ring(), identity in identity()) {
        prop_assert_eq!(record::decode_held(&record::encode_held(&held)), Ok(held));
        prop_assert_eq!(record::decode_ring(&record::encode_ring(&ring)), Ok(ring));
        let stored = record::encode_identity(&identity);
        prop_assert_eq!(record::decode_identity(&stored), Ok(identity));
    }

    /// Equal values have equal bytes, so that records can be compared as they are stored.
    #[test]
    fn what_is_read_is_written_the_same(message in message(), held in held()) {
        let encoded = encode(&message);
        prop_assert_eq!(read(&encoded).map(|m| encode(&m)), Ok(encoded));
        let stored = record::encode_held(&held);
        prop_assert_eq!(record::decode_held(&stored).map(|h| record::encode_held(&h)), Ok(stored));
    }
}

#[test]
fn a_record_of_another_format_is_named_as_such() {
    let mut stored = record::encode_held(&Held::default());
    let known = stored[0];
    for found in [known - 1, known + 1] {
        stored[0] = found;
        let refused = record::decode_held(&stored).unwrap_err();
        assert_eq!(refused, Malformed::Format { found, known });
        let says = format!("format version {found}; this software reads version {known} only");
        assert_eq!(refused.to_string(), says);
    }
    assert_eq!(record::decode_held(&[]), Err(Malformed::Missing("the record")));
    assert_eq!(record::decode_held(&[known, 1, 2]), Err(Malformed::Missing("the checksum")));
}

#[test]
fn clocks_and_versions_that_cannot_be_are_refused() {
    let dot = |counter| Some(v1::Dot { node: 1, incarnation: 1, life: 1, counter });
    let entry = |counter| v1::ClockEntry { upto: dot(counter), stamp: 0 };
    let refused =
        |seen| Context::try_from(v1::Context { seen, ..v1::Context::default() }).unwrap_err();
    assert!(matches!(refused(vec![entry(0)]), Malformed::Value(_)));
    assert!(matches!(refused(vec![entry(1), entry(2)]), Malformed::Value(_)), "an actor twice");
    let absent = v1::ClockEntry { upto: None, stamp: 0 };
    assert_eq!(refused(vec![absent]), Malformed::Missing("the dot of a clock entry"));
    assert!(Key::try_from(v1::Key { partition: Bytes::new(), sort: "s".into() }).is_err());
    let uncovered = v1::Version {
        dot: dot(1),
        request_id: Bytes::from_static(&[0; 16]),
        stamp: 0,
        value: None,
    };
    let versions = v1::Versions { siblings: vec![uncovered], ..Default::default() };
    assert!(matches!(Versions::try_from(versions), Err(Malformed::Versions(_))));
    let short = v1::PastRequest { request_id: Bytes::from_static(b"short"), stamp: 0 };
    let versions = v1::Versions { past: vec![short], ..Default::default() };
    let length = Malformed::Length { what: "the request id", size: 5, expected: 16 };
    assert_eq!(Versions::try_from(versions), Err(length));
}

#[test]
fn gossip_that_cannot_be_is_refused() {
    let uneven = v1::Pulses { nodes: vec![1], generations: vec![1], ..Default::default() };
    let answer = v1::Answer { pulses: Some(uneven), ..Default::default() };
    let stage = Some(v1::gossip::Stage::Answer(answer));
    let gossip = v1::Gossip { stage, ..Default::default() };
    assert!(matches!(Gossip::try_from(gossip), Err(Malformed::Value(_))));
}

#[test]
fn questions_answers_and_steps_that_cannot_be_are_refused() {
    use v1::message::Content;
    let refused = |content| Message::try_from(v1::Message { content: Some(content) }).unwrap_err();
    let keys = v1::tree_request::Keys { first: 1 << 16, last: 0, after: None };
    let question = Some(v1::tree_request::Question::Keys(keys));
    let request = Content::TreeRequest(v1::TreeRequest { id: 1, question });
    assert!(matches!(refused(request), Malformed::Value(_)), "no such leaf");
    let fifteen = v1::tree_response::Hashes { hashes: vec![1; 15] };
    let answer = Some(v1::tree_response::Answer::Children(fifteen));
    let response = Content::TreeResponse(v1::TreeResponse { id: 1, answer });
    assert!(matches!(refused(response), Malformed::Value(_)), "no node has 15 children");
    for step in [0, 5, -1] {
        let request = v1::ReapRequest { step, ..Default::default() };
        assert!(matches!(refused(Content::ReapRequest(request)), Malformed::Value(_)));
    }
    let grave = v1::reap_request::Grave { key: None, versions: Some(v1::Versions::default()) };
    let request = v1::ReapRequest { step: 1, graves: vec![grave], ..Default::default() };
    let missing = Malformed::Missing("the key of a grave");
    assert_eq!(refused(Content::ReapRequest(request)), missing);
}
