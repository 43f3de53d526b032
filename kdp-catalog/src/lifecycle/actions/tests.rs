use kube::CustomResourceExt;
use proptest::prelude::*;

use super::*;

const LIMITS: ActionLimits = ActionLimits { attempts: 3, deadline: SignedDuration::from_hours(1) };
const BACKOFF: SignedDuration = SignedDuration::from_secs(90);

fn minute(minute: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + minute * 60).unwrap()
}

fn request(name: &str, target: &str, created: i64) -> ActionRequest {
    serde_json::from_value(serde_json::json!({
        "apiVersion": "catalog.kdp.k8c.io/v1alpha1", "kind": "ActionRequest",
        "metadata": {"name": name, "namespace": "n", "uid": format!("uid-{name}"),
            "creationTimestamp": minute(created).to_string()},
        "spec": {"target": {"apiVersion": "databases.example.com/v1", "kind": "Database", "name": target},
            "action": "backup", "parameters": {"to": {"bucket": "b"}}},
    }))
    .unwrap()
}

fn decide(request: &ActionRequest, all: &[ActionRequest], observed: &Observed, now: i64) -> ActionStep {
    next(request, all, observed, LIMITS, BACKOFF, minute(now))
}

/// The request after the step was stored.
fn stored(request: &ActionRequest, step: &ActionStep) -> ActionRequest {
    ActionRequest { status: Some(step.status.clone()), ..request.clone() }
}

fn failed(message: &str) -> Observed {
    Observed::FailedForNow { message: message.into() }
}

#[test]
fn an_action_runs_and_is_done() {
    let backup = request("a", "db", 0);
    let step = decide(&backup, &[], &Observed::Nothing, 1);
    assert_eq!((step.status.phase, step.command), (ActionPhase::Running, Some(Command::Start { attempt: 1 })));
    let backup = stored(&backup, &step);
    let again = decide(&backup, &[], &Observed::Nothing, 2);
    assert_eq!(again.command, Some(Command::Start { attempt: 1 }), "in case it got lost");
    assert_eq!(again.status, step.status);
    assert_eq!(decide(&backup, &[], &Observed::Running, 3).command, None);
    let step = decide(&backup, &[], &Observed::Succeeded { message: "12 GiB".into() }, 5);
    assert_eq!((step.status.phase, step.status.finished), (ActionPhase::Succeeded, Some(minute(5))));
    let phases: Vec<_> = step.status.history.iter().map(|it| (it.at, it.phase)).collect();
    assert_eq!(phases, [(minute(1), ActionPhase::Running), (minute(5), ActionPhase::Succeeded)]);
    let backup = stored(&backup, &step);
    assert_eq!(decide(&backup, &[], &failed("late"), 9), ActionStep { next_look: None, ..step });
}

#[test]
fn what_fails_is_tried_again_for_a_while() {
    let mut backup = request("a", "db", 0);
    let mut now = 0;
    for attempt in 1..=3 {
        let step = decide(&backup, &[], &Observed::Nothing, now);
        assert_eq!(step.command, Some(Command::Start { attempt }));
        backup = stored(&backup, &step);
        let step = decide(&backup, &[], &failed("disk is full"), now + 1);
        backup = stored(&backup, &step);
        if attempt < 3 {
            assert_eq!((step.status.phase, step.next_look), (ActionPhase::Pending, Some(minute(now + 1) + BACKOFF)));
            let early = decide(&backup, &[], &Observed::Nothing, now + 2);
            assert_eq!((early.status.phase, early.command), (ActionPhase::Pending, None));
        }
        now += 5;
    }
    let status = backup.status.clone().unwrap();
    assert_eq!((status.phase, status.message.as_str()), (ActionPhase::Failed, "failed 3 times: disk is full"));
    let backup = request("a", "db", 0);
    let backup = stored(&backup, &decide(&backup, &[], &Observed::Nothing, 0));
    let step = decide(&backup, &[], &Observed::FailedForGood { message: "no such bucket".into() }, 1);
    assert_eq!((step.status.phase, step.status.message.as_str()), (ActionPhase::Failed, "no such bucket"));
}

