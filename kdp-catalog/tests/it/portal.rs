//! What portals are given, checked by what they check it with.

mod placed;

use std::{fs, path::Path, process::Command};

use kdp_catalog::{
    CatalogEntry, Details, ExportLocation,
    portal::{KindInput, OrderInput, ServiceInput, Site, WorkspaceInput, backstage, port, schema_form},
};
use kdp_core::condition::Condition;
use serde_json::{Value, json};

/// The folder `node_modules` with the packages of `tests/portal/package.json`.
const MODULES: &str = "KDP_PORTAL_NODE_MODULES";
/// Makes the absence of these packages, or of node, a failure.
const REQUIRE: &str = "KDP_REQUIRE_PORTAL";

/// What an unkind person writes where a text may stand.
const HOSTILE: [&str; 10] = [
    "# Heading\n\n[click](javascript:alert(1)) <img src=x onerror=alert(1)>",
    "Größe 数据库 🐘 \u{202e}txt.exe",
    "${{ secrets.token }} {{ 7*7 }} %{x}",
    "--- \n- a: *b\n... !!js/function",
    "yes",
    "0x1F",
    "  leading: \"and\" 'trailing'\\ \t",
    "\u{0}\u{7}\u{1b}[31m\r\n",
    "a/../../b?c#d&e=f",
    "🦀🦀🦀🦀🦀🦀🦀🦀🦀🦀🦀🦀🦀🦀🦀🦀🦀🦀🦀🦀🦀🦀🦀🦀🦀🦀🦀🦀🦀🦀🦀🦀🦀🦀🦀🦀🦀🦀🦀🦀🦀🦀🦀🦀🦀🦀🦀🦀🦀🦀",
];

#[test]
fn backstage_and_port_accept_a_site() {
    let folder = tempfile::tempdir().unwrap();
    let site = site();
    let written = backstage::write(&site, folder.path()).unwrap();
    assert_eq!(written.len(), 6, "{written:?}");
    let save = |name: &str, value: &Value| fs::write(folder.path().join(name), value.to_string()).unwrap();
    save("entities.json", &json!(backstage::entities(&site)));
    save("templates.json", &json!(backstage::templates(&site)));
    save("samples.json", &samples());
    save("forms.json", &Value::Array(forms()));
    let invocation = port::Invocation::webhook("https://hooks.example.com/order").unwrap();
    let mut exported = port::export(&site, &invocation);
    exported.actions.extend(port::export(&site, &port::Invocation::Kafka).actions);
    save("port.json", &json!(exported));

    let Some(output) = validated(folder.path()) else { return };
    let faults = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{faults}");
    let checked: Value = serde_json::from_slice(&output.stdout).unwrap();
    let port = exported.blueprints.len() + exported.entities.len() + exported.actions.len();
    assert_eq!(checked["port"], port, "{checked}");
    let entities = backstage::entities(&site).len() + backstage::templates(&site).len();
    assert_eq!(checked["entities"], entities, "{checked}");
    // Each kind has a page for its place, and all but the one without a schema one for its fields.
    assert_eq!(checked["forms"], 9 + forms().len(), "{checked}");
    assert_eq!((&checked["instances"], &checked["orders"]), (&json!(18), &json!(6)), "{checked}");
}

#[test]
fn the_action_passes_its_own_tests() {
    if has_node() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("portal/backstage-action");
        let output = Command::new("node").arg("--test").current_dir(folder).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    }
}

/// What the validation says; `None` when it cannot be run and need not be.
fn validated(folder: &Path) -> Option<std::process::Output> {
    let modules = std::env::var_os(MODULES).filter(|modules| Path::new(modules).is_dir());
    let Some(modules) = modules.filter(|_| has_node()) else {
        skip(&format!("{MODULES} names no folder node_modules"));
        return None;
    };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/portal/validate.mjs");
    Some(Command::new("node").arg(script).arg(folder).arg(modules).output().unwrap())
}

/// Whether node is there; says that it is not.
fn has_node() -> bool {
    let has_node = Command::new("node").arg("--version").output().is_ok_and(|output| output.status.success());
    if !has_node {
        skip("there is no node on the PATH");
    }
    has_node
}

