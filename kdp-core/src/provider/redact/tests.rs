use serde_json::json;

use super::*;
use crate::provider::Phase;

#[test]
fn the_longest_secret_goes_first() {
    let observation = Observation::new(Phase::Ready)
        .with_output("password", Output::sensitive("hunter2"))
        .with_output("uri", Output::sensitive("postgres://app:hunter2@host"))
        .with_output("host", Output::plain("db.example.com"));
    let redactor = Redactor::new().with_outputs_of(&observation);
    let text = "cannot reach postgres://app:hunter2@host at db.example.com with hunter2";
    assert_eq!(redactor.redact(text), "cannot reach (sensitive) at db.example.com with (sensitive)");
}

#[test]
fn what_is_too_short_is_no_secret() {
    assert_eq!(Redactor::new().with("a").with("").redact("a banana"), "a banana");
}

#[test]
fn debug_output_of_a_redactor_tells_nothing() {
    assert_eq!(format!("{:?}", Redactor::new().with("hunter2")), "Redactor(1 secrets)");
}

#[test]
fn a_mask_of_another_shape_marks_nothing_but_true_marks_all() {
    let check = |value: Value, mask: Value, expected: Value| assert_eq!(redact_masked(value, &mask), expected);
    check(json!({"a": 1}), json!(true), json!(REDACTED));
    check(json!({"a": 1}), json!([true]), json!({"a": 1}));
    check(json!([1, 2]), json!([true]), json!([REDACTED, 2]));
    check(json!({"a": {"b": 1}}), json!({"a": {"b": true, "c": true}}), json!({"a": {"b": REDACTED}}));
    check(json!(null), json!(false), json!(null));
}
