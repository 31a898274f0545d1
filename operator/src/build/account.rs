//! The service account of the pods: nodes never talk to Kubernetes, so it has no token.

use super::metadata;
use crate::validate::ValidatedCluster;
use k8s_openapi::api::core::v1::ServiceAccount;

/// An account without a token and without rights.
pub fn service_account(cluster: &ValidatedCluster) -> ServiceAccount {
    ServiceAccount {
        metadata: metadata(cluster, cluster.workload()),
        automount_service_account_token: Some(false),
        ..ServiceAccount::default()
    }
}
