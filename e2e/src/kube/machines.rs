//! The machines below a Kubernetes that `e2e/run` has started here, for what cannot be
//! done through the API: cutting a pod off, harming a volume.

use super::{Cluster, repository, text};
use crate::command::{Output, run};
use anyhow::{Context, Result, ensure};
use std::path::{Path, PathBuf};

/// What `cluster up` leaves in the directory of a Kubernetes of its own.
const MARK: &str = ".dynamo-e2e-cluster";

/// All machines of the Kubernetes.
#[derive(Debug)]
pub struct Machines {
    dir: PathBuf,
}

impl Machines {
    /// Those of the Kubernetes that KUBECONFIG names; `None`, and a line that says that
    /// `what` is left out, if `e2e/run` did not start it.
    pub fn here(what: &str) -> Option<Machines> {
        let config = PathBuf::from(std::env::var_os("KUBECONFIG")?);
        let dir = config.ancestors().nth(2).filter(|dir| dir.join(MARK).exists());
        if dir.is_none() {
            println!("left out: {what}, for this needs a Kubernetes that e2e/run starts");
        }
        Some(Machines { dir: dir?.to_owned() })
    }

    /// Runs a command on a machine.
    pub fn run(&self, machine: &str, command: &[&str]) -> Result<Output> {
        let (program, dir) = (repository().join("e2e/kube/cluster"), self.dir.to_string_lossy());
        run(&program.to_string_lossy(), &[&["exec", &dir, machine], command].concat())
    }

    /// The directory that is the volume of a pod.
    pub fn volume(&self, cluster: &Cluster<'_>, ordinal: u32) -> Result<PathBuf> {
        let claim = cluster.claim(ordinal)?;
        let volume = cluster.namespace().get(&["pv", text(&claim, "/spec/volumeName")])?;
        let path = Path::new(text(&volume, "/spec/local/path"));
        ensure!(
            path.starts_with(&self.dir) && path.is_dir(),
            "the volume of {} is {path:?}, which is no directory of this Kubernetes",
            cluster.pod(ordinal)
        );
        Ok(path.to_owned())
    }

    /// Drops whatever is sent to or from a pod, until the returned value is dropped.
    pub fn cut_off(&self, cluster: &Cluster<'_>, ordinal: u32) -> Result<Cut<'_>> {
        let pod = cluster.namespace().get(&["pod", &cluster.pod(ordinal)])?;
        let own = |pointer: &str| Some(text(&pod, pointer).to_owned()).filter(|t| !t.is_empty());
        let machine = own("/spec/nodeName").context("the pod has no machine")?;
        let address = own("/status/podIP").context("the pod has no address")?;
        // Begun before the first rule, so that one rule alone is taken back as well.
        let cut = Cut { machines: self, machine, address };
        cut.both_ways("-I")?;
        Ok(cut)
    }
}

/// A pod without a network. Its kubelet still reaches it: what passes through the machine
/// is cut, and not what the machine itself sends.
#[derive(Debug)]
pub struct Cut<'a> {
    machines: &'a Machines,
    machine: String,
    address: String,
}

impl Cut<'_> {
    /// Ends it. Dropping it then finds no rule any more.
    pub fn heal(self) -> Result<()> {
        self.both_ways("-D")
    }

    fn both_ways(&self, action: &str) -> Result<()> {
        let (from, to) = (self.rule(action, "-s"), self.rule(action, "-d"));
        from.and(to)
    }

    fn rule(&self, action: &str, direction: &str) -> Result<()> {
        let rule = ["iptables", action, "FORWARD", direction, &self.address, "-j", "DROP"];
        self.machines.run(&self.machine, &rule)?.ok().map(drop)
    }
}

impl Drop for Cut<'_> {
    fn drop(&mut self) {
        let _ = self.both_ways("-D");
    }
}
