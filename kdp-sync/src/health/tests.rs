use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn fault(checks: &[Check], name: &str) -> Option<String> {
    let check = checks.iter().find(|check| check.name == name);
    check.unwrap_or_else(|| panic!("no check {name} in {checks:?}")).fault.clone()
}

#[test]
fn an_agent_is_ready_once_what_was_there_at_the_start_is_handled() {
    let health = Health::new();
    assert!(fault(&health.ready(), "published-resources").unwrap().contains("not been read"));
    health.publishing(&["databases".to_owned(), "queues".to_owned()]);
    assert_eq!(fault(&health.ready(), "published-resources").unwrap(), "not published yet: databases, queues");
    health.publishing([]);
    assert_eq!(fault(&health.ready(), "published-resources"), None);
}

#[test]
fn a_side_may_be_silent_for_a_minute() {
    let health = Health::new();
    health.answered(Side::Kcp);
    let after = |silence: Duration| fault(&health.ready_at(Instant::now() + silence), "contact/kcp");
    assert_eq!(after(OUT_OF_REACH - SECOND), None);
    assert_eq!(after(OUT_OF_REACH + SECOND).unwrap(), "no answer for 61 s");
}

#[test]
fn only_work_that_stands_still_is_a_reason_to_restart() {
    let health = Health::new();
    let after = |time: Duration| fault(&health.live_at(Instant::now() + time), "publisher");
    assert_eq!(after(STUCK * 2), None, "idle for long");
    health.busy();
    assert_eq!(after(STUCK - SECOND), None, "busy for a while");
    assert!(after(STUCK + SECOND).is_some(), "busy for long");
    health.idle();
    assert_eq!(after(STUCK * 2), None);
}

#[test]
fn a_watch_is_ready_when_it_is_in_sync_and_forgotten_when_it_ends() {
    let health = Health::new();
    let watch = health.watch(Side::Service, &ResourceType::secrets(), Some("agents"));
    let name = "watch/service/secrets/agents";
    assert!(fault(&health.ready(), name).unwrap().contains("not been listed"));
    watch.is_in_sync();
    assert_eq!(fault(&health.ready(), name), None);
    drop(watch);
    assert!(health.ready().iter().all(|check| check.name != name));
}

#[test]
fn a_watch_that_fails_again_and_again_is_not_ready_until_it_stops_failing() {
    let health = Health::new();
    let watch = health.watch(Side::Service, &ResourceType::secrets(), None);
    let name = "watch/service/secrets";
    watch.is_in_sync();
    let pause = Duration::from_secs(1);
    watch.failed(&watcher::Error::NoResourceVersion, 1, pause);
    assert_eq!(fault(&health.ready(), name), None, "once");
    watch.failed(&watcher::Error::NoResourceVersion, 2, pause);
    assert!(fault(&health.ready(), name).is_some(), "twice");
    let later = Instant::now() + pause + CONNECT_DEADLINE;
    assert_eq!(fault(&health.ready_at(later), name), None, "no third time");
}

#[test]
fn an_export_that_nobody_binds_is_no_fault() {
    let not_found = || {
        let status = kube::core::Status { code: 404, ..kube::core::Status::default() };
        watcher::Error::InitialListFailed(kube::Error::Api(Box::new(status)))
    };
    for (side, is_fault) in [(Side::Kcp, false), (Side::Service, true)] {
        let health = Health::new();
        let watch = health.watch(side, &ResourceType::secrets(), None);
        watch.failed(&not_found(), 5, Duration::from_secs(1));
        let name = format!("watch/{}/secrets", side.name());
        assert_eq!(fault(&health.ready(), &name).is_some(), is_fault, "{side:?}");
    }
}
