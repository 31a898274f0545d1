//! The first frame in each direction: who is there. A node talks to nodes of its own
//! cluster that speak its protocol, and never to itself.

use bytes::Bytes;
use dynamo_core::id::{Generation, NodeId};
use dynamo_proto::{
    PROTOCOL,
    v1::{Frame, Hello, frame::Content},
};
use uuid::Uuid;

/// Who this process is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Local {
    pub(crate) cluster: Uuid,
    pub(crate) node: NodeId,
    pub(crate) generation: Generation,
}

/// Why nobody talks to whoever said that hello.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadHello {
    #[error("the first frame is no hello")]
    Missing,
    #[error("the cluster id has {0} bytes, not 16")]
    ClusterId(usize),
    #[error("node {node} is of cluster {theirs}, this one of cluster {ours}: check the addresses")]
    OtherCluster { node: NodeId, theirs: Uuid, ours: Uuid },
    #[error("node {node} speaks protocol {theirs}, this one {PROTOCOL}")]
    Protocol { node: NodeId, theirs: u32 },
    #[error(
        "that is node {0}, which this one is itself: an address leads back here, or a data \
         directory was copied"
    )]
    ThisNode(NodeId),
}

impl Local {
    /// What this process says first.
    pub(crate) fn hello(&self) -> Frame {
        let hello = Hello {
            cluster_id: Bytes::copy_from_slice(self.cluster.as_bytes()),
            node: self.node.0,
            generation: self.generation.0,
            protocol: PROTOCOL,
        };
        Frame { content: Some(Content::Hello(hello)) }
    }

    /// Who said that first frame.
    pub(crate) fn check(&self, frame: Option<Frame>) -> Result<(NodeId, Generation), BadHello> {
        let Some(Content::Hello(hello)) = frame.and_then(|f| f.content) else {
            return Err(BadHello::Missing);
        };
        let node = NodeId(hello.node);
        let id = hello.cluster_id;
        let theirs = Uuid::from_slice(&id).map_err(|_| BadHello::ClusterId(id.len()))?;
        if theirs != self.cluster {
            return Err(BadHello::OtherCluster { node, theirs, ours: self.cluster });
        }
        if hello.protocol != PROTOCOL {
            return Err(BadHello::Protocol { node, theirs: hello.protocol });
        }
        if node == self.node {
            return Err(BadHello::ThisNode(node));
        }
        Ok((node, Generation(hello.generation)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn local(cluster: u128, node: u64) -> Local {
        Local { cluster: Uuid::from_u128(cluster), node: NodeId(node), generation: Generation(3) }
    }

    #[test]
    fn nodes_of_one_cluster_talk() {
        let said = Some(local(1, 2).hello());
        assert_eq!(local(1, 1).check(said), Ok((NodeId(2), Generation(3))));
    }

    #[test]
    fn nobody_else_is_talked_to() {
        let ours = local(1, 1);
        let refused = ours.check(Some(local(2, 2).hello())).unwrap_err().to_string();
        for cluster in [1, 2] {
            assert!(refused.contains(&Uuid::from_u128(cluster).to_string()), "{refused}");
        }
        assert_eq!(ours.check(Some(local(1, 1).hello())), Err(BadHello::ThisNode(NodeId(1))));
        assert_eq!(ours.check(None), Err(BadHello::Missing));
        assert_eq!(ours.check(Some(Frame { content: None })), Err(BadHello::Missing));
        let newer = Hello { protocol: 2, cluster_id: vec![0; 16].into(), ..Hello::default() };
        let zero = Local { cluster: Uuid::nil(), ..ours };
        let newer = Some(Frame { content: Some(Content::Hello(newer)) });
        assert_eq!(zero.check(newer), Err(BadHello::Protocol { node: NodeId(0), theirs: 2 }));
    }
}
