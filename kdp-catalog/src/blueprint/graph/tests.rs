use proptest::prelude::*;
use serde_json::{Value, json};

use crate::blueprint::{
    Graph,
    definition::{GraphSchema, Resource, ResourceGraph},
    fixtures::{WEB_APP, faults, graph, schema_of},
};

/// A definition with one ConfigMap whose `data.x` is a text.
fn with_text(text: &str) -> String {
    let quoted = serde_json::to_string(text).unwrap();
    format!(
        r#"
schema:
  apiVersion: v1
  kind: Test
  spec: {{name: string, count: integer, on: boolean, ratio: number, list: "[]string", map: "map[string]string", any: object, door: {{open: boolean}}}}
resources:
  - {{id: cm, template: {{apiVersion: v1, kind: ConfigMap, metadata: {{name: cm}}, data: {{x: {quoted}}}}}}}
  - {{id: db, template: {{apiVersion: db.example.com/v1, kind: Database, metadata: {{name: db}}}}}}
  - {{id: pods, forEach: [{{n: "${{schema.spec.list}}"}}], template: {{apiVersion: v1, kind: Pod, metadata: {{name: "${{n}}"}}}}}}
"#
    )
}

fn check_text(text: &str, expected: Option<&str>) {
    let found = faults(&with_text(text));
    match expected {
        None => assert_eq!(found, [], "{text}"),
        Some(message) => {
            let is_there =
                |f: &crate::blueprint::Fault| f.path == "resources[0].template.data.x" && f.message.contains(message);
            assert!(found.iter().any(is_there), "{text}: {found:?}");
        }
    }
}

fn check_fault(yaml: &str, path: &str, message: &str) {
    let found = faults(yaml);
    assert!(found.iter().any(|fault| fault.path == path && fault.message.contains(message)), "{found:#?}");
}

/// A definition whose resources are these.
fn resources(yaml: &str) -> String {
    format!(
        "schema: {{apiVersion: v1alpha1, kind: Test, spec: {{name: string, list: \"[]string\", on: boolean}}}}\nresources:\n{yaml}"
    )
}

#[test]
fn dependencies_are_what_templates_use() {
    let graph = graph(WEB_APP);
    assert_eq!(graph.order().collect::<Vec<_>>(), ["deployment", "service", "ingress"]);
    assert_eq!(graph.dependencies("ingress").collect::<Vec<_>>(), ["service"]);
    assert_eq!(graph.dependencies("service").collect::<Vec<_>>(), ["deployment"]);
    assert_eq!((graph.wave("deployment"), graph.wave("ingress"), graph.wave("nope")), (Some(0), Some(2), None));
    assert_eq!(graph.is_made("service"), Some(true));
}

#[test]
fn the_schema_of_instances_has_inferred_status_types() {
    let schema = graph(WEB_APP).instance_schema();
    assert_eq!(schema["required"], json!(["spec"]));
    assert_eq!(schema.pointer("/properties/spec/properties/replicas/default"), Some(&json!(2)));
    assert_eq!(schema.pointer("/properties/spec/properties/ingress/default"), Some(&json!({})));
    let status = &schema["properties"]["status"]["properties"];
    assert_eq!(status["available"], json!({"type": "integer"}));
    assert_eq!(status["address"], json!({"type": "string"}));
    assert_eq!(status["isHealthy"], json!({"type": "boolean"}));
    assert_eq!(status["connection"], json!({"type": "object", "properties": {"host": {"type": "string"}}}));
    assert_eq!(status["host"], json!({"x-kubernetes-preserve-unknown-fields": true}));
}

