use kdp_core::{
    condition::{Condition, set_condition},
    provider::Phase,
};
use proptest::prelude::*;

use super::*;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + second).unwrap()
}

/// An order of the workspace `a`, created at the second 0, as the runner would report it.
fn order(uid: &str) -> Snapshot {
    let kind = GroupKind::new("w.example.com", "Widget");
    Snapshot::new(uid, Place::new("widgets", "standard", "a"), kind, at(0))
}

/// The same order, of which the runner reports this phase.
fn reported(mut order: Snapshot, phase: Phase, second: i64) -> Snapshot {
    order.phase = Some(phase);
    order.observed_generation = Some(order.generation);
    let status = if phase == Phase::Ready { "True" } else { "False" };
    let ready = Condition {
        type_: "Ready".into(),
        status: status.into(),
        reason: phase.as_str().into(),
        observed_generation: Some(order.generation),
        ..Condition::default()
    };
    set_condition(&mut order.conditions, ready, at(second));
    order
}

fn changed(mut order: Snapshot) -> Snapshot {
    order.generation += 1;
    order
}

fn drifted(mut order: Snapshot, second: i64) -> Snapshot {
    set_condition(&mut order.conditions, Condition::holds("Drifted"), at(second));
    order
}

fn deleted(mut order: Snapshot, second: i64) -> Snapshot {
    (order.generation, order.deleted) = (order.generation + 1, Some(at(second)));
    order
}

fn live(snapshot: &Snapshot) -> Event {
    Event::Seen(Box::new(snapshot.clone()), Sighting::Live)
}

fn listed(snapshot: &Snapshot) -> Event {
    Event::Seen(Box::new(snapshot.clone()), Sighting::Listed)
}

fn told(events: &[(Event, i64)]) -> Journal {
    let mut journal = Journal::default();
    for (event, second) in events {
        journal.fold(event, at(*second));
    }
    journal
}

fn sum(journal: &Journal) -> Tally {
    let mut sum = Tally::default();
    journal.tallies(u16::MAX, at(0)).for_each(|(_, tally)| sum.merge(tally));
    sum
}

/// What is counted of a life that was watched.
fn check(events: &[(Event, i64)], expected: impl FnOnce(&mut Tally)) {
    let mut tally = Tally { created: 1, ..Tally::default() };
    expected(&mut tally);
    assert_eq!(sum(&told(events)), tally);
}

#[test]
fn an_order_is_provisioned_once() {
    let new = order("1");
    let making = reported(new.clone(), Phase::Progressing, 1);
    let ready = reported(making.clone(), Phase::Ready, 4);
    let events = [(live(&new), 0), (live(&making), 1), (live(&ready), 4), (live(&ready), 9)];
    check(&events, |tally| tally.provisioning.add_ms(4_000));
}

#[test]
fn what_is_heard_of_late_is_dated_by_the_order() {
    let ready = reported(reported(order("1"), Phase::Progressing, 1), Phase::Ready, 4);
    check(&[(live(&order("1")), 0), (listed(&ready), 600)], |tally| tally.provisioning.add_ms(4_000));
}

#[test]
fn a_failing_provision_is_one_failure_with_retries() {
    let new = order("1");
    let failing = reported(new.clone(), Phase::Failing, 2);
    let again = reported(failing.clone(), Phase::Progressing, 2);
    let ready = reported(again.clone(), Phase::Ready, 5);
    let events = [(live(&new), 0), (live(&failing), 2), (live(&again), 3), (live(&failing), 4), (live(&ready), 5)];
    check(&events, |tally| {
        (tally.failed_provisions, tally.retries) = (1, 1);
        tally.provisioning.add_ms(5_000);
        tally.restore.add_ms(3_000);
    });
}

#[test]
fn a_change_has_a_lead_time_from_when_it_was_seen() {
    let ready = reported(order("1"), Phase::Ready, 1);
    let change = changed(ready.clone());
    let blocked = reported(change.clone(), Phase::Blocked, 12);
    let mended = changed(blocked.clone());
    let done = reported(mended.clone(), Phase::Ready, 20);
    let events = [
        (live(&order("1")), 0),
        (live(&ready), 1),
        (live(&change), 10),
        (live(&blocked), 12),
        (live(&mended), 17),
        (live(&done), 20),
    ];
    check(&events, |tally| {
        (tally.changes, tally.failed_changes, tally.superseded, tally.deployments) = (2, 1, 1, 1);
        tally.provisioning.add_ms(1_000);
        tally.lead_time.add_ms(3_000);
        tally.restore.add_ms(8_000);
    });
}