#[expect(clippy::print_stderr, reason = "whoever runs the tests must see that one is skipped")]
fn skip(why: &str) {
    assert!(std::env::var_os(REQUIRE).is_none(), "{REQUIRE} is set, and {why}");
    eprintln!("SKIPPED: {why}; {REQUIRE} makes it required");
}

/// Three services, five kinds, twenty orders.
fn site() -> Site {
    let location = "url:https://git.example.com/portal/blob/main/catalog-info.yaml";
    let mut site = Site::new("https://kdp.example.com", location).unwrap();
    let databases = [
        kind("db.example.com", "Postgres", "postgreses", &postgres()),
        kind("db.example.com", "Redis", "redises", &redis()),
    ];
    let buckets = [kind("s3.example.com", "Bucket", "buckets", &bucket())];
    let topics = [
        kind("mq.example.com", "Topic", "topics", &topic()),
        kind("mq.example.com", "Broker", "brokers", &Value::Null).cluster_scoped(),
    ];
    site.services = vec![
        service("db.example.com", "Databases", "Data", databases).with_owner("Team DBA"),
        service("s3.example.com", HOSTILE[0], HOSTILE[1], buckets)
            .with_owner(HOSTILE[2])
            .with_lifecycle("experimental"),
        service("mq.example.com", "", "", topics).with_owner("root.acme"),
    ];
    site.services[1].entry.labels =
        [("tier", "gold"), ("$text", "/etc/passwd")].map(|(k, v)| (k.into(), v.into())).into();
    site.services[2].entry.details = None;
    site.workspaces = vec![
        WorkspaceInput::new("root".parse().unwrap(), ""),
        WorkspaceInput::new("root:acme".parse().unwrap(), "acme"),
        WorkspaceInput::new("root:acme:dev".parse().unwrap(), HOSTILE[1]),
    ];
    site.orders = (0..20).map(order).collect();
    site
}

fn service<const N: usize>(name: &str, title: &str, category: &str, kinds: [KindInput; N]) -> ServiceInput {
    let provider = format!("root:{}", name.split('.').next().unwrap());
    let mut entry = CatalogEntry::at(ExportLocation::new(provider.parse().unwrap(), "c1".parse().unwrap(), name));
    let mut details = Details::default();
    details.title = title.into();
    details.description = HOSTILE.join("\n");
    details.category = category.into();
    details.documentation_url =
        if title == "Databases" { "https://docs.example.com/db#start" } else { "javascript:x" }.into();
    entry.details = Some(details);
    ServiceInput::new(entry).with_kinds(kinds)
}

fn kind(group: &str, kind: &str, plural: &str, spec: &Value) -> KindInput {
    let schema = json!({
        "type": "object", "description": HOSTILE[0], "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string"}, "kind": {"type": "string"}, "metadata": {"type": "object"},
            "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
            "spec": spec,
        },
        "x-kubernetes-group-version-kind": [{"group": group, "kind": kind, "version": "v1"}],
    });
    let input = KindInput::new(group, "v1", kind, plural).unwrap();
    if schema["properties"]["spec"].is_null() { input } else { input.with_schema(schema) }
}

fn postgres() -> Value {
    json!({
        "type": "object", "required": ["size", "version"],
        "x-kubernetes-validations": [{"rule": "self.size > 0", "message": "no"}],
        "oneOf": [{"required": ["size"]}, {"required": ["storage"]}],
        "properties": {
            "size": {"type": "integer", "format": "int32", "minimum": 0, "exclusiveMinimum": true, "maximum": 9, "default": 3},
            "version": {"type": "string", "enum": ["15", "16", "17"], "default": "17"},
            "storage": {
                "x-kubernetes-int-or-string": true, "anyOf": [{"type": "integer"}, {"type": "string"}],
                "pattern": "^[0-9]+(Gi|Ti)$", "default": "10Gi",
            },
            "password": {"type": "string", "format": "password", "minLength": 12, "nullable": true},
            "ttl": {"type": "string", "format": "duration", "pattern": "(?i)^[0-9]+[smh]$"},
            "databases": {
                "type": "array", "minItems": 1, "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"],
                "items": {"type": "object", "required": ["name"], "properties": {
                    "name": {"type": "string", "pattern": "^[a-z_][a-z0-9_]*$", "maxLength": 63},
                    "extensions": {"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string"}},
                    "grants": {"type": "array", "items": {"type": "array", "items": {"type": "string", "enum": ["r", "w"]}}},
                }},
            },
        },
    })
}

