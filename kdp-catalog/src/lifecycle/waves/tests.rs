mod behaviour;
mod decisions;
mod properties;
mod simulation;
mod specs;
mod world;

use super::*;

pub(super) const START: &str = "2026-11-25T12:00:00Z";

pub(super) fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

pub(super) fn version(text: &str) -> Version {
    text.parse().unwrap()
}

pub(super) fn group(json: serde_json::Value) -> GroupSpec {
    serde_json::from_value(json).unwrap()
}

pub(super) fn spec() -> UpgradePlanSpec {
    serde_json::from_value(serde_json::json!({
        "service": "databases",
        "from": {"range": "^1"},
        "to": "2.0.0",
        "groups": [
            {"name": "canary", "percent": 1, "soak": "10m"},
            {"name": "early", "percent": 10, "soak": "10m"},
            {"name": "rest"},
        ],
        "maxConcurrent": "5%",
        "maxFailures": 10,
        "deadline": "30m",
    }))
    .unwrap()
}

/// The plan most tests are about, with what is special in one of them.
pub(super) fn plan(edit: impl FnOnce(&mut UpgradePlanSpec)) -> Plan {
    let mut spec = spec();
    edit(&mut spec);
    Plan::parse("p", &spec, &[]).unwrap()
}

/// A plan for few instances at once and without waiting.
pub(super) fn quick(edit: impl FnOnce(&mut UpgradePlanSpec)) -> Plan {
    plan(|spec| {
        spec.groups.clear();
        spec.max_concurrent = Some(k8s_openapi::apimachinery::pkg::util::intstr::IntOrString::Int(2));
        spec.max_failures = None;
        edit(spec);
    })
}

pub(super) fn instance(id: &str, at_version: &str, phase: Phase) -> Instance {
    Instance::new(id, version(at_version), phase, at(START))
}

pub(super) fn fleet(count: usize) -> Vec<Instance> {
    (0..count).map(|i| instance(&format!("i-{i:04}"), &format!("1.{}.{}", i % 3, i % 7), Phase::Ready)).collect()
}

pub(super) fn upgrades<'a>(step: &'a Step) -> Vec<&'a str> {
    let upgrade = |action: &'a Action| if let Action::Upgrade { id, .. } = action { Some(id.as_str()) } else { None };
    step.actions.iter().filter_map(upgrade).collect()
}

pub(super) fn roll_backs<'a>(step: &'a Step) -> Vec<&'a str> {
    let roll_back =
        |action: &'a Action| if let Action::RollBack { id, .. } = action { Some(id.as_str()) } else { None };
    step.actions.iter().filter_map(roll_back).collect()
}

pub(super) fn holds<'a>(step: &'a Step) -> Vec<(&'a HoldReason, Option<Timestamp>)> {
    let hold =
        |action: &'a Action| if let Action::Hold { reason, until } = action { Some((reason, *until)) } else { None };
    step.actions.iter().filter_map(hold).collect()
}

pub(super) fn states(run: &UpgradeRun) -> BTreeMap<&str, InstanceState> {
    run.instances.iter().map(|(id, it)| (id.as_str(), it.state)).collect()
}
