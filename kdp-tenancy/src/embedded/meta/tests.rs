use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::embedded::status::FieldError;

fn lines(errors: &[FieldError]) -> Vec<String> {
    errors.iter().map(ToString::to_string).collect()
}

#[test]
fn names_follow_the_rule_of_their_kind() {
    use NameRule::{Label, PathSegment, Subdomain};
    for (rule, name, is_valid) in [
        (Subdomain, "a.b-c.d1", true),
        (Subdomain, "a..b", false),
        (Subdomain, "A", false),
        (Subdomain, "a-", false),
        (Subdomain, "a\n", false),
        (Label, "123-abc", true),
        (Label, "a.b", false),
        (PathSegment, "system:node", true),
        (PathSegment, "a/b", false),
        (PathSegment, "a%b", false),
        (PathSegment, "..", false),
    ] {
        assert_eq!(rule.faults(name).is_empty(), is_valid, "{rule:?} {name:?}");
    }
    assert_eq!(Subdomain.faults(&"a".repeat(254)), ["must be no more than 253 characters"]);
    assert_eq!(Label.faults(&"a".repeat(64)), ["must be no more than 63 characters"]);
    assert!(Subdomain.prefix_faults("web-").is_empty());
    assert!(!Subdomain.prefix_faults("-").is_empty());
}

#[test]
fn a_bad_name_is_refused_in_the_words_of_kubernetes() {
    assert_eq!(
        lines(&validate(&json!({"name": "Not_Valid"}), false, NameRule::Subdomain)),
        ["metadata.name: Invalid value: \"Not_Valid\": a lowercase RFC 1123 subdomain must consist of lower case \
             alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. \
             'example.com', regex used for validation is \
             '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"]
    );
    assert_eq!(
        names::label_value("a b"),
        ["a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must \
             start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for \
             validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"]
    );
}

#[test]
fn namespace_and_name_are_required_as_the_kind_has_it() {
    for (metadata, namespaced, expected) in [
        (json!({"name": "a", "namespace": "b"}), true, vec![]),
        (json!({"name": "a"}), true, vec!["metadata.namespace: Required value"]),
        (
            json!({"name": "a", "namespace": "b"}),
            false,
            vec!["metadata.namespace: Forbidden: not allowed on this type"],
        ),
        (json!({}), false, vec!["metadata.name: Required value: name or generateName is required"]),
    ] {
        assert_eq!(lines(&validate(&metadata, namespaced, NameRule::Subdomain)), expected, "{metadata}");
    }
}

#[test]
fn labels_annotations_owners_and_finalizers_are_checked() {
    let check = |part: Value, start: &str| {
        let mut metadata = json!({"name": "a"});
        metadata.as_object_mut().unwrap().extend(part.as_object().unwrap().clone());
        let errors = lines(&validate(&metadata, false, NameRule::Subdomain));
        assert!(errors.len() == 1 && errors[0].starts_with(start), "{part}: {errors:?}");
    };
    check(json!({"labels": {"a b": "c"}}), "metadata.labels: Invalid value: \"a b\": name part must consist");
    check(json!({"labels": {"a": "b c"}}), "metadata.labels: Invalid value: \"b c\": a valid label");
    check(json!({"labels": {"a/b/c": ""}}), "metadata.labels: Invalid value: \"a/b/c\": a valid label key");
    check(
        json!({"annotations": {"a_/b": "x"}}),
        "metadata.annotations: Invalid value: \"a_/b\": prefix part a lowercase",
    );
    check(
        json!({"annotations": {"a": "x".repeat(256 * 1024)}}),
        "metadata.annotations: Too long: may not be more than 262144 bytes",
    );
    check(json!({"finalizers": ["no good"]}), "metadata.finalizers: Invalid value: \"no good\"");
    check(
        json!({"finalizers": ["orphan", "foregroundDeletion"]}),
        "metadata.finalizers: Invalid value: [\"orphan\",\"foregroundDeletion\"]: finalizer orphan and",
    );
    let owner = |name: &str| json!({"apiVersion": "v1", "kind": "Pod", "name": name, "uid": "1", "controller": true});
    check(json!({"ownerReferences": [owner("a"), owner("b")]}), "metadata.ownerReferences: Invalid value: [{");
    check(
        json!({"ownerReferences": [{"apiVersion": "a/b/c", "kind": "Pod", "name": "a", "uid": "1"}]}),
        "metadata.ownerReferences[0].apiVersion: Invalid value: \"a/b/c\": must be <group>/<version> or <version>",
    );
    check(json!({"managedFields": [{"operation": "Steal"}]}), "metadata.managedFields[0].operation: Unsupported value");
}

