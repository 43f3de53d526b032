use super::*;

fn resource(spec: &Value) -> Value {
    json!({"apiVersion": "syncagent.kcp.io/v1alpha1", "kind": "PublishedResource", "metadata": {"name": "a"}, "spec": spec})
}

fn definition() -> Value {
    json!({
        "metadata": {"name": "things.example.com", "generation": 3},
        "spec": {
            "group": "example.com", "scope": "Namespaced",
            "names": {"kind": "Thing", "plural": "things", "singular": "thing", "listKind": "ThingList"},
            "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": {"type": "object"}}}],
        },
    })
}

#[test]
fn every_fault_is_found_at_once_with_its_field() {
    let source = json!({"apiGroup": "example.com", "kind": "Thing"});
    for (spec, fields) in [
        (json!({"resource": source}), &[][..]),
        (json!({}), &["spec"]),
        (
            json!({"resource": source, "naming": {"name": "{{ x"}, "related": [
                {"identifier": "a", "origin": "service", "kind": "Secret", "object": {"template": {"template": "{{"}}},
            ]}),
            &["spec.naming.name", "spec.related[0].object"],
        ),
        (
            json!({"resource": {"apiGroup": "example.com", "kind": "Thing", "versions": ["v9"]}}),
            &["spec.resource.versions"],
        ),
    ] {
        let faults = validate(&resource(&spec), Some(&definition()));
        assert_eq!(faults.len(), fields.len(), "{spec}: {faults:?}");
        for field in fields {
            assert!(faults.iter().any(|fault| fault.field.starts_with(field)), "no {field} for {spec}: {faults:?}");
        }
    }
    assert_eq!(validate(&json!({"kind": "Secret"}), None)[0].field, "kind");
}

#[test]
fn without_a_definition_what_can_be_said_is_said() {
    let spec =
        json!({"resource": {"apiGroup": "example.com", "kind": "Thing", "versions": ["v9"]}, "naming": {"name": "{{"}});
    let faults = validate(&resource(&spec), None);
    assert_eq!(faults.iter().map(|fault| &*fault.field).collect::<Vec<_>>(), ["spec.naming.name"]);
}

#[test]
fn a_projection_is_what_tenants_see() {
    let spec = json!({
        "resource": {"apiGroup": "example.com", "kind": "Thing"},
        "projection": {"group": "cloud.example.org", "kind": "Item"},
    });
    assert!(is_definition_of(&definition(), &resource(&spec)));
    let projected = projected_definition(&resource(&spec), &definition()).unwrap();
    assert_eq!(projected["metadata"]["name"], "items.cloud.example.org");
    assert_eq!(projected["spec"]["names"]["kind"], "Item");
    let schema = projected_schema(&resource(&spec), &definition(), "agent").unwrap();
    let name = schema.metadata.name.unwrap();
    assert!(name.ends_with(".items.cloud.example.org"), "{name}");
}
