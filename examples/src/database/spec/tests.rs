use kube_cel::validate;
use serde_json::{Value, json};

use super::*;

fn schema() -> Value {
    let offers = [Offer { engine: Engine::Sqlite, versions: vec!["3".into()] }];
    let crd = serde_json::to_value(crd(&offers)).unwrap();
    crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"].clone()
}

/// The messages of the rules that `new` breaks, as an update of `old` where there is one.
fn check(new: &Value, old: Option<&Value>, expected: &[&str]) {
    let wrap = |spec: &Value| json!({"spec": spec});
    let errors =
        validate(&schema(), &wrap(new), old.map(wrap).as_ref()).err().map_or_else(Vec::new, |errors| errors.into_vec());
    let messages: Vec<_> = errors.iter().map(|e| e.message.as_str()).collect();
    assert_eq!(messages, expected, "{new} over {old:?}");
}

fn sqlite(storage: &str) -> Value {
    json!({"engine": "sqlite", "storage": storage})
}

#[test]
fn storage_may_grow_but_not_shrink() {
    check(&sqlite("2Mi"), Some(&sqlite("1Mi")), &[]);
    check(&sqlite("1024Ki"), Some(&sqlite("1Mi")), &[]);
    check(&sqlite("1M"), Some(&sqlite("1Mi")), &["storage may grow but not shrink"]);
}

#[test]
fn engine_and_version_cannot_be_changed() {
    let postgres = json!({"engine": "postgres", "storage": "1Mi"});
    check(&postgres, Some(&sqlite("1Mi")), &["engine cannot be changed"]);
    let versioned = json!({"engine": "sqlite", "storage": "1Mi", "version": "3"});
    check(&versioned, Some(&versioned), &[]);
    check(&versioned, Some(&sqlite("1Mi")), &["version cannot be changed"]);
    check(&sqlite("1Mi"), Some(&versioned), &["version cannot be changed"]);
}

#[test]
fn only_what_is_offered_can_be_ordered() {
    assert_eq!(schema()["properties"]["spec"]["properties"]["engine"]["enum"], json!(["sqlite"]));
    check(&json!({"engine": "sqlite", "storage": "1Mi", "version": "3"}), None, &[]);
    let old = json!({"engine": "sqlite", "storage": "1Mi", "version": "2"});
    check(&old, None, &["sqlite is offered in version 3"]);
}

#[test]
fn the_pattern_of_the_schema_is_what_the_parser_reads() {
    assert_eq!(schema()["properties"]["spec"]["properties"]["storage"]["pattern"], json!(quantity::PATTERN));
}
