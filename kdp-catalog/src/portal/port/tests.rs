use kdp_core::condition::Condition;
use proptest::prelude::*;

use super::*;
use crate::{
    CatalogEntry, ExportLocation,
    portal::{KindInput, OrderInput, ServiceInput},
};

fn site(schema: Value) -> Site {
    let location = ExportLocation::new("root:databases".parse().unwrap(), "c1".parse().unwrap(), "db.example.com");
    let kind = KindInput::new("db.example.com", "v1", "Postgres", "postgreses").unwrap().with_schema(schema);
    let mut site = Site::new("https://kdp.example.com", "file:/portal/catalog-info.yaml").unwrap();
    site.services.push(ServiceInput::new(CatalogEntry::at(location)).with_kinds([kind]));
    let mut order = OrderInput::new("root:acme".parse().unwrap(), "db.example.com", "Postgres", "orders");
    order.conditions = vec![Condition::fails("Ready", "NoSpace", "password hunter2 was refused")];
    site.orders.push(order);
    site
}

fn exported(schema: Value) -> Export {
    export(&site(schema), &Invocation::webhook("https://hooks.example.com/order").unwrap())
}

#[test]
fn entities_relate_to_entities_that_came_before() {
    let export = exported(json!({}));
    let mut seen = Vec::new();
    for entity in &export.entities {
        let blueprint = export.blueprints.iter().find(|blueprint| blueprint.identifier == entity.blueprint).unwrap();
        assert!(entity.properties.keys().all(|name| blueprint.schema.properties.contains_key(name)));
        assert!(blueprint.schema.required.iter().all(|name| entity.properties.contains_key(*name)));
        for (relation, target) in &entity.relations {
            let target = target.as_ref().map(|target| (blueprint.relations[relation].target, target.clone()));
            assert!(target.is_none_or(|target| seen.contains(&target)), "{relation} of {entity:?}");
        }
        seen.push((entity.blueprint, entity.identifier.clone()));
    }
    assert_eq!(export.entities.last().unwrap().properties["reason"], "NoSpace");
    assert!(!serde_json::to_string(&export).unwrap().contains("hunter2"));
}

#[test]
fn an_action_asks_for_the_fields_and_sends_the_manifest() {
    let schema = json!({"type": "object", "properties": {"spec": {"type": "object", "required": ["size"], "properties": {
        "size": {"type": "integer", "minimum": 1, "default": 3},
        "class": {"type": "string", "enum": ["s", "l"], "nullable": true},
        "password": {"type": "string", "format": "password"},
        "limit": {"x-kubernetes-int-or-string": true, "default": 5},
        "tags": {"type": "array", "items": {"type": "string"}},
        "a.b": {"type": "object", "properties": {"deep": {"type": "boolean"}}},
    }}}});
    let action = exported(schema).actions.remove(0);
    let inputs = &action.trigger.user_inputs;
    assert_eq!(inputs.required, ["workspace", "namespace", "name", "order_spec_size"]);
    assert_eq!(
        inputs.properties["order_spec_size"],
        json!({"type": "number", "title": "spec.size", "minimum": 1, "default": 3})
    );
    assert_eq!(
        inputs.properties["order_spec_class"],
        json!({"type": "string", "title": "spec.class", "enum": ["s", "l"]})
    );
    assert_eq!(inputs.properties["order_spec_password"]["encryption"], "aes256-gcm");
    assert_eq!(inputs.properties["order_spec_limit"], json!({"type": "string", "title": "spec.limit"}));
    assert_eq!(inputs.properties["order_spec_tags"]["items"], json!({"type": "string"}));
    assert_eq!(inputs.properties["order_spec_a_b"]["type"], "object");
    let manifest = &action.invocation_method["body"]["manifest"];
    assert_eq!(manifest["metadata"], json!({"name": "{{ .inputs.name }}", "namespace": "{{ .inputs.namespace }}"}));
    assert_eq!(manifest["spec"]["size"], r#"{{ .inputs["order_spec_size"] }}"#);
    assert_eq!(manifest["spec"]["a.b"], r#"{{ .inputs["order_spec_a_b"] }}"#);
}

#[test]
fn a_call_goes_by_hook_or_by_kafka() {
    let call = exported(json!({})).actions.remove(0).invocation_method;
    assert_eq!((&call["type"], &call["url"]), (&json!("WEBHOOK"), &json!("https://hooks.example.com/order")));
    let call = export(&site(json!({})), &Invocation::Kafka).actions.remove(0).invocation_method;
    assert_eq!((&call["type"], &call["payload"]["plural"]), (&json!("KAFKA"), &json!("postgreses")));
    assert!(Invocation::webhook("javascript:alert(1)").is_err());
}

proptest! {
    #[test]
    fn each_field_has_its_own_input(names in proptest::collection::btree_set("[aA._\\-é \"{}]{1,4}", 1..12)) {
        let fields: Map<String, Value> = names.iter().map(|name| (name.clone(), json!({"type": "boolean"}))).collect();
        let spec = json!({"type": "object", "properties": fields});
        let action = exported(json!({"type": "object", "properties": {"spec": spec}})).actions.remove(0);
        let inputs = action.trigger.user_inputs;
        prop_assert_eq!(inputs.order.len(), names.len() + 3);
        prop_assert_eq!(inputs.properties.len(), names.len() + 3);
        let is_name = |name: &String| name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
        prop_assert!(inputs.order.iter().all(is_name), "{:?}", inputs.order);
    }
}
