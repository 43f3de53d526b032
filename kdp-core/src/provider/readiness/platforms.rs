//! Kinds whose controllers make other things: in clouds, on other clusters, or out of sources.

use super::{
    Entry, Truth, Verdict, View,
    operators::{all_true, ready_or_failing},
    workloads::{or, spec_paused, spec_suspended},
};
use crate::provider::Phase;

pub(super) const PAUSED: &[Entry] = &[
    ("*.toolkit.fluxcd.io", "*", spec_suspended),
    ("infra.contrib.fluxcd.io", "Terraform", spec_suspended),
    ("cluster.x-k8s.io", "*", capi_paused),
    ("keda.sh", "*", keda_paused),
];

pub(super) const RULES: &[Entry] = &[
    ("pkg.crossplane.io", "*", package),
    ("apiextensions.crossplane.io", "CompositeResourceDefinition", composite_definition),
    ("helm.toolkit.fluxcd.io", "HelmRelease", helm_release),
    ("*.toolkit.fluxcd.io", "*", ready_or_failing),
    ("cluster.x-k8s.io", "Cluster", capi),
    ("serving.knative.dev", "Service", knative),
    ("*.services.k8s.aws", "*", ack),
    ("*.cnrm.cloud.google.com", "*", config_connector),
    ("services.cloud.sap.com", "*", sap),
    ("pulumi.com", "*", pulumi),
    ("keda.sh", "*", keda),
    ("core.oam.dev", "Application", vela),
    ("kro.run", "*", kro),
    ("infra.contrib.fluxcd.io", "Terraform", terraform),
];

/// Fields by which a resource of Crossplane is known before it has any condition.
const CROSSPLANE: [&str; 5] = [
    "/spec/crossplane",
    "/spec/forProvider",
    "/spec/compositionRef",
    "/spec/compositionSelector",
    "/spec/resourceRefs",
];

/// Whatever Crossplane makes: managed and composite resources of any group, and claims.
pub(super) fn synced(view: &View<'_>) -> Option<Verdict> {
    let (ready, synced) = (view.condition("Ready"), view.condition("Synced"));
    let is_crossplane = synced.truth != Truth::Absent || CROSSPLANE.iter().any(|at| view.at(at).is_some());
    if !is_crossplane {
        return None;
    }
    let (asynchronous, responsive) = (view.condition("LastAsyncOperation"), view.condition("Responsive"));
    Some(if synced.reason() == "ReconcilePaused" {
        Verdict::paused("its reconciliation is paused")
    } else if asynchronous.truth == Truth::False {
        Verdict::failing(asynchronous.to_string())
    } else {
        match (ready.truth, synced.truth) {
            // It keeps serving in its last good state.
            (Truth::True, Truth::False) => Verdict::new(Phase::Degraded, synced.to_string()),
            (_, Truth::False) => Verdict::failing(synced.to_string()),
            _ if responsive.truth == Truth::False => Verdict::progressing(responsive.to_string()),
            (Truth::True, Truth::True) => Verdict::ready(),
            (Truth::True | Truth::Absent, _) => Verdict::progressing("it is not synced yet"),
            _ => Verdict::progressing(ready.to_string()),
        }
    })
}

fn package(view: &View<'_>) -> Option<Verdict> {
    let bad = ["Installed", "Healthy"].map(|type_| view.condition(type_));
    let bad = bad.into_iter().find(|condition| condition.truth == Truth::False);
    Some(bad.map_or_else(|| all_true(view, &["Installed", "Healthy"]), |bad| Verdict::failing(bad.to_string())))
}

fn composite_definition(view: &View<'_>) -> Option<Verdict> {
    let types: &[&str] =
        if view.at("/spec/claimNames").is_some() { &["Established", "Offered"] } else { &["Established"] };
    Some(all_true(view, types))
}

fn helm_release(view: &View<'_>) -> Option<Verdict> {
    match view.truth("Ready") {
        Truth::True => Some(all_true(view, &["Released"])),
        _ => ready_or_failing(view),
    }
}

fn capi_paused(view: &View<'_>) -> Option<Verdict> {
    let has_annotation =
        view.at("/metadata/annotations").is_some_and(|all| all.get("cluster.x-k8s.io/paused").is_some());
    spec_paused(view).or_else(|| has_annotation.then(|| Verdict::paused("it is annotated as paused")))
}

