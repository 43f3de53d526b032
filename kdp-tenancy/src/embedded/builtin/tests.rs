use serde_json::{Value, json};

use super::{object_meta_schema, resources};
use crate::embedded::resource::ApiResource;

fn resource(plural: &str, version: &str) -> &'static ApiResource {
    resources().iter().find(|resource| resource.plural == plural && resource.version == version).unwrap()
}

fn for_each_schema(schema: &Value, path: &str, visit: &mut impl FnMut(&str, &Value)) {
    visit(path, schema);
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        for_each_schema(property, &format!("{path}.{name}"), visit);
    }
    for keyword in ["items", "additionalProperties"] {
        if schema[keyword].is_object() {
            for_each_schema(&schema[keyword], &format!("{path}[]"), visit);
        }
    }
}

#[test]
fn a_workspace_serves_these_kinds() {
    let mut listed: Vec<String> = resources()
        .iter()
        .map(|r| {
            let scope = if r.namespaced { "namespaced" } else { "cluster" };
            let verbs = if r.serves("list") { "stored" } else { "create only" };
            let subresources: String =
                r.subresources.iter().map(|subresource| format!(" +{}", subresource.name)).collect();
            format!("{} {} {} {scope} {verbs}{subresources}", r.api_version(), r.plural, r.kind)
        })
        .collect();
    listed.sort();
    assert_eq!(
        listed,
        [
            "apiextensions.k8s.io/v1 customresourcedefinitions CustomResourceDefinition cluster stored +status",
            "apis.kcp.io/v1alpha1 apibindings APIBinding cluster stored +status",
            "apis.kcp.io/v1alpha1 apiexportendpointslices APIExportEndpointSlice cluster stored +status",
            "apis.kcp.io/v1alpha1 apiexports APIExport cluster stored +status",
            "apis.kcp.io/v1alpha1 apiresourceschemas APIResourceSchema cluster stored",
            "apis.kcp.io/v1alpha2 apibindings APIBinding cluster stored +status",
            "apis.kcp.io/v1alpha2 apiexports APIExport cluster stored +status",
            "authentication.k8s.io/v1 selfsubjectreviews SelfSubjectReview cluster create only",
            "authentication.k8s.io/v1 tokenreviews TokenReview cluster create only",
            "authorization.k8s.io/v1 localsubjectaccessreviews LocalSubjectAccessReview namespaced create only",
            "authorization.k8s.io/v1 selfsubjectaccessreviews SelfSubjectAccessReview cluster create only",
            "authorization.k8s.io/v1 selfsubjectrulesreviews SelfSubjectRulesReview cluster create only",
            "authorization.k8s.io/v1 subjectaccessreviews SubjectAccessReview cluster create only",
            "coordination.k8s.io/v1 leases Lease namespaced stored",
            "core.kcp.io/v1alpha1 logicalclusters LogicalCluster cluster stored +status",
            "rbac.authorization.k8s.io/v1 clusterrolebindings ClusterRoleBinding cluster stored",
            "rbac.authorization.k8s.io/v1 clusterroles ClusterRole cluster stored",
            "rbac.authorization.k8s.io/v1 rolebindings RoleBinding namespaced stored",
            "rbac.authorization.k8s.io/v1 roles Role namespaced stored",
            "tenancy.kcp.io/v1alpha1 workspaces Workspace cluster stored +status",
            "tenancy.kcp.io/v1alpha1 workspacetypes WorkspaceType cluster stored +status",
            "v1 configmaps ConfigMap namespaced stored",
            "v1 events Event namespaced stored",
            "v1 limitranges LimitRange namespaced stored",
            "v1 namespaces Namespace cluster stored +finalize +status",
            "v1 resourcequotas ResourceQuota namespaced stored +status",
            "v1 secrets Secret namespaced stored",
            "v1 serviceaccounts ServiceAccount namespaced stored",
        ]
    );
}

