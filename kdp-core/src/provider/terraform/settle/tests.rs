use proptest::prelude::*;
use serde_json::json;

use super::*;

/// Lines such as `+ a` (a creation starts), `+ a 7` (it ends), `- a 7` and `- a`, `~ a 7`, `! a`.
fn journal(lines: &[&str]) -> Journal {
    let events = lines.iter().map(|line| {
        let mut words = line.split(' ');
        let (mark, address, id) = (words.next().unwrap(), words.next().unwrap(), words.next());
        let (kind, action) = match (mark, id) {
            ("+", None) => ("apply_start", "create"),
            ("+", Some(_)) => ("apply_complete", "create"),
            ("-", Some(_)) => ("apply_start", "delete"),
            ("-", None) => ("apply_complete", "delete"),
            ("~", Some(_)) => ("apply_start", "update"),
            _ => ("apply_errored", "create"),
        };
        let hook = json!({"resource": {"addr": address}, "action": action, "id_value": id.unwrap_or_default()});
        json!({"type": kind, "hook": hook}).to_string()
    });
    Journal::read(&events.collect::<Vec<_>>().join("\n"))
}

fn state(things: &[(&str, &str)]) -> Stored {
    let resource = |(name, id): &(&str, &str)| json!({"mode": "managed", "type": "t", "name": name, "instances": [{"attributes": {"id": id}}]});
    let state = json!({"resources": things.iter().map(resource).collect::<Vec<_>>()});
    Stored::parse(state.to_string().as_bytes()).unwrap()
}

fn check(lines: &[&str], things: &[(&str, &str)], repairs: &[&str], doubts: &[&str]) {
    let (decided, doubted) = decide(&journal(lines), &state(things));
    let shown: Vec<_> = decided
        .iter()
        .map(|repair| match repair {
            Repair::Import { address, id } => format!("import {address} {id}"),
            Repair::Forget { address } => format!("forget {address}"),
        })
        .collect();
    assert_eq!(shown, repairs, "{lines:?} {things:?}");
    assert_eq!(doubted.iter().map(String::as_str).collect::<Vec<_>>(), doubts, "{lines:?}");
}

#[test]
fn what_was_made_and_is_not_in_the_state_is_entered() {
    check(&[], &[("a", "1")], &[], &[]);
    check(&["+ t.a", "+ t.a 1"], &[], &["import t.a 1"], &[]);
    check(&["+ t.a", "+ t.a 1"], &[("a", "1")], &[], &[]);
    check(&["+ t.a", "+ t.a 1", "+ t.b"], &[], &["import t.a 1"], &["t.b"]);
}

#[test]
fn what_was_replaced_or_removed_leaves_the_state() {
    check(&["- t.a 1", "- t.a"], &[("a", "1")], &["forget t.a"], &[]);
    check(&["- t.a 1", "- t.a"], &[], &[], &[]);
    check(&["- t.a 1"], &[("a", "1")], &[], &[]);
    check(&["- t.a 1", "- t.a", "+ t.a", "+ t.a 2"], &[("a", "1")], &["forget t.a", "import t.a 2"], &[]);
    // The new one is made before the old one goes.
    check(&["+ t.a", "+ t.a 2", "- t.a 1", "- t.a"], &[("a", "1")], &["forget t.a", "import t.a 2"], &[]);
    check(&["+ t.a", "+ t.a 2", "- t.a 1", "- t.a"], &[("a", "2")], &[], &[]);
}

#[test]
fn changes_and_failures_leave_no_doubt() {
    check(&["~ t.a 1"], &[("a", "1")], &[], &[]);
    check(&["+ t.a", "! t.a"], &[], &[], &[]);
}

proptest! {
    #[test]
    fn settling_a_state_that_is_in_step_does_nothing(ids in prop::collection::btree_map("[a-c]", "[1-9]", 0..3)) {
        let lines: Vec<_> = ids.iter().flat_map(|(name, id)| [format!("+ t.{name}"), format!("+ t.{name} {id}")]).collect();
        let things: Vec<_> = ids.iter().map(|(name, id)| (name.as_str(), id.as_str())).collect();
        let lines: Vec<_> = lines.iter().map(String::as_str).collect();
        prop_assert_eq!(decide(&journal(&lines), &state(&things)), (vec![], BTreeSet::new()));
    }
}
