#![expect(clippy::needless_pass_by_value, reason = "tables of json! literals read best by value")]

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{apis, from_stored, is_needed, to_stored};
use crate::embedded::builtin;

fn resource(plural: &str, version: &str) -> &'static crate::embedded::resource::ApiResource {
    builtin::resources().iter().find(|r| r.plural == plural && r.version == version).unwrap()
}

fn stored(plural: &str, v1: Value) -> Value {
    let mut object = v1;
    to_stored(resource(plural, "v1alpha1"), &mut object).unwrap();
    object
}

fn shown(plural: &str, v2: Value) -> Value {
    let mut object = v2;
    from_stored(resource(plural, "v1alpha1"), &mut object);
    object
}

fn parked(value: Value) -> String {
    value.to_string()
}

#[test]
fn only_the_old_version_of_exports_and_bindings_is_converted() {
    let needed: Vec<_> = builtin::resources()
        .iter()
        .filter(|resource| is_needed(resource))
        .map(|resource| format!("{} {}", resource.plural, resource.version))
        .collect();
    assert_eq!(needed, ["apibindings v1alpha1", "apiexports v1alpha1"]);
}

#[test]
fn a_schema_name_says_group_and_resource() {
    let old = json!({"spec": {"latestResourceSchemas": ["today.cowboys.wild.west", "v1.things.core"]}});
    let new = json!({"spec": {"resources": [
        {"group": "wild.west", "name": "cowboys", "schema": "today.cowboys.wild.west", "storage": {"crd": {}}},
        {"group": "", "name": "things", "schema": "v1.things.core", "storage": {"crd": {}}},
    ]}});
    assert_eq!(stored("apiexports", old.clone()), new);
    assert_eq!(shown("apiexports", new), old);
}

#[test]
fn a_name_without_group_is_refused() {
    let mut export = json!({"spec": {"latestResourceSchemas": ["v1.things"]}});
    let errors = apis::export_to_stored(&mut export).unwrap_err();
    assert_eq!(errors[0].to_string().split(':').next(), Some("spec.latestResourceSchemas[0]"));
}

#[test]
fn a_claim_of_the_old_version_is_on_every_verb_and_object() {
    let old =
        json!({"spec": {"permissionClaims": [{"group": "", "resource": "secrets", "all": true, "state": "Accepted"}]}});
    let new = json!({"spec": {"permissionClaims": [
        {"group": "", "resource": "secrets", "verbs": ["*"], "selector": {"matchAll": true}, "state": "Accepted"},
    ]}});
    assert_eq!(stored("apibindings", old.clone()), new);
    assert_eq!(shown("apibindings", new), old);
}

#[test]
fn what_the_old_version_cannot_say_is_parked_where_kcp_parks_it() {
    let claim = json!({"group": "", "resource": "secrets", "verbs": ["get"], "selector": {"matchLabels": {"a": "b"}}, "state": "Accepted"});
    let new = json!({"metadata": {"name": "x"}, "spec": {"permissionClaims": [claim]}});
    let old = json!({
        "metadata": {"name": "x", "annotations": {"apis.v1alpha2.kcp.io/acceptable-permission-claims": parked(json!([claim]))}},
        "spec": {"permissionClaims": [{"group": "", "resource": "secrets", "state": "Accepted"}]},
    });
    assert_eq!(shown("apibindings", new.clone()), old);
    let back = stored("apibindings", old);
    assert_eq!(back, new);
}

#[test]
fn an_annotation_that_cannot_be_read_fails_the_write_and_no_read() {
    for text in ["", "{}", "[1]", "null", "[[]]"] {
        let broken = json!({"metadata": {"annotations": {
            "apis.v1alpha2.kcp.io/permission-claims": text, "apis.v1alpha2.kcp.io/v1alpha1-permission-claims": text,
            "apis.v1alpha2.kcp.io/resource-schemas": text,
        }}, "spec": {"permissionClaims": [{"resource": "secrets", "verbs": ["*"]}]}});
        assert_eq!(
            shown("apiexports", broken.clone()),
            json!({"metadata": {}, "spec": {"permissionClaims": [{"resource": "secrets"}]}})
        );
        assert_eq!(to_stored(resource("apiexports", "v1alpha1"), &mut broken.clone()).unwrap_err().len(), 2);
    }
}

fn name() -> impl Strategy<Value = String> {
    "[a-c]{1,2}"
}

fn selector() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(json!({"matchAll": true})),
        (name(), name()).prop_map(|(key, value)| json!({"matchLabels": {key: value}})),
        name().prop_map(|key| json!({"matchExpressions": [{"key": key, "operator": "Exists"}]})),
    ]
}

