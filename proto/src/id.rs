//! Keys, dots and request ids.

use crate::{Malformed, malformed::sixteen, v1};
use bytes::Bytes;
use dynamo_core::{
    id::{Actor, Dot, Incarnation, Life, NodeId, RequestId},
    key::Key,
};

impl From<&Key> for v1::Key {
    fn from(key: &Key) -> Self {
        v1::Key { partition: key.partition().clone(), sort: key.sort().clone() }
    }
}

impl TryFrom<v1::Key> for Key {
    type Error = Malformed;
    /// Refuses a key without a partition part. How long one may be is checked where
    /// clients come in.
    fn try_from(key: v1::Key) -> Result<Self, Malformed> {
        match key.partition.is_empty() {
            true => Err(Malformed::Value("the key is empty; a key has at least 1 byte")),
            false => Ok(Key::new(key.partition, key.sort)),
        }
    }
}

impl From<Dot> for v1::Dot {
    fn from(dot: Dot) -> Self {
        let Actor { node, incarnation, life } = dot.actor;
        let (node, incarnation) = (node.0, incarnation.0);
        v1::Dot { node, incarnation, life: life.0, counter: dot.counter }
    }
}

impl TryFrom<v1::Dot> for Dot {
    type Error = Malformed;
    fn try_from(dot: v1::Dot) -> Result<Self, Malformed> {
        if dot.counter == 0 {
            return Err(Malformed::Value("a dot has counter 0; counters start at 1"));
        }
        let (node, incarnation) = (NodeId(dot.node), Incarnation(dot.incarnation));
        let actor = Actor { node, incarnation, life: Life(dot.life) };
        Ok(Dot { actor, counter: dot.counter })
    }
}

pub(crate) fn request_to_wire(request: RequestId) -> Bytes {
    Bytes::copy_from_slice(&request.0)
}

pub(crate) fn request_from_wire(request: &Bytes) -> Result<RequestId, Malformed> {
    sixteen("the request id", request).map(RequestId)
}
