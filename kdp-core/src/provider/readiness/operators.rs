//! Kinds of operators that run databases, queues and other services.

use serde_json::Value;

use super::{
    Entry, Truth, Verdict, View,
    workloads::{or, spec_suspended},
};

pub(super) const PAUSED: &[Entry] = &[
    ("postgresql.cnpg.io", "Cluster", cnpg_paused),
    ("k8s.mariadb.com", "*", spec_suspended),
    ("kafka.strimzi.io", "Kafka*", strimzi_paused),
];

pub(super) const RULES: &[Entry] = &[
    ("postgresql.cnpg.io", "Cluster", cnpg),
    ("acid.zalan.do", "postgresql", zalando),
    ("kafka.strimzi.io", "Kafka*", strimzi),
    ("rabbitmq.com", "RabbitmqCluster", rabbitmq),
    ("k8s.mariadb.com", "*", mariadb),
    ("psmdb.percona.com", "*", percona),
    ("pxc.percona.com", "*", percona),
    ("ps.percona.com", "*", percona),
    ("pgv2.percona.com", "*", percona),
    ("elasticsearch.k8s.elastic.co", "Elasticsearch", elasticsearch),
    ("minio.min.io", "Tenant", minio),
    ("clickhouse.altinity.com", "ClickHouseInstallation", clickhouse),
    ("objectbucket.io", "ObjectBucketClaim", bucket_claim),
    ("cert-manager.io", "*", certificate),
    ("external-secrets.io", "*", ready_or_failing),
];

/// `Ready` decides, and there is no such thing as not being ready yet.
pub(super) fn ready_or_failing(view: &View<'_>) -> Option<Verdict> {
    let ready = view.condition("Ready");
    Some(match ready.truth {
        Truth::True => Verdict::ready(),
        Truth::False => Verdict::failing(ready.to_string()),
        Truth::Absent => Verdict::progressing("it has no condition Ready yet"),
        Truth::Unknown | Truth::Stale => Verdict::progressing(ready.to_string()),
    })
}

fn cnpg_paused(view: &View<'_>) -> Option<Verdict> {
    let is_off = view.annotation("cnpg.io/reconciliationLoop") == "disabled";
    let sleeps = view.annotation("cnpg.io/hibernation") == "on";
    match (is_off, sleeps) {
        (true, _) => Some(Verdict::paused("its reconciliation loop is disabled")),
        (_, true) => Some(Verdict::paused("it is hibernated")),
        _ => None,
    }
}

fn cnpg(view: &View<'_>) -> Option<Verdict> {
    const BAD: [&str; 4] =
        ["Unable to create required cluster objects", "unrecoverable", "image catalog", "unknown plugin"];
    let (phase, reason) = (view.text("/status/phase"), view.text("/status/phaseReason"));
    let said = if reason.is_empty() { phase.to_owned() } else { format!("{phase}: {reason}") };
    Some(match phase {
        "Cluster in healthy state" => Verdict::ready(),
        "" => Verdict::progressing("it has no phase yet"),
        bad if BAD.iter().any(|part| bad.contains(part)) => Verdict::failing(said),
        _ => Verdict::progressing(said),
    })
}

fn zalando(view: &View<'_>) -> Option<Verdict> {
    Some(match view.text("/status/PostgresClusterStatus") {
        "Running" => Verdict::ready(),
        bad @ ("CreateFailed" | "UpdateFailed" | "SyncFailed" | "Invalid") => Verdict::failing(bad),
        other => Verdict::progressing(or(other, "", "it has no status yet")),
    })
}

fn strimzi_paused(view: &View<'_>) -> Option<Verdict> {
    let paused = view.truth("ReconciliationPaused") == Truth::True;
    paused.then(|| Verdict::paused("its reconciliation is paused"))
}

fn strimzi(view: &View<'_>) -> Option<Verdict> {
    let (ready, not_ready) = (view.condition("Ready"), view.condition("NotReady"));
    Some(match (ready.truth, not_ready.truth) {
        (_, Truth::True) if not_ready.reason() != "Creating" => Verdict::failing(not_ready.to_string()),
        (_, Truth::True) => Verdict::progressing(not_ready.to_string()),
        (Truth::True, _) => Verdict::ready(),
        (Truth::Absent, _) => Verdict::progressing("it has no condition Ready yet"),
        _ => Verdict::progressing(ready.to_string()),
    })
}

