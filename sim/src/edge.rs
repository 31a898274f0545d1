//! The edge of a node, as clients meet it: contexts leave it sealed, and come back as
//! clients have kept them (proto, `context`). The nodes themselves never see a seal.

use crate::{clients::Call, invariants::context_opens_for_its_key, world::World};
use bytes::Bytes;
use dynamo_core::{
    key::Key,
    node::Token,
    request::{Command, Reply, Request},
    ring::Seal,
    version::Context,
};
use dynamo_proto::context;

/// Of so many writes one presents a wrong context first.
const WRONG_EVERY: u64 = 4;

/// What a client has seen of a key: what it carries, and what the oracle knows is in it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    pub(crate) context: Context,
    pub(crate) sealed: Bytes,
}

impl World {
    /// What the client of a call keeps of its answer.
    pub(crate) fn sealed(&self, m: usize, key: &Key, reply: &Reply) -> Option<Seen> {
        let context = match reply {
            Reply::Got(got) => &got.context,
            Reply::Written(written) => written.context.as_ref()?,
            Reply::Refused(_) => return None,
        };
        let sealed = context::seal(self.seal(m)?, key, context);
        Some(Seen { context: context.clone(), sealed })
    }

    /// A request as the node takes it up: with the context that its client presents.
    pub(crate) fn opened(&mut self, token: Token) -> Option<Request> {
        let Call { client, machine, ref request, ref presents, .. } = self.calls[&token];
        let mut request = request.clone();
        let key = request.key.clone();
        // Without a ring it refuses whatever it is asked.
        let (Command::Write(write), Some(seal)) = (&mut request.command, self.seal(machine)) else {
            return Some(request);
        };
        let opened = context::open(seal, &key, presents);
        let other = self.clients[client].seen_of_another(&key);
        let wrong = other.filter(|_| token.0.is_multiple_of(WRONG_EVERY));
        let wrong = wrong.map(|seen| context::open(seal, &key, &seen.sealed));
        let result = context_opens_for_its_key::check(&key, &write.context, &opened, wrong);
        self.judge(|_| result);
        write.context = opened.ok()?;
        Some(request)
    }

    fn seal(&self, m: usize) -> Option<&Seal> {
        Some(self.machines[m].process.as_ref()?.node.ring()?.seal())
    }
}