#[test]
fn no_schema_refers_to_another() {
    for resource in resources() {
        assert_eq!(resource.schema["type"], "object", "{}", resource.kind);
        for_each_schema(&resource.schema, &resource.kind, &mut |path, schema| {
            for keyword in ["$ref", "$schema", "definitions"] {
                assert_eq!(schema.get(keyword), None, "{path}");
            }
        });
    }
}

#[test]
fn every_object_has_the_same_metadata() {
    for resource in resources() {
        let properties = &resource.schema["properties"];
        assert_eq!(&properties["metadata"], object_meta_schema(), "{}", resource.kind);
        assert_eq!(properties["kind"]["type"], "string", "{}", resource.kind);
        let required = resource.schema["required"].as_array().map(Vec::as_slice).unwrap_or_default();
        assert!(!required.contains(&"metadata".into()), "{}", resource.kind);
    }
}

#[test]
fn lists_and_maps_merge_as_in_kubernetes() {
    let check = |plural: &str, pointer: &str, expected: Value| {
        let schema = resource(plural, "v1").schema.pointer(pointer).unwrap_or_else(|| panic!("{plural} {pointer}"));
        let fields = schema.as_object().unwrap().iter().filter(|(keyword, _)| keyword.starts_with("x-"));
        assert_eq!(fields.map(|(k, v)| (k.clone(), v.clone())).collect::<Value>(), expected, "{plural} {pointer}");
    };
    let keyed = |key: &str| {
        json!({
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": [key],
            "x-kubernetes-patch-strategy": "merge",
            "x-kubernetes-patch-merge-key": key,
        })
    };
    let set = json!({"x-kubernetes-list-type": "set", "x-kubernetes-patch-strategy": "merge"});
    let atomic = json!({"x-kubernetes-list-type": "atomic"});
    check("configmaps", "/properties/metadata/properties/ownerReferences", keyed("uid"));
    check("configmaps", "/properties/metadata/properties/finalizers", set);
    check("configmaps", "/properties/metadata/properties/managedFields", atomic.clone());
    check("configmaps", "/properties/metadata/properties/labels", json!({}));
    check("serviceaccounts", "/properties/secrets", keyed("name"));
    check("serviceaccounts", "/properties/imagePullSecrets", atomic.clone());
    check("namespaces", "/properties/status/properties/conditions", keyed("type"));
    check("events", "/properties/involvedObject", json!({"x-kubernetes-map-type": "atomic"}));
    check("roles", "/properties/rules", atomic.clone());
    check("rolebindings", "/properties/roleRef", json!({"x-kubernetes-map-type": "atomic"}));
    check("customresourcedefinitions", "/properties/spec/properties/versions", atomic);
    check(
        "customresourcedefinitions",
        "/properties/status/properties/conditions",
        json!({"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]}),
    );
}

#[test]
fn special_types_have_their_wire_form() {
    let check = |plural: &str, pointer: &str, expected: Value| {
        let mut schema = resource(plural, "v1").schema.pointer(pointer).unwrap().clone();
        schema.as_object_mut().unwrap().remove("description");
        assert_eq!(schema, expected, "{plural} {pointer}");
    };
    let time = json!({"type": "string", "format": "date-time"});
    let quantity = json!({"oneOf": [{"type": "string"}, {"type": "number"}]});
    let open = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    check("configmaps", "/properties/metadata/properties/creationTimestamp", time.clone());
    check("leases", "/properties/spec/properties/renewTime", time);
    check("secrets", "/properties/data/additionalProperties", json!({"type": "string", "format": "byte"}));
    check("resourcequotas", "/properties/spec/properties/hard/additionalProperties", quantity);
    check("configmaps", "/properties/metadata/properties/managedFields/items/properties/fieldsV1", open.clone());
    check(
        "customresourcedefinitions",
        "/properties/spec/properties/versions/items/properties/schema/properties/openAPIV3Schema",
        open,
    );
}
