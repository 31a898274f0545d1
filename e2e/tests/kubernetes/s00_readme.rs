//! What the documents tell users to type, as it is written there.

use anyhow::{Result, ensure};
use dynamo_e2e::command::run_with;
use dynamo_e2e::docs::commands;
use dynamo_e2e::kube::{Namespace, kubectl, repository, scenario};

/// How long a block may take: it waits for pods.
const SECONDS: u32 = 300;

#[test]
#[ignore = "needs a Kubernetes: e2e/run"]
fn the_commands_of_the_documents_work() -> Result<()> {
    scenario("readme", |ns| {
        let shell = Shell::new(ns)?;
        let printed = shell.run(commands(&read("README.md")?, "On Kubernetes")?)?;
        ensure!(printed.ends_with("hello"), "README ended with {printed:?}");
        // The same cluster, of which operations.md says how to look at it.
        shell.run(commands(&read("docs/operations.md")?, "Install")?)?;
        shell.run(commands(&read("docs/operations.md")?, "Look at it")?)?;
        Ok(())
    })
}

fn read(document: &str) -> Result<String> {
    Ok(std::fs::read_to_string(repository().join(document))?)
}

/// A user's shell in the checkout, with a kubeconfig whose namespace is the scenario's.
struct Shell {
    kubeconfig: tempfile::NamedTempFile,
}

impl Shell {
    fn new(ns: &Namespace) -> Result<Self> {
        let kubeconfig = tempfile::NamedTempFile::new()?;
        std::fs::write(&kubeconfig, kubectl(&["config", "view", "--raw"])?.ok()?)?;
        let file = format!("--kubeconfig={}", kubeconfig.path().display());
        let namespace = format!("--namespace={}", ns.name());
        kubectl(&["config", &file, "set-context", "--current", &namespace])?.ok()?;
        Ok(Shell { kubeconfig })
    }

    fn run(&self, commands: &str) -> Result<String> {
        let script = format!(
            "set -e; cd '{}'; export KUBECONFIG='{}'\n{commands}",
            repository().display(),
            self.kubeconfig.path().display()
        );
        run_with("bash", &["-s"], &script, SECONDS)?.ok()
    }
}
