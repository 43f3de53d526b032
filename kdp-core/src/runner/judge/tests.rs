use serde_json::json;

use super::*;
use crate::provider::{Change, ChangeAction, Order, OrderId, Teardown};

fn plan(changes: &[(ChangeAction, &str)]) -> Plan {
    let order = Order::new(OrderId::new("u", "", "app"), 1, json!({}));
    let changes = changes.iter().map(|(action, subject)| Change::new(*action, *subject)).collect();
    Plan::new(&order, changes, Teardown::new(&order.id))
}

#[test]
fn plans_wait_for_approval_as_the_policy_says() {
    let [none, create, update, replace, delete] = [
        plan(&[]),
        plan(&[(ChangeAction::Create, "a")]),
        plan(&[(ChangeAction::Update, "a")]),
        plan(&[(ChangeAction::Replace, "a")]),
        plan(&[(ChangeAction::Create, "a"), (ChangeAction::Delete, "b")]),
    ];
    let check = |policy, waiting: &[&Plan], others: &[&Plan]| {
        for (plans, expected) in [(waiting, true), (others, false)] {
            for plan in plans {
                assert_eq!(needs_approval(policy, plan), expected, "{policy:?} {}", plan.summary());
            }
        }
    };
    check(Approval::Never, &[], &[&none, &create, &update, &replace, &delete]);
    check(Approval::Destructive, &[&replace, &delete], &[&none, &create, &update]);
    check(Approval::Changes, &[&create, &update, &replace, &delete], &[&none]);
}

#[test]
fn the_rest_of_an_approved_plan_is_approved_and_nothing_beyond_it() {
    let whole = plan(&[(ChangeAction::Create, "a"), (ChangeAction::Delete, "b")]);
    let mut record = Record::new(whole.teardown.id.clone(), crate::provider::Lease(1));
    let hash = whole.hash();
    let mut check = |approval: Option<&PlanHash>, generation, rest: &Plan, expected: Option<&PlanHash>| {
        record.begin(1, &whole, approval.cloned(), Timestamp::UNIX_EPOCH);
        assert_eq!(approval_of_rest(rest, generation, record.begun.as_ref()), expected, "{}", rest.summary());
    };
    let rest = plan(&[(ChangeAction::Delete, "b")]);
    check(Some(&hash), 1, &rest, Some(&hash));
    check(Some(&hash), 2, &rest, None);
    check(None, 1, &rest, None);
    check(Some(&hash), 1, &plan(&[(ChangeAction::Replace, "a")]), None);
    check(Some(&hash), 1, &plan(&[(ChangeAction::Delete, "a")]), None);
}

#[test]
fn a_creation_is_resolved_as_the_table_says() {
    use FailedCreations::{Hold, Remove};
    let check = |phase, settled, overdue, policy, expected| {
        assert_eq!(resolve(phase, settled, overdue, policy), expected, "{phase} {settled} {overdue} {policy:?}");
    };
    for phase in [Phase::Ready, Phase::Degraded, Phase::Blocked, Phase::Paused] {
        check(phase, true, true, Remove, Resolution::GoOn);
    }
    for overdue in [false, true] {
        check(Phase::Unknown, true, overdue, Remove, Resolution::Wait);
        check(Phase::Gone, false, overdue, Remove, Resolution::Wait);
    }
    for phase in [Phase::Progressing, Phase::Failing, Phase::Deleting, Phase::Gone] {
        check(phase, true, false, Remove, Resolution::GoOn);
        check(phase, true, true, Remove, Resolution::Remove);
        check(phase, true, true, Hold, Resolution::Hold);
    }
}

#[test]
fn a_creation_is_given_up_after_its_attempts() {
    let mut record = Record::new(OrderId::new("u", "", "app"), crate::provider::Lease(1));
    after_removal(&mut record, 1, 2);
    assert_eq!(record.failed, None);
    after_removal(&mut record, 1, 2);
    assert_eq!(record.failed, Some(Failed { state: FailedCreation::GivenUp, generation: 1 }));
}

#[test]
fn another_try_follows_a_change_or_a_person_who_has_seen_the_last_one() {
    let check = |state, generation, retry, expected: Option<FailedCreation>| {
        let mut record = Record::new(OrderId::new("u", "", "app"), crate::provider::Lease(1));
        (record.attempts, record.failed) = (3, Some(Failed { state, generation: 1 }));
        let changed = retried(&mut record, generation, retry);
        assert_eq!(record.failed.map(|failed| failed.state), expected, "{state:?} {generation} {retry:?}");
        assert_eq!(changed, expected != Some(state));
    };
    use FailedCreation::{GivenUp, Held, Removing};
    check(Held, 1, None, Some(Held));
    check(Held, 2, None, Some(Held));
    check(Held, 1, Some("2"), Some(Held));
    check(Held, 1, Some("3"), Some(Removing));
    check(GivenUp, 1, Some("2"), Some(GivenUp));
    check(GivenUp, 1, Some("3"), None);
    check(GivenUp, 2, None, None);
    check(Removing, 2, Some("3"), Some(Removing));
}

#[test]
fn a_clock_that_goes_back_makes_nothing_overdue() {
    let at = |s| Timestamp::from_second(s).unwrap();
    assert!(is_over(at(10), Duration::from_secs(5), at(16)));
    assert!(!is_over(at(10), Duration::from_secs(5), at(15)));
    assert!(!is_over(at(10), Duration::from_secs(5), at(0)));
}
