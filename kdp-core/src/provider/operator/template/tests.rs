use proptest::prelude::*;
use serde_json::json;

use super::*;

fn render(template: &Value, order: &Value) -> Result<Value, Vec<String>> {
    let mut faults = Vec::new();
    let compiled = Template::compile(template, "body", &["order"], &mut faults);
    if !faults.is_empty() {
        return Err(faults);
    }
    compiled.render("body", &Scope::new().with("order", order)).map_err(|fault| vec![fault])
}

#[test]
fn expressions_give_values_of_any_type_and_texts_hold_them() {
    let order = json!({"name": "a", "size": 3, "tags": {"x": ["y"]}, "off": null});
    let check = |template: Value, expected: Value| assert_eq!(render(&template, &order), Ok(expected), "{template}");
    check(json!("${order.size}"), json!(3));
    check(json!("${order.tags}"), json!({"x": ["y"]}));
    check(json!("db-${order.name}-${order.size + 1}"), json!("db-a-4"));
    check(json!({"a": "${order.off}", "b": null, "c": ["${order.name}"]}), json!({"b": null, "c": ["a"]}));
    check(json!("$${order.name}"), json!("${order.name}"));
    check(json!("${'}' + \"{\"}"), json!("}{"));
    check(json!("${{'a': order.size}}"), json!({"a": 3}));
    check(json!(""), json!(""));
    check(json!("$"), json!("$"));
}

#[test]
fn faults_name_the_field() {
    let check = |template: Value, part: &str| {
        let faults = render(&template, &json!({"tags": {}})).unwrap_err();
        assert!(faults.iter().any(|fault| fault.contains(part)), "{faults:?}");
    };
    check(json!({"spec": {"a": ["${order."]}}), "body.spec.a[0]: ");
    check(json!({"spec": "${"}), "body.spec: ");
    check(json!({"spec": "${secrets.x}"}), "there is no secrets here");
    check(json!({"spec": "x ${order.tags}"}), "body.spec: ");
    check(json!({"spec": "${order.missing}"}), "body.spec: ");
}

proptest! {
    #[test]
    fn nothing_in_an_order_is_ever_an_expression(text in "[$%{}'\"\\\\a-z.() ]{0,30}") {
        let order = json!({"text": text});
        prop_assert_eq!(render(&json!("${order.text}"), &order), Ok(json!(text)));
        prop_assert_eq!(render(&json!("<${order.text}>"), &order), Ok(json!(format!("<{text}>"))));
    }

    #[test]
    fn texts_without_expressions_stay_what_they_are(text in "[^$]{0,40}") {
        prop_assert_eq!(render(&json!(text), &json!({})), Ok(json!(text)));
    }

    #[test]
    fn no_template_makes_it_panic(text in "[${}'\"\\\\a-z.()+ ]{0,30}") {
        drop(render(&json!(text), &json!({"a": 1})));
    }
}
