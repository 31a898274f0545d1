//! Batches of messages as frames, and back.

use crate::metrics::{IN, Metrics, OUT};
use dynamo_core::message::Message;
use dynamo_proto::{
    Malformed,
    v1::{self, Batch, Frame, frame::Content},
};
use prost::Message as _;
use tracing::warn;

/// A frame is closed when it has grown to this size, so that large values do not make
/// one that blocks the stream for long.
const FRAME_TARGET: usize = 1 << 20;

/// The largest frame that is read: refused by its length, before it is in memory. Two
/// values of the largest `--value-limit` fit.
pub(crate) const FRAME_LIMIT: usize = 2 * crate::config::MAX_VALUE_LIMIT + (1 << 20);

/// What a frame costs around its messages, with room to spare.
const FRAME_OVERHEAD: usize = 64;

/// A batch in as few frames as its size allows. A message that fits in none is dropped:
/// the peer would break the stream over it, for all others too.
pub(super) fn encode(messages: Vec<Message>, metrics: &Metrics) -> Vec<Frame> {
    metrics.messages.get_or_create(&OUT).inc_by(messages.len() as u64);
    let mut frames = Vec::with_capacity(1);
    let (mut batch, mut size) = (Vec::with_capacity(messages.len()), 0);
    for message in messages {
        let message = v1::Message::from(message);
        let length = message.encoded_len() + FRAME_OVERHEAD;
        if length > FRAME_LIMIT {
            metrics.dropped_messages.inc();
            warn!(bytes = length, limit = FRAME_LIMIT, "a message is too large for a frame");
            continue;
        }
        if size + length > FRAME_TARGET && !batch.is_empty() {
            frames.push(frame(std::mem::take(&mut batch)));
            size = 0;
        }
        size += length;
        batch.push(message);
    }
    if !batch.is_empty() {
        frames.push(frame(batch));
    }
    metrics.frames.get_or_create(&OUT).inc_by(frames.len() as u64);
    frames
}

/// The messages of a frame that is not the first.
pub(crate) fn decode(frame: Frame, metrics: &Metrics) -> Result<Vec<Message>, Malformed> {
    let Some(Content::Batch(batch)) = frame.content else {
        return Err(Malformed::Missing("a batch, after the hello,"));
    };
    metrics.frames.get_or_create(&IN).inc();
    metrics.messages.get_or_create(&IN).inc_by(batch.messages.len() as u64);
    batch.messages.into_iter().map(Message::try_from).collect()
}

fn frame(messages: Vec<v1::Message>) -> Frame {
    Frame { content: Some(Content::Batch(Batch { messages })) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dynamo_core::{
        id::OpId,
        key::Key,
        message::ForwardedWrite,
        request::{Wanted, WriteCommand},
    };
    use std::time::Duration;

    fn write(id: u64, size: usize) -> Message {
        let write = ForwardedWrite {
            key: Key::plain("k"),
            write: WriteCommand {
                request: dynamo_core::id::RequestId([1; 16]),
                context: Default::default(),
                value: Some(vec![0; size].into()),
            },
            wanted: Wanted { total: Some(1), ..Wanted::default() },
            timeout: Duration::from_secs(1),
        };
        Message::ForwardRequest { id: OpId(id), write }
    }

    #[test]
    fn a_turn_is_one_frame_unless_it_is_large_and_keeps_its_order() {
        let metrics = Metrics::new();
        for (size, frames) in [(10, 1), (400 << 10, 2), (2 << 20, 4)] {
            let sent: Vec<_> = (0..4).map(|id| write(id, size)).collect();
            let encoded = encode(sent.clone(), &metrics);
            assert_eq!(encoded.len(), frames, "{size}");
            let got = encoded.into_iter().flat_map(|f| decode(f, &metrics).unwrap());
            assert_eq!(got.collect::<Vec<_>>(), sent);
        }
    }

    #[test]
    fn what_no_peer_would_read_is_not_sent() {
        let metrics = Metrics::new();
        let encoded = encode(vec![write(1, FRAME_LIMIT), write(2, 1)], &metrics);
        assert_eq!(encoded.len(), 1);
        assert_eq!(metrics.dropped_messages.get(), 1);
    }

    #[test]
    fn what_makes_no_sense_is_malformed() {
        let metrics = Metrics::new();
        let empty = frame(vec![v1::Message { content: None }]);
        for bad in [Frame { content: None }, empty] {
            assert!(decode(bad, &metrics).is_err());
        }
    }
}
