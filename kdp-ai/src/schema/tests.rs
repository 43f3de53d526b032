use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::{CustomResourceExt, core::GroupVersionKind};
use proptest::prelude::*;

use super::{openapi::from_openapi, *};
use crate::Field;

fn kind() -> KindRef {
    KindRef { api_version: "db.example.com/v1".into(), kind: "Database".into() }
}

fn database() -> Value {
    json!({
        "type": "object", "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string"}, "kind": {"type": "string"}, "metadata": {"type": "object"},
            "status": {"type": "object", "properties": {"phase": {"type": "string"}}},
            "spec": {
                "type": "object", "required": ["engine", "storage", "users"],
                "x-kubernetes-validations": [{"rule": "self.replicas < 9", "message": "too many replicas"}],
                "properties": {
                    "engine": {"type": "string", "enum": ["sqlite", "postgres"], "description": "Which engine.\n\nMore."},
                    "storage": {"x-kubernetes-int-or-string": true, "anyOf": [{"type": "integer"}, {"type": "string"}], "pattern": "^[0-9]+(Mi|Gi)$"},
                    "replicas": {"type": "integer", "minimum": 0, "exclusiveMinimum": true, "maximum": 5, "default": 2},
                    "note": {"type": "string", "nullable": true},
                    "users": {
                        "type": "array", "minItems": 2, "uniqueItems": true,
                        "items": {"type": "object", "required": ["name"], "properties": {"name": {"type": "string", "minLength": 10}}},
                    },
                    "labels": {"type": "object", "additionalProperties": {"type": "string"}},
                    "extra": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
                },
            },
        },
    })
}

#[test]
fn a_structural_schema_becomes_the_json_schema_of_a_manifest() {
    let schema = of_manifest(&database(), &kind(), true);
    let spec = &schema["properties"]["spec"]["properties"];
    assert_eq!(schema["properties"]["kind"], json!({"const": "Database"}));
    assert_eq!(schema["required"], json!(["spec", "apiVersion", "kind", "metadata"]));
    assert_eq!(schema["properties"].get("status"), None);
    assert_eq!(schema["properties"]["spec"]["additionalProperties"], json!(false));
    assert_eq!(spec["storage"], json!({"type": ["integer", "string"], "pattern": "^[0-9]+(Mi|Gi)$"}));
    assert_eq!(spec["replicas"], json!({"type": "integer", "exclusiveMinimum": 0, "maximum": 5, "default": 2}));
    assert_eq!(spec["note"], json!({"type": ["string", "null"]}));
    assert_eq!(spec["extra"], json!({"type": "object", "additionalProperties": true}));
    assert_eq!(spec["labels"]["additionalProperties"], json!({"type": "string"}));
}

#[test]
fn the_example_shows_required_and_defaulted_fields_and_fulfils_the_schema() {
    let schema = of_manifest(&database(), &kind(), true);
    let example = example::of_manifest(&schema, &kind(), true);
    assert_eq!(check::faults(&example, &schema), Vec::<String>::new());
    assert_eq!(
        example,
        json!({
            "apiVersion": "db.example.com/v1", "kind": "Database",
            "metadata": {"name": "my-database", "namespace": "default"},
            "spec": {
                "engine": "sqlite", "storage": "1Gi", "replicas": 2,
                "users": [{"name": "exampleexa"}, {"name": "exampleexa1"}],
            },
        })
    );
}

/// The example of a field of this schema fulfils it.
fn check_example(field: &Value) {
    let kind = kind();
    let schema = json!({
        "type": "object", "properties": {"spec": {"type": "object", "required": ["field"], "properties": {"field": field}}},
    });
    let schema = of_manifest(&schema, &kind, false);
    let example = example::of_manifest(&schema, &kind, false);
    assert_eq!(check::faults(&example, &schema), Vec::<String>::new(), "{field} got {example}");
    assert!(example["spec"].get("field").is_some());
}

