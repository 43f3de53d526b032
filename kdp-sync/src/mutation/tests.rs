use serde_json::json;

use super::*;

fn compile(list: Value) -> Result<Mutations, Vec<crate::Diagnostic>> {
    let mut faults = Diagnostics::default();
    let list: Vec<ResourceMutation> = serde_json::from_value(list).unwrap();
    let mutations = Mutations::compile(&list, "spec.mutation.spec", &mut faults);
    faults.finish(Some(mutations))
}

#[expect(clippy::needless_pass_by_value, reason = "the table reads better")]
fn check(mutation: Value, expected: Value) {
    let object = json!({"spec": {"image": "old/app:1", "size": 3, "list": ["a"]}});
    let other = json!({"status": {"host": "h"}});
    let result = compile(json!([mutation])).unwrap().apply(object, &other).unwrap();
    assert_eq!(result["spec"], expected, "{mutation}");
}

#[test]
fn each_kind_rewrites_its_path() {
    check(json!({"delete": {"path": "spec.size"}}), json!({"image": "old/app:1", "list": ["a"]}));
    check(
        json!({"regex": {"path": "spec.image", "pattern": "^old/", "replacement": "new/"}}),
        json!({"image": "new/app:1", "size": 3, "list": ["a"]}),
    );
    check(
        json!({"regex": {"path": "spec.size", "replacement": "none"}}),
        json!({"image": "old/app:1", "size": "none", "list": ["a"]}),
    );
    check(
        json!({"template": {"path": "spec.list.-1", "template": "{{ upper .RemoteObject.status.host }}-{{ .LocalObject.spec.size }}"}}),
        json!({"image": "old/app:1", "size": 3, "list": ["a", "H-3"]}),
    );
    check(
        json!({"template": {"path": "spec.image", "template": "{{ .Value.String | replace \"old\" \"my\" }}"}}),
        json!({"image": "my/app:1", "size": 3, "list": ["a"]}),
    );
    check(
        json!({"cel": {"path": "spec.size", "expression": "int(value) + size(self.spec.list) + (has(other.status) ? 1 : 0)"}}),
        json!({"image": "old/app:1", "size": 5, "list": ["a"]}),
    );
}

#[test]
fn the_first_of_several_counts() {
    let image = json!({"path": "spec.image", "expression": "'new'", "template": "newer"});
    check(json!({"cel": image, "template": image}), json!({"image": "newer", "size": 3, "list": ["a"]}));
    check(json!({"cel": image, "template": image, "delete": image}), json!({"size": 3, "list": ["a"]}));
}

#[test]
fn faults_name_their_field() {
    let field = |mutation: Value| compile(json!([mutation])).unwrap_err()[0].field.clone();
    assert_eq!(field(json!({})), "spec.mutation.spec[0]");
    assert_eq!(field(json!({"delete": {"path": "a.#.b"}})), "spec.mutation.spec[0].delete.path");
    assert_eq!(field(json!({"delete": {"path": ""}})), "spec.mutation.spec[0].delete.path");
    assert_eq!(field(json!({"regex": {"path": "a", "pattern": "("}})), "spec.mutation.spec[0].regex.pattern");
    assert_eq!(
        field(json!({"template": {"path": "a", "template": "{{ env }}"}})),
        "spec.mutation.spec[0].template.template"
    );
    assert_eq!(field(json!({"cel": {"path": "a", "expression": "1 +"}})), "spec.mutation.spec[0].cel.expression");
    assert_eq!(field(json!({"cel": {"path": "a", "expression": "thing.a"}})), "spec.mutation.spec[0].cel.expression");
}

fn mutate(list: Value, object: Value) -> Result<Value, String> {
    compile(list).unwrap().apply(object, &json!({"status": {"host": "h"}}))
}

#[test]
fn queries_rewrite_every_match_where_it_lies() {
    let object = json!({"spec": {"users": [{"name": "a", "role": "x"}, {"name": "b"}, {"name": "c", "role": "y"}]}});
    let rules = json!([{"template": {"path": "spec.users.#.role", "template": "r"}}]);
    assert_eq!(
        mutate(rules, object.clone()).unwrap()["spec"]["users"],
        json!([{"name": "a", "role": "r"}, {"name": "b"}, {"name": "c", "role": "r"}])
    );
    let rules = json!([{"regex": {"path": "spec.users.#(name==\"c\").role", "pattern": "y", "replacement": "z"}}]);
    assert_eq!(mutate(rules, object.clone()).unwrap()["spec"]["users"][2]["role"], "z");
    let rules = json!([{"cel": {"path": "spec.users.#(name==\"zed\").role", "expression": "'q'"}}]);
    assert_eq!(mutate(rules, object.clone()).unwrap(), object);
}

#[test]
fn values_reach_cel_as_floats_and_objects_as_they_are_until_something_was_rewritten() {
    let object = || json!({"spec": {"a": 3, "b": 4.5}});
    let cel = |expression: &str| json!({"cel": {"path": "spec.a", "expression": expression}});
    let check = |rules: Value, expected: Option<Value>| {
        assert_eq!(mutate(rules.clone(), object()).ok().map(|o| o["spec"]["a"].clone()), expected, "{rules}");
    };
    check(json!([cel("value + 1.0")]), Some(json!(4)));
    check(json!([cel("value + 1")]), None);
    check(json!([cel("self.spec.a + 1")]), Some(json!(4)));
    check(json!([{"delete": {"path": "spec.x"}}, cel("self.spec.a + 1.0")]), Some(json!(4)));
    check(json!([cel("self.spec.b + value")]), Some(json!(7.5)));
    check(json!([cel("[1, 2.5, null, {'k': b'ab'}]")]), Some(json!([1, 2.5, null, {"k": "YWI="}])));
    check(json!([cel("1.0 / 0.0")]), None);
}

