//! What the documents tell users to type at the command line, as it is written there.

use crate::running::Running;
use dynamo_e2e::{command::run_with, docs::commands, kube::repository, local_ring::built_program};

#[tokio::test]
async fn the_commands_of_the_documents_work() {
    let ring = Running::start(3).await;
    let dynamo = built_program("dynamo").unwrap();
    let programs = dynamo.parent().unwrap().display();
    let checkout = repository();
    for (document, heading) in
        [("README.md", "The command line and the API"), ("docs/api.md", "The command line")]
    {
        // The commands leave files behind, and read one of the checkout.
        let directory = tempfile::tempdir().unwrap();
        std::fs::copy(checkout.join("README.md"), directory.path().join("README.md")).unwrap();
        let text = std::fs::read_to_string(checkout.join(document)).unwrap();
        let script = format!(
            "set -e; cd '{}'; export PATH='{programs}':\"$PATH\" DYNAMO_SERVER={}\n{}",
            directory.path().display(),
            ring.nodes()[0].client_address(),
            commands(&text, heading).unwrap(),
        );
        let printed = run_with("bash", &["-s"], &script, 60).unwrap().ok().unwrap();
        assert!(printed.contains("partitions"), "{document} ended without a ring: {printed}");
    }
}
