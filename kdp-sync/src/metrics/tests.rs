use super::*;
use kdp_core::ErrorKind;
use std::time::Duration;

fn check(metrics: &Metrics, line: &str) {
    let text = metrics.encode();
    assert!(text.lines().any(|found| found == line), "no {line:?} in:\n{text}");
}

#[test]
fn everything_counted_of_a_resource_is_in_the_text() {
    let metrics = Metrics::new();
    metrics.set_published_resources(3);
    let databases = metrics.resource("databases");
    databases.set_orders(7);
    databases.set_copies(6);
    databases.set_queue_depth(2);
    databases.set_paused(1);
    databases.set_drifted(4);
    databases.passed(PassOutcome::Settled);
    databases.failed(ErrorKind::Forbidden);
    databases.wrote(Side::Service, Verb::ReplaceStatus);
    databases.wrote(Side::Service, Verb::ReplaceStatus);
    databases.conflicted();
    databases.settled_after(Duration::from_millis(3));
    for line in [
        "sync_agent_published_resource 3",
        r#"kdp_sync_orders{resource="databases"} 7"#,
        r#"kdp_sync_copies{resource="databases"} 6"#,
        r#"kdp_sync_queue_depth{resource="databases"} 2"#,
        r#"kdp_sync_paused_orders{resource="databases"} 1"#,
        r#"kdp_sync_drifted_copies{resource="databases"} 4"#,
        r#"kdp_sync_passes_total{resource="databases",outcome="settled"} 1"#,
        r#"kdp_sync_passes_total{resource="databases",outcome="failed"} 0"#,
        r#"kdp_sync_errors_total{resource="databases",kind="forbidden"} 1"#,
        r#"kdp_sync_writes_total{resource="databases",side="service",verb="replace_status"} 2"#,
        r#"kdp_sync_conflicts_total{resource="databases"} 1"#,
        r#"kdp_sync_lag_seconds_bucket{le="0.002",resource="databases"} 0"#,
        r#"kdp_sync_lag_seconds_bucket{le="0.004",resource="databases"} 1"#,
        r#"kdp_sync_lag_seconds_count{resource="databases"} 1"#,
    ] {
        check(&metrics, line);
    }
}

#[test]
fn asking_twice_counts_in_the_same_series() {
    let metrics = Metrics::new();
    metrics.resource("databases").conflicted();
    metrics.clone().resource("databases").conflicted();
    check(&metrics, r#"kdp_sync_conflicts_total{resource="databases"} 2"#);
}

#[test]
fn nothing_is_left_of_a_resource_that_is_gone() {
    let metrics = Metrics::new();
    metrics.resource("databases").passed(PassOutcome::Gone);
    metrics.resource("queues").passed(PassOutcome::Gone);
    metrics.forget("databases");
    let text = metrics.encode();
    assert!(!text.contains("databases"), "{text}");
    assert!(text.contains("queues"), "{text}");
}

#[test]
fn a_watch_is_named_by_the_resource_that_it_follows() {
    let metrics = Metrics::new();
    let certificates = ResourceType {
        group: "example.com".into(),
        version: "v1".into(),
        kind: "Certificate".into(),
        plural: "certificates".into(),
    };
    metrics.watch_restarts(Side::Service, &ResourceType::secrets()).inc();
    metrics.watch_restarts(Side::Kcp, &certificates).inc();
    check(&metrics, r#"kdp_sync_watch_restarts_total{side="service",kind="secrets"} 1"#);
    check(&metrics, r#"kdp_sync_watch_restarts_total{side="kcp",kind="certificates.example.com"} 1"#);
}