#[test]
fn numbers_are_floats_after_a_rewrite_and_whole_ones_integers_in_the_end() {
    let object = json!({"spec": {"big": 9_007_199_254_740_993_i64, "half": 0.5, "size": 12_345_678}});
    let rules = json!([
        {"delete": {"path": "spec.x"}},
        {"template": {"path": "spec.text", "template": "{{ .LocalObject.spec.size }}"}},
    ]);
    let expected =
        json!({"big": 9_007_199_254_740_992_i64, "half": 0.5, "size": 12_345_678, "text": "1.2345678e&#43;07"});
    assert_eq!(mutate(rules, object.clone()).unwrap()["spec"], expected);
    assert_eq!(mutate(json!([]), object.clone()).unwrap(), object);
}

#[test]
fn a_failure_names_the_rule_and_its_path() {
    let rules = json!([{"delete": {"path": "spec.x"}}, {"cel": {"path": "spec.size", "expression": "self.nope"}}]);
    let message = mutate(rules, json!({"spec": {}})).unwrap_err();
    assert!(message.starts_with("spec.mutation.spec[1] at spec.size: "), "{message}");
    let rules = json!([{"regex": {"path": "spec.list.x", "replacement": "v"}}]);
    let message = mutate(rules, json!({"spec": {"list": []}})).unwrap_err();
    assert!(message.starts_with("spec.mutation.spec[0] at spec.list.x: "), "{message}");
}

#[test]
fn the_identity_of_an_object_is_never_rewritten() {
    let object = json!({
        "apiVersion": "example.com/v1", "kind": "Database",
        "metadata": {"name": "a", "namespace": "n", "uid": "u", "resourceVersion": "7", "labels": {"l": "1"}},
        "spec": {},
    });
    let set = |path: &str| json!({"template": {"path": path, "template": "evil"}});
    for path in [
        "apiVersion",
        "kind",
        "metadata",
        "metadata.name",
        "metadata.namespace",
        "metadata.uid",
        "metadata.resourceVersion",
        "metadata.finalizers.0",
        "metadata.ownerReferences.0.uid",
        "metadata.generateName",
        "metadata.n*",
    ] {
        let mutated = mutate(json!([set(path)]), object.clone()).unwrap();
        let mut expected = object.clone();
        if path == "metadata" {
            expected["metadata"].as_object_mut().unwrap().remove("labels");
        }
        assert_eq!(mutated, expected, "{path}");
    }
    let mutated =
        mutate(json!([set("metadata.labels.l"), set("metadata.annotations.x"), set("spec.y")]), object).unwrap();
    assert_eq!(mutated["metadata"]["labels"], json!({"l": "evil"}));
    assert_eq!(mutated["metadata"]["annotations"], json!({"x": "evil"}));
    assert_eq!(mutated["spec"], json!({"y": "evil"}));
}

#[test]
fn only_rewrites_that_ignore_what_tenants_write_decide_a_value() {
    let check = |rules: Value, path: &str, expected| {
        assert_eq!(compile(rules.clone()).unwrap().decide(&path.parse().unwrap()), expected, "{rules}");
    };
    let template = |path: &str, template: &str| json!({"template": {"path": path, "template": template}});
    let regex = |path: &str, pattern: &str| json!({"regex": {"path": path, "pattern": pattern, "replacement": "x"}});
    let cel = |path: &str, expression: &str| json!({"cel": {"path": path, "expression": expression}});
    check(json!([]), "spec.a", false);
    check(json!([template("spec.a", "fixed")]), "spec.a", true);
    check(json!([template("spec", "fixed")]), "spec.a", true);
    check(json!([template("spec.b", "fixed")]), "spec.a", false);
    check(json!([template("spec.a", "{{ .Value.String }}")]), "spec.a", false);
    check(json!([template("spec.a", "{{ .LocalObject.spec.b }}")]), "spec.a", false);
    check(json!([template("spec.a", "{{ .RemoteObject.spec.b }}")]), "spec.a", false);
    check(json!([regex("spec.a", "")]), "spec.a", true);
    check(json!([regex("spec.a", "^")]), "spec.a", false);
    check(json!([cel("spec.a", "'fixed'")]), "spec.a", true);
    check(json!([cel("spec.a", "value")]), "spec.a", false);
    check(json!([cel("spec.a", "self.spec.b")]), "spec.a", false);
    check(json!([{"delete": {"path": "spec.a"}}]), "spec.a", true);
    // The last word counts.
    check(json!([template("spec.a", "fixed"), regex("spec.a", "^")]), "spec.a", false);
    check(json!([regex("spec.a", "^"), template("spec.a", "fixed")]), "spec.a", true);
    check(json!([template("spec.a", "fixed"), cel("spec.*", "self.spec.b")]), "spec.a", false);
    check(json!([template("spec.a", "fixed"), cel("spec.a.-1", "self.spec.b")]), "spec.a", false);
    check(json!([template("spec.a", "fixed"), cel("spec.c", "self.spec.b")]), "spec.a", true);
    check(json!([template("spec.#.a", "fixed")]), "spec.a", false);
}