#[test]
fn a_ready_status_of_an_older_generation_is_no_deployment() {
    let ready = reported(order("1"), Phase::Ready, 1);
    let events = [(live(&order("1")), 0), (live(&ready), 1), (live(&changed(ready.clone())), 3)];
    check(&events, |tally| {
        tally.changes = 1;
        tally.provisioning.add_ms(1_000);
    });
}

#[test]
fn trouble_without_a_change_is_an_incident_and_drift_is_counted_once() {
    let ready = reported(order("1"), Phase::Ready, 1);
    let degraded = drifted(reported(ready.clone(), Phase::Degraded, 30), 30);
    let events = [
        (live(&order("1")), 0),
        (live(&ready), 1),
        (live(&degraded), 30),
        (live(&degraded), 40),
        (live(&reported(ready.clone(), Phase::Ready, 90)), 90),
    ];
    check(&events, |tally| {
        (tally.incidents, tally.drifts) = (1, 1);
        tally.provisioning.add_ms(1_000);
        tally.restore.add_ms(60_000);
    });
}

#[test]
fn a_deletion_is_no_change_and_ends_what_was_being_changed() {
    let ready = reported(order("1"), Phase::Ready, 1);
    let change = changed(ready.clone());
    let ending = deleted(change.clone(), 10);
    let failing = reported(ending.clone(), Phase::Failing, 11);
    let events = [
        (live(&order("1")), 0),
        (live(&ready), 1),
        (live(&change), 5),
        (live(&ending), 10),
        (live(&failing), 11),
        (Event::Gone("1".into()), 14),
        // Late news of it is not another order.
        (live(&ready), 15),
        (Event::Gone("1".into()), 15),
    ];
    check(&events, |tally| {
        (tally.changes, tally.superseded, tally.deleted) = (1, 1, 1);
        tally.provisioning.add_ms(1_000);
        tally.teardown.add_ms(4_000);
    });
}

#[test]
fn who_begins_late_tells_what_the_timestamps_tell_and_what_they_do_not() {
    let ready = reported(order("1"), Phase::Ready, 4);
    check(&[(listed(&ready), 100)], |tally| {
        tally.rebuilt = 1;
        tally.provisioning.add_ms(4_000);
    });
    check(&[(listed(&reported(changed(order("1")), Phase::Ready, 4)), 100)], |tally| {
        (tally.untold_provisions, tally.untold_changes) = (1, 1);
    });
    let failing = reported(order("1"), Phase::Failing, 4);
    let mended = reported(failing.clone(), Phase::Ready, 101);
    check(&[(listed(&failing), 100), (live(&mended), 101)], |tally| {
        (tally.untold_provisions, tally.incidents) = (1, 1);
        tally.restore.add_ms(97_000);
    });
    // What nobody has looked at was never ready.
    check(&[(listed(&order("1")), 2), (live(&ready), 4)], |tally| tally.provisioning.add_ms(4_000));
}

#[test]
fn a_change_that_was_made_while_nobody_looked_has_no_lead_time() {
    let ready = reported(order("1"), Phase::Ready, 1);
    let twice = changed(changed(ready.clone()));
    let done = reported(twice.clone(), Phase::Ready, 60);
    let events = [(live(&order("1")), 0), (live(&ready), 1), (listed(&twice), 60), (live(&done), 61)];
    check(&events, |tally| {
        (tally.changes, tally.deployments, tally.untold_lead_times, tally.untold_changes) = (1, 1, 1, 1);
        tally.provisioning.add_ms(1_000);
    });
}

#[test]
fn what_is_not_in_a_list_is_gone_if_it_is_of_that_kind() {
    let mut journal = told(&[(live(&order("1")), 0), (live(&order("2")), 0)]);
    let list = |service: &str, uids: &[&str]| Event::Listed {
        service: service.into(),
        kind: GroupKind::new("w.example.com", "Widget"),
        uids: uids.iter().map(|&uid| uid.to_owned()).collect(),
    };
    journal.fold(&list("others", &[]), at(5));
    assert_eq!(journal.living(), 2);
    journal.fold(&list("widgets", &["2"]), at(5));
    assert_eq!((journal.living(), sum(&journal).deleted), (1, 1));
}

#[test]
fn old_days_become_one_sum_and_nothing_is_lost_of_it() {
    let ready = reported(order("1"), Phase::Ready, 4);
    let mut journal = told(&[(live(&order("1")), 0), (live(&order("2")), 0), (live(&ready), 4)]);
    journal.fold(&Event::Gone("1".into()), at(50));
    let before = journal.ever();
    assert!(journal.forget(at(0)).is_empty());
    let later = at(40 * 24 * 3600);
    assert!(!journal.forget(later).is_empty());
    assert_eq!(journal.ever(), before);
    assert_eq!(journal.tallies(30, later).count(), 0);
    assert!(journal.forget(later).is_empty());
}

