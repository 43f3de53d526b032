use proptest::prelude::*;
use serde_json::{Value, json};

use super::{Environment, Expression, Scope, has_function};

#[test]
fn the_variables_of_an_expression_are_those_that_are_free() {
    let variables = |text: &str| {
        let expression = Expression::compile_open(text).unwrap();
        expression.variables().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(variables("a.b + c[d]"), ["a", "c", "d"]);
    assert_eq!(variables("items.all(x, x > limit) && type(y) == int"), ["items", "limit", "y"]);
    assert_eq!(variables("base64.encode(b'x') + math.greatest(1, 2)"), [""; 0]);
    assert_eq!(variables("{'k': v}[w]"), ["v", "w"]);
}

#[test]
fn an_unknown_variable_is_named_with_those_there_are() {
    let error = Expression::compile("ordre.size", &["order", "plan"]).unwrap_err();
    assert!(error.contains("no ordre") && error.contains("order, plan"), "{error}");
}

#[test]
fn bytes_are_text_and_floats_can_be_wanted() {
    let evaluate = |text: &str, scope: Scope| Expression::compile_open(text).unwrap().evaluate(&scope);
    assert_eq!(evaluate("b'hi'", Scope::new()), Ok(json!("aGk=")));
    assert_eq!(evaluate("x", Scope::new().with_floats("x", &json!({"a": [1]}))), Ok(json!({"a": [1.0]})));
    assert!(evaluate("x + 1", Scope::new().with_floats("x", &json!(1))).is_err());
    assert!(evaluate("1.0 / 0.0", Scope::new()).is_err());
}

#[test]
fn an_optional_selection_that_finds_nothing_is_none() {
    let scope = Scope::new().with("x", &json!({"a": {"b": 1, "l": [{"n": "q"}]}}));
    let evaluate = |text: &str| Expression::compile_open(text).unwrap().evaluate(&scope);
    assert_eq!(evaluate("x.a.?b"), Ok(json!(1)));
    assert_eq!(evaluate("x.?z"), Ok(Value::Null));
    assert_eq!(evaluate("x.?z.y.?w.orValue(7)"), Ok(json!(7)));
    assert_eq!(evaluate("x.?a.b.orValue(7)"), Ok(json!(1)));
    assert_eq!(evaluate("x.?a.?l[?0].?n.orValue('')"), Ok(json!("q")));
    assert_eq!(evaluate("x.a.?l[0].n.hasValue()"), Ok(json!(true)));
    assert_eq!(evaluate("x.a.l.exists(e, e.?m.orValue('') == '')"), Ok(json!(true)));
    assert_eq!(evaluate("has(x.a.b) && !has(x.a.c)"), Ok(json!(true)));
    assert_eq!(evaluate("{?'k': x.?z, ?'b': x.a.?b}"), Ok(json!({"b": 1})));
    assert!(evaluate("x.z").is_err());
}

#[test]
fn an_environment_serves_many_expressions() {
    let mut outer = Environment::new();
    outer.insert("x", &json!({"a": [1]}));
    let mut inner = outer.inner();
    inner.insert("y", &json!("b"));
    let evaluate = |text: &str, among: &Environment<'_>| Expression::compile_open(text).unwrap().evaluate_in(among);
    assert_eq!(evaluate("x.a.map(i, y)", &inner), Ok(json!(["b"])));
    assert_eq!(evaluate("size(x.a)", &outer), Ok(json!(1)));
    assert!(evaluate("y", &outer).is_err());
}

#[test]
fn ranges_are_bounded() {
    let evaluate = |text: &str| Expression::compile_open(text).unwrap().evaluate(&Scope::new());
    assert_eq!(evaluate("lists.range(3)"), Ok(json!([0, 1, 2])));
    assert_eq!(evaluate("size(lists.range(10000))"), Ok(json!(10000)));
    for length in ["-1", "10001", "1000000000000"] {
        assert!(evaluate(&format!("lists.range({length})")).is_err(), "{length}");
    }
}

#[test]
fn functions_are_known_by_name() {
    let known = [
        "size",
        "string",
        "int",
        "double",
        "contains",
        "startsWith",
        "matches",
        "duration",
        "timestamp",
        "quantity",
        "lists.range",
        "base64.encode",
        "math.greatest",
        "sets.contains",
        "optional.of",
        "orValue",
        "hasValue",
        "join",
        "split",
        "format",
        "sort",
        "sum",
        "url",
        "isURL",
        "ip",
        "cidr",
        "semver",
        "find",
        "replace",
        "upperAscii",
    ];
    for name in known {
        assert!(has_function(name), "{name}");
    }
    for name in ["", "sizee", "range", "lists.nope", "a.b.c", "x"] {
        assert!(!has_function(name), "{name}");
    }
}

#[test]
fn deep_expressions_are_refused_and_no_crash() {
    let deep = |open: &str, middle: &str, close: &str, count: usize| {
        format!("{}{middle}{}", open.repeat(count), close.repeat(count))
    };
    for (open, middle, close) in [
        ("(", "1", ")"),
        ("[", "1", "]"),
        ("{1:", "1", "}"),
        ("size(", "''", ")"),
        ("true?1:", "2", ""),
        ("-!", "1", ""),
        ("", "a", ".b"),
        ("", "1", "+1"),
        ("", "a", "[0]"),
        ("", "a", ".map(x,x)"),
        ("'\n(", "", ""),
    ] {
        for count in [100, 1000, 4000] {
            assert!(
                Expression::compile_open(&deep(open, middle, close, count)).is_err() || count == 100,
                "{open}{close}"
            );
        }
    }
    let evaluate = |text: &str| Expression::compile_open(text).unwrap().evaluate(&Scope::new());
    assert_eq!(evaluate(&deep("(", "1", ")", 40)), Ok(json!(1)));
    assert_eq!(evaluate(&deep("", "1", "+1", 35)), Ok(json!(36)));
    assert_eq!(evaluate(&format!("'{}'", "-.".repeat(1000))), Ok(json!("-.".repeat(1000))));
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-1e9..1e9f64).prop_map(Value::from),
        ".*".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-z/.]{0,6}", inner, 0..4)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn values_come_back_as_they_were(value in any_json()) {
        let given = Expression::compile("x", &["x"]).unwrap().evaluate(&Scope::new().with("x", &value));
        prop_assert_eq!(given, Ok(value));
    }

    #[test]
    fn no_text_makes_it_panic(text in ".{0,40}") {
        if let Ok(expression) = Expression::compile_open(&text) {
            drop(expression.evaluate(&Scope::new()));
        }
    }
}
