//! What nodes say to each other.

use crate::{
    Malformed, count,
    id::{request_from_wire, request_to_wire},
    malformed::need,
    uncount,
    v1::{self, message::Content},
};
use dynamo_core::{
    id::{NodeId, OpId},
    message::{ForwardedWrite, Message, PeerOperation},
    replica::ReplicaAnswer,
    request::{Wanted, WriteCommand},
    version::Context,
};
use std::time::Duration;

impl From<Message> for v1::Message {
    fn from(message: Message) -> Self {
        let content = match message {
            Message::ReplicaRequest { id, key, stands_for, operation } => {
                let (key, operation) = (Some((&key).into()), Some(operation.into()));
                let (id, stands_for) = (id.0, stands_for.map(|n| n.0));
                Content::ReplicaRequest(v1::ReplicaRequest { id, key, stands_for, operation })
            }
            Message::ReplicaResponse { id, answer } => {
                let result = Some(answer.into());
                Content::ReplicaResponse(v1::ReplicaResponse { id: id.0, result })
            }
            Message::ForwardRequest { id, write } => {
                Content::ForwardRequest(v1::ForwardRequest { id: id.0, ..write.into() })
            }
            Message::ForwardResponse { id, result } => {
                use v1::forward_response::Result as Wire;
                let result = match result {
                    Ok(written) => Wire::Written(written.into()),
                    Err(refusal) => Wire::Refusal(refusal.into()),
                };
                let result = Some(result);
                Content::ForwardResponse(v1::ForwardResponse { id: id.0, result })
            }
            Message::TreeRequest { id, question } => {
                Content::TreeRequest(v1::TreeRequest { id: id.0, question: Some(question.into()) })
            }
            Message::TreeResponse { id, answer } => {
                Content::TreeResponse(v1::TreeResponse { id: id.0, answer: Some(answer.into()) })
            }
            Message::ReapRequest { id, request } => {
                Content::ReapRequest(v1::ReapRequest { id: id.0, ..request.into() })
            }
            Message::ReapResponse { id, agreed } => {
                Content::ReapResponse(v1::ReapResponse { id: id.0, agreed })
            }
            Message::Gossip(gossip) => Content::Gossip(gossip.into()),
        };
        v1::Message { content: Some(content) }
    }
}

impl TryFrom<v1::Message> for Message {
    type Error = Malformed;
    fn try_from(message: v1::Message) -> Result<Self, Malformed> {
        Ok(match need(message.content, "the content of a message")? {
            Content::ReplicaRequest(m) => Message::ReplicaRequest {
                id: OpId(m.id),
                key: need(m.key, "the key")?.try_into()?,
                stands_for: m.stands_for.map(NodeId),
                operation: need(m.operation, "the operation")?.try_into()?,
            },
            Content::ReplicaResponse(m) => Message::ReplicaResponse {
                id: OpId(m.id),
                answer: need(m.result, "the answer of a replica")?.try_into()?,
            },
            Content::ForwardRequest(m) => {
                Message::ForwardRequest { id: OpId(m.id), write: m.try_into()? }
            }
            Content::ForwardResponse(m) => {
                use v1::forward_response::Result as Wire;
                let result = match need(m.result, "the result of a forwarded write")? {
                    Wire::Written(written) => Ok(written.try_into()?),
                    Wire::Refusal(refusal) => Err(refusal.try_into()?),
                };
                Message::ForwardResponse { id: OpId(m.id), result }
            }
            Content::TreeRequest(m) => Message::TreeRequest {
                id: OpId(m.id),
                question: need(m.question, "the question about the tree")?.try_into()?,
            },
            Content::TreeResponse(m) => Message::TreeResponse {
                id: OpId(m.id),
                answer: need(m.answer, "the answer about the tree")?.try_into()?,
            },
            Content::ReapRequest(m) => {
                Message::ReapRequest { id: OpId(m.id), request: m.try_into()? }
            }
            Content::ReapResponse(m) => Message::ReapResponse { id: OpId(m.id), agreed: m.agreed },
            Content::Gossip(gossip) => Message::Gossip(gossip.try_into()?),
        })
    }
}

impl From<PeerOperation> for v1::replica_request::Operation {
    fn from(operation: PeerOperation) -> Self {
        match operation {
            PeerOperation::Read => Self::Read(v1::Read {}),
            PeerOperation::Merge { versions, sync } => {
                Self::Merge(v1::Merge { versions: Some((&versions).into()), sync })
            }
        }
    }
}

impl TryFrom<v1::replica_request::Operation> for PeerOperation {
    type Error = Malformed;
    fn try_from(operation: v1::replica_request::Operation) -> Result<Self, Malformed> {
        use v1::replica_request::Operation as Wire;
        Ok(match operation {
            Wire::Read(v1::Read {}) => PeerOperation::Read,
            Wire::Merge(merge) => PeerOperation::Merge {
                versions: need(merge.versions, "the versions to merge")?.try_into()?,
                sync: merge.sync,
            },
        })
    }
}

impl From<ReplicaAnswer> for v1::replica_response::Result {
    fn from(answer: ReplicaAnswer) -> Self {
        match answer {
            ReplicaAnswer::Holds(versions) => Self::Versions((&versions).into()),
            ReplicaAnswer::Merged { durable } => Self::Merged(v1::Merged { durable }),
            // No peer can ask for anything else, so none is ever told of it.
            _ => Self::Failed(v1::Failed {}),
        }
    }
}

impl TryFrom<v1::replica_response::Result> for ReplicaAnswer {
    type Error = Malformed;
    fn try_from(result: v1::replica_response::Result) -> Result<Self, Malformed> {
        use v1::replica_response::Result as Wire;
        Ok(match result {
            Wire::Versions(versions) => ReplicaAnswer::Holds(versions.try_into()?),
            Wire::Merged(v1::Merged { durable }) => ReplicaAnswer::Merged { durable },
            Wire::Failed(v1::Failed {}) => ReplicaAnswer::Failed,
        })
    }
}

/// Without its id, which the message holds.
impl From<ForwardedWrite> for v1::ForwardRequest {
    fn from(forwarded: ForwardedWrite) -> Self {
        let ForwardedWrite { key, write, wanted, timeout } = forwarded;
        v1::ForwardRequest {
            id: 0,
            key: Some((&key).into()),
            request_id: request_to_wire(write.request),
            context: Some(&write.context).filter(|c| !c.is_empty()).map(v1::Context::from),
            value: write.value,
            w: count(wanted.total.unwrap_or(0)),
            pw: count(wanted.primaries),
            strict: wanted.strict,
            timeout_ms: u32::try_from(timeout.as_millis()).unwrap_or(u32::MAX),
        }
    }
}

impl TryFrom<v1::ForwardRequest> for ForwardedWrite {
    type Error = Malformed;
    fn try_from(m: v1::ForwardRequest) -> Result<Self, Malformed> {
        Ok(ForwardedWrite {
            key: need(m.key, "the key")?.try_into()?,
            write: WriteCommand {
                request: request_from_wire(&m.request_id)?,
                context: m.context.map(Context::try_from).transpose()?.unwrap_or_default(),
                value: m.value,
            },
            wanted: Wanted {
                total: Some(uncount(m.w)).filter(|w| *w > 0),
                primaries: uncount(m.pw),
                strict: m.strict,
            },
            timeout: Duration::from_millis(m.timeout_ms.into()),
        })
    }
}
