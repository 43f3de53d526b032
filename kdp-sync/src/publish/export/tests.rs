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
    let mut unmarked = export.clone();
    unmarked["metadata"]["annotations"] = json!({});
    assert!(update_export(&unmarked, &wanted(), "agent").is_some(), "nobody has said whose it is");
    let mut unsorted = export.clone();
    unsorted["spec"]["permissionClaims"].as_array_mut().unwrap().reverse();
    assert_eq!(update_export(&unsorted, &wanted(), "agent"), None);
}

#[test]
fn two_agents_that_fill_one_export_do_not_undo_what_the_other_wrote() {
    let other = Export { resources: [(key("other.io", "xs"), "v1.xs.other.io".into())].into(), ..Export::default() };
    let mut export = new_export("e");
    for (wanted, agent) in [(wanted(), "one"), (other.clone(), "two")] {
        let patch = update_export(&export, &wanted, agent).unwrap();
        export = apply(export, &patch);
    }
    assert_eq!(update_export(&export, &wanted(), "one"), None);
    assert_eq!(update_export(&export, &other, "two"), None);
}
