//! Vectors that Go's own packages, sprig 3.3 and gjson made; an error of theirs is one of ours.

use serde_json::{Value, json};

use super::super::*;

#[derive(serde::Deserialize)]
struct File {
    object: Value,
    vectors: Vec<Vector>,
}

#[derive(serde::Deserialize)]
struct Vector {
    dialect: String,
    template: String,
    /// None where Go fails.
    output: Option<String>,
}

#[test]
fn output_is_that_of_go_to_the_byte() {
    let file: File = serde_json::from_str(include_str!("../../../tests/data/templates/vectors.json")).unwrap();
    let other = json!({"status": {"host": "h<1>"}});
    let mut misses = Vec::new();
    for Vector { dialect, template, output } in &file.vectors {
        let (dialect, scope) = if dialect == "html" {
            let scope = Scope::default()
                .with_found("Value", Some(&file.object["spec"]["mixed"]))
                .with_json("LocalObject", &file.object)
                .with_json("RemoteObject", &other);
            (Dialect::Html, scope)
        } else {
            let scope = Scope::default()
                .with_json("Object", &file.object)
                .with_text("ClusterName", "abc")
                .with_text("ClusterPath", "root:abc");
            (Dialect::Text, scope)
        };
        let ours = Template::parse(template, dialect).and_then(|template| template.render(&scope));
        if ours.as_ref().ok() != output.as_ref() {
            misses.push(format!("{template}\n  Go:   {output:?}\n  ours: {ours:?}"));
        }
    }
    assert!(file.vectors.len() >= 400);
    assert!(misses.is_empty(), "{} of {} differ:\n{}", misses.len(), file.vectors.len(), misses.join("\n"));
}