fn rabbitmq(view: &View<'_>) -> Option<Verdict> {
    let reconciled = view.condition("ReconcileSuccess");
    if reconciled.truth == Truth::False {
        return Some(Verdict::failing(reconciled.to_string()));
    }
    Some(all_true(view, &["ClusterAvailable", "AllReplicasReady"]))
}

/// Ready when all of these hold, on its way otherwise.
pub(super) fn all_true(view: &View<'_>, types: &[&str]) -> Verdict {
    let missing = types.iter().find(|type_| view.truth(type_) != Truth::True);
    match missing {
        None => Verdict::ready(),
        Some(type_) if view.truth(type_) == Truth::Absent => {
            Verdict::progressing(format!("it has no condition {type_} yet"))
        }
        Some(type_) => Verdict::progressing(view.condition(type_).to_string()),
    }
}

fn mariadb(view: &View<'_>) -> Option<Verdict> {
    let unmet = view.conditions().find(|condition| condition.truth != Truth::True);
    let failed = view.conditions().find(|seen| seen.truth == Truth::False && seen.reason() == "Failed");
    Some(match (failed, unmet) {
        (Some(failed), _) => Verdict::failing(failed.to_string()),
        (None, Some(unmet)) => Verdict::progressing(unmet.to_string()),
        (None, None) if view.is_filled("/status/conditions") => Verdict::ready(),
        (None, None) => Verdict::progressing("it has no conditions yet"),
    })
}

fn percona(view: &View<'_>) -> Option<Verdict> {
    Some(match view.text("/status/state") {
        "ready" => Verdict::ready(),
        "paused" => Verdict::paused("it is paused"),
        "error" => Verdict::failing(or(view.text("/status/message"), &first_message(view), "error")),
        other => Verdict::progressing(or(other, "", "it has no state yet")),
    })
}

/// Percona tells messages as a list.
fn first_message(view: &View<'_>) -> String {
    view.text("/status/message/0").to_owned()
}

fn elasticsearch(view: &View<'_>) -> Option<Verdict> {
    let (health, phase) = (view.text("/status/health"), view.text("/status/phase"));
    if health == "red" || phase == "Invalid" {
        return Some(Verdict::failing(format!("health {health}, phase {phase}")));
    }
    let sets = view.at("/spec/nodeSets").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let wanted = sets.iter().filter_map(|set| set.get("count")?.as_i64()).fold(0_i64, i64::saturating_add);
    let available = view.number("/status/availableNodes").unwrap_or(0);
    Some(if available == wanted && phase == "Ready" && health == "green" {
        Verdict::ready()
    } else {
        Verdict::progressing(format!("{available} of {wanted} nodes, health {health:?}, phase {phase:?}"))
    })
}

fn minio(view: &View<'_>) -> Option<Verdict> {
    const BAD: [&str; 5] = [
        "Another MinIO Tenant already exists in the namespace",
        "Different versions across MinIO Pools",
        "Pool Decommissioning Not Allowed",
        "Statefulset not controlled by operator",
        "Tenant credentials are not set properly",
    ];
    Some(match view.text("/status/currentState") {
        "Initialized" => Verdict::ready(),
        bad if BAD.contains(&bad) => Verdict::failing(bad),
        other => Verdict::progressing(or(other, "", "it has no state yet")),
    })
}

fn clickhouse(view: &View<'_>) -> Option<Verdict> {
    Some(match view.text("/status/status") {
        "Completed" => Verdict::ready(),
        "" => Verdict::progressing("it has no status yet"),
        "InProgress" => Verdict::progressing("InProgress"),
        other => Verdict::failing(other),
    })
}

fn bucket_claim(view: &View<'_>) -> Option<Verdict> {
    Some(match view.text("/status/phase") {
        "Bound" => Verdict::ready(),
        "Failed" => Verdict::failing("Failed"),
        other => Verdict::progressing(or(other, "", "it has no phase yet")),
    })
}

fn certificate(view: &View<'_>) -> Option<Verdict> {
    let issuing = view.condition("Issuing");
    match issuing.truth {
        Truth::True => Some(Verdict::progressing(issuing.to_string())),
        _ => ready_or_failing(view),
    }
}
