use super::*;

#[test]
fn faults_of_unchanged_values_are_not_reported_on_update() {
    let schema = structural(&database());
    let old = json!({"spec": {"engine": "oracle", "replicas": 1, "users": [{"name": "much-too-long"}, {"name": "b"}]}});
    let mut new = old.clone();
    assert_eq!(lines(&schema.validate(&new, Some(&old))), Vec::<String>::new());
    new["spec"]["replicas"] = json!(2);
    // Items of a map list are recognised by their key wherever they are.
    new["spec"]["users"] = json!([{"name": "new"}, {"name": "b"}, {"name": "much-too-long"}]);
    assert_eq!(lines(&schema.validate(&new, Some(&old))), Vec::<String>::new());
    new["spec"]["engine"] = json!("db2");
    assert_eq!(
        lines(&schema.validate(&new, Some(&old))),
        [r#"spec.engine: Unsupported value: "db2": supported values: "postgres", "sqlite""#]
    );
}

#[test]
fn items_that_cannot_be_recognised_are_checked_unless_the_whole_list_is_unchanged() {
    let schema = structural(&with_spec(&json!({
        "other": {"type": "integer"},
        "list": {"type": "array", "items": {"type": "string", "maxLength": 1}},
    })));
    let old = json!({"spec": {"list": ["aa"]}});
    let same = json!({"spec": {"list": ["aa"], "other": 1}});
    assert_eq!(lines(&schema.validate(&same, Some(&old))), Vec::<String>::new());
    let longer = json!({"spec": {"list": ["aa", "b"]}});
    assert_eq!(lines(&schema.validate(&longer, Some(&old))), ["spec.list[0]: Too long: may not be more than 1 byte"]);
}

#[test]
fn duplicates_may_stay_where_there_were_duplicates() {
    let schema = structural(&database());
    let old = json!({"spec": {"engine": "sqlite", "tags": ["a", "a"]}});
    let new = json!({"spec": {"engine": "sqlite", "tags": ["a", "a", "b"]}});
    assert_eq!(lines(&schema.validate(&new, Some(&old))), Vec::<String>::new());
    let clean = json!({"spec": {"engine": "sqlite", "tags": ["a"]}});
    assert_eq!(lines(&schema.validate(&new, Some(&clean))), ["spec.tags[1]: Duplicate value: \"a\""]);
}
