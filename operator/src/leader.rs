//! One operator acts at a time: the one that holds the Lease.

use kube::Client;
use kube_lease_manager::{LeaseManager, LeaseManagerBuilder, LeaseManagerError};
use std::{future::Future, time::Duration};
use tokio::{sync::watch, task::JoinHandle, time::timeout};
use tracing::{info, warn};

/// The name of the Lease.
pub const LEASE: &str = "dynamo-operator";

/// How long a Lease outlives an operator that died without giving it up.
const SECONDS: u64 = 15;

/// How long before that it is renewed.
const GRACE: u64 = 5;

/// How long an operator that stops tries to give the Lease up.
const GIVE_UP: Duration = Duration::from_secs(5);

/// The Lease, held.
pub struct Leadership {
    state: watch::Receiver<bool>,
    task: JoinHandle<Result<LeaseManager, LeaseManagerError>>,
}

impl Leadership {
    /// Waits until the Lease is held.
    pub async fn gain(
        client: Client,
        namespace: &str,
        identity: &str,
    ) -> Result<Self, LeaseManagerError> {
        let manager = LeaseManagerBuilder::new(client, LEASE)
            .with_namespace(namespace)
            .with_identity(identity)
            // Identities are names of pods; each manages the fields it wrote.
            .with_field_manager(format!("dynamo-operator-{identity}"))
            .with_duration(SECONDS)
            .with_grace(GRACE)
            .build()
            .await?;
        info!(namespace, identity, "waiting for the lease");
        let (mut state, task) = manager.watch().await;
        // The sender lives as long as the task, and the task as long as this receiver.
        let _ = state.wait_for(|held| *held).await;
        info!(identity, "leading");
        Ok(Leadership { state, task })
    }

    /// Completes when the Lease is lost. Whoever lost it must end: another may act now.
    pub fn lost(&self) -> impl Future<Output = ()> + Send + Sync + use<> {
        let mut state = self.state.clone();
        async move {
            let _ = state.wait_for(|held| !*held).await;
        }
    }

    /// Gives the Lease up, so that another need not wait for it to run out.
    pub async fn release(self) {
        drop(self.state);
        if !matches!(timeout(GIVE_UP, self.task).await, Ok(Ok(Ok(_)))) {
            warn!("the lease could not be given up; it runs out by itself");
        }
    }
}
