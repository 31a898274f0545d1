//! Objects as they are applied, and whether what exists already is what is wanted.
//!
//! An idle operator writes nothing, so it must be able to tell. Two things are looked
//! at: a fingerprint of what was applied last (an annotation), which sees that something
//! is no longer wanted, and the object itself, which sees that somebody changed it.

use k8s_openapi::{
    NamespaceResourceScope,
    api::{
        apps::v1::StatefulSet,
        core::v1::{Service, ServiceAccount},
        networking::v1::NetworkPolicy,
        policy::v1::PodDisruptionBudget,
    },
};
use kube::{Resource, ResourceExt, api::ApiResource};
use serde::Serialize;
use serde_json::{Value, json};
use std::hash::{DefaultHasher, Hash, Hasher};

mod quantity;

/// The fingerprint of what was applied last. It may change between versions of the
/// operator; the cost is one write that changes nothing.
const APPLIED: &str = "dynamokv.io/applied";

/// The kinds of objects made for a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Names for pods, and the way in.
    Service,
    /// Who the pods are.
    ServiceAccount,
    /// What drains may interrupt.
    PodDisruptionBudget,
    /// Who may talk to pods.
    NetworkPolicy,
    /// The pods and their volumes.
    StatefulSet,
}

impl Kind {
    /// How the API server knows it.
    pub fn api(self) -> ApiResource {
        match self {
            Kind::Service => ApiResource::erase::<Service>(&()),
            Kind::ServiceAccount => ApiResource::erase::<ServiceAccount>(&()),
            Kind::PodDisruptionBudget => ApiResource::erase::<PodDisruptionBudget>(&()),
            Kind::NetworkPolicy => ApiResource::erase::<NetworkPolicy>(&()),
            Kind::StatefulSet => ApiResource::erase::<StatefulSet>(&()),
        }
    }
}

/// What is wanted, ready to be applied.
#[derive(Clone, Debug, PartialEq)]
pub struct Object {
    /// Its kind.
    pub kind: Kind,
    /// Its name.
    pub name: String,
    /// All of it, with the fingerprint.
    pub body: Value,
}

/// How what exists compares with what is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Difference {
    /// It is what is wanted.
    None,
    /// It does not exist, or something else was wanted when it was applied last.
    Wanted,
    /// Somebody changed it.
    Drift,
}

impl Object {
    /// Takes an object that a builder has made.
    ///
    /// # Panics
    /// When the object cannot be written as JSON, which those of Kubernetes always can.
    pub fn new<K>(kind: Kind, object: &K) -> Self
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Serialize,
    {
        let mut body = serde_json::to_value(object).expect("Kubernetes objects are JSON");
        let mut fingerprint = DefaultHasher::new();
        body.to_string().hash(&mut fingerprint);
        body["metadata"]["annotations"][APPLIED] = json!(format!("{:016x}", fingerprint.finish()));
        Object { kind, name: object.name_any(), body }
    }

    /// Compares with what exists.
    pub fn difference(&self, live: Option<&Value>) -> Difference {
        let Some(live) = live else { return Difference::Wanted };
        let fingerprint = |v: &Value| v["metadata"]["annotations"][APPLIED].clone();
        if fingerprint(live) != fingerprint(&self.body) {
            Difference::Wanted
        } else if holds(live, &self.body) {
            Difference::None
        } else {
            Difference::Drift
        }
    }
}

/// Whether everything in `wanted` is in `live`, which may hold more: defaults of the API
/// server and what other controllers add.
fn holds(live: &Value, wanted: &Value) -> bool {
    match (live, wanted) {
        (Value::Object(live), Value::Object(wanted)) => wanted.iter().all(|(key, wanted)| {
            live.get(key).map_or_else(|| is_empty(wanted), |live| holds(live, wanted))
        }),
        (Value::Array(live), Value::Array(wanted)) => {
            live.len() == wanted.len() && live.iter().zip(wanted).all(|(l, w)| holds(l, w))
        }
        (Value::String(live), Value::String(wanted)) => {
            live == wanted || quantity::equal(live, wanted)
        }
        (live, wanted) => live == wanted,
    }
}

/// What the API server leaves out when it writes an object.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(b) => !b,
        Value::Number(n) => n.as_f64() == Some(0.0),
        Value::String(s) => s.is_empty(),
        Value::Array(a) => a.is_empty(),
        Value::Object(o) => o.values().all(is_empty),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::api::core::v1::ServiceSpec;
    use kube::api::ObjectMeta;

    fn service(kind: Option<&str>) -> Object {
        let spec = ServiceSpec { type_: kind.map(Into::into), ..ServiceSpec::default() };
        let metadata = ObjectMeta { name: Some("s".into()), ..ObjectMeta::default() };
        let service = Service { metadata, spec: Some(spec), ..Service::default() };
        Object::new(Kind::Service, &service)
    }

    #[test]
    fn what_others_add_is_no_difference_and_what_they_change_is() {
        let wanted = service(Some("ClusterIP"));
        assert_eq!(wanted.difference(None), Difference::Wanted);
        let mut live = wanted.body.clone();
        live["spec"]["clusterIP"] = json!("10.0.0.1");
        assert_eq!(wanted.difference(Some(&live)), Difference::None);
        live["spec"]["type"] = json!("NodePort");
        assert_eq!(wanted.difference(Some(&live)), Difference::Drift);
    }

    #[test]
    fn what_is_no_longer_wanted_is_seen() {
        let before = service(Some("ClusterIP")).body;
        assert_eq!(service(None).difference(Some(&before)), Difference::Wanted);
    }

    #[test]
    fn the_same_amount_written_differently_is_the_same() {
        assert!(holds(&json!({"cpu": "500m"}), &json!({"cpu": "0.5"})));
        assert!(!holds(&json!({"cpu": "500m"}), &json!({"cpu": "0.6"})));
        assert!(holds(&json!({}), &json!({"emptyDir": {}, "list": [], "flag": false})));
        assert!(!holds(&json!({"list": [1, 2]}), &json!({"list": [1]})));
    }
}
