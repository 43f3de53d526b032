#![allow(clippy::needless_pass_by_value, reason = "tables of `json!` values read better without references")]

use kdp_core::{Identity, LogicalClusterName};
use serde_json::{Value, json};

use super::*;

fn gate(annotations: Value, status: Value) -> Option<Gate> {
    let object = json!({"metadata": {"name": "cluster", "annotations": annotations}, "status": status});
    Gate::read(object.to_string().as_bytes())
}

fn user(name: &str, groups: &[&str]) -> Identity {
    let groups = groups.iter().map(|group| (*group).to_owned()).collect();
    Identity { username: name.into(), groups, ..Identity::default() }
}

fn admits(gate: &Gate, identity: &Identity) -> bool {
    let cluster: LogicalClusterName = "abc".parse().unwrap();
    gate.admits(&Callers::of(identity, &cluster))
}

#[test]
fn the_ordinary_workspace_has_no_gate() {
    assert_eq!(gate(json!({}), json!({"phase": "Ready"})), None);
    assert_eq!(gate(json!({"core.kcp.io/inactive": "false"}), json!({"phase": "Ready", "initializers": []})), None);
}

#[test]
fn a_phase_lets_in_or_not() {
    let alice = user("alice", &[]);
    for (phase, expected) in [
        ("Scheduling", false),
        ("Initializing", true),
        ("Unavailable", false),
        ("Inactive", true),
        ("Terminating", true),
        ("Deleting", true),
    ] {
        assert_eq!(admits(&gate(json!({}), json!({"phase": phase})).unwrap(), &alice), expected, "{phase}");
    }
    for unreadable in ["", "{}", "null", r#"{"metadata":{},"status":{"phase":"Sleeping"}}"#] {
        assert!(!admits(&Gate::read(unreadable.as_bytes()).unwrap(), &alice), "{unreadable}");
    }
}

#[test]
fn required_groups_are_alternatives_of_sets() {
    let required = json!({"authorization.kcp.io/required-groups": "a,b;c"});
    let gate = gate(required, json!({"phase": "Ready"})).unwrap();
    for (groups, expected) in [
        (&["a"][..], false),
        (&["a", "b"], true),
        (&["c"], true),
        (&["b", "x"], false),
        (&[], false),
        (&["system:kcp:admin"], true),
        (&["a,b"], false),
    ] {
        assert_eq!(admits(&gate, &user("alice", groups)), expected, "{groups:?}");
    }
    let mut robot = user("system:serviceaccount:default:robot", &[]);
    assert!(!admits(&gate, &robot), "a service account from nowhere");
    robot.extra.insert("authentication.kcp.io/cluster-name".into(), vec!["abc".into()]);
    assert!(admits(&gate, &robot));
}

#[test]
fn an_empty_requirement_is_met_by_nobody() {
    let required = json!({"authorization.kcp.io/required-groups": ""});
    assert!(!admits(&gate(required, json!({"phase": "Ready"})).unwrap(), &user("alice", &["a"])));
}

#[test]
fn an_initializer_and_a_terminator_pass_in_their_phase_while_it_is_their_turn() {
    let cluster: LogicalClusterName = "abc".parse().unwrap();
    let check = |status: Value, group: &str, expected: bool| {
        let identity = user("controller", &[group]);
        let gate = gate(json!({}), status.clone());
        let passes = gate.is_some_and(|gate| gate.is_lifecycle(&Callers::of(&identity, &cluster)));
        assert_eq!(passes, expected, "{status} {group}");
    };
    let (initializer, terminator) = ("system:kcp:initializer:root:a", "system:kcp:terminator:root:a");
    check(json!({"phase": "Initializing", "initializers": ["root:a"]}), initializer, true);
    check(json!({"phase": "Initializing", "initializers": ["root:b"]}), initializer, false);
    check(json!({"phase": "Initializing", "initializers": ["root:a"]}), terminator, false);
    check(json!({"phase": "Ready", "initializers": ["root:a"]}), initializer, false);
    check(json!({"phase": "Terminating", "terminators": ["root:a"]}), terminator, true);
    check(json!({"phase": "Terminating", "terminators": ["root:a"]}), initializer, false);
    check(json!({"phase": "Deleting", "terminators": ["root:a"]}), terminator, false);
}

#[test]
fn a_suspended_workspace_answers_for_its_logical_cluster_and_schemas_only() {
    let resource = |group, resource| {
        Attributes::Resource(ResourceAttributes { verb: "get", group, resource, ..ResourceAttributes::default() })
    };
    let cluster = "a".parse().unwrap();
    let (tenant, master) = (Identity { username: "t".into(), ..Identity::default() }, Identity::system_masters());
    let (tenant, master) = (Callers::of(&tenant, &cluster), Callers::of(&master, &cluster));
    for key in ["core.kcp.io/inactive", "internal.kcp.io/inactive"] {
        let gate = gate(json!({key: "true"}), json!({"phase": "Ready"})).unwrap();
        for (attributes, blocked) in [
            (resource("", "secrets"), true),
            (resource("core.kcp.io", "logicalclusters"), false),
            (resource("evil.example.com", "logicalclusters"), true),
            (Attributes::Path { verb: "get", path: "/openapi/v3" }, false),
            (Attributes::Path { verb: "get", path: "/openapis" }, true),
            (Attributes::Path { verb: "get", path: "/apis" }, true),
        ] {
            assert_eq!(gate.blocks(&tenant, &attributes), blocked, "{attributes:?}");
            assert!(!gate.blocks(&master, &attributes), "masters look at {attributes:?}");
        }
        let write = ResourceAttributes { verb: "update", resource: "secrets", ..ResourceAttributes::default() };
        assert!(gate.blocks(&master, &Attributes::Resource(write)));
        assert!(gate.keeps_providers_out());
    }
    let deleted = json!({"metadata": {"annotations": {"core.kcp.io/inactive": "true"}, "deletionTimestamp": "x"}});
    assert!(!Gate::read(deleted.to_string().as_bytes()).unwrap().keeps_providers_out());
}
