use serde_json::{Value, json};

use super::*;

fn check(reference: &Value, own_cluster: &str, resolved: &str, expected: bool) {
    let export = ExportLocation::new("root:providers".parse().unwrap(), "2okdry95y5lkv".parse().unwrap(), "db");
    let mut binding = json!({
        "apiVersion": "apis.kcp.io/v1alpha2", "kind": "APIBinding",
        "metadata": {"name": "b", "annotations": {"kcp.io/cluster": own_cluster}},
        "spec": {"reference": {"export": reference}},
    });
    if !resolved.is_empty() {
        binding["status"] = json!({"apiExportClusterName": resolved});
    }
    let binding: APIBinding = serde_json::from_value(binding).unwrap();
    assert_eq!(export.is_bound_by(&binding), expected, "{reference} in {own_cluster}, resolved to {resolved:?}");
}

#[test]
fn an_export_is_named_by_path_by_cluster_or_from_its_own_workspace() {
    check(&json!({"path": "root:providers", "name": "db"}), "other", "", true);
    check(&json!({"path": "2okdry95y5lkv", "name": "db"}), "other", "", true);
    check(&json!({"name": "db"}), "2okdry95y5lkv", "", true);
}

#[test]
fn an_export_of_another_name_or_place_is_not_meant() {
    check(&json!({"path": "root:providers", "name": "queue"}), "other", "2okdry95y5lkv", false);
    check(&json!({"path": "root:else", "name": "db"}), "other", "", false);
    check(&json!({"name": "db"}), "other", "", false);
}

#[test]
fn what_the_server_resolved_is_stronger_than_the_words() {
    check(&json!({"path": "some:alias", "name": "db"}), "other", "2okdry95y5lkv", true);
    check(&json!({"path": "root:providers", "name": "db"}), "other", "deadbeef", false);
}
