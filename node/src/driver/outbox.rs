//! What a turn wants to leave the node, kept back until the turn's batch is on disk.

use dynamo_core::{
    id::NodeId,
    message::Message,
    node::{Effect, Note, OrderRefused, Token},
    replica::Job,
    request::Reply,
    store::Record,
};
use std::collections::BTreeMap;
use tokio::sync::oneshot;

/// The effects of some inputs, by what is done with them.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    pub(super) jobs: Vec<Job>,
    pub(super) records: Vec<Record>,
    pub(super) notes: Vec<Note>,
    /// One batch for each peer, whatever the number of messages.
    pub(super) to_peers: BTreeMap<NodeId, Vec<Message>>,
    pub(super) to_seeds: Vec<(String, Message)>,
    pub(super) replies: Vec<(Token, Reply)>,
    pub(super) obeyed: Vec<(Token, Result<u64, OrderRefused>)>,
}

impl Outbox {
    /// Sorts effects, keeping the order within each kind.
    pub(super) fn take(&mut self, effects: &mut Vec<Effect>) {
        for effect in effects.drain(..) {
            match effect {
                Effect::Persist(record) => self.records.push(record),
                Effect::Replica(job) => self.jobs.push(job),
                Effect::Send(node, message) => {
                    self.to_peers.entry(node).or_default().push(message);
                }
                Effect::SendToSeed(address, message) => self.to_seeds.push((address, message)),
                Effect::Reply(token, reply) => self.replies.push((token, reply)),
                Effect::Obeyed(token, result) => self.obeyed.push((token, result)),
                Effect::Note(note) => self.notes.push(note),
            }
        }
    }
}

/// Who waits for the answer to which token.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    last: u64,
    clients: BTreeMap<Token, oneshot::Sender<Reply>>,
    operators: BTreeMap<Token, oneshot::Sender<Result<u64, OrderRefused>>>,
}

impl Waiting {
    pub(super) fn client(&mut self, client: oneshot::Sender<Reply>) -> Token {
        let token = self.token();
        self.clients.insert(token, client);
        token
    }

    pub(super) fn operator(
        &mut self,
        operator: oneshot::Sender<Result<u64, OrderRefused>>,
    ) -> Token {
        let token = self.token();
        self.operators.insert(token, operator);
        token
    }

    /// A token whose answer nobody waits for.
    pub(super) fn token(&mut self) -> Token {
        self.last += 1;
        Token(self.last)
    }

    /// Gives the answers to whoever has not gone away in the meantime.
    pub(super) fn answer(&mut self, outbox: &mut Outbox) {
        for (token, reply) in outbox.replies.drain(..) {
            let _ = self.clients.remove(&token).map(|client| client.send(reply));
        }
        for (token, result) in outbox.obeyed.drain(..) {
            let _ = self.operators.remove(&token).map(|operator| operator.send(result));
        }
    }
}
