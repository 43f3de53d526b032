use serde_json::json;

use super::*;

fn service() -> Service {
    serde_json::from_value(json!({
        "apiVersion": "core.kdp.k8c.io/v1alpha1", "kind": "Service",
        "metadata": {"name": "db", "labels": {"tier": "gold"}},
        "spec": {"apiGroup": "db.example.com", "catalogMetadata": {"title": "Databases", "category": "Data"}},
    }))
    .unwrap()
}

fn export() -> APIExport {
    serde_json::from_value(json!({
        "apiVersion": "apis.kcp.io/v1alpha2", "kind": "APIExport", "metadata": {"name": "db"},
        "spec": {
            "resources": [
                {"name": "databases", "group": "db.example.com", "schema": "v1.databases.db.example.com"},
                {"name": "users", "group": "db.example.com", "schema": "missing.users.db.example.com"},
            ],
            "permissionClaims": [{"resource": "secrets", "verbs": ["*"]}],
        },
    }))
    .unwrap()
}

fn schema() -> APIResourceSchema {
    serde_json::from_value(json!({
        "apiVersion": "apis.kcp.io/v1alpha1", "kind": "APIResourceSchema",
        "metadata": {"name": "v1.databases.db.example.com"},
        "spec": {
            "group": "db.example.com", "scope": "Namespaced", "names": {"plural": "databases", "kind": "Database"},
            "versions": [
                {"name": "v1alpha1", "served": false, "storage": false, "schema": {}},
                {"name": "v1", "served": true, "storage": true, "deprecated": true, "schema": {}},
            ],
        },
    }))
    .unwrap()
}

fn entry(
    service: &Service,
    export: Option<&APIExport>,
    visibility: Visibility,
    may_bind: bool,
) -> Option<CatalogEntry> {
    let location = ExportLocation::new("root:p".parse().unwrap(), "abc".parse().unwrap(), "db");
    let schema = schema();
    CatalogEntry::new(
        service,
        location,
        export,
        |name| (name == "v1.databases.db.example.com").then_some(&schema),
        visibility,
        may_bind,
    )
}

#[test]
fn a_hidden_service_has_no_entry() {
    assert_eq!(entry(&service(), Some(&export()), Visibility::Hidden, true), None);
}

#[test]
fn the_name_only_tile_tells_nothing_but_name_and_labels() {
    let entry = entry(&service(), Some(&export()), Visibility::NameAndLabels, false).unwrap();
    assert_eq!((entry.title(), entry.labels["tier"].as_str()), ("db", "gold"));
    assert_eq!((entry.details, entry.claims), (None, Vec::new()));
}

#[test]
fn the_full_tile_lists_the_kinds_that_are_there_with_their_served_versions() {
    let entry = entry(&service(), Some(&export()), Visibility::Full, true).unwrap();
    assert_eq!(entry.title(), "Databases");
    let [kind] = entry.kinds() else { panic!("one kind was expected: {:?}", entry.kinds()) };
    assert_eq!((kind.kind.as_str(), kind.plural.as_str(), kind.namespaced), ("Database", "databases", true));
    assert_eq!(kind.versions, [OfferedVersion { name: "v1".into(), deprecated: true }]);
    assert_eq!(entry.claims[0].resource, "secrets");
}

#[test]
fn what_is_not_exported_yet_or_being_deleted_cannot_be_bound() {
    assert!(entry(&service(), Some(&export()), Visibility::Full, true).unwrap().may_bind);
    assert!(!entry(&service(), None, Visibility::Full, true).unwrap().may_bind);
    let mut going = service();
    going.metadata.deletion_timestamp = serde_json::from_value(json!("2030-01-01T00:00:00Z")).unwrap();
    assert!(!entry(&going, Some(&export()), Visibility::Full, true).unwrap().may_bind);
}

#[test]
fn a_binding_under_deletion_counts_as_bound_but_not_complete() {
    let entry = entry(&service(), Some(&export()), Visibility::Full, true).unwrap();
    let mut binding: APIBinding = serde_json::from_value(json!({
        "apiVersion": "apis.kcp.io/v1alpha2", "kind": "APIBinding", "metadata": {"name": "mine"},
        "spec": {"reference": {"export": {"path": "root:p", "name": "db"}}},
        "status": {"apiExportClusterName": "abc", "phase": "Bound"},
    }))
    .unwrap();
    let bound = entry.clone().with_bound_among(std::slice::from_ref(&binding)).bound.unwrap();
    assert_eq!(bound, Bound { binding: "mine".into(), complete: true });
    binding.metadata.deletion_timestamp = serde_json::from_value(json!("2030-01-01T00:00:00Z")).unwrap();
    assert!(!entry.with_bound_among(&[binding]).bound.unwrap().complete);
}