#[test]
fn values_fit_the_fields_they_are_written_to() {
    check_text("${schema.spec.name}", None);
    check_text("a ${schema.spec.name} b", None);
    check_text("${string(schema.spec.count)}", None);
    check_text("${schema.spec.on ? 'a' : schema.spec.name}", None);
    check_text("${schema.spec.any.what.ever}", None);
    check_text("${schema.spec.map.key}", None);
    check_text("${schema.spec.map['k-2']}", None);
    check_text("${schema.spec.list[0]}", None);
    check_text("${schema.spec.list.map(x, x + '!').join(',')}", None);
    check_text("${schema.spec.list.filter(x, x != '')[0]}", None);
    check_text("${db.metadata.labels.app}", None);
    check_text("${db.status.shards.map(s, s.name)[0]}", None);
    check_text("${db.status.?endpoint.orValue('none')}", None);
    check_text("${pods.map(p, p.metadata.name).join(', ')}", None);
    check_text("${pods[0].metadata.name + pods[0].kind}", None);
    check_text("${string(size(pods))}", None);
    check_text(r#"${"${HOME}"}"#, None);
    check_text("${'%s-%d'.format([schema.spec.name, schema.spec.count])}", None);

    check_text("${schema.spec.count}", Some("it is an integer, but a string is wanted"));
    check_text("${schema.spec.ratio}", Some("it is a number"));
    check_text("${schema.spec.list}", Some("it is a list, each a string"));
    check_text("${schema.spec.door}", Some("it is an object"));
    check_text("${schema.spec.on && db.status.ready}", Some("it is a boolean"));
    check_text("${db.status.port}", Some("it is an integer"));
    check_text("${db.status.shards.map(s, s.id)[0]}", Some("it is an integer"));
    check_text("${size(schema.spec.list)}", Some("it is an integer"));
    check_text("x ${schema.spec.count}", Some("part of a text: it is an integer"));
    check_text("x ${db.status.?endpoint}", Some("it may be missing"));
    check_text("x ${db.status.?endpoint.orValue('')}", None);
    check_text("${schema.spec.name + 1}", Some("cannot be added"));
    check_text("${db.status.?port.orValue(0)}", Some("it is an integer"));
}

#[test]
fn fields_that_are_not_there_are_named() {
    check_text("${schema.spec.nope}", Some("schema.spec has no field nope"));
    check_text("${schema.status.x}", Some("schema has no field status"));
    check_text("${schema.spec.name.first}", Some("schema.spec.name is a string, which has no field first"));
    check_text("${db.status.shards[0].nope}", Some("db.status.shards[0] has no field nope"));
    check_text("${db.status['nope']}", Some("db.status has no field nope"));
    check_text("${db.status.shards.map(s, s.nope)[0]}", Some("s has no field nope"));
    check_text("${db.status.shards.map(s, s.metadata.name)[0]}", Some("s has no field metadata"));
    check_text("${pods[0].metadata.nope}", Some("pods[0].metadata has no field nope"));
    check_text("${schema.spec.on ? db.nope : ''}", Some("db has no field nope"));
    check_text("${has(db.status.nope) ? 'a' : 'b'}", Some("db.status has no field nope"));
    check_text("${pods.metadata.name}", Some("pods is a list"));
    check_text("${schema.spec.count.map(x, x)}", Some("has no elements"));
}

#[test]
fn cel_that_is_none_and_unknown_names_are_faults() {
    check_text("${schema.spec.name", Some("not closed"));
    check_text("${schema..spec}", Some("schema..spec"));
    check_text("${}", Some(""));
    check_text("${schema.spec.list.map(x, strin(x))[0]}", Some("there is no function strin"));
    check_text("${schema.spec.list.sortBy(x, x)[0]}", Some("there is no function sortBy"));
    check_text("${string(lists.range(3)[0])}", None);
    check_text("${nope.spec}", Some("there is no nope here, only cm, db, pods, schema"));
    check_text("${self.spec}", Some("there is no self here"));
    check_text("${each.spec}", Some("there is no each here"));
    check_text("${db.status.shards.map(x, y)[0]}", Some("there is no y here"));
    check_text(&format!("${{'{}'}}", "x".repeat(9000)), Some("longer than 8192 bytes"));
}

#[test]
fn static_fields_are_checked_like_an_api_server_would() {
    let deployment = |spec: &str| {
        resources(&format!(
            "  - {{id: d, template: {{apiVersion: apps/v1, kind: Deployment, metadata: {{name: d}}, spec: {spec}}}}}"
        ))
    };
    let spec = "resources[0].template.spec";
    check_fault(
        &deployment("{replicas: three}"),
        &format!("{spec}.replicas"),
        "it is a string, but an integer is wanted",
    );
    check_fault(&deployment("{replica: 3}"), &format!("{spec}.replica"), "there is no such field");
    check_fault(&deployment("{selector: [1]}"), &format!("{spec}.selector"), "it is a list, but an object is wanted");
    check_fault(&deployment("{paused: {}}"), &format!("{spec}.paused"), "an object, but a boolean");
    check_fault(
        &deployment("{selector: {matchLabels: {a/b: 1}}}"),
        &format!("{spec}.selector.matchLabels[\"a/b\"]"),
        "integer",
    );
    assert_eq!(faults(&deployment("{replicas: 3, selector: {matchLabels: {a: b}}}")), []);
}

#[test]
fn ids_are_unique_words() {
    let of = |ids: &[&str]| {
        let item = |id: &&str| {
            format!(
                "  - {{id: \"{id}\", template: {{apiVersion: v1, kind: ConfigMap, metadata: {{name: \"n-{id}\"}}}}}}\n"
            )
        };
        resources(&ids.iter().map(item).collect::<String>())
    };
    for id in ["web-server", "WebServer", "a_b", "", "1a"] {
        check_fault(&of(&[id]), "resources[0].id", "lowerCamelCase");
    }
    for id in ["schema", "each", "self", "spec", "in", "map", "true"] {
        check_fault(&of(&[id]), "resources[0].id", "reserved");
    }
    check_fault(&of(&["a", "b", "a"]), "resources[2].id", "\"a\" is also the id of resources[0]");
    assert_eq!(faults(&of(&["a", "webServer2", "ip"])), []);
}

#[test]
fn cycles_are_named() {
    let yaml = resources(
        r#"
  - {id: a, template: {apiVersion: v1, kind: ConfigMap, metadata: {name: a}, data: {x: "${c.metadata.name}"}}}
  - {id: b, template: {apiVersion: v1, kind: ConfigMap, metadata: {name: b}, data: {x: "${a.metadata.name}"}}}
  - {id: c, includeWhen: ["${b.metadata.name != ''}"], template: {apiVersion: v1, kind: ConfigMap, metadata: {name: c}}}
  - {id: d, template: {apiVersion: v1, kind: ConfigMap, metadata: {name: d}, data: {x: "${a.metadata.name}"}}}
"#,
    );
    check_fault(&yaml, "resources", "a -> c -> b -> a");
    let own =
        resources("  - {id: a, template: {apiVersion: v1, kind: ConfigMap, metadata: {name: \"${a.metadata.uid}\"}}}");
    check_fault(&own, "resources", "a -> a");
}

#[test]
fn lists_of_collections_are_checked() {
    let of = |for_each: &str, name: &str| {
        resources(&format!(
            "  - {{id: p, forEach: {for_each}, template: {{apiVersion: v1, kind: Pod, metadata: {{name: \"{name}\"}}}}}}"
        ))
    };
    let list = "\"${schema.spec.list}\"";
    assert_eq!(faults(&of(&format!("[{{a: {list}}}, {{b: \"${{[1, 2]}}\"}}]"), "${a}-${string(b)}")), []);
    check_fault(
        &of(&format!("[{{a: {list}}}, {{b: {list}}}]"), "${a}"),
        "resources[0].template.metadata.name",
        "does not use b",
    );
    check_fault(
        &of(&format!("[{{a: {list}, b: {list}}}]"), "${a}"),
        "resources[0].forEach[0]",
        "one name and its list",
    );
    check_fault(
        &of("[{a: \"${schema.spec.name}\"}]", "${a}"),
        "resources[0].forEach[0].a",
        "it is a string, but a list is wanted",
    );
    check_fault(&of("[{a: \"x ${schema.spec.list}\"}]", "${a}"), "resources[0].forEach[0].a", "nothing else");
    check_fault(&of(&format!("[{{each: {list}}}]"), "${each}"), "resources[0].forEach[0].each", "reserved");
    check_fault(&of(&format!("[{{p: {list}}}]"), "${p}"), "resources[0].forEach[0].p", "is the id of a resource");
    check_fault(&of(&format!("[{{a: {list}}}, {{a: {list}}}]"), "${a}"), "resources[0].forEach[1].a", "twice");
    check_fault(
        &of(&format!("[{{a: {list}}}, {{b: \"${{[a]}}\"}}]"), "${a}${b}"),
        "resources[0].forEach[1].b",
        "there is no a here",
    );
    let six = ["a", "b", "c", "d", "e", "f"].map(|name| format!("{{{name}: {list}}}")).join(", ");
    check_fault(&of(&format!("[{six}]"), "${a}${b}${c}${d}${e}${f}"), "resources[0].forEach", "more than 5");
    check_fault(&of("[{a: \"${[1]}\"}]", "x-${a}"), "resources[0].template.metadata.name", "it is an integer");
}

#[test]
fn conditions_see_what_they_may_and_are_booleans() {
    let of = |field: &str, cel: &str| {
        resources(&format!(
            r#"
  - {{id: db, template: {{apiVersion: db.example.com/v1, kind: Database, metadata: {{name: db}}}}}}
  - {{id: d, {field}: ["{cel}"], template: {{apiVersion: apps/v1, kind: Deployment, metadata: {{name: d}}}}}}
"#
        ))
    };
    assert_eq!(faults(&of("includeWhen", "${schema.spec.on}")), []);
    assert_eq!(faults(&of("includeWhen", "${db.status.port > 0}")), []);
    assert_eq!(faults(&of("readyWhen", "${d.status.availableReplicas > 0}")), []);
    let at = "resources[1].includeWhen[0]";
    check_fault(&of("includeWhen", "${schema.spec.name}"), at, "it is a string, but a boolean is wanted");
    check_fault(&of("includeWhen", "${d.status.replicas > 0}"), at, "there is no d here");
    check_fault(&of("includeWhen", "schema.spec.on"), at, "nothing else");
    let at = "resources[1].readyWhen[0]";
    check_fault(&of("readyWhen", "${db.status.port > 0}"), at, "there is no db here, only d");
    check_fault(&of("readyWhen", "${schema.spec.on}"), at, "there is no schema here");
    check_fault(&of("readyWhen", "${each.status.replicas > 0}"), at, "there is no each here");
    check_fault(&of("readyWhen", "${d.status.replicas}"), at, "it is an integer");
    check_fault(&of("readyWhen", "${d.status.nope > 0}"), at, "d.status has no field nope");
    check_fault(&of("readyWhen", "${d.status.?replicas}"), at, "it may be missing");
    let collection = |cel: &str| {
        resources(&format!(
            "  - {{id: p, forEach: [{{n: \"${{schema.spec.list}}\"}}], readyWhen: [\"{cel}\"], template: {{apiVersion: v1, kind: Pod, metadata: {{name: \"${{n}}\"}}}}}}"
        ))
    };
    assert_eq!(faults(&collection("${each.status.phase == 'Running'}")), []);
    check_fault(&collection("${p.all(x, true)}"), "resources[0].readyWhen[0]", "there is no p here");
    check_fault(&collection("${each.status.nope == 1}"), "resources[0].readyWhen[0]", "each.status has no field nope");
}

#[test]
fn resources_are_objects_of_known_kinds() {
    let at = "resources[0]";
    check_fault(&resources("  - {id: a}"), at, "neither a template nor an externalRef");
    let both = "  - {id: a, template: {}, externalRef: {apiVersion: v1, kind: ConfigMap, metadata: {name: x}}}";
    check_fault(&resources(both), at, "one of them");
    let unknown = "  - {id: a, template: {apiVersion: x.io/v1, kind: Nope, metadata: {name: a}}}";
    check_fault(&resources(unknown), "resources[0].template", "the kind Nope of x.io/v1 is not known here");
    let dynamic = "  - {id: a, template: {apiVersion: v1, kind: \"${schema.spec.name}\", metadata: {name: a}}}";
    check_fault(&resources(dynamic), "resources[0].template.kind", "without CEL");
    let nameless = "  - {id: a, template: {apiVersion: v1, kind: ConfigMap, metadata: {generateName: a}}}";
    check_fault(&resources(nameless), "resources[0].template.metadata.name", "needs a name");
}

#[test]
fn references_name_or_select() {
    let of = |metadata: &str| {
        resources(&format!("  - {{id: a, externalRef: {{apiVersion: v1, kind: ConfigMap, metadata: {metadata}}}}}"))
    };
    assert_eq!(faults(&of("{name: \"${schema.spec.name}\", namespace: x}")), []);
    assert_eq!(faults(&of("{selector: {matchLabels: {team: \"${schema.spec.name}\"}}}")), []);
    let at = "resources[0].externalRef.metadata";
    check_fault(&of("{}"), at, "either a name or a selector");
    check_fault(&of("{name: a, selector: {}}"), at, "either a name or a selector");
    check_fault(&of("{selector: {matchLabel: {}}}"), &format!("{at}.selector"), "matchLabels or matchExpressions");
    check_fault(&of("{name: \"${schema.spec.list}\"}"), &format!("{at}.name"), "a list");
}

#[test]
fn all_faults_are_found_at_once_and_once() {
    let found = faults(
        r#"
schema:
  apiVersion: one
  kind: test
  spec: {a: nope, b: "integer | default=x"}
  status: {x: "${nope.x}", y: "${db.spec.nope}"}
resources:
  - {id: db, readyWhen: [x], template: {apiVersion: db.example.com/v1, kind: Database, metadata: {name: "${"}, spec: {storage: 1}}}
  - {id: db, template: {apiVersion: v1, kind: Nope, metadata: {name: other}}}
"#,
    );
    let paths: Vec<_> = found.iter().map(|fault| fault.path.as_str()).collect();
    assert_eq!(
        paths,
        [
            "schema.kind",
            "schema.apiVersion",
            "schema.spec.a",
            "schema.spec.b",
            "resources[1].id",
            "resources[0].template.metadata.name",
            "resources[0].template.spec.storage",
            "resources[0].readyWhen[0]",
            "resources[1].template",
            "schema.status.x",
            "schema.status.y",
        ]
    );
}

#[test]
fn deep_nesting_is_a_fault_and_no_crash() {
    let mut value = json!("x");
    for _ in 0..120 {
        value = json!([value]);
    }
    let template = json!({"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": "a"}, "spec": {"x": value}});
    let resource = Resource { id: "a".into(), template: template.as_object().cloned(), ..Resource::default() };
    let schema = GraphSchema { api_version: "v1".into(), kind: "Test".into(), ..GraphSchema::default() };
    let faults = Graph::compile(&ResourceGraph { schema, resources: vec![resource] }, schema_of).unwrap_err();
    assert!(faults.to_string().contains("nested more than"), "{faults}");
    check_text(&format!("${{{}1{}}}", "(".repeat(2000), ")".repeat(2000)), Some(""));
}

fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![
        ".{0,20}",
        "[a-z.${}'\"\\[\\]()?+ ]{0,30}",
        prop::collection::vec(
            prop::sample::select(vec![
                "${",
                "}",
                "schema",
                ".spec",
                ".x",
                "[0]",
                "b",
                "'",
                " + ",
                "(",
                ")",
                ".map(x, x",
                "1",
                "?"
            ]),
            0..8
        )
        .prop_map(|words| words.concat()),
    ]
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any_text().prop_map(Value::from)
    ];
    leaf.prop_recursive(4, 32, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(
                prop_oneof![
                    prop::sample::select(vec!["apiVersion", "kind", "metadata", "name", "spec", "data"])
                        .prop_map(String::from),
                    "[a-z]{1,3}"
                ],
                inner,
                0..5
            )
            .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn nothing_people_write_makes_it_panic(
        templates in prop::collection::vec(any_json(), 0..4),
        spec in any_json(),
        status in any_json(),
        conditions in prop::collection::vec(any_text(), 0..3),
    ) {
        let resources = templates.into_iter().zip(["a", "b", "c", "d"]).map(|(template, id)| Resource {
            id: id.into(),
            template: template.as_object().cloned(),
            ready_when: conditions.clone(),
            include_when: conditions.clone(),
            for_each: conditions.iter().map(|text| [("e".to_owned(), text.clone())].into()).collect(),
            ..Resource::default()
        });
        let schema = GraphSchema { api_version: "v1".into(), kind: "T".into(), spec, status, ..GraphSchema::default() };
        let definition = ResourceGraph { schema, resources: resources.collect() };
        let _ = Graph::compile(&definition, |_, _| Some(json!({"type": "object"})));
    }
}
