#![expect(clippy::needless_pass_by_value, reason = "tables of json! literals read best by value")]

use serde_json::json;

use super::*;

fn settled(answers: Value, made: Value) -> Value {
    let mut binding = json!({"spec": {"permissionClaims": answers}});
    settle(&mut binding, made.as_array().unwrap().clone());
    binding["status"].take()
}

fn reason(status: &Value) -> &str {
    let conditions = status["conditions"].as_array().unwrap();
    str_at(conditions.iter().find(|c| c["type"] == "PermissionClaimsValid").unwrap(), &["reason"])
}

#[test]
fn a_claim_is_in_force_only_with_verbs_that_both_sides_name() {
    let all = json!({"matchAll": true});
    let status = settled(
        json!([
            {"group": "", "resource": "secrets", "verbs": ["*"], "selector": all, "state": "Accepted"},
            {"group": "", "resource": "configmaps", "verbs": ["*"], "selector": all, "state": "Rejected"},
            {"group": "", "resource": "events", "verbs": ["get", "list"], "selector": all, "state": "Accepted"},
            {"group": "", "resource": "leases", "verbs": ["get"], "selector": all, "state": "Accepted"},
        ]),
        json!([
            {"group": "", "resource": "secrets", "verbs": ["get"]},
            {"group": "", "resource": "configmaps", "verbs": ["*"]},
            {"group": "", "resource": "events", "verbs": ["create", "list"]},
            {"group": "", "resource": "leases", "verbs": ["delete"]},
        ]),
    );
    let applied = status["appliedPermissionClaims"].clone();
    assert_eq!(
        applied,
        json!([
            {"group": "", "resource": "secrets", "verbs": ["get"], "selector": all},
            {"group": "", "resource": "events", "verbs": ["list"], "selector": all},
        ])
    );
}

#[test]
fn conditions_say_what_does_not_fit() {
    let answer = |verbs: Value, selector: Value| json!([{"group": "", "resource": "secrets", "verbs": verbs, "selector": selector, "state": "Accepted"}]);
    let all = json!({"matchAll": true});
    let made = |verbs: Value| json!([{"group": "", "resource": "secrets", "verbs": verbs}]);
    for (answers, made, expected) in [
        (answer(json!(["*"]), all.clone()), json!([]), "InvalidPermissionClaims"),
        (answer(json!(["get"]), all.clone()), made(json!(["get", "list"])), "PermissionClaimsMismatch"),
        (answer(json!(["get"]), all.clone()), made(json!(["*"])), ""),
        (answer(json!(["list", "get"]), all.clone()), made(json!(["get", "list"])), ""),
        (
            answer(json!(["*"]), all.clone()),
            json!([{"group": "", "resource": "secrets", "verbs": ["*"], "defaultSelector": {"matchLabels": {"a": "b"}}}]),
            "PermissionClaimsMismatch",
        ),
    ] {
        assert_eq!(reason(&settled(answers.clone(), made)), expected, "{answers}");
    }
}

#[test]
fn only_what_every_workspace_has_can_be_claimed_without_an_identity() {
    let faults = |group: &str, resource: &str, identity: &str| {
        let claim = json!({"group": group, "resource": resource, "verbs": ["*"], "identityHash": identity});
        validate_made(&json!({"spec": {"permissionClaims": [claim]}})).len()
    };
    for (group, resource, identity, expected) in [
        ("", "secrets", "", 0),
        ("apis.kcp.io", "apiexports", "", 0),
        ("tenancy.kcp.io", "workspaces", "", 1),
        ("", "limitranges", "", 1),
        ("example.com", "widgets", "", 1),
        ("example.com", "widgets", "h", 0),
    ] {
        assert_eq!(faults(group, resource, identity), expected, "{resource}.{group}");
    }
    assert_eq!(validate_made(&json!({"spec": {"permissionClaims": [{"resource": "secrets"}]}})).len(), 1);
    assert_eq!(validate_answers(&json!({"spec": {"permissionClaims": [{"resource": "secrets"}]}})).len(), 2);
}
