//! The CustomResourceDefinition as it is installed.

use super::DynamoCluster;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};
use kube::CustomResourceExt;

/// The longest string where the type itself sets no limit.
const MAX_LENGTH: i64 = 4096;

/// The longest list or map where the type itself sets no limit.
const MAX_ITEMS: i64 = 64;

/// The definition, with a maximum for every string, list and map.
///
/// The embedded Kubernetes types set none. Without them one object could fill etcd's
/// limit, and the API server would estimate rules that look into them as too costly.
pub fn definition() -> CustomResourceDefinition {
    let mut crd = DynamoCluster::crd();
    for version in &mut crd.spec.versions {
        let schema = version.schema.as_mut().and_then(|s| s.open_api_v3_schema.as_mut());
        if let Some(schema) = schema {
            bound(schema);
        }
    }
    crd
}

fn bound(schema: &mut JSONSchemaProps) {
    let bounded = schema.enum_.is_some() || schema.format.is_some();
    match schema.type_.as_deref() {
        Some("string") if !bounded => {
            schema.max_length.get_or_insert(MAX_LENGTH);
        }
        Some("array") => {
            schema.max_items.get_or_insert(MAX_ITEMS);
        }
        _ => {}
    }
    if let Some(JSONSchemaPropsOrArray::Schema(items)) = schema.items.as_mut() {
        bound(items);
    }
    if let Some(JSONSchemaPropsOrBool::Schema(values)) = schema.additional_properties.as_mut() {
        schema.max_properties.get_or_insert(MAX_ITEMS);
        bound(values);
    }
    for property in schema.properties.iter_mut().flat_map(|p| p.values_mut()) {
        bound(property);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_generated_file_is_up_to_date() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../crds/dynamoclusters.dynamokv.io.yaml");
        let file = std::fs::read_to_string(path).unwrap_or_default();
        let types = serde_yaml_ng::to_string(&definition()).unwrap();
        assert!(
            file.ends_with(&types),
            "crds/ differs from the types: cargo run --release -p dynamo-operator --bin crdgen \
             -- --out crds"
        );
    }

    #[test]
    fn no_field_has_a_name_that_yaml_reads_as_a_boolean() {
        let text = serde_json::to_string(&definition()).unwrap();
        for name in ["n", "N", "y", "Y", "on", "off", "yes", "no"] {
            assert!(!text.contains(&format!("\"{name}\":")), "{name}");
        }
    }
}
