use proptest::prelude::*;
use serde_json::{Value, json};

use super::JsonPath;

fn object() -> Value {
    json!({
        "metadata": {"labels": {"app.kubernetes.io/name": "db", "region": "eu"}},
        "spec": {"ports": [{"name": "a", "port": 80}, {"name": "b", "port": 443}], "it's": 1},
        "status": {"conditions": [
            {"type": "Synced", "status": "False"},
            {"type": "Ready", "status": "True", "generation": 3},
        ]},
    })
}

fn check(path: &str, expected: &Value) {
    let found = path.parse::<JsonPath>().unwrap_or_else(|error| panic!("{path}: {error}"));
    assert_eq!(json!(found.find(&object())), *expected, "{path}");
}

#[test]
fn a_path_leads_through_fields_indexes_wildcards_and_filters() {
    check(".metadata.labels.region", &json!(["eu"]));
    check("{.metadata.labels.region}", &json!(["eu"]));
    check("$.metadata.labels.region", &json!(["eu"]));
    check(".metadata.labels['app.kubernetes.io/name']", &json!(["db"]));
    check(r".metadata.labels.app\.kubernetes\.io/name", &json!(["db"]));
    check(".metadata.labels[\"region\"]", &json!(["eu"]));
    check(r".spec['it\'s']", &json!([1]));
    check(".spec.ports[0].name", &json!(["a"]));
    check(".spec.ports[-1].name", &json!(["b"]));
    check(".spec.ports[*].port", &json!([80, 443]));
    check(".spec.ports.*.port", &json!([80, 443]));
    check(".spec.ports[?(@.port>80)].name", &json!(["b"]));
    check(".spec.ports[?(@.port<=443)].name", &json!(["a", "b"]));
    check(".spec.ports[?(@.name!='a')].port", &json!([443]));
    check(".status.conditions[?(@.type==\"Ready\")].status", &json!(["True"]));
    check(".status.conditions[?( @.type == 'Ready' )].status", &json!(["True"]));
    check(".status.conditions[?(@.generation)].type", &json!(["Ready"]));
    check(".", &json!([object()]));
    check(".['spec'].ports[1].port", &json!([443]));
}

#[test]
fn a_path_into_nothing_finds_nothing() {
    for path in [".spec.missing", ".spec.ports[9]", ".spec.ports[-3]", ".spec.ports.name", ".metadata[0]"] {
        check(path, &json!([]));
    }
}

#[test]
fn what_is_not_a_simple_path_is_refused() {
    for text in [
        "spec",
        "..name",
        ".a..b",
        ".a[",
        ".a[0",
        ".a[x]",
        ".a['b]",
        ".a[0:2]",
        ".a['b','c']",
        ".a[?(b==1)]",
        ".a[?(@.b==)]",
        ".a[?(@.b==1]",
        ".a[?(@[?(@.b)])]",
        "{.a",
        ".a}",
        ".a b",
        ".a[99999999999999999999]",
    ] {
        assert!(text.parse::<JsonPath>().is_err(), "{text}");
    }
}

proptest! {
    #[test]
    fn no_text_makes_the_parser_panic(text in r#"[.\[\]{}()?@$*'"\\=<>!0-9a-zé -]{0,24}"#) {
        if let Ok(path) = text.parse::<JsonPath>() {
            let _ = path.find(&object());
        }
    }

    #[test]
    fn any_field_name_can_be_quoted(name in any::<String>()) {
        let quoted = name.replace('\\', r"\\").replace('\'', r"\'");
        let path: JsonPath = format!("['{quoted}']").parse().unwrap();
        let object = json!({ name: 1 });
        prop_assert_eq!(path.first(&object), Some(&json!(1)));
    }
}