#[test]
fn an_example_is_found_for_every_construct_kinds_use() {
    for field in [
        json!({"type": "string"}),
        json!({"type": "string", "maxLength": 3}),
        json!({"type": "string", "minLength": 20}),
        json!({"type": "string", "format": "date-time"}),
        json!({"type": "string", "pattern": "^[a-z]{2}-[0-9]+$"}),
        json!({"type": "string", "pattern": "^a+$", "minLength": 7}),
        json!({"type": "string", "enum": ["x", "y"], "default": "y"}),
        json!({"type": "integer", "minimum": 5, "maximum": 7}),
        json!({"type": "integer", "maximum": -3}),
        json!({"type": "integer", "minimum": 10, "multipleOf": 8}),
        json!({"type": "integer", "minimum": 10, "exclusiveMinimum": true, "multipleOf": 10}),
        json!({"type": "number", "minimum": 0.5, "maximum": 0.75}),
        json!({"type": "boolean"}),
        json!({"type": "array", "items": {"type": "string"}, "minItems": 3, "uniqueItems": true}),
        json!({"type": "array", "items": {"type": "string", "enum": ["a", "b"]}, "minItems": 2, "uniqueItems": true}),
        json!({"type": "array", "items": {"type": "integer"}, "maxItems": 0}),
        json!({"type": "object", "additionalProperties": {"type": "integer"}, "minProperties": 2}),
        json!({"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "string"}}, "minProperties": 1}),
        json!({"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "string"}},
               "oneOf": [{"required": ["a"]}, {"required": ["b"]}]}),
        json!({"type": "object", "properties": {"a": {"type": "string", "default": "x"}, "b": {"type": "string"}},
               "oneOf": [{"required": ["a"]}, {"required": ["b"]}]}),
        json!({"type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "string"}}, "required": ["a"],
               "allOf": [{"properties": {"a": {"minimum": 7}}}, {"required": ["b"]}]}),
        json!({"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "not": {"required": ["b"]}}),
        json!({"type": "object", "default": {}, "required": ["a"], "properties": {"a": {"type": "string"}}}),
        json!({"x-kubernetes-int-or-string": true, "minimum": 3}),
        json!({"x-kubernetes-preserve-unknown-fields": true}),
        json!({"type": "string", "nullable": true, "enum": ["a"]}),
        json!({"type": "string", "example": "from the provider"}),
    ] {
        check_example(&field);
    }
}

#[test]
fn an_optional_default_that_breaks_the_whole_is_left_out() {
    let exclusive = json!({
        "type": "object", "properties": {"spec": {
            "type": "object", "properties": {"a": {"type": "string", "default": "x"}, "b": {"type": "string"}},
            "not": {"required": ["a"]},
        }},
    });
    let schema = of_manifest(&exclusive, &kind(), false);
    assert_eq!(example::of_manifest(&schema, &kind(), false)["spec"], json!({}));
}

fn any_schema() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        (0_u8..12, 0_u8..12)
            .prop_map(|(min, more)| json!({"type": "string", "minLength": min, "maxLength": min + more})),
        (-9_i8..9, 0_u8..9).prop_map(
            |(min, more)| json!({"type": "integer", "minimum": min, "maximum": i16::from(min) + i16::from(more)})
        ),
        Just(json!({"type": "boolean"})),
        prop::collection::vec("[a-z]{1,4}", 1..3).prop_map(|values| json!({"type": "string", "enum": values})),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            (inner.clone(), 0_u8..3).prop_map(|(items, min)| json!({"type": "array", "items": items, "minItems": min})),
            prop::collection::btree_map("[a-z]{1,3}", (inner, any::<bool>()), 0..4).prop_map(|fields| {
                let required: Vec<_> =
                    fields.iter().filter(|(_, (_, needed))| *needed).map(|(name, _)| name.clone()).collect();
                let properties: Map<_, _> = fields.into_iter().map(|(name, (schema, _))| (name, schema)).collect();
                json!({"type": "object", "properties": properties, "required": required})
            }),
        ]
    })
}

proptest! {
    #[test]
    fn every_example_fulfils_its_schema(field in any_schema()) {
        check_example(&field);
    }
}

