use proptest::prelude::*;
use serde_json::json;

use super::*;

fn path(text: &str) -> Path {
    text.parse().unwrap()
}

#[test]
fn values_are_found_by_key_and_index() {
    let value = json!({"a": {"b.c": [1, {"d": 2}], "1": "one"}});
    let check = |text, expected: Option<Value>| assert_eq!(path(text).get(&value), expected.as_ref(), "{text}");
    check(r"a.b\.c.0", Some(json!(1)));
    check(r"a.b\.c.1.d", Some(json!(2)));
    check("a.1", Some(json!("one")));
    check("a.:1", Some(json!("one")));
    check(r"a.b\.c.-1", None);
    check("a.x.y", None);
}

#[test]
fn writing_creates_what_leads_there() {
    let check = |mut value: Value, text, expected| {
        path(text).set(&mut value, json!("v")).unwrap();
        assert_eq!(value, expected, "{text}");
    };
    check(json!({}), "a.b", json!({"a": {"b": "v"}}));
    check(json!({}), "a.2", json!({"a": [null, null, "v"]}));
    check(json!({}), "a.:2", json!({"a": {"2": "v"}}));
    check(json!({}), "a.-1", json!({"a": ["v"]}));
    check(json!({"a": [1]}), "a.-1", json!({"a": [1, "v"]}));
    check(json!({"a": [1]}), "a.0", json!({"a": ["v"]}));
    check(json!({"a": 1}), "a.b", json!({"a": {"b": "v"}}));
    check(json!({"a": null}), r"a.b\.c", json!({"a": {"b.c": "v"}}));
}

#[test]
fn a_key_cannot_be_written_into_a_list() {
    let mut value = json!({"a": [1]});
    assert!(path("a.b.c").set(&mut value, json!(1)).is_err());
    assert_eq!(value, json!({"a": [1]}));
}

#[test]
fn deleting_what_is_missing_changes_nothing() {
    let check = |text, expected| {
        let mut value = json!({"a": [1, 2], "b": {"c": 1}});
        path(text).delete(&mut value);
        assert_eq!(value, expected, "{text}");
    };
    check("a.0", json!({"a": [2], "b": {"c": 1}}));
    check("a.-1", json!({"a": [1], "b": {"c": 1}}));
    check("b.c", json!({"a": [1, 2], "b": {}}));
    check("b.x.y", json!({"a": [1, 2], "b": {"c": 1}}));
    check("a.7", json!({"a": [1, 2], "b": {"c": 1}}));
}

#[test]
fn queries_are_refused() {
    for text in ["", "a..b", "a.#", "a.#(x==1)", "@this", "a|b", "a.*", "a?", "{a}", "[0]", "a.99999999999"] {
        assert!(text.parse::<Path>().is_err(), "{text}");
    }
    assert!(r"a\#b".parse::<Path>().is_ok());
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "[a-c]{0,3}".prop_map(Value::from)
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-c]", inner, 0..4).prop_map(|map| map.into_iter().collect()),
        ]
    })
}

proptest! {
    #[test]
    fn what_was_set_is_there_and_setting_it_twice_is_setting_it_once(
        mut value in any_value(),
        text in "[a-c]{1,2}(\\.([a-c]|[0-3])){0,3}",
        new in any_value(),
    ) {
        let path = path(&text);
        let before = value.clone();
        if path.set(&mut value, new.clone()).is_err() {
            prop_assert_eq!(value, before);
            return Ok(());
        }
        prop_assert_eq!(path.get(&value), Some(&new));
        let once = value.clone();
        path.set(&mut value, new).unwrap();
        prop_assert_eq!(&value, &once);
    }

    #[test]
    fn parsing_never_panics(text in "\\PC{0,40}") {
        let _ = text.parse::<Path>();
    }
}