fn redis() -> Value {
    json!({
        "type": "object",
        "properties": {
            "memory": {"x-kubernetes-int-or-string": true, "nullable": true},
            "config": {"type": "object", "additionalProperties": {"type": "string"}, "default": {"$text": "/etc/passwd"}},
            "raw": {"x-kubernetes-preserve-unknown-fields": true},
            "ratio": {"type": "number", "format": "double", "multipleOf": 0.25, "maximum": 1, "exclusiveMaximum": false},
        },
    })
}

fn bucket() -> Value {
    json!({
        "type": "object", "required": ["region", "ui:field"],
        "properties": {
            "region": {"type": "string", "enum": HOSTILE, "default": HOSTILE[4]},
            "policy": {"type": "string", "maxLength": 4096, "description": HOSTILE[6]},
            "ui:field": {"type": "string"}, "$ref": {"type": "string"}, "__proto__": {"type": "string"},
            "public": {"type": "boolean", "default": false},
            "größe": {"type": "integer"},
            "endpoint": {"type": "string", "format": "uri"},
            "template": {"type": "object", "x-kubernetes-embedded-resource": true,
                         "x-kubernetes-preserve-unknown-fields": true},
        },
    })
}

fn topic() -> Value {
    json!({"type": "object", "properties": {"partitions": {"type": "integer", "nullable": true, "enum": [1, 3, 12]}}})
}

fn order(index: usize) -> OrderInput {
    let workspace =
        ["root:acme", "root:acme:dev", "root:acme:a-very-long-name-of-a-team:and-of-its-project"][index % 3];
    let (service, kind) = [
        ("db.example.com", "Postgres"),
        ("root:s3:s3.example.com", "Bucket"),
        ("mq.example.com", "Topic"),
        ("gone.example.com", HOSTILE[2]),
    ][index % 4];
    let name = HOSTILE.get(index).map_or_else(|| format!("order-{index}"), |name| (*name).to_owned());
    let mut order = OrderInput::new(workspace.parse().unwrap(), service, kind, name);
    order.namespace = (!index.is_multiple_of(5)).then(|| if index == 6 { HOSTILE[8].into() } else { "default".into() });
    order.uid = format!("00000000-0000-4000-8000-{index:012}");
    order.conditions = match index % 3 {
        0 => vec![Condition::holds("Ready")],
        1 => vec![Condition::fails("Ready", HOSTILE[index % 10], HOSTILE[1])],
        _ => Vec::new(),
    };
    order.created = index.is_multiple_of(2).then(|| "2026-11-25T10:00:00.123Z".parse().unwrap());
    order
}

/// Orders of the templates, by name: those that pass their forms, and those that do not.
fn samples() -> Value {
    let place =
        |fields: Value| json!({"workspace": "root:acme", "namespace": "default", "name": "orders", "fields": fields});
    let mut cluster_scoped = place(json!({}));
    cluster_scoped.as_object_mut().unwrap().retain(|key, _| key != "namespace" && key != "fields");
    let full = json!({"spec": {
        "size": 3, "version": "17", "storage": "10Gi", "password": null, "ttl": "5m",
        "databases": [{"name": "orders", "extensions": ["vector"], "grants": [["r", "w"], []]}],
    }});
    let mut elsewhere = place(full.clone());
    elsewhere["workspace"] = "root/acme".into();
    let mut misnamed = place(full.clone());
    misnamed["name"] = "Orders".into();
    json!({
        "v1.postgreses.db.example.com": {
            "valid": [place(full), place(json!({"spec": {"size": 9, "version": "15", "storage": 5}}))],
            "invalid": [
                place(json!({})), place(json!({"spec": {"size": 0, "version": "17"}})),
                place(json!({"spec": {"size": 1, "version": "9"}})),
                place(json!({"spec": {"size": 1, "version": "17", "storage": "10"}})),
                place(json!({"spec": {"size": 1, "version": "17", "databases": [{"name": "A"}]}})),
                place(json!({"spec": {"size": 1, "version": "17", "databases": [{"name": "a", "extensions": ["x", "x"]}]}})),
                place(json!({"spec": {"size": 1, "version": "17", "databases": [{"name": "a", "grants": ["r"]}]}})),
                elsewhere, misnamed,
            ],
        },
        "v1.redises.db.example.com": {
            "valid": [place(json!({"spec": {"memory": null, "config": {"a": "b"}, "raw": {"x": [1]}, "ratio": 0.75}}))],
            "invalid": [place(json!({"spec": {"config": {"a": 1}}})), place(json!({"spec": {"ratio": 0.3}}))],
        },
        "v1.buckets.s3.example.com": {
            "valid": [place(json!({"spec": {"region": HOSTILE[0], "template": {"kind": "x"}}}))],
            "invalid": [place(json!({"spec": {}}))],
        },
        "v1.topics.mq.example.com": {"valid": [place(json!({"spec": {"partitions": null}}))]},
        "v1.brokers.mq.example.com": {"valid": [cluster_scoped]},
    })
}

