//! A ring with a directory that is removed after it.

use dynamo_e2e::local_ring::{LocalRing, Setup, built_program, ports};
use std::{ops, path::Path};
use tempfile::TempDir;

/// A started ring. The fields are dropped in this order: the nodes end first.
pub(crate) struct Running {
    ring: LocalRing,
    _dir: TempDir,
}

impl Running {
    /// So many nodes, N=3 or less if there are fewer of them.
    pub(crate) async fn start(nodes: u16) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut ring = LocalRing::new(setup(dir.path(), nodes));
        ring.start().await.unwrap();
        Running { ring, _dir: dir }
    }
}

/// What a ring of so many nodes in that directory is started from.
pub(crate) fn setup(dir: &Path, nodes: u16) -> Setup {
    let factor = nodes.min(3);
    let quorum = (factor / 2 + 1).to_string();
    let flags = ["--read-quorum", &quorum, "--write-quorum", &quorum];
    Setup {
        program: built_program("dynamo-node").unwrap(),
        dir: dir.to_owned(),
        ports: ports::free(nodes).unwrap(),
        factor: factor.into(),
        partitions: 64,
        flags: flags.map(str::to_owned).to_vec(),
        within: Vec::new(),
    }
}

impl ops::Deref for Running {
    type Target = LocalRing;

    fn deref(&self) -> &LocalRing {
        &self.ring
    }
}

impl ops::DerefMut for Running {
    fn deref_mut(&mut self) -> &mut LocalRing {
        &mut self.ring
    }
}
