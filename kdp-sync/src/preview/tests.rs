use serde_json::json;

use super::*;

fn told(before: Option<&Value>, after: Option<&Value>) -> Vec<String> {
    let one = |sign: char, path: &str, value: Option<Value>| value.map(|value| format!("{sign} {path}: {value}"));
    changes(before, after)
        .into_iter()
        .flat_map(|FieldChange { path, before, after }| [one('-', &path, before), one('+', &path, after)])
        .flatten()
        .collect()
}

#[test]
fn every_field_that_differs_is_told_and_no_other() {
    let before = json!({"spec": {"size": 1, "ports": [80, 81], "same": true, "gone": {"a": 1}}});
    let after = json!({"spec": {"size": 2, "ports": [80, 82], "same": true}, "metadata": {"labels": {"a.b/c": "d"}}});
    let expected = [
        r#"+ metadata.labels["a.b/c"]: "d""#,
        "- spec.gone.a: 1",
        "- spec.ports[1]: 81",
        "+ spec.ports[1]: 82",
        "- spec.size: 1",
        "+ spec.size: 2",
    ];
    assert_eq!(told(Some(&before), Some(&after)), expected);
}

#[test]
fn what_an_api_server_writes_itself_is_not_told() {
    let object = |version: &str| {
        json!({"apiVersion": "v1", "kind": "Thing",
            "metadata": {"resourceVersion": version, "uid": version, "generation": version, "name": "a"}})
    };
    assert_eq!(told(Some(&object("1")), Some(&object("2"))), Vec::<String>::new());
    assert_eq!(told(None, Some(&object("1"))), [r#"+ metadata.name: "a""#]);
}

#[test]
fn of_a_secret_only_sizes_are_told() {
    let secret = |password: &str| {
        json!({
            "apiVersion": "v1", "kind": "Secret", "type": "Opaque",
            "metadata": {
                "name": "a", "labels": {"tier": "gold"},
                "annotations": {"note": password, "syncagent.kcp.io/agent-name": "agent"},
            },
            "data": {"password": password}, "stringData": {"password": password}, "more": {"password": password},
        })
    };
    let changed = told(Some(&secret("hunter")), Some(&secret("hunter22"))).join("\n");
    assert!(!changed.contains("hunter"), "{changed}");
    assert!(changed.contains(r#"- data.password: "(6 characters)""#), "{changed}");
    assert!(changed.contains(r#"+ data.password: "(8 characters)""#), "{changed}");
    let made = told(None, Some(&secret("hunter2"))).join("\n");
    assert!(!made.contains("hunter"), "{made}");
    assert!(made.contains(r#"+ metadata.labels.tier: "gold""#), "{made}");
}

#[test]
fn tenants_cannot_write_commands_to_a_terminal() {
    let cause = Cause::of_all();
    let object = ObjectName {
        side: Side::Kcp,
        workspace: Some("abc".into()),
        api_version: "v1".into(),
        kind: "Thing".into(),
        namespace: None,
        name: "a".into(),
    };
    let fields = vec![FieldChange {
        path: "spec.\u{1b}[2J".into(),
        before: None,
        after: Some("\u{1b}[31mred\u{202e}desrever\n".into()),
    }];
    let problems = vec![Problem { cause: cause.clone(), message: "line\nline\u{7}".into() }];
    let preview = Preview { changes: vec![Change { cause, action: Action::Create, object, fields }], problems };
    let text = preview.to_string();
    assert!(text.chars().all(|c| c == '\n' || !c.is_control()), "{text:?}");
    assert!(!text.contains('\u{202e}'), "{text:?}");
    assert_eq!(text.lines().count(), 5, "{text}");
}
