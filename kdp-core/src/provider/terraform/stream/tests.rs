use proptest::prelude::*;
use serde_json::json;

use super::*;

#[expect(clippy::needless_pass_by_value, reason = "it is written where it is given")]
fn hook(kind: &str, action: &str, more: Value) -> String {
    let mut hook = json!({"resource": {"addr": "terraform_data.a[0]"}, "action": action});
    hook.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap_or_default());
    json!({"@level": "info", "type": kind, "hook": hook}).to_string()
}

fn told(line: &str) -> Option<String> {
    Event::parse(line)?.step(&Redactor::new().with("tr0ub4dor")).map(|step| step.to_string())
}

#[test]
fn people_hear_how_it_goes_with_each_resource() {
    let check = |line: String, expected: Option<&str>| assert_eq!(told(&line).as_deref(), expected, "{line}");
    check(hook("apply_start", "create", json!({})), Some("terraform_data.a[0]: started, create"));
    check(
        hook("apply_progress", "create", json!({"elapsed_seconds": 20})),
        Some("terraform_data.a[0]: still going on, create, 20 s"),
    );
    check(
        hook("apply_complete", "create", json!({"id_key": "id", "id_value": "7", "elapsed_seconds": 21})),
        Some("terraform_data.a[0]: done, create, 21 s"),
    );
    check(hook("apply_errored", "delete", json!({})), Some("terraform_data.a[0]: failed, delete"));
    check(hook("provision_progress", "", json!({"output": "tr0ub4dor"})), None);
    check(hook("something_new", "create", json!({})), None);
    check("Terraform crashed!".into(), None);
    check(
        json!({"type": "diagnostic", "diagnostic": {
            "severity": "error", "summary": "said tr0ub4dor", "address": "a.b", "detail": ""
        }})
        .to_string(),
        Some("a.b: failed, said (sensitive)"),
    );
    check(json!({"type": "diagnostic", "diagnostic": {"severity": "warning", "summary": "x"}}).to_string(), None);
}

#[test]
fn diagnostics_tell_whose_fault_it_is() {
    let diagnostic = |summary: &str, traversal: &str| {
        let values = [json!({"traversal": "local.x"}), json!({"traversal": traversal})];
        Diagnostic::of(&json!({"severity": "error", "summary": summary, "snippet": {"values": values}}))
    };
    let check = |summary, traversal, expected| {
        assert_eq!(diagnostic(summary, traversal).variable(), expected, "{summary}");
    };
    check("Invalid value for variable", "var.size", Some("size"));
    check("Invalid value for input variable", "var.size", Some("size"));
    check("Invalid value for variable", "local.size", None);
    check("Unsupported argument", "var.size", None);
    assert!(diagnostic("Resource precondition failed", "").is_refusal());
    assert!(diagnostic("Saved plan is stale", "").is_stale_plan());
}

#[test]
fn a_journal_ends_where_the_engine_was_killed() {
    let output = format!(
        "{}\n{}\n{}",
        hook("apply_start", "create", json!({})),
        hook("apply_complete", "create", json!({"id_value": "7"})),
        &hook("apply_complete", "create", json!({"id_value": "8"}))[..40],
    );
    let journal = Journal::read(&output);
    assert_eq!(
        journal.0.iter().map(|work| (work.state, work.id.as_deref())).collect::<Vec<_>>(),
        [(StepState::Started, None), (StepState::Done, Some("7")),]
    );
}

proptest! {
    #[test]
    fn no_line_makes_it_panic(line in "\\PC{0,80}", kind in "[a-z_]{0,14}") {
        Event::parse(&line);
        Event::parse(&json!({"type": kind, "hook": line, "diagnostic": line}).to_string());
    }
}
