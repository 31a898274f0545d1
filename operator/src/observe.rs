//! Looks: at the API server for objects, pods and volumes, and at the nodes themselves.
//! It changes nothing.

mod read;

use crate::{
    admin,
    build::{self, VOLUME},
    object::Kind,
    observed::{Observed, Pod, Volume},
    validate::ValidatedCluster,
};
use dynamo_core::ring::Ring;
use futures::{StreamExt, TryStreamExt, future::try_join_all, stream};
use k8s_openapi::{
    api::{apps::v1::StatefulSet, core::v1},
    jiff::Timestamp,
};
use kube::{
    Api, Client,
    api::{DynamicObject, ListParams},
};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use tracing::debug;

/// How many nodes are asked at once.
const AT_ONCE: usize = 32;

/// Looks at everything that matters to a cluster.
pub async fn observe(client: &Client, cluster: &ValidatedCluster) -> kube::Result<Observed> {
    let (live, mut pods) = futures::try_join!(objects(client, cluster), pods(client, cluster))?;
    let workload = live.get(&(Kind::StatefulSet, cluster.workload()));
    let set: Option<StatefulSet> = workload.and_then(|w| serde_json::from_value(w.clone()).ok());
    let uid = set.as_ref().and_then(|s| s.metadata.uid.as_deref());
    pods.retain(|(owner, _, _)| owner.is_some() && owner.as_deref() == uid);
    let mut pods: BTreeMap<u32, (Option<String>, Pod)> = pods
        .into_iter()
        .map(|(_, machine, pod)| (read::ordinal(&pod.name), (machine, pod)))
        .collect();
    ask_nodes(&mut pods).await;
    let ring = newest_ring(cluster, &pods).await;
    zones(client, cluster, &mut pods, ring.as_ref()).await?;
    Ok(Observed {
        now: Timestamp::now(),
        workload: set.as_ref().map(read::workload),
        volumes: volumes(client, cluster, set.is_some()).await?,
        pods: pods.into_iter().map(|(o, (_, pod))| (o, pod)).collect(),
        ring,
        live,
    })
}

async fn objects(
    client: &Client,
    cluster: &ValidatedCluster,
) -> kube::Result<BTreeMap<(Kind, String), Value>> {
    let names = [
        (Kind::Service, cluster.peers()),
        (Kind::Service, cluster.workload()),
        (Kind::ServiceAccount, cluster.workload()),
        (Kind::PodDisruptionBudget, cluster.workload()),
        (Kind::NetworkPolicy, cluster.workload()),
        (Kind::StatefulSet, cluster.workload()),
    ];
    let get = |(kind, name): (Kind, String)| async move {
        let api: Api<DynamicObject> =
            Api::namespaced_with(client.clone(), &cluster.namespace, &kind.api());
        let object = api.get_opt(&name).await?;
        let value = object.map(|o| serde_json::to_value(o).map_err(kube::Error::SerdeError));
        Ok::<_, kube::Error>(value.transpose()?.map(|v| ((kind, name), v)))
    };
    Ok(try_join_all(names.map(get)).await?.into_iter().flatten().collect())
}

/// The pods with the labels of the cluster: their owner's uid, their machine, and the
/// rest.
async fn pods(
    client: &Client,
    cluster: &ValidatedCluster,
) -> kube::Result<Vec<(Option<String>, Option<String>, Pod)>> {
    let api: Api<v1::Pod> = Api::namespaced(client.clone(), &cluster.namespace);
    let labels = build::selector_text(cluster);
    let pods = api.list(&ListParams::default().labels(&labels)).await?;
    Ok(pods.iter().map(read::pod).collect())
}

/// What volumes there are matters only until there are a ring and a StatefulSet.
async fn volumes(
    client: &Client,
    cluster: &ValidatedCluster,
    has_workload: bool,
) -> kube::Result<Vec<Volume>> {
    if has_workload && cluster.ring.is_some() {
        return Ok(Vec::new());
    }
    let api: Api<v1::PersistentVolumeClaim> = Api::namespaced(client.clone(), &cluster.namespace);
    let labels = build::selector_text(cluster);
    let claims = api.list(&ListParams::default().labels(&labels)).await?;
    let prefix = format!("{VOLUME}-{}-", cluster.workload());
    Ok(claims.iter().filter_map(|claim| read::volume(claim, &prefix, has_workload)).collect())
}

async fn ask_nodes(pods: &mut BTreeMap<u32, (Option<String>, Pod)>) {
    let ask = |(_, pod): &mut (Option<String>, Pod)| {
        let (name, ip) = (pod.name.clone(), pod.ip.clone().filter(|_| !pod.terminating));
        async move {
            let answer = admin::status(&ip?).await;
            answer.inspect_err(|error| debug!(pod = name, %error, "a node does not answer")).ok()
        }
    };
    let asked: Vec<_> = pods.values_mut().map(ask).collect();
    let answers: Vec<_> = stream::iter(asked).buffered(AT_ONCE).collect().await;
    for ((_, pod), answer) in pods.values_mut().zip(answers) {
        pod.node = answer;
    }
}

/// The ring of a node with the highest epoch; another is asked if it does not answer.
async fn newest_ring(
    cluster: &ValidatedCluster,
    pods: &BTreeMap<u32, (Option<String>, Pod)>,
) -> Option<Ring> {
    let id = cluster.ring?.id;
    let mut holders: Vec<_> = pods
        .values()
        .filter_map(|(_, pod)| Some((pod.node_of(id)?.epoch, pod)))
        .filter(|(epoch, _)| *epoch > 0)
        .collect();
    holders.sort_by_key(|(epoch, _)| std::cmp::Reverse(*epoch));
    for (_, pod) in holders {
        match admin::ring(pod.ip.as_deref().unwrap_or_default()).await {
            Ok(Some(ring)) => return Some(ring),
            Ok(None) => {}
            Err(error) => debug!(pod = pod.name, %error, "a node does not give its ring"),
        }
    }
    None
}

/// Looks up the zone of those pods of which the ring does not tell it.
async fn zones(
    client: &Client,
    cluster: &ValidatedCluster,
    pods: &mut BTreeMap<u32, (Option<String>, Pod)>,
    ring: Option<&Ring>,
) -> kube::Result<()> {
    let seated: BTreeSet<_> = ring.iter().flat_map(|r| r.seats()).map(|s| s.node).collect();
    let unknown = |pod: &Pod| pod.node.as_ref().is_some_and(|n| !seated.contains(&n.id));
    let machines: BTreeSet<String> =
        pods.values().filter(|(_, p)| unknown(p)).filter_map(|(m, _)| m.clone()).collect();
    let api: &Api<v1::Node> = &Api::all(client.clone());
    let zone = |machine: String| async move {
        let labels = api.get_metadata_opt(&machine).await?.and_then(|n| n.metadata.labels);
        let zone = labels.and_then(|mut l| l.remove(&cluster.placement.zone_key));
        Ok::<_, kube::Error>((machine, zone))
    };
    let zones: BTreeMap<String, Option<String>> =
        stream::iter(machines.into_iter().map(zone)).buffered(AT_ONCE).try_collect().await?;
    for (machine, pod) in pods.values_mut().filter(|(_, p)| unknown(p)) {
        pod.zone = machine.as_ref().and_then(|m| zones.get(m).cloned().flatten());
    }
    Ok(())
}