#[test]
fn what_takes_too_long_is_stopped_and_not_tried_again() {
    let backup = request("a", "db", 0);
    let backup = stored(&backup, &decide(&backup, &[], &Observed::Nothing, 0));
    let step = decide(&backup, &[], &Observed::Running, 60);
    assert_eq!((step.status.phase, step.command), (ActionPhase::Running, Some(Command::Cancel { attempt: 1 })));
    assert!(step.next_look > Some(minute(60)));
    let backup = stored(&backup, &step);
    assert_eq!(decide(&backup, &[], &Observed::Running, 61).status, step.status);
    let step = decide(&backup, &[], &failed("killed"), 62);
    assert_eq!((step.status.phase, step.status.message.as_str()), (ActionPhase::Failed, "took longer than 1h"));
    let step = decide(&backup, &[], &Observed::Succeeded { message: String::new() }, 62);
    assert_eq!(step.status.phase, ActionPhase::Succeeded, "it was done just before it was stopped");
}

#[test]
fn one_at_a_time_and_in_their_order() {
    let (first, second, other) = (request("z", "db", 0), request("b", "db", 1), request("c", "else", 2));
    let mut newer_api = second.clone();
    newer_api.spec.target.api_version = "databases.example.com/v2".into();
    let all = [newer_api.clone(), first.clone(), other.clone()];
    let waits = decide(&newer_api, &all, &Observed::Nothing, 3);
    assert_eq!((waits.command, waits.status.message.as_str()), (None, "waits for z"));
    assert!(decide(&other, &all, &Observed::Nothing, 3).command.is_some());
    // Also while the first one waits for its next attempt.
    let step = decide(&first, &all, &Observed::Nothing, 3);
    let first = stored(&first, &step);
    let first = stored(&first, &decide(&first, &all, &failed("x"), 4));
    assert_eq!(decide(&second, &[first.clone(), second.clone()], &Observed::Nothing, 4).command, None);
    // Whoever runs comes first, even if an older one is seen late.
    let running = stored(&second, &decide(&second, &[], &Observed::Nothing, 4));
    assert_eq!(decide(&first, &[running], &Observed::Nothing, 9).status.message, "waits for b");
    let done =
        stored(&second, &decide(&stored(&second, &step), &[], &Observed::Succeeded { message: String::new() }, 4));
    assert!(decide(&first, &[done], &Observed::Nothing, 9).command.is_some());
}

#[test]
fn the_history_is_bounded() {
    let mut status = ActionStatus::default();
    for i in 0..50 {
        status.enter(ActionPhase::Pending, minute(i), String::new());
    }
    assert_eq!((status.history.len(), status.history[0].at), (REMEMBERED, minute(30)));
}

#[test]
fn a_request_is_a_kind_that_an_api_server_takes() {
    let crd = serde_json::to_value(ActionRequest::crd()).unwrap();
    assert_eq!(crd["metadata"]["name"], "actionrequests.catalog.kdp.k8c.io");
    let version = &crd["spec"]["versions"][0];
    assert_eq!(version["subresources"]["status"], serde_json::json!({}));
    let parameters = &version["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]["parameters"];
    assert_eq!(parameters["x-kubernetes-preserve-unknown-fields"], true);
    assert_eq!(request("a", "db", 0).spec.parameters["to"]["bucket"], "b");
}

proptest! {
    /// Several requests for one target, worked on in any order, with any outcome.
    #[test]
    fn never_two_at_once_and_all_come_to_an_end(
        count in 1_usize..6,
        turns in prop::collection::vec((any::<prop::sample::Index>(), 0_u8..6), 200),
    ) {
        let mut all: Vec<ActionRequest> = (0..count).map(|i| request(&format!("r{i}"), "db", i as i64)).collect();
        let mut now = 10;
        let is_running = |it: &ActionRequest| it.status.as_ref().is_some_and(|it| it.phase == ActionPhase::Running);
        let is_final = |it: &ActionRequest| it.status.as_ref().is_some_and(|it| it.phase.is_final());
        let round_robin = (0..count * 40).map(|i| (i % count, 5));
        let turns: Vec<_> = turns.iter().map(|(at, what)| (at.index(count), *what)).chain(round_robin).collect();
        for (at, what) in turns {
            now += 1;
            let observed = match what {
                0 => failed("x"),
                1 => Observed::Nothing,
                2 | 3 => Observed::Running,
                4 => Observed::FailedForGood { message: "y".into() },
                _ => Observed::Succeeded { message: String::new() },
            };
            let step = decide(&all[at], &all, &observed, now);
            prop_assert_eq!(&step, &decide(&all[at], &all, &observed, now));
            prop_assert!(step.next_look.is_none_or(|at| at > minute(now)));
            prop_assert!(step.status.attempts <= LIMITS.attempts);
            all[at] = stored(&all[at], &step);
            prop_assert!(all.iter().filter(|it| is_running(it)).count() <= 1);
        }
        prop_assert!(all.iter().all(is_final));
    }
}