fn capi(view: &View<'_>) -> Option<Verdict> {
    let ready = view.condition("Ready");
    let is_serious = ready.truth == Truth::False && ready.text("severity") != "Info";
    Some(match view.text("/status/phase") {
        "Failed" => Verdict::failing(or(view.text("/status/failureMessage"), "", "Failed")),
        _ if is_serious => Verdict::failing(ready.to_string()),
        "Provisioned" if ready.truth != Truth::Stale => Verdict::ready(),
        other => Verdict::progressing(or(other, "", "it has no phase yet")),
    })
}

fn knative(view: &View<'_>) -> Option<Verdict> {
    const ALL: [&str; 3] = ["Ready", "ConfigurationsReady", "RoutesReady"];
    let bad = ALL.map(|type_| view.condition(type_)).into_iter().find(|seen| seen.truth == Truth::False);
    Some(bad.map_or_else(|| all_true(view, &ALL), |bad| Verdict::failing(bad.to_string())))
}

fn ack(view: &View<'_>) -> Option<Verdict> {
    let terminal = view.condition("ACK.Terminal");
    if terminal.truth == Truth::True {
        return Some(Verdict::failing(terminal.to_string()));
    }
    // Older controllers have no `Ready`.
    let deciding = if view.truth("Ready") == Truth::Absent { "ACK.ResourceSynced" } else { "Ready" };
    Some(all_true(view, &[deciding]))
}

fn config_connector(view: &View<'_>) -> Option<Verdict> {
    let ready = view.condition("Ready");
    Some(match ready.reason() {
        "UpToDate" if ready.truth == Truth::True && view.is_observed() => Verdict::ready(),
        "UpdateFailed" | "DependencyNotFound" | "DependencyInvalid" | "ManagementConflict" => {
            Verdict::failing(ready.to_string())
        }
        "" => Verdict::progressing("it has no condition Ready yet"),
        // Others call waiting for a dependency suspended, but nobody has asked for it.
        _ => Verdict::progressing(ready.to_string()),
    })
}

fn sap(view: &View<'_>) -> Option<Verdict> {
    let (succeeded, failed) = (view.condition("Succeeded"), view.condition("Failed"));
    Some(match (succeeded.truth, failed.truth) {
        (_, Truth::True) => Verdict::failing(failed.to_string()),
        (Truth::False, _) => Verdict::failing(succeeded.to_string()),
        _ => all_true(view, &["Ready"]),
    })
}

fn pulumi(view: &View<'_>) -> Option<Verdict> {
    // A stalled or reconciling one was found to be so before.
    if view.is_observed() {
        Some(all_true(view, &["Ready"]))
    } else {
        Some(Verdict::progressing("it was not seen yet"))
    }
}

fn keda_paused(view: &View<'_>) -> Option<Verdict> {
    let is_asked = !matches!(view.annotation("autoscaling.keda.sh/paused"), "" | "false");
    (is_asked || view.truth("Paused") == Truth::True).then(|| Verdict::paused("its scaling is paused"))
}

fn keda(view: &View<'_>) -> Option<Verdict> {
    let fallback = view.condition("Fallback");
    match (view.truth("Ready"), fallback.truth) {
        (Truth::True, Truth::True) => Some(Verdict::new(Phase::Degraded, fallback.to_string())),
        _ => ready_or_failing(view),
    }
}

fn vela(view: &View<'_>) -> Option<Verdict> {
    Some(match view.text("/status/status") {
        "running" => Verdict::ready(),
        bad @ ("workflowFailed" | "workflowTerminated" | "unhealthy") => Verdict::failing(bad),
        other => Verdict::progressing(or(other, "", "it has no status yet")),
    })
}

fn kro(view: &View<'_>) -> Option<Verdict> {
    let resolved = view.condition("GraphResolved");
    Some(match resolved.truth {
        Truth::False => Verdict::failing(resolved.to_string()),
        _ => all_true(view, &["Ready"]),
    })
}

fn terraform(view: &View<'_>) -> Option<Verdict> {
    let pending = view.text("/status/plan/pending");
    match view.truth("Ready") {
        Truth::True | Truth::Unknown if !pending.is_empty() => {
            Some(Verdict::new(Phase::Blocked, format!("its plan {pending} waits for approval")))
        }
        _ => ready_or_failing(view),
    }
}