fn verbs() -> impl Strategy<Value = Value> {
    prop_oneof![Just(json!(["*"])), Just(json!(["get"])), Just(json!(["get", "*"])), Just(json!(["list", "watch"]))]
}

/// Claims on different resources, each completed by `member`.
fn claims<S: Strategy<Value = Value>>(member: impl Fn() -> S) -> impl Strategy<Value = Vec<Value>> {
    let one = (name(), proptest::option::of(name()), member()).prop_map(|(resource, hash, more)| {
        let mut claim = json!({"group": "", "resource": resource});
        if let Some(hash) = hash {
            claim["identityHash"] = hash.into();
        }
        claim.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        claim
    });
    proptest::collection::vec(one, 0..4).prop_map(|mut claims| {
        let mut seen = std::collections::HashSet::new();
        claims.retain(|claim| seen.insert((claim["resource"].clone(), claim["identityHash"].clone().to_string())));
        claims
    })
}

fn v1_member() -> impl Strategy<Value = Value> {
    (any::<bool>(), proptest::option::of(name())).prop_map(|(all, one)| {
        let mut member = json!({});
        if all {
            member["all"] = true.into();
        }
        if let Some(one) = one {
            member["resourceSelector"] = json!([{"name": one}]);
        }
        member
    })
}

fn v2_member() -> impl Strategy<Value = Value> {
    (verbs(), proptest::option::of(selector())).prop_map(|(verbs, default)| {
        let mut member = json!({"verbs": verbs});
        if let Some(default) = default {
            member["defaultSelector"] = default;
        }
        member
    })
}

fn v2_scoped() -> impl Strategy<Value = Value> {
    (verbs(), selector()).prop_map(|(verbs, selector)| json!({"verbs": verbs, "selector": selector}))
}

fn object(annotated: bool, spec: Value, status: Value) -> Value {
    let mut object = json!({"metadata": {"name": "x"}, "spec": spec, "status": status});
    if annotated {
        object["metadata"]["annotations"] = json!({"mine": "kept"});
    }
    object
}

prop_compose! {
    fn v1_export()(annotated: bool, names in proptest::collection::vec("[a-z]{1,3}\\.[a-z]{1,3}\\.(core|[a-z]{1,3}\\.[a-z]{2})", 1..3), claims in claims(v1_member)) -> Value {
        object(annotated, json!({
            "latestResourceSchemas": names, "permissionClaims": claims, "maximalPermissionPolicy": {"local": {}},
        }), json!({"identityHash": "h"}))
    }
}

prop_compose! {
    fn v2_export()(annotated: bool, stored in 0..3_usize, virtual_ones in 0..3_usize, claims in claims(v2_member)) -> Value {
        let mut resources: Vec<Value> = (0..stored).map(|i| json!({
            "group": "e.org", "name": format!("r{i}"), "schema": format!("v1.r{i}.e.org"), "storage": {"crd": {}},
        })).collect();
        resources.extend((0..virtual_ones).map(|i| json!({
            "group": "e.org", "name": format!("v{i}"), "schema": format!("v1.v{i}.e.org"), "storage": {"virtual": {"identityHash": "h"}},
        })));
        let mut spec = json!({"permissionClaims": claims, "maximalPermissionPolicy": {"local": {}}});
        if !resources.is_empty() {
            spec["resources"] = resources.into();
        }
        object(annotated, spec, json!({"identityHash": "h"}))
    }
}

prop_compose! {
    fn v1_binding()(annotated: bool, spec in claims(v1_member), exported in claims(v1_member), applied in claims(v1_member)) -> Value {
        object(annotated, json!({"permissionClaims": spec}), json!({
            "phase": "Bound", "exportPermissionClaims": exported, "appliedPermissionClaims": applied,
        }))
    }
}

prop_compose! {
    fn v2_binding()(annotated: bool, spec in claims(v2_scoped), exported in claims(v2_member), applied in claims(v2_scoped)) -> Value {
        object(annotated, json!({"permissionClaims": spec}), json!({
            "phase": "Bound", "exportPermissionClaims": exported, "appliedPermissionClaims": applied,
        }))
    }
}

proptest! {
    #[test]
    fn nothing_of_the_old_version_is_lost(export in v1_export(), binding in v1_binding()) {
        prop_assert_eq!(shown("apiexports", stored("apiexports", export.clone())), export);
        prop_assert_eq!(shown("apibindings", stored("apibindings", binding.clone())), binding);
    }

    #[test]
    fn nothing_of_the_new_version_is_lost(export in v2_export(), binding in v2_binding()) {
        prop_assert_eq!(stored("apiexports", shown("apiexports", export.clone())), export);
        prop_assert_eq!(stored("apibindings", shown("apibindings", binding.clone())), binding);
    }
}
