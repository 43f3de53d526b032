use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn fault(checks: &[Check], name: &str) -> Option<String> {
    let check = checks.iter().find(|check| check.name == name);
    check.unwrap_or_else(|| panic!("no check {name} in {checks:?}")).fault.clone()
}

/// An agent that leads and has read what is published.
fn working() -> AgentStatus {
    AgentStatus { is_leader: true, has_published: true, ..AgentStatus::default() }
}

fn health(status: AgentStatus) -> Health {
    Health::new(watch::channel(status).1)
}

fn watched(health: &Health, side: Side, part: Option<&str>) -> WatchHealth {
    health.watch(side, &ResourceType::secrets(), part, Counter::default())
}

#[test]
fn an_agent_is_ready_once_what_was_there_at_the_start_is_handled() {
    let starting = health(AgentStatus { is_leader: true, ..AgentStatus::default() });
    assert!(fault(&starting.ready(), "published-resources").unwrap().contains("not been read"));
    let health = health(working());
    health.idle(&["databases".to_owned(), "queues".to_owned()]);
    assert_eq!(fault(&health.ready(), "published-resources").unwrap(), "not published yet: databases, queues");
    health.idle([]);
    assert_eq!(fault(&health.ready(), "published-resources"), None);
}

#[test]
fn a_replica_that_stands_by_is_ready() {
    let lease = |status| fault(&health(status).ready(), "lease");
    assert_eq!(lease(working()), None);
    assert_eq!(lease(AgentStatus { is_leader: false, leader: Some("other".into()), ..working() }), None);
    assert!(lease(AgentStatus { is_leader: false, ..working() }).is_some());
}

#[test]
fn an_agent_that_waits_for_its_workspace_says_so() {
    let waiting = AgentStatus { waits_for: Some("there is no workspace".into()), ..working() };
    assert_eq!(fault(&health(waiting).ready(), "start").unwrap(), "there is no workspace");
}

#[test]
fn a_side_may_be_silent_for_a_minute() {
    let health = health(working());
    health.answered(Side::Kcp);
    let after = |silence: Duration| fault(&health.ready_at(Instant::now() + silence), "contact/kcp");
    assert_eq!(after(OUT_OF_REACH - SECOND), None);
    assert_eq!(after(OUT_OF_REACH + SECOND).unwrap(), "no answer for 61 s");
}

#[test]
fn only_work_that_stands_still_is_a_reason_to_restart() {
    let health = health(working());
    let after = |time: Duration| fault(&health.live_at(Instant::now() + time), "publisher");
    assert_eq!(after(STUCK * 2), None, "idle for long");
    health.busy();
    assert_eq!(after(STUCK - SECOND), None, "busy for a while");
    assert!(after(STUCK + SECOND).is_some(), "busy for long");
    health.idle([]);
    assert_eq!(after(STUCK * 2), None);
}

#[test]
fn a_watch_is_ready_when_it_is_in_sync_and_forgotten_when_it_ends() {
    let health = health(working());
    let watch = watched(&health, Side::Service, Some("agents"));
    let name = "watch/service/secrets/agents";
    assert!(fault(&health.ready(), name).unwrap().contains("not been listed"));
    watch.is_in_sync();
    assert_eq!(fault(&health.ready(), name), None);
    drop(watch);
    assert!(health.ready().iter().all(|check| check.name != name));
}

#[test]
fn a_watch_that_fails_again_and_again_is_not_ready_until_it_stops_failing() {
    let health = health(working());
    let watch = watched(&health, Side::Service, None);
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
        let health = health(working());
        let watch = watched(&health, side, None);
        watch.failed(&not_found(), 5, Duration::from_secs(1));
        let name = format!("watch/{}/secrets", side.name());
        assert_eq!(fault(&health.ready(), &name).is_some(), is_fault, "{side:?}");
    }
}