#[test]
fn days_without_room_count_without_workspaces_and_offerings() {
    let mut journal = Journal::new(JournalOptions::default().with_workspaces(PAGES));
    for number in 0..200 {
        let mut order = order(&number.to_string());
        (order.place.workspace, order.place.offering) = (format!("w{number}"), format!("o{number}"));
        journal.fold(&live(&order), at(0));
        journal.fold(&Event::Gone(number.to_string()), at(1));
    }
    let places: BTreeSet<_> = journal.tallies(1, at(1)).map(|(place, _)| place.clone()).collect();
    assert_eq!((places.len(), sum(&journal).created), (PAGES + 1, 200));
    journal.forget(at(400 * 24 * 3600));
    let ever = journal.ever();
    assert_eq!((ever.len(), ever.values().map(|tally| tally.created).sum::<u64>()), (PAGES + 1, 200));
}

#[test]
fn a_damaged_page_is_said_and_changes_nothing() {
    let mut journal = told(&[(live(&order("1")), 0)]);
    let before = journal.clone();
    assert!(matches!(journal.restore(0, "{", "kdp-0"), Err(InsightError::Damaged { .. })));
    assert_eq!(journal, before);
}

/// A step in the life of one of four orders.
fn step() -> impl Strategy<Value = (u8, u8)> {
    (0..4_u8, 0..9_u8)
}

/// What is seen, as steps say.
fn lives(steps: &[(u8, u8)]) -> Vec<(Event, i64)> {
    let mut orders: Vec<Option<Snapshot>> = (0..4).map(|number| Some(order(&number.to_string()))).collect();
    let mut events: Vec<_> = orders.iter().flatten().map(|order| (live(order), 0)).collect();
    for (index, (number, what)) in steps.iter().enumerate() {
        let second = i64::try_from(index).unwrap() * 7 + 1;
        let slot = &mut orders[usize::from(*number)];
        let Some(order) = slot.take() else { continue };
        let next = match what {
            0 | 1 => reported(order, Phase::Ready, second),
            2 => reported(order, Phase::Failing, second),
            3 => reported(order, Phase::Progressing, second),
            4 => reported(order, Phase::Blocked, second),
            5 | 6 => changed(order),
            7 => drifted(order, second),
            _ => {
                events.push((Event::Gone(order.uid.clone()), second));
                continue;
            }
        };
        events.push((live(&next), second));
        *slot = Some(next);
    }
    events
}

fn uid(event: &Event) -> &str {
    match event {
        Event::Seen(snapshot, _) => &snapshot.uid,
        Event::Gone(uid) => uid,
        Event::Listed { .. } => "",
    }
}

proptest! {
    #[test]
    fn to_be_told_twice_changes_nothing(steps in prop::collection::vec(step(), 0..40)) {
        let events = lives(&steps);
        let mut journal = Journal::default();
        for (event, second) in &events {
            journal.fold(event, at(*second));
            let before = journal.clone();
            prop_assert!(journal.fold(event, at(*second)).is_empty());
            prop_assert!(journal.fold(event, at(*second + 1)).is_empty());
            prop_assert_eq!(&journal, &before);
        }
    }

    #[test]
    fn the_order_among_different_orders_changes_nothing(steps in prop::collection::vec(step(), 0..40)) {
        let events = lives(&steps);
        let mut sorted = events.clone();
        sorted.sort_by_key(|(event, _)| uid(event).to_owned());
        let (one, other) = (told(&events), told(&sorted));
        prop_assert_eq!(sum(&one), sum(&other));
        prop_assert!(one.records().eq(other.records()));
    }

    #[test]
    fn a_journal_that_was_kept_goes_on_as_before(steps in prop::collection::vec(step(), 0..40), stop in 0..44_usize) {
        let events = lives(&steps);
        let (before, after) = events.split_at(stop.min(events.len()));
        let first = told(before);
        let mut second = Journal::default();
        for number in 0..PAGES {
            second.restore(number, &first.page(number).unwrap().unwrap(), "kept").unwrap();
        }
        prop_assert_eq!(&second, &first);
        for (event, moment) in after {
            second.fold(event, at(*moment));
        }
        prop_assert_eq!(second, told(&events));
    }

    #[test]
    fn rates_have_no_more_failures_than_tries(steps in prop::collection::vec(step(), 0..60)) {
        let tally = sum(&told(&lives(&steps)));
        prop_assert!(tally.failed_provisions <= tally.created);
        prop_assert!(tally.failed_changes <= tally.changes);
        prop_assert!(tally.deployments + tally.superseded <= tally.changes);
        prop_assert!(tally.provisioning.count() <= tally.created);
        prop_assert!(tally.deleted <= tally.created);
    }
}
