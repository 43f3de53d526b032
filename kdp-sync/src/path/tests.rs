use proptest::prelude::*;
use serde_json::json;

use super::*;

fn path(text: &str) -> Path {
    text.parse().unwrap()
}

#[test]
fn values_are_found_by_key_and_index() {
    let value = json!({"a": {"b.c": [1, {"d": 2}], "1": "one"}});
    let check =
        |text, expected: Option<Value>| assert_eq!(path(text).get(&value).as_deref(), expected.as_ref(), "{text}");
    check(r"a.b\.c.0", Some(json!(1)));
    check(r"a.b\.c.1.d", Some(json!(2)));
    check("a.1", Some(json!("one")));
    check("a.:1", None);
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
fn only_paths_that_mean_nothing_are_refused() {
    assert_eq!("".parse::<Path>(), Err(PathError::Empty));
    assert_eq!("a".repeat(LONGEST + 1).parse::<Path>(), Err(PathError::TooLong));
    assert_eq!("@dig:@dig:@dig:a".parse::<Path>(), Err(PathError::TooMuchWork));
    for text in ["a..b", "a.#", "a.#(x==1)", "@this", "a|b", "a.*", "{a}", "[0]", "#(", "!", r"\"] {
        assert!(text.parse::<Path>().is_ok(), "{text}");
    }
}

#[test]
fn lists_are_not_filled_up_without_limit() {
    let mut value = json!({"a": [1]});
    assert!(path("a.99999999").set(&mut value, json!(1)).is_err());
    assert!(path("b.99999999").set(&mut value, json!(1)).is_err());
    assert_eq!(value, json!({"a": [1]}));
}

#[test]
fn what_is_made_and_not_stored_cannot_be_overwritten() {
    let before = json!({"a": [{"b": [1, 2]}, {"b": [3]}]});
    for text in ["a.#.b.#", "a.#", "a|0", "@this.a", "{a,#}", "a.#.@keys"] {
        let mut value = before.clone();
        path(text).set(&mut value, json!("v")).unwrap();
        assert_eq!(value, before, "{text}");
    }
    let mut value = before.clone();
    path("a.#.b.#(>1)#").set(&mut value, json!("v")).unwrap();
    assert_eq!(value, json!({"a": [{"b": [1, "v"]}, {"b": ["v"]}]}));
}

#[test]
fn only_plain_paths_have_keys() {
    let check = |text, expected: Option<Vec<&str>>| assert_eq!(path(text).keys(), expected, "{text}");
    check(r"a.b\.c.0", Some(vec!["a", "b.c", "0"]));
    check(r"a\*", Some(vec!["a*"]));
    for text in ["a*", "a.#.b", "a|b", "@this.a", "..0", "[a]", "{a}", "!1", "a.@this", "a.[b]"] {
        check(text, None);
    }
}

#[test]
fn a_path_covers_what_is_below_it_and_may_touch_what_could_be_the_same() {
    let check = |write, read, covers, may_touch| {
        assert_eq!(path(write).covers(&path(read)), covers, "{write} covers {read}");
        assert_eq!(path(write).may_touch(&path(read)), may_touch, "{write} touches {read}");
    };
    check("a", "a.b", true, true);
    check("a.b", "a.b", true, true);
    check("a.b", "a", false, true);
    check("a.b", "a.c", false, false);
    check("a.-1", "a.0", false, true);
    check("a.-1", "a.b", false, false);
    check("a.:0", "a.0", true, true);
    check("a.00", "a.0", false, true);
    check("a.#.b", "x", false, true);
    check("a", "a.#", false, true);
}

/// What the Go libraries gjson 1.18.0 and sjson 1.2.5 give.
mod vectors {
    use serde::Deserialize;

    use super::*;

    #[derive(Deserialize)]
    struct Vector {
        document: String,
        path: String,
        value: Option<Value>,
        #[serde(default)]
        text: String,
        #[serde(default)]
        found: bool,
        result: Option<Value>,
    }

    fn vectors(text: &str) -> impl Iterator<Item = (Value, Vector)> {
        let documents: Value = serde_json::from_str(include_str!("../../tests/data/paths/documents.json")).unwrap();
        let vectors: Vec<Vector> = serde_json::from_str(text).unwrap();
        vectors.into_iter().map(move |vector| (documents[&vector.document].clone(), vector))
    }

    #[test]
    fn reading_finds_what_gjson_finds() {
        let mut wrong = Vec::new();
        for (document, vector) in vectors(include_str!("../../tests/data/paths/reads.json")) {
            let Ok(path) = vector.path.parse::<Path>() else {
                assert!(vector.path.is_empty());
                continue;
            };
            let found = path.get(&document);
            // A null that is found reads as an absent value here.
            let expected = vector.found.then_some(vector.value.unwrap_or_default());
            let is_same = found.as_deref() == expected.as_ref();
            let is_text =
                matches!(expected, Some(Value::Object(_) | Value::Array(_))) || text(found.as_deref()) == vector.text;
            if !is_same || !is_text {
                wrong.push(format!("{}: {found:?}, not {expected:?} {:?}", vector.path, vector.text));
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    #[test]
    fn writing_gives_what_sjson_gives() {
        let mut wrong = Vec::new();
        for (document, vector) in vectors(include_str!("../../tests/data/paths/writes.json")) {
            let mut object = document;
            let value = vector.value.unwrap();
            let result =
                vector.path.parse::<Path>().and_then(|path| path.set(&mut object, value)).map(|()| object).ok();
            if result != vector.result {
                wrong.push(format!("{}: {result:?},\n not {:?}", vector.path, vector.result));
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    #[test]
    fn deleting_leaves_what_sjson_leaves() {
        for (document, vector) in vectors(include_str!("../../tests/data/paths/deletes.json")) {
            let mut object = document;
            let path: Path = vector.path.parse().unwrap();
            path.delete(&mut object);
            let result = (!path.is_written_by_query()).then_some(object);
            assert_eq!(result, vector.result, "{}", vector.path);
        }
    }
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
        prop_assert!(path.get(&value).is_some_and(|found| *found == new));
        let once = value.clone();
        path.set(&mut value, new).unwrap();
        prop_assert_eq!(&value, &once);
    }

    #[test]
    fn nothing_panics(text in r#"([a-c*?#.|@!:"(){}\[\]\\=<>%~0-9é-]|@(this|keys|tostr|fromstr|group|join|flatten|reverse):?){1,30}"#, mut value in any_value()) {
        let path = path(&text.replacen("@this", "@dig", 2));
        let _ = path.get(&value);
        let _ = path.set(&mut value, json!({"a": [1]}));
        path.delete(&mut value);
    }

    #[test]
    fn reading_a_plain_path_and_running_it_as_a_query_are_the_same(
        value in any_value(),
        text in r"([a-c]|[0-3]|a\\\.b)(\.([a-c]|[0-3]|)){0,4}",
    ) {
        let document = document(&value);
        let by_query: Option<Value> = query::find(&document, &text).map(|hit| serde_json::from_str(&hit.raw).unwrap());
        prop_assert_eq!(path(&text).get(&value).map(Cow::into_owned), by_query);
    }
}

#[test]
fn the_deepest_paths_fit_the_stack() {
    let value = json!({"a": [[{"a": 1}]]});
    for text in ["[", "{", "a.", "#(", "@tostr|", "#.", "!", "\\", "a|", "[a."] {
        let path = path(&text.repeat(LONGEST / text.len()));
        let _ = path.get(&value);
        let closed = format!("{}a{}", "[".repeat(LONGEST / 2 - 1), "]".repeat(LONGEST / 2 - 1));
        let _ = closed.parse::<Path>().unwrap().get(&value);
    }
}
