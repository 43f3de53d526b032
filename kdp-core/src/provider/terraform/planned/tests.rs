use serde_json::json;

use super::*;

fn shown_as(plan: &Value) -> Vec<String> {
    changes(plan).iter().map(|change| format!("{} {} ({})", change.action, change.subject, change.detail)).collect()
}

fn resource(address: &str, actions: &[&str]) -> Value {
    json!({"address": address, "mode": "managed", "type": "t", "change": {"actions": actions}})
}

#[test]
fn actions_are_told_in_our_words() {
    let mut replaced = resource("t.r", &["create", "delete"]);
    replaced["action_reason"] = json!("replace_because_tainted");
    let mut data = resource("data.x.y", &["read"]);
    data["mode"] = json!("data");
    let mut imported = resource("t.i", &["no-op"]);
    imported["change"]["importing"] = json!({"id": "7"});
    let mut deposed = resource("t.d", &["delete"]);
    deposed["deposed"] = json!("abcd");
    let plan = json!({
        "resource_changes": [
            resource("t.c", &["create"]), resource("t.u", &["update"]), resource("t.n", &["no-op"]),
            resource("t.f", &["forget"]), replaced, data, imported, deposed,
        ],
        "resource_drift": [resource("t.u", &["update"])],
        "output_changes": {"a": {"actions": ["create"]}, "b": {"actions": ["no-op"]}},
    });
    assert_eq!(
        shown_as(&plan),
        [
            "create t.c ()",
            "update t.u (it was changed by others)",
            "forget t.f ()",
            "replace t.r (its creation was not finished)",
            "update t.i (taken over)",
            "delete t.d (deposed abcd) ()",
            "create output a ()",
        ]
    );
}

#[test]
fn secrets_are_in_no_change() {
    let plan = json!({
        "resource_changes": [{
            "address": "t.a", "mode": "managed", "type": "t",
            "change": {
                "actions": ["update"],
                "before": {"name": "a", "password": "old-secret", "nested": {"key": "old-secret", "n": 1}, "same": 1},
                "after": {"name": "b", "password": "new-secret", "nested": {"key": "new-secret", "n": 2}, "same": 1},
                "after_unknown": {"id": true, "nested": {}},
                "before_sensitive": {"nested": {"key": true}},
                "after_sensitive": {"password": true, "nested": {"key": true}},
            },
        }],
        "output_changes": {
            "key": {"actions": ["update"], "before": "old-secret", "after": "new-secret",
                    "before_sensitive": false, "after_sensitive": true},
            "list": {"actions": ["create"], "before": null, "after": ["new-secret"],
                     "before_sensitive": false, "after_sensitive": [true]},
            "plain": {"actions": ["create"], "before": null, "after_unknown": true, "after_sensitive": false},
        },
    });
    let changes = changes(&plan);
    let text = serde_json::to_string(&changes).unwrap();
    assert!(!text.contains("secret\""), "{text}");
    let hidden = json!({"key": "(sensitive)", "n": 1});
    assert_eq!(
        changes[0].values,
        [
            ValueChange::plain("id", Shown::Absent, Shown::Unknown),
            ValueChange::plain("name", Shown::Value(json!("a")), Shown::Value(json!("b"))),
            ValueChange::plain("nested", Shown::Value(hidden), Shown::Value(json!({"key": "(sensitive)", "n": 2}))),
            ValueChange::sensitive("password"),
        ]
    );
    assert_eq!(changes[3].values, [ValueChange::plain("value", Shown::Absent, Shown::Unknown)]);
}

#[test]
fn a_resource_that_is_sensitive_as_a_whole_shows_nothing() {
    let plan = json!({"resource_changes": [{
        "address": "t.a", "mode": "managed", "type": "t",
        "change": {"actions": ["create"], "before": null, "after": {"a": "secret"}, "after_sensitive": true},
    }]});
    assert_eq!(changes(&plan)[0].values, [ValueChange::sensitive("a")]);
}

#[test]
fn the_inventory_is_what_there_may_be_and_new_things_go_first() {
    let plan = json!({"resource_changes": [
        resource("t.z", &["create"]), resource("t.b", &["no-op"]), resource("t.a", &["update"]),
        resource("t.gone", &["delete"]), resource("t.new", &["create"]),
    ]});
    let item = |id: &str| InventoryItem { kind: "t".into(), id: id.into(), epoch: 0 };
    let known = [item("t.gone"), item("t.b"), item("t.a")];
    let ids: Vec<_> = inventory(&plan, &known).into_iter().map(|(_, id)| id).collect();
    assert_eq!(ids, ["t.new", "t.z", "t.b", "t.a"]);
}
