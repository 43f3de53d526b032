use kdp_core::Identity;
use serde_json::{Value, json};

use super::{Controller, Stage, advance, phase::may_follow, reflect, validate};

fn cluster(phase: &str, initializers: &[&str]) -> Value {
    json!({"metadata": {"name": "cluster"}, "spec": {"initializers": ["root:a", "root:b"]},
        "status": {"phase": phase, "initializers": initializers}})
}

fn acting(name: &str) -> Controller {
    Controller::parse(Stage::Initializing, name).unwrap()
}

#[test]
fn labels_are_those_of_kcp() {
    let (key, value) = Stage::Initializing.label("root:universal");
    assert_eq!(key, "initializer.internal.kcp.io/d1d6459a03641b6fd7560fc2849f6c66fa9");
    assert_eq!(value, "d1d6459a03641b6fd7560fc2849f6c66fa971a0afeded6ba2d2743f2");
    assert_eq!(Stage::Terminating.label("root:universal").0.len(), 63);
}

#[test]
fn a_phase_never_goes_back() {
    let phases = ["Scheduling", "Initializing", "Ready", "Terminating", "Deleting"];
    for (i, from) in phases.iter().enumerate() {
        for (j, to) in phases.iter().enumerate() {
            assert_eq!(may_follow(from, to), i <= j, "{from} {to}");
        }
    }
    for (from, to, expected) in [
        ("Ready", "Inactive", true),
        ("Inactive", "Ready", true),
        ("Inactive", "Deleting", true),
        ("Initializing", "Inactive", false),
        ("Terminating", "Inactive", false),
        ("Inactive", "Initializing", false),
    ] {
        assert_eq!(may_follow(from, to), expected, "{from} {to}");
    }
}

#[test]
fn lists_only_shrink_and_only_in_their_phase() {
    let check = |old: &Value, new: &Value, expected: &[&str]| {
        let errors = validate(new, Some(old));
        let fields: Vec<_> = errors.iter().map(|error| error.field.as_str()).collect();
        assert_eq!(fields, expected, "{old} {new}");
    };
    let both = cluster("Initializing", &["root:a", "root:b"]);
    check(&both, &cluster("Initializing", &["root:b"]), &[]);
    check(&both, &cluster("Initializing", &["root:a", "root:b", "root:c"]), &["status.initializers"]);
    check(&both, &cluster("Ready", &["root:b"]), &["status.phase"]);
    check(&cluster("Ready", &[]), &cluster("Ready", &["root:a"]), &["status.initializers"]);
    check(&cluster("Ready", &[]), &cluster("Initializing", &[]), &["status.phase"]);
    let mut other = both.clone();
    other["spec"]["initializers"] = json!([]);
    check(&both, &other, &["spec.initializers"]);
}

#[test]
fn a_controller_takes_only_its_own_name_away() {
    let check = |name: &str, old: &Value, new: &Value, allowed: bool| {
        assert_eq!(acting(name).fault(old, new).is_none(), allowed, "{name} {old} {new}");
    };
    let both = cluster("Initializing", &["root:a", "root:b"]);
    check("root:a", &both, &cluster("Initializing", &["root:b"]), true);
    check("root:a", &both, &both, true);
    check("root:b", &both, &cluster("Initializing", &["root:b"]), false);
    check("root:a", &both, &cluster("Initializing", &[]), false);
    check("root:a", &both, &cluster("Initializing", &["root:b", "root:c"]), false);
    check("root:a", &both, &cluster("Ready", &["root:b"]), false);
    check("root:a", &cluster("Initializing", &["root:b"]), &cluster("Initializing", &["root:b"]), false);
    check("root:a", &cluster("Ready", &["root:a"]), &cluster("Ready", &[]), false);
    let mut told = both.clone();
    told["status"]["conditions"] = json!([{"type": "Mine", "status": "False"}]);
    check("root:a", &both, &told, true);
    told["status"]["URL"] = "https://elsewhere".into();
    check("root:a", &both, &told, false);
}

#[test]
fn when_nobody_is_waited_for_any_more_the_workspace_is_ready() {
    let mut object = cluster("Initializing", &["root:a"]);
    advance(&mut object);
    assert_eq!(object["status"]["phase"], "Initializing");
    let (key, value) = Stage::Initializing.label("root:a");
    assert_eq!(object["metadata"]["labels"][&key], value);
    object["status"]["initializers"] = json!([]);
    advance(&mut object);
    assert_eq!(object["status"]["phase"], "Ready");
    assert_eq!(object["metadata"]["labels"], json!({"tenancy.kcp.io/phase": "Ready"}));
    let mut workspace =
        json!({"metadata": {"name": "w"}, "status": {"phase": "Initializing", "initializers": ["root:a"]}});
    reflect(&object, &mut workspace);
    assert_eq!((&workspace["status"]["phase"], &workspace["status"]["initializers"]), (&json!("Ready"), &Value::Null));
}

#[test]
fn nobody_brings_the_group_of_a_controller_along() {
    let mut identity = Identity { groups: vec![acting("root:a").group(), "devs".into()], ..Identity::default() };
    assert_eq!(Controller::acting(&identity), Some(acting("root:a")));
    Controller::disown(&mut identity);
    assert_eq!(identity.groups, ["devs"]);
    for name in ["", "a", ":a", "a:", "system:apibindings:", "system:admin:x", "ROOT:a", "../x:a"] {
        assert_eq!(Controller::parse(Stage::Initializing, name), None, "{name}");
    }
}