#[test]
fn generated_names_keep_their_base_and_fit_a_label() {
    let name = generate_name("web-");
    assert!(name.starts_with("web-") && name.len() == 9, "{name}");
    assert!(name.bytes().skip(4).all(|byte| SAFE.contains(&byte)), "{name}");
    assert_eq!(generate_name(&"x".repeat(100)).len(), 63);
    assert_ne!(generate_name("a"), generate_name("a"));
}

#[test]
fn unknown_fields_go_and_are_named_and_empty_ones_go_silently() {
    let mut metadata = json!({
        "name": "a", "foo": 1, "creationTimestamp": null, "labels": {}, "annotations": {"a": null},
        "ownerReferences": [{"name": "x", "bar": 1}], "namespace": "",
        "managedFields": [{"fieldsV1": {"f:spec": {}}}],
    });
    assert_eq!(prune(&mut metadata), ["metadata.foo", "metadata.ownerReferences[0].bar"]);
    assert_eq!(
        metadata,
        json!({
            "name": "a", "annotations": {"a": ""}, "ownerReferences": [{"name": "x"}],
            "managedFields": [{"fieldsV1": {"f:spec": {}}}],
        })
    );
}

#[test]
fn fields_of_the_wrong_type_are_bad_requests() {
    for (metadata, fault) in [
        (
            json!({"name": 1}),
            "json: cannot unmarshal number into Go struct field ObjectMeta.metadata.name of type string",
        ),
        (
            json!({"labels": {"a": 1}}),
            "json: cannot unmarshal number into Go struct field ObjectMeta.metadata.labels of type string",
        ),
        (
            json!({"labels": "x"}),
            "json: cannot unmarshal string into Go struct field ObjectMeta.metadata.labels of type map[string]string",
        ),
        (json!({"creationTimestamp": "x"}), r#"parsing time "x" as "2006-01-02T15:04:05Z07:00": cannot parse "x""#),
        (
            json!({"ownerReferences": [{"controller": "yes"}]}),
            "json: cannot unmarshal string into Go struct field ObjectMeta.metadata.ownerReferences.controller of type \
             bool",
        ),
        (json!([]), "json: cannot unmarshal array into Go struct field ObjectMeta.metadata of type v1.ObjectMeta"),
    ] {
        let error = check_types(&metadata).unwrap_err();
        assert_eq!((error.code(), error.to_string().as_str()), (400, fault));
    }
    check_types(&json!({"name": null, "creationTimestamp": "2024-01-01T00:00:00Z", "unknown": 1})).unwrap();
}

#[test]
fn an_update_keeps_what_a_client_cannot_change() {
    let old = json!({
        "name": "a", "namespace": "n", "uid": "1", "generation": 3, "creationTimestamp": "2024-01-01T00:00:00Z",
        "finalizers": ["x.io/a"],
    });
    let mut new = json!({"generation": 9, "deletionTimestamp": "2024-01-01T00:00:00Z", "labels": {"a": "b"}});
    keep_immutable(&mut new, &old);
    assert_eq!(
        new,
        json!({
            "name": "a", "namespace": "n", "uid": "1", "generation": 3, "creationTimestamp": "2024-01-01T00:00:00Z",
            "labels": {"a": "b"},
        })
    );
    assert_eq!(lines(&validate_update(&new, &old)), Vec::<String>::new());
    new["name"] = json!("b");
    assert_eq!(lines(&validate_update(&new, &old)), ["metadata.name: Invalid value: \"b\": field is immutable"]);
}

#[test]
fn an_object_being_deleted_gets_no_new_finalizers() {
    let old = json!({"name": "a", "deletionTimestamp": "2024-01-01T00:00:00Z", "finalizers": ["x.io/a"]});
    let mut new = old.clone();
    new["finalizers"] = json!([]);
    assert!(validate_update(&new, &old).is_empty());
    new["finalizers"] = json!(["x.io/a", "x.io/b"]);
    assert_eq!(
        lines(&validate_update(&new, &old)),
        ["metadata.finalizers: Forbidden: no new finalizers can be added if the object is being deleted, found new \
             finalizers []string{\"x.io/b\"}"]
    );
}

proptest! {
    #[test]
    fn a_generated_name_is_a_valid_name(base in "[a-z]([a-z0-9-]{0,80})?") {
        prop_assert!(NameRule::Label.faults(&generate_name(&base)).is_empty());
    }

    #[test]
    fn generating_never_splits_a_character(base in "\\PC{0,80}") {
        prop_assert!(generate_name(&base).len() <= 63);
    }
}
