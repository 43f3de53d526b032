use serde_json::json;

use super::*;

const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// An object that `kubectl apply` made on the client side with this spec.
fn client_side_applied(spec: &Value) -> Value {
    let mut object = config(spec.clone());
    let last_applied = format!("{}\n", config(spec.clone()));
    object["metadata"]["annotations"] = json!({LAST_APPLIED: last_applied});
    track_update(None, &mut object, &schema(), &manager("kubectl-client-side-apply"));
    object
}

#[test]
fn kubectl_may_change_what_client_side_apply_set() {
    let live = client_side_applied(&json!({"size": "big", "replicas": 1}));
    let live = applied(Some(&live), json!({"size": "small", "replicas": 1}), "kubectl").unwrap();
    assert_eq!(live["spec"]["size"], "small");
    assert_eq!(fields(&live, "kubectl"), json!({"f:spec": {"f:size": {}, "f:replicas": {}}}));
}

#[test]
fn other_managers_may_not() {
    let live = client_side_applied(&json!({"size": "big"}));
    applied(Some(&live), json!({"size": "small"}), "argocd").unwrap_err();
}

#[test]
fn what_changed_since_client_side_apply_still_conflicts() {
    let live = client_side_applied(&json!({"size": "big", "replicas": 1}));
    let live = updated(&live, json!({"size": "big", "replicas": 5}), "autoscaler");
    let error = applied(Some(&live), json!({"size": "small", "replicas": 1}), "kubectl").unwrap_err();
    assert_eq!(
        error.to_string(),
        "Apply failed with 1 conflict: conflict with \"autoscaler\" using example.com/v1: .spec.replicas"
    );
}

#[test]
fn the_annotation_follows_so_that_client_side_apply_can_return() {
    let live = client_side_applied(&json!({"size": "big"}));
    let live = applied(Some(&live), json!({"size": "small"}), "kubectl").unwrap();
    let annotation = live["metadata"]["annotations"][LAST_APPLIED].as_str().unwrap();
    assert_eq!(annotation, format!("{}\n", config(json!({"size": "small"}))));
    assert_eq!(applied(Some(&live), json!({"size": "small"}), "kubectl").unwrap(), live);
}

#[test]
fn a_configuration_too_large_for_an_annotation_drops_it() {
    let live = client_side_applied(&json!({"size": "big"}));
    let live = applied(Some(&live), json!({"size": "x".repeat(256 * 1024)}), "kubectl").unwrap();
    assert_eq!(live["metadata"]["annotations"], json!({}));
}
