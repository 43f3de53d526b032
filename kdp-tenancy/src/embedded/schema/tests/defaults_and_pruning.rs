use super::*;

#[test]
fn defaults_fill_in_at_every_level() {
    let schema = structural(&database());
    let mut object = json!({"spec": {"engine": "sqlite", "users": [{"name": "a"}, {"name": "b", "role": "owner"}]}});
    schema.apply_defaults(&mut object);
    assert_eq!(
        object,
        json!({"spec": {
            "engine": "sqlite", "version": "17", "replicas": 1, "backup": {"enabled": false},
            "users": [{"name": "a", "role": "reader"}, {"name": "b", "role": "owner"}],
        }})
    );
}

#[test]
fn null_means_unset_unless_it_is_allowed() {
    let schema = structural(&database());
    let mut object = json!({"spec": {
        "engine": null, "replicas": null, "backup": {"schedule": null}, "parameters": {"a": null, "b": "c"},
        "extra": {"unknown": null},
    }});
    schema.apply_defaults(&mut object);
    assert_eq!(
        object,
        json!({"spec": {
            "version": "17", "replicas": 1, "backup": {"enabled": false, "schedule": null}, "parameters": {"b": "c"},
            "extra": {"unknown": null},
        }})
    );
}

#[test]
fn unknown_fields_go_and_are_named() {
    let schema = structural(&database());
    let mut object = json!({
        "apiVersion": "v1", "kind": "Database", "metadata": {"name": "a", "anything": 1}, "top": 1,
        "spec": {
            "engine": "sqlite", "foo": 1,
            "users": [{"name": "a", "bar": {"deep": 1}}],
            "parameters": {"free": "x"},
            "extra": {"kept": {"deep": 1}, "known": {"a": "1", "b": 1}},
            "template": {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a", "no": 1}, "spec": {"kept": 1}},
        },
        "status": {"anything": [{"goes": 1}]},
    });
    assert_eq!(
        schema.prune(&mut object),
        ["spec.extra.known.b", "spec.foo", "spec.template.metadata.no", "spec.users[0].bar", "top"]
    );
    assert_eq!(
        object,
        json!({
            "apiVersion": "v1", "kind": "Database", "metadata": {"name": "a", "anything": 1},
            "spec": {
                "engine": "sqlite",
                "users": [{"name": "a"}],
                "parameters": {"free": "x"},
                "extra": {"kept": {"deep": 1}, "known": {"a": "1"}},
                "template": {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}, "spec": {"kept": 1}},
            },
            "status": {"anything": [{"goes": 1}]},
        })
    );
}

#[test]
fn a_map_of_anything_keeps_scalars_and_loses_what_is_inside() {
    let schema = structural(&with_spec(&json!({"any": {"type": "object", "additionalProperties": true}})));
    let mut object = json!({"spec": {"any": {"a": 1, "b": {"c": 1}, "d": [{"e": 1}]}}});
    assert_eq!(schema.prune(&mut object), ["spec.any.b.c", "spec.any.d[0].e"]);
    assert_eq!(object, json!({"spec": {"any": {"a": 1, "b": {}, "d": [{}]}}}));
}
