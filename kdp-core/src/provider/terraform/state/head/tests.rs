use jiff::ToSpan;
use proptest::prelude::*;
use serde_json::json;

use super::*;

const LASTS: Duration = Duration::from_secs(30);

fn head() -> Head {
    Head::new(&OrderId::new("uid", "team", "order"))
}

fn run(lease: u64, holder: &str) -> Run {
    Run::new(Lease(lease)).with_holder(holder)
}

fn version(serial: u64) -> Version {
    let about = StateVersion {
        serial,
        lineage: "l".into(),
        at: Timestamp::UNIX_EPOCH,
        by: String::new(),
        digest: format!("d{serial}"),
        size: 1,
    };
    Version { about, blob: format!("b{serial}") }
}

fn label(serial: u64, lineage: &str) -> Label {
    Label::read(json!({"version": 4, "serial": serial, "lineage": lineage}).to_string().as_bytes()).unwrap()
}

#[test]
fn a_turn_is_one_holders_until_it_runs_out_or_a_higher_lease_comes() {
    let start = Timestamp::UNIX_EPOCH;
    let later = |seconds: i64| start + seconds.seconds();
    let mut head = head();
    head.begin("s1", &run(3, "one"), start, LASTS).unwrap();

    let busy = head.clone().begin("s2", &run(3, "two"), later(29), LASTS).unwrap_err();
    assert_eq!(busy.kind(), ErrorKind::Unavailable);
    assert!(busy.message().contains("one works on it"), "{busy}");
    let stale = head.clone().begin("s2", &run(2, "two"), later(60), LASTS).unwrap_err();
    assert_eq!(stale.kind(), ErrorKind::Stale);

    head.renew("s1", later(29), LASTS).unwrap();
    assert!(head.clone().begin("s2", &run(3, "two"), later(31), LASTS).is_err());
    head.clone().begin("s2", &run(3, "two"), later(60), LASTS).unwrap();

    head.begin("s3", &run(4, "three"), later(31), LASTS).unwrap();
    assert_eq!(head.check_turn("s1").unwrap_err().kind(), ErrorKind::Stale);
    assert_eq!(head.renew("s1", later(31), LASTS).unwrap_err().kind(), ErrorKind::Stale);
    head.end("s1");
    head.check_turn("s3").unwrap();
    head.end("s3");
    assert!(head.live(later(32)).is_none());
}

#[test]
fn states_are_taken_by_lineage_and_serial() {
    let mut head = head();
    let check = |head: &Head, serial, lineage: &str, digest: &str, expected| {
        assert_eq!(head.relation(&label(serial, lineage), digest), expected, "{serial} {lineage} {digest}");
    };
    check(&head, 1, "l", "d1", Relation::Newer);
    head.push(version(3), 20);
    check(&head, 4, "l", "d4", Relation::Newer);
    check(&head, 3, "l", "d3", Relation::Same);
    check(&head, 3, "l", "other", Relation::Rival);
    check(&head, 2, "l", "d2", Relation::Older);
    check(&head, 9, "m", "d9", Relation::Foreign);
}

#[test]
fn only_the_latest_versions_are_kept() {
    let mut head = head();
    (1..=30).for_each(|serial| head.push(version(serial), 20));
    assert_eq!(head.versions.first().unwrap().about.serial, 11);
    assert_eq!(head.latest().unwrap().about.serial, 30);
    assert_eq!(head.blobs().count(), 20);
}

#[test]
fn what_was_removed_keeps_only_its_lease() {
    let mut head = head();
    head.begin("s", &run(7, "one"), Timestamp::UNIX_EPOCH, LASTS).unwrap();
    head.push(version(1), 20);
    head.clear();
    assert!(head.removed && head.blobs().count() == 0);
    assert!(head.check_lease("write", &run(6, "late")).is_err());
    assert!(head.check_lease("write", &run(7, "one")).is_ok());
}

#[test]
fn only_states_of_format_4_are_states() {
    for state in ["", "{}", "[]", r#"{"version": 3, "serial": 1, "lineage": "l"}"#, r#"{"version": 4, "serial": -1}"#] {
        assert!(Label::read(state.as_bytes()).is_err(), "{state}");
    }
    let resources = |mode: &str, instances: Value| {
        let state = json!({
            "version": 4, "serial": 1, "lineage": "l", "resources": [{"mode": mode, "instances": instances}],
        });
        Label::read(state.to_string().as_bytes()).unwrap()
    };
    assert!(!resources("managed", json!([{}])).is_empty());
    assert!(resources("managed", json!([])).is_empty());
    assert!(resources("data", json!([{}])).is_empty());
}

#[derive(Clone, Debug)]
enum Move {
    Begin { who: usize, lease: u64 },
    Write { who: usize },
    Renew { who: usize },
    End { who: usize },
    Wait { seconds: i64 },
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let one = prop_oneof![
        (0..3usize, 0..4u64).prop_map(|(who, lease)| Move::Begin { who, lease }),
        (0..3usize).prop_map(|who| Move::Write { who }),
        (0..3usize).prop_map(|who| Move::Renew { who }),
        (0..3usize).prop_map(|who| Move::End { who }),
        (1..40i64).prop_map(|seconds| Move::Wait { seconds }),
    ];
    prop::collection::vec(one, 0..60)
}

proptest! {
    #[test]
    fn one_writes_at_a_time_leases_never_fall_and_nobody_waits_for_ever(moves in moves()) {
        let (mut head, mut now) = (head(), Timestamp::UNIX_EPOCH);
        let mut turns = [const { None::<String> }; 3];
        let mut serial = 0;
        for (number, step) in moves.into_iter().enumerate() {
            let before = head.lease;
            match step {
                Move::Begin { who, lease } => {
                    let session = format!("s{number}");
                    if head.begin(&session, &run(lease, "x"), now, LASTS).is_ok() {
                        prop_assert!(lease >= before.0);
                        turns[who] = Some(session);
                    }
                }
                Move::Write { who } => {
                    let others = turns.iter().enumerate().filter(|(other, _)| *other != who);
                    if turns[who].as_ref().is_some_and(|session| head.check_turn(session).is_ok()) {
                        for session in others.filter_map(|(_, session)| session.as_ref()) {
                            prop_assert!(head.check_turn(session).is_err());
                        }
                        serial += 1;
                        head.push(version(serial), 20);
                    }
                }
                Move::Renew { who } => {
                    if let Some(session) = &turns[who] {
                        drop(head.renew(session, now, LASTS));
                    }
                }
                Move::End { who } => {
                    if let Some(session) = turns[who].take() {
                        head.end(&session);
                    }
                }
                Move::Wait { seconds } => now += seconds.seconds(),
            }
            prop_assert!(head.lease >= before);
            prop_assert_eq!(head.latest().map_or(0, |version| version.about.serial), serial);
        }
        let run = run(head.lease.0, "the last");
        prop_assert!(head.begin("last", &run, now + 31.seconds(), LASTS).is_ok());
    }
}
