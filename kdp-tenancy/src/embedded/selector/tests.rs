use proptest::prelude::*;
use serde_json::{Value, json};

use super::{
    label::{Operator, Requirement},
    *,
};

fn labels(value: &Value) -> serde_json::Map<String, Value> {
    value.as_object().unwrap().clone()
}

#[test]
fn label_selectors_match_as_in_kubernetes() {
    let object = labels(&json!({"app": "web", "tier": "front", "n": "5", "empty": ""}));
    for (text, expected) in [
        ("", true),
        ("app=web", true),
        ("app==web", true),
        ("app = web , tier = front", true),
        ("app!=web", false),
        ("missing!=web", true),
        ("app in (web,db)", true),
        ("app in (db)", false),
        ("app notin (db)", true),
        ("missing notin (db)", true),
        ("app", true),
        ("!app", false),
        ("!missing", true),
        ("empty=", true),
        ("empty in (,x)", true),
        ("app in ()", false),
        ("n>4", true),
        ("n<5", false),
        ("app>4", false),
        ("in in (in,notin)", false),
    ] {
        assert_eq!(LabelSelector::parse(text).unwrap().matches(&object), expected, "{text}");
    }
}

#[test]
fn malformed_label_selectors_are_bad_requests_in_the_words_of_kubernetes() {
    for (text, fault) in [
        ("a b", "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt"),
        ("a in b", "unable to parse requirement: found 'b' expected: '('"),
        ("a in (b", "unable to parse requirement: found '', expected: ',' or ')'"),
        ("a,", "found '', expected: identifier after ','"),
        ("=a", "found '=', expected: !, identifier, or 'end of string'"),
        ("!a=b", "found '=', expected: ',' or 'end of string'"),
        ("!", "unable to parse requirement: found '', expected: identifier"),
        (
            "a>b",
            "unable to parse requirement: values[0]: Invalid value: \"b\": for 'Gt', 'Lt' operators, the value must be \
             an integer",
        ),
        ("/a=b", "unable to parse requirement: <nil>: Invalid value: \"/a\": prefix part must be non-empty"),
    ] {
        let error = LabelSelector::parse(text).unwrap_err();
        assert_eq!((error.code(), error.to_string().as_str()), (400, fault), "{text}");
    }
}

#[test]
fn field_selectors_match_and_unescape() {
    let value_of = |field: &str| match field {
        "metadata.name" => Some("web".to_owned()),
        "spec.note" => Some("a,b=c\\d".to_owned()),
        _ => None,
    };
    for (text, expected) in [
        ("", true),
        ("metadata.name=web", true),
        ("metadata.name==web", true),
        ("metadata.name!=web", false),
        (r"spec.note=a\,b\=c\\d", true),
        ("status.phase=", true),
        ("status.phase!=", false),
        ("metadata.name=web,status.phase!=Ready", true),
    ] {
        assert_eq!(FieldSelector::parse(text).unwrap().matches_fields(value_of), expected, "{text}");
    }
    let selector = FieldSelector::parse("metadata.namespace!=x,metadata.name=web").unwrap();
    assert_eq!(selector.fields().collect::<Vec<_>>(), ["metadata.name", "metadata.namespace"]);
}

#[test]
fn malformed_field_selectors_are_bad_requests() {
    for (text, fault) in [
        ("a", "invalid selector: 'a'; can't understand 'a'"),
        (r"a=\x", r"invalid field selector: invalid escape sequence: \x"),
        ("a=b\\", "invalid field selector: invalid escape sequence: \\"),
        ("a=b=c", "invalid field selector: unescaped character in value: 61"),
    ] {
        let error = FieldSelector::parse(text).unwrap_err();
        assert_eq!((error.code(), error.to_string().as_str()), (400, fault), "{text}");
    }
}

fn requirement() -> impl Strategy<Value = Requirement> {
    let key = prop_oneof!["[a-z]{1,5}", "[a-z]{1,3}\\.io/[A-Z]{1,3}", Just("in".to_owned()), Just("notin".to_owned())];
    let value = prop_oneof!["[a-z0-9]{0,4}", Just("in".to_owned())];
    let operator = prop_oneof![
        Just(Operator::Equals),
        Just(Operator::DoubleEquals),
        Just(Operator::NotEquals),
        Just(Operator::In),
        Just(Operator::NotIn),
        Just(Operator::Exists),
        Just(Operator::DoesNotExist),
    ];
    (key, operator, proptest::collection::vec(value, 1..4)).prop_map(|(key, operator, mut values)| {
        match operator {
            Operator::In | Operator::NotIn => {}
            Operator::Exists | Operator::DoesNotExist => values.clear(),
            _ => values.truncate(1),
        }
        Requirement::new(&key, operator, values).unwrap()
    })
}

proptest! {
    #[test]
    fn a_label_selector_survives_being_written_and_parsed(all in proptest::collection::vec(requirement(), 0..5)) {
        let selector = LabelSelector::new(all);
        prop_assert_eq!(LabelSelector::parse(&selector.to_string()).unwrap(), selector);
    }

    #[test]
    fn a_field_selector_survives_being_written_and_parsed(
        terms in proptest::collection::vec(("[a-z.]{1,8}", "[a-z,=\\\\!]{0,6}", any::<bool>()), 0..4)
    ) {
        let escape = |text: &str| text.replace('\\', r"\\").replace(',', r"\,").replace('=', r"\=");
        let text: Vec<_> = terms
            .iter()
            .map(|(field, value, negated)| format!("{field}{}{}", if *negated { "!=" } else { "=" }, escape(value)))
            .collect();
        let selector = FieldSelector::parse(&text.join(",")).unwrap();
        prop_assert_eq!(FieldSelector::parse(&selector.to_string()).unwrap(), selector);
    }

    #[test]
    fn no_text_makes_a_parser_panic(text in "[a-c!=<>(), \\\\inot/\u{e9}]{0,40}") {
        let _ = LabelSelector::parse(&text);
        let _ = FieldSelector::parse(&text);
    }
}
