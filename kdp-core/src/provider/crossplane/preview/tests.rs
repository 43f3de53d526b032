use super::*;

fn composed(name: &str, kind: &str, spec: &Value) -> Value {
    json!({
        "apiVersion": "e/v1", "kind": kind,
        "metadata": {"name": format!("app-{name}"), "annotations": {RESOURCE_NAME: name}},
        "spec": spec, "status": {"there": true},
    })
}

#[test]
fn changes_are_told_by_the_names_of_the_composition() {
    let observed = [
        composed("bucket", "Bucket", &json!({"region": "a", "defaulted": 1})),
        composed("policy", "Policy", &json!({"allow": "all"})),
        composed("same", "Policy", &json!({"allow": "some", "defaulted": 1})),
    ];
    let rendered = [
        composed("same", "Policy", &json!({"allow": "some"})),
        composed("bucket", "Bucket", &json!({"region": "b"})),
        composed("user", "User", &json!({"name": "app"})),
    ];
    let changes = changes(&observed, &rendered, &observed[1..2], &BTreeSet::new());
    let told: Vec<_> = changes.iter().map(|change| (change.action, change.subject.as_str())).collect();
    assert_eq!(
        told,
        [
            (ChangeAction::Update, "bucket (Bucket)"),
            (ChangeAction::Delete, "policy (Policy)"),
            (ChangeAction::Create, "user (User)"),
        ]
    );
    let region = ValueChange::plain("spec.region", Shown::Value(json!("a")), Shown::Value(json!("b")));
    assert_eq!(changes[0].values, [region]);
}

#[test]
fn what_a_composition_copies_of_a_secret_is_not_told() {
    let order = Order::new(
        OrderId::new("0a1b", "default", "app"),
        1,
        json!({"size": 1, "admin": {"password": "hunter22"}, "users": [{"pin": "12345"}]}),
    );
    let sensitive = [vec!["admin".to_owned()], ["users", "*", "pin"].map(String::from).to_vec()].into();
    let secrets = secrets(&order, &sensitive);
    assert_eq!(secrets, ["12345".to_owned(), "hunter22".to_owned()].into());
    let rendered = [
        composed("db", "Database", &json!({"url": "postgres://app:hunter22@db", "size": 1, "pins": {"a": "12345"}})),
        json!({"kind": "Secret", "metadata": {"name": "s"}, "data": {"key": "c2VjcmV0"}}),
    ];
    let changes = changes(&[], &rendered, &[], &secrets);
    let told = serde_json::to_string(&changes).unwrap();
    assert!(["hunter22", "12345", "c2VjcmV0"].iter().all(|secret| !told.contains(secret)), "{told}");
    assert!(told.contains("spec.url") && told.contains("data.key"), "{told}");
}

#[test]
fn a_revision_is_rendered_as_the_composition_it_remembers() {
    let revision = json!({"kind": "CompositionRevision", "metadata": {"name": "c-1"}, "spec": {"revision": 3, "mode": "Pipeline"}});
    let composition = as_composition(&revision);
    assert_eq!(
        (composition["kind"].as_str(), &composition["spec"]),
        (Some("Composition"), &json!({"mode": "Pipeline"}))
    );
}