/// Forms of every type with every odd keyword.
fn forms() -> Vec<Value> {
    let odd = [
        json!({"pattern": "[\\w-.]"}),
        json!({"pattern": "\\_"}),
        json!({"pattern": "[[:alnum:]]+"}),
        json!({"pattern": "^(?P<a>x)\\z"}),
        json!({"pattern": "a{,2}"}),
        json!({"pattern": "^[^\\s\\-]{1,5}$"}),
        json!({"pattern": "^\\/[\\.\\-_a-z]+\\/?$"}),
        json!({"pattern": "x{2}?|(?:y)+?"}),
        json!({"pattern": "[]"}),
        json!({"pattern": "^[+-]?[0-9]+(\\.[0-9]*)?([eE][-+]?[0-9]+)?$"}),
        json!({"pattern": "[é-ü]"}),
        json!({"format": "int-or-string"}),
        json!({"format": "k8s-short-name"}),
        json!({"format": "int64"}),
        json!({"format": "date-time"}),
        json!({"format": "byte"}),
        json!({"format": "uuid"}),
        json!({"format": 7}),
        json!({"minimum": 1, "exclusiveMinimum": true}),
        json!({"minimum": "1"}),
        json!({"exclusiveMaximum": 4}),
        json!({"multipleOf": 0}),
        json!({"minLength": -1, "maxLength": 2.5}),
        json!({"enum": []}),
        json!({"enum": [null, 1, 1, "a", {"$text": "x"}], "nullable": true}),
        json!({"default": {"$text": "x"}}),
        json!({"required": ["a", "a", 1]}),
        json!({"items": [{"type": "string"}]}),
        json!({"items": true}),
        json!({"properties": {"a": {"type": "string"}}, "required": ["a", "b"]}),
        json!({"additionalProperties": {}}),
        json!({"properties": {"constructor": true, "toString": {}}, "required": ["toString"]}),
        json!({"allOf": [{"$ref": "#/x"}], "not": {"required": ["a"]}, "anyOf": [{"minLength": 2}]}),
        json!({"x-kubernetes-int-or-string": true, "enum": [1, "a"], "minLength": 1, "maximum": 3}),
        json!({"x-kubernetes-preserve-unknown-fields": true, "properties": {"a": {"type": "integer"}}}),
        json!({"uniqueItems": true, "maxItems": 3}),
        json!({"minProperties": 1, "maxProperties": 2}),
        json!({"discriminator": {"propertyName": "a"}, "xml": {}, "example": 1, "readOnly": true, "$schema": "x"}),
    ];
    let types = ["string", "integer", "number", "boolean", "array", "object", "null", "file", ""];
    let mut forms = Vec::new();
    for type_ in types {
        for odd in &odd {
            for nullable in [true, false] {
                let mut schema = odd.clone();
                schema["nullable"] = nullable.into();
                if !type_.is_empty() {
                    schema["type"] = type_.into();
                }
                forms.push(json!({"form": schema_form::form(&schema), "schema": schema}));
            }
        }
    }
    forms
}
