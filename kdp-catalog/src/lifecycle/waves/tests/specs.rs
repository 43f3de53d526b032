use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::CustomResourceExt;

use super::*;
use crate::lifecycle::{Channel, RequirementSpec};

#[track_caller]
fn check(edit: impl FnOnce(&mut UpgradePlanSpec), expected: &str) {
    let mut spec = spec();
    edit(&mut spec);
    let error = Plan::parse("p", &spec, &[]).unwrap_err().to_string();
    assert!(error.starts_with(&format!("UpgradePlan p: {expected}")), "{error}");
}

#[test]
fn mistakes_in_a_plan_are_named() {
    let text = |text: &str| Some(IntOrString::String(text.into()));
    check(|it| it.to = "two".into(), "spec.to: \"two\" is not a semantic version");
    check(|it| it.from = RequirementSpec::Range("x y".into()), "spec.from.range: ");
    check(
        |it| it.from = RequirementSpec::Channel("stable".into()),
        "spec.from.channel: there is no channel \"stable\"",
    );
    check(|it| it.groups[1].name = "canary".into(), "spec.groups[1].name: \"canary\" is empty or used twice");
    check(|it| it.groups[0].count = Some(3), "spec.groups[0].count: excludes percent");
    check(|it| it.groups[0].percent = Some(101), "spec.groups[0].percent: 101 is not in 1 to 100");
    check(|it| it.groups[2].count = Some(0), "spec.groups[2].count: is zero");
    check(|it| it.groups[0].soak = "soon".into(), "spec.groups[0].soak: \"soon\" is not a length of time");
    check(|it| it.groups[0].max_failures = text("5 %"), "spec.groups[0].maxFailures: \"5 %\" is neither");
    check(|it| it.max_concurrent = Some(IntOrString::Int(0)), "spec.maxConcurrent: is zero; use paused");
    check(|it| it.groups[0].max_concurrent = text("0%"), "spec.groups[0].maxConcurrent: is zero");
    check(|it| it.max_failures = Some(IntOrString::Int(-1)), "spec.maxFailures: \"-1\" is neither");
    check(|it| it.max_failures = text("101%"), "spec.maxFailures: \"101%\" is neither");
    check(|it| it.deadline = "-1h".into(), "spec.deadline: \"-1h\" is negative");
    check(|it| it.retry_after = "0s".into(), "spec.retryAfter: is zero");
    let selector = serde_json::json!({"matchExpressions": [{"key": "tier", "operator": "Near"}]});
    let selector = serde_json::from_value(selector).unwrap();
    check(|it| it.groups[0].selector = Some(selector), "spec.groups[0].selector: ");
}

#[test]
fn a_plan_concerns_only_what_is_older_than_its_target() {
    let concerned = |plan: &Plan| {
        let versions = ["0.9.0", "1.0.0", "1.5.0-rc.1", "1.9.0", "2.0.0", "2.1.0"];
        versions.into_iter().filter(|it| plan.concerns(&version(it))).collect::<Vec<_>>()
    };
    assert_eq!(concerned(&plan(|_| {})), ["1.0.0", "1.9.0"]);
    assert_eq!(concerned(&plan(|spec| spec.from = RequirementSpec::Range(">=1".into()))), ["1.0.0", "1.9.0"]);
    assert_eq!(concerned(&plan(|spec| spec.from = RequirementSpec::Version("v1.5.0-rc.1".into()))), ["1.5.0-rc.1"]);
    let mut spec = spec();
    spec.from = RequirementSpec::Channel("stable".into());
    let releases = ["0.9.0", "2.1.0"].map(version).into();
    let channel = Channel { name: "stable".into(), releases, pre_releases: false };
    assert_eq!(concerned(&Plan::parse("p", &spec, &[channel]).unwrap()), ["0.9.0"]);
}

#[test]
fn a_plan_is_a_kind_that_an_api_server_takes() {
    let crd = serde_json::to_value(UpgradePlan::crd()).unwrap();
    assert_eq!(crd["metadata"]["name"], "upgradeplans.catalog.kdp.k8c.io");
    let schema = &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"];
    let spec = &schema["spec"]["properties"];
    assert_eq!(spec["from"]["type"], "object");
    assert_eq!(spec["maxConcurrent"]["x-kubernetes-int-or-string"], true);
    assert_eq!(schema["status"]["properties"]["instances"]["additionalProperties"]["type"], "object");
    let plan: UpgradePlan = serde_json::from_value(serde_json::json!({
        "apiVersion": "catalog.kdp.k8c.io/v1alpha1", "kind": "UpgradePlan", "metadata": {"name": "p"},
        "spec": {"service": "databases", "from": {"channel": "stable"}, "to": "2.0.0"},
    }))
    .unwrap();
    assert_eq!((plan.spec.deadline.as_str(), plan.spec.retry_after.as_str()), ("1h", "1m"));
    assert_eq!(plan.spec.roll_back, RollBackPolicy::Never);
}
