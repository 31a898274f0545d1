//! Questions about Merkle trees, and steps of reaping.

use crate::{Malformed, count, malformed::need, uncount, v1};
use dynamo_core::{
    key::Key,
    merkle::{Answer, FAN_OUT, Hash, Node, Page, Question},
    reap::{ReapRequest, ReapStep},
    ring::{Partition, RingTag},
    version::Versions,
};
use v1::{
    reap_request::{Grave, Step},
    tree_request::{Children, Keys, Question as WireQuestion, Roots},
    tree_response::{Answer as WireAnswer, Entry, Hashes, Page as WirePage},
};

impl From<Question> for WireQuestion {
    fn from(question: Question) -> Self {
        match question {
            Question::Roots { partitions, q } => WireQuestion::Roots(Roots {
                partitions: partitions.into_iter().map(|p| u32::from(p.0)).collect(),
                q: count(q),
            }),
            Question::Children(nodes) => {
                let wire = |n: Node| u32::from(n.depth) << 16 | u32::from(n.index);
                WireQuestion::Children(Children { nodes: nodes.into_iter().map(wire).collect() })
            }
            Question::Keys { first, last, after } => {
                let after = after.as_ref().map(v1::Key::from);
                WireQuestion::Keys(Keys { first: first.into(), last: last.into(), after })
            }
        }
    }
}

impl TryFrom<WireQuestion> for Question {
    type Error = Malformed;
    /// Whether it makes sense is for the tree to say.
    fn try_from(question: WireQuestion) -> Result<Self, Malformed> {
        Ok(match question {
            WireQuestion::Roots(roots) => {
                let partitions =
                    roots.partitions.into_iter().map(|p| sixteen_bits(p).map(Partition));
                let partitions = partitions.collect::<Result<_, _>>()?;
                Question::Roots { partitions, q: uncount(roots.q) }
            }
            WireQuestion::Children(children) => {
                let node = |n: u32| {
                    let [_, depth, high, low] = n.to_be_bytes();
                    Node { depth, index: u16::from_be_bytes([high, low]) }
                };
                Question::Children(children.nodes.into_iter().map(node).collect())
            }
            WireQuestion::Keys(keys) => {
                let after = keys.after.map(Key::try_from).transpose()?;
                let (first, last) = (sixteen_bits(keys.first)?, sixteen_bits(keys.last)?);
                Question::Keys { first, last, after }
            }
        })
    }
}

impl From<Answer> for WireAnswer {
    fn from(answer: Answer) -> Self {
        let hashes = |h: Vec<Hash>| Hashes { hashes: h.into_iter().map(|h| h.0).collect() };
        match answer {
            Answer::Roots(roots) => WireAnswer::Roots(hashes(roots)),
            Answer::Children(children) => {
                WireAnswer::Children(hashes(children.into_iter().flatten().collect()))
            }
            Answer::Keys(Page { keys, more }) => {
                let entry =
                    |(key, hash): (Key, Hash)| Entry { key: Some((&key).into()), hash: hash.0 };
                WireAnswer::Keys(WirePage { entries: keys.into_iter().map(entry).collect(), more })
            }
        }
    }
}

impl TryFrom<WireAnswer> for Answer {
    type Error = Malformed;
    fn try_from(answer: WireAnswer) -> Result<Self, Malformed> {
        Ok(match answer {
            WireAnswer::Roots(roots) => Answer::Roots(roots.hashes.into_iter().map(Hash).collect()),
            WireAnswer::Children(children) => {
                let (nodes, rest) = children.hashes.as_chunks::<FAN_OUT>();
                if !rest.is_empty() {
                    return Err(Malformed::Value("the children of a node are not 16"));
                }
                Answer::Children(nodes.iter().map(|node| node.map(Hash)).collect())
            }
            WireAnswer::Keys(WirePage { entries, more }) => {
                let entry =
                    |e: Entry| Ok((need(e.key, "the key of an entry")?.try_into()?, Hash(e.hash)));
                let keys = entries.into_iter().map(entry).collect::<Result<_, Malformed>>()?;
                Answer::Keys(Page { keys, more })
            }
        })
    }
}

/// Without its id, which the message holds.
impl From<ReapRequest> for v1::ReapRequest {
    fn from(request: ReapRequest) -> Self {
        let grave = |(key, versions): (Key, Versions)| Grave {
            key: Some((&key).into()),
            versions: Some((&versions).into()),
        };
        let step = match request.step {
            ReapStep::Pledge => Step::Pledge,
            ReapStep::Confirm => Step::Confirm,
            ReapStep::Reap => Step::Reap,
            ReapStep::Release => Step::Release,
        };
        v1::ReapRequest {
            id: 0,
            step: step.into(),
            ring_epoch: request.ring.epoch,
            ring_digest: request.ring.digest,
            graves: request.graves.into_iter().map(grave).collect(),
        }
    }
}

impl TryFrom<v1::ReapRequest> for ReapRequest {
    type Error = Malformed;
    fn try_from(request: v1::ReapRequest) -> Result<Self, Malformed> {
        let unknown = Malformed::Value("a step of reaping that this software does not know");
        let step = match Step::try_from(request.step).map_err(|_| unknown.clone())? {
            Step::Unspecified => return Err(unknown),
            Step::Pledge => ReapStep::Pledge,
            Step::Confirm => ReapStep::Confirm,
            Step::Reap => ReapStep::Reap,
            Step::Release => ReapStep::Release,
        };
        let grave = |g: Grave| {
            let versions = need(g.versions, "the versions of a grave")?;
            Ok((need(g.key, "the key of a grave")?.try_into()?, versions.try_into()?))
        };
        let graves = request.graves.into_iter().map(grave).collect::<Result<_, Malformed>>()?;
        let ring = RingTag { epoch: request.ring_epoch, digest: request.ring_digest };
        Ok(ReapRequest { step, ring, graves })
    }
}

fn sixteen_bits(n: u32) -> Result<u16, Malformed> {
    u16::try_from(n).map_err(|_| Malformed::Value("a position in the tree is over 65,535"))
}