#[test]
fn fields_are_listed_with_all_that_is_needed_to_fill_them() {
    let fields = fields::of_manifest(&of_manifest(&database(), &kind(), true));
    let line = |field: &Field| format!("{}{}: {}", field.path, if field.required { "!" } else { "" }, field.type_);
    assert_eq!(
        fields.iter().map(line).collect::<Vec<_>>(),
        [
            "spec!: object",
            "spec.engine!: string",
            "spec.extra: object with any fields",
            "spec.labels: map of string",
            "spec.note: string",
            "spec.replicas: integer",
            "spec.storage!: integer or string",
            "spec.users!: list of object",
            "spec.users[].name!: string",
        ]
    );
    assert_eq!(fields[0].rules, ["too many replicas"]);
    assert_eq!((fields[1].description.as_str(), fields[1].allowed.len()), ("Which engine.", 2));
    assert_eq!((&fields[5].default, fields[5].rules.join(", ")), (&Some(json!(2)), "more than 0, at most 5".into()));
}

#[test]
fn a_field_is_found_by_the_path_the_server_names() {
    let schema = of_manifest(&database(), &kind(), true);
    let check = |path, expected: Option<&str>| {
        assert_eq!(at(&schema, path).map(|schema| types(schema).join("|")).as_deref(), expected, "{path}");
    };
    check("spec.replicas", Some("integer"));
    check(".spec.users[0].name", Some("string"));
    check("spec.labels.anything", Some("string"));
    check("spec.nothing", None);
    check("", Some("object"));
}

#[test]
fn the_checker_finds_what_is_wrong_and_where() {
    let schema = of_manifest(&database(), &kind(), true);
    let good = example::of_manifest(&schema, &kind(), true);
    let check = |path: &str, value: Value, expected: &str| {
        let mut bad = good.clone();
        *bad.pointer_mut(path).unwrap() = value;
        let faults = check::faults(&bad, &schema);
        assert!(faults.len() == 1 && faults[0].starts_with(expected), "{path}: {faults:?}");
    };
    check("/spec/engine", json!("oracle"), ".spec.engine: enum");
    check("/spec/replicas", json!(0), ".spec.replicas: exclusiveMinimum");
    check("/spec/replicas", json!(1.5), ".spec.replicas: type");
    check("/spec/storage", json!("1 GB"), ".spec.storage: pattern");
    check("/spec/users/0/name", json!("short"), ".spec.users[0].name: minLength");
    check("/spec/users", json!([]), ".spec.users: minItems");
    check("/kind", json!("Queue"), ".kind: const");
    let mut unknown = good.clone();
    unknown["spec"]["colour"] = json!("red");
    assert!(!check::fulfils(&unknown, &schema));
    let mut missing = good;
    missing["spec"].as_object_mut().unwrap().remove("engine");
    assert!(!check::fulfils(&missing, &schema));
}

#[test]
fn references_are_written_out_and_a_schema_within_itself_stays_open() {
    let document = json!({"components": {"schemas": {
        "com.example.Database": {
            "type": "object", "x-kubernetes-group-version-kind": [{"group": "db.example.com", "version": "v1", "kind": "Database"}],
            "properties": {"spec": {"description": "What is wanted.", "allOf": [{"$ref": "#/components/schemas/Spec"}], "default": {}}},
        },
        "Spec": {"type": "object", "description": "hidden", "properties": {"child": {"$ref": "#/components/schemas/Spec"}}},
    }}});
    let schema = from_openapi(&document, &GroupVersionKind::gvk("db.example.com", "v1", "Database")).unwrap();
    assert_eq!(
        schema["properties"]["spec"],
        json!({
            "type": "object", "description": "What is wanted.", "default": {},
            "properties": {"child": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}},
        })
    );
    assert_eq!(from_openapi(&document, &GroupVersionKind::gvk("db.example.com", "v2", "Database")), None);
}

#[test]
fn a_real_definition_gets_an_example_that_fulfils_it() {
    let crd: CustomResourceDefinition = kdp_catalog::Service::crd();
    let crd = serde_json::to_value(crd).unwrap();
    let kind = KindRef { api_version: "core.kdp.k8c.io/v1alpha1".into(), kind: "Service".into() };
    let schema = of_manifest(&crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"], &kind, false);
    let example = example::of_manifest(&schema, &kind, false);
    assert_eq!(check::faults(&example, &schema), Vec::<String>::new());
    assert_eq!(example["spec"]["apiGroup"], "example.com");
}
