//! Other kinds of Kubernetes.

use super::{Entry, Truth, Verdict, View};

pub(super) const RULES: &[Entry] = &[
    ("", "ConfigMap", exists),
    ("", "Endpoints", exists),
    ("", "LimitRange", exists),
    ("", "Secret", exists),
    ("", "ServiceAccount", exists),
    ("batch", "CronJob", exists),
    ("coordination.k8s.io", "Lease", exists),
    ("networking.k8s.io", "NetworkPolicy", exists),
    ("policy", "PodDisruptionBudget", exists),
    ("rbac.authorization.k8s.io", "*", exists),
    ("scheduling.k8s.io", "PriorityClass", exists),
    ("storage.k8s.io", "StorageClass", exists),
    ("", "Namespace", namespace),
    ("", "PersistentVolumeClaim", volume_claim),
    ("", "Service", service),
    ("networking.k8s.io", "Ingress", ingress),
    ("apiextensions.k8s.io", "CustomResourceDefinition", definition),
    ("autoscaling", "HorizontalPodAutoscaler", autoscaler),
    ("apiregistration.k8s.io", "APIService", available),
];

fn exists(_: &View<'_>) -> Option<Verdict> {
    Some(Verdict::ready())
}

fn namespace(view: &View<'_>) -> Option<Verdict> {
    let phase = view.text("/status/phase");
    Some(if phase == "Active" { Verdict::ready() } else { Verdict::progressing(format!("phase {phase:?}")) })
}

fn volume_claim(view: &View<'_>) -> Option<Verdict> {
    Some(match view.text("/status/phase") {
        "Bound" => Verdict::ready(),
        "Lost" => Verdict::failing("its volume is lost"),
        _ => Verdict::progressing("it has no volume yet"),
    })
}

fn service(view: &View<'_>) -> Option<Verdict> {
    if view.text("/spec/type") != "LoadBalancer" {
        return Some(Verdict::ready());
    }
    // kstatus is content with an address inside the cluster, which is not what a load balancer is for.
    ingress(view)
}

fn ingress(view: &View<'_>) -> Option<Verdict> {
    let has_address = view.is_filled("/status/loadBalancer/ingress");
    Some(if has_address { Verdict::ready() } else { Verdict::progressing("it has no address yet") })
}

fn definition(view: &View<'_>) -> Option<Verdict> {
    let (names, established) = (view.condition("NamesAccepted"), view.condition("Established"));
    Some(match (names.truth, established.truth) {
        (Truth::False, _) => Verdict::failing(names.to_string()),
        (_, Truth::True) => Verdict::ready(),
        (_, Truth::False) if established.reason() != "Installing" => Verdict::failing(established.to_string()),
        _ => Verdict::progressing("it is being installed"),
    })
}

fn autoscaler(view: &View<'_>) -> Option<Verdict> {
    let (able, active) = (view.condition("AbleToScale"), view.condition("ScalingActive"));
    let is_unable = matches!(able.reason(), "FailedGetScale" | "FailedUpdateScale");
    let is_blind =
        |reason: &str| (reason.starts_with("FailedGet") && reason.ends_with("Metric")) || reason == "InvalidSelector";
    let works = able.truth == Truth::True || view.truth("ScalingLimited") == Truth::True;
    Some(if is_unable {
        Verdict::failing(able.to_string())
    } else if is_blind(active.reason()) {
        Verdict::failing(active.to_string())
    } else if works {
        Verdict::ready()
    } else {
        Verdict::progressing("it does not scale yet")
    })
}

fn available(view: &View<'_>) -> Option<Verdict> {
    let available = view.condition("Available");
    let is_available = available.truth == Truth::True;
    Some(if is_available { Verdict::ready() } else { Verdict::progressing(available.to_string()) })
}
