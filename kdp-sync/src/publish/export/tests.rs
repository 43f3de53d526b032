use super::*;

fn key(group: &str, name: &str) -> (String, String) {
    (group.into(), name.into())
}

fn wanted() -> Export {
    Export {
        resources: [(key("example.com", "things"), "v2.things.example.com".into())].into(),
        claims: [
            (key("", "events"), String::new()),
            (key("example.com", "things"), String::new()),
            (key("x.io", "ys"), "abc".into()),
        ]
        .into(),
    }
}

/// Applies the few merge patch rules that matter here.
fn apply(mut export: Value, patch: &Value) -> Value {
    export["spec"]["resources"] = patch["spec"]["resources"].clone();
    export["spec"]["permissionClaims"] = patch["spec"]["permissionClaims"].clone();
    export["metadata"]["annotations"] = patch["metadata"]["annotations"].clone();
    export
}

#[test]
fn entries_and_claims_of_others_stay() {
    let export = json!({
        "metadata": {"name": "e", "resourceVersion": "5"},
        "spec": {
            "resources": [
                {"name": "zebras", "group": "a.io", "schema": "x.zebras.a.io", "storage": {"virtual": {"reference": {}}}},
                {"name": "things", "group": "example.com", "schema": "v1.things.example.com", "storage": {"crd": {}}},
            ],
            "permissionClaims": [{"group": "", "resource": "secrets", "verbs": ["get"]}],
        }
    });
    let patch = update_export(&export, &wanted(), "agent").unwrap();
    assert_eq!(patch["metadata"], json!({"resourceVersion": "5", "annotations": {wire::AGENT_NAME: "agent"}}));
    assert_eq!(
        patch["spec"]["resources"],
        json!([
            {"name": "things", "group": "example.com", "schema": "v2.things.example.com", "storage": {"crd": {}}},
            {"name": "zebras", "group": "a.io", "schema": "x.zebras.a.io", "storage": {"virtual": {"reference": {}}}},
        ])
    );
    assert_eq!(
        patch["spec"]["permissionClaims"],
        json!([
            {"group": "", "resource": "events", "verbs": ["*"]},
            {"group": "", "resource": "secrets", "verbs": ["get"]},
            {"group": "x.io", "resource": "ys", "verbs": ["*"], "identityHash": "abc"},
        ]),
        "no claim on what the export itself offers"
    );
}

#[test]
fn a_current_export_is_left_alone() {
    let export = new_export("e");
    let patch = update_export(&export, &wanted(), "agent").unwrap();
    let export = apply(export, &patch);
    assert_eq!(update_export(&export, &wanted(), "agent"), None);
    assert!(update_export(&export, &wanted(), "other").is_some());
}
