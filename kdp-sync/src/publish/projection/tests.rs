use serde_json::from_value;

use super::*;

fn crd() -> Value {
    let version = |name: &str, served: bool, storage: bool| json!({"name": name, "served": served, "storage": storage, "subresources": {"status": {}}});
    json!({
        "metadata": {"name": "things.example.com", "generation": 7},
        "spec": {
            "group": "example.com",
            "scope": "Namespaced",
            "names": {"kind": "Thing", "listKind": "ThingList", "plural": "things", "singular": "thing", "shortNames": ["th"]},
            "versions": [version("v1alpha1", true, false), version("v1beta1", false, false), version("v1", true, true)],
        }
    })
}

fn run(published: Value) -> Result<Projection, Vec<Diagnostic>> {
    let mut spec = json!({"resource": {"apiGroup": "example.com", "kind": "Thing"}});
    json_patch(&mut spec, published);
    project(&crd(), &from_value(spec).unwrap())
}

#[expect(clippy::needless_pass_by_value, reason = "it calls itself with parts of the value")]
fn json_patch(spec: &mut Value, patch: Value) {
    for (key, value) in patch.as_object().unwrap() {
        match spec.get_mut(key) {
            Some(old) if old.is_object() => json_patch(old, value.clone()),
            _ => spec[key] = value.clone(),
        }
    }
}

fn versions(projection: &Projection) -> Vec<(String, bool)> {
    let versions = projection.spec["versions"].as_array().unwrap();
    versions.iter().map(|v| (text(&v["name"]).to_owned(), v["storage"] == json!(true))).collect()
}

#[test]
fn without_a_projection_nothing_changes_but_missing_schemas() {
    let projection = run(json!({})).unwrap();
    assert_eq!(projection.local, projection.remote);
    assert_eq!(projection.local.version, "v1");
    assert_eq!(projection.generation, 7);
    assert!(projection.has_status);
    assert_eq!(
        projection.spec["versions"][0]["schema"]["openAPIV3Schema"]["x-kubernetes-preserve-unknown-fields"],
        true
    );
}

#[test]
fn names_follow_the_kind_and_the_plural_overrides_them() {
    let projection =
        run(json!({"projection": {"kind": "Widget", "group": "w.example.com", "scope": "Cluster", "shortNames": []}}))
            .unwrap();
    assert_eq!(
        projection.remote,
        ResourceType {
            group: "w.example.com".into(),
            version: "v1".into(),
            kind: "Widget".into(),
            plural: "widgets".into()
        }
    );
    assert_eq!(
        projection.spec["names"],
        json!({"kind": "Widget", "listKind": "WidgetList", "plural": "widgets", "singular": "widget", "shortNames": []})
    );
    assert_eq!((projection.local_scope, projection.remote_scope), (Scope::Namespaced, Scope::Cluster));
    let projection = run(json!({"projection": {"kind": "Box", "plural": "boxes"}})).unwrap();
    assert_eq!(projection.remote.plural, "boxes");
    assert_eq!(projection.spec["names"]["singular"], "box");
    assert_eq!(projection.spec["names"]["shortNames"], json!(["th"]));
}

#[test]
fn the_last_served_version_is_stored_if_the_storage_version_is_dropped() {
    let projection = run(json!({"resource": {"versions": ["v1beta1", "v1alpha1"]}})).unwrap();
    assert_eq!(versions(&projection), [("v1alpha1".into(), true), ("v1beta1".into(), false)]);
    assert_eq!(projection.local.version, "v1", "copies keep the storage version of the service cluster");
    assert_eq!(projection.remote.version, "v1alpha1");
}

#[test]
fn renamed_versions_are_sorted() {
    let projection = run(json!({"projection": {"versions": {"v1alpha1": "v3", "v1": "v2"}}})).unwrap();
    assert_eq!(versions(&projection), [("v1beta1".into(), false), ("v2".into(), true), ("v3".into(), false)]);
}

#[test]
fn what_does_not_fit_the_kind_names_its_field() {
    let check = |published, field: &str| {
        assert_eq!(run(published).unwrap_err()[0].field, field);
    };
    check(json!({"resource": {"version": "v9"}}), "spec.resource.version");
    check(json!({"resource": {"versions": ["v9"]}}), "spec.resource.versions");
    check(json!({"resource": {"version": "v1", "versions": ["v1"]}}), "spec.resource.version");
    check(json!({"resource": {"versions": ["v1beta1"]}}), "spec.resource.versions");
    check(json!({"projection": {"version": "v9"}}), "spec.projection.version");
    check(json!({"projection": {"versions": {"v1": "v1alpha1"}}}), "spec.projection.versions");
}
