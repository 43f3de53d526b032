//! Whatever is in a status, judging it never fails, and what is old never makes anything ready.

use super::*;

/// Kinds with a rule of their own, and one without.
const KINDS: [(&str, &str); 44] = [
    ("apps/v1", "Deployment"),
    ("apps/v1", "StatefulSet"),
    ("apps/v1", "DaemonSet"),
    ("apps/v1", "ReplicaSet"),
    ("v1", "Pod"),
    ("batch/v1", "Job"),
    ("v1", "Namespace"),
    ("v1", "PersistentVolumeClaim"),
    ("v1", "Service"),
    ("networking.k8s.io/v1", "Ingress"),
    ("apiextensions.k8s.io/v1", "CustomResourceDefinition"),
    ("autoscaling/v2", "HorizontalPodAutoscaler"),
    ("apiregistration.k8s.io/v1", "APIService"),
    ("pkg.crossplane.io/v1", "Provider"),
    ("apiextensions.crossplane.io/v2", "CompositeResourceDefinition"),
    ("postgresql.cnpg.io/v1", "Cluster"),
    ("acid.zalan.do/v1", "postgresql"),
    ("kafka.strimzi.io/v1", "KafkaTopic"),
    ("rabbitmq.com/v1beta1", "RabbitmqCluster"),
    ("k8s.mariadb.com/v1alpha1", "MariaDB"),
    ("psmdb.percona.com/v1", "PerconaServerMongoDB"),
    ("elasticsearch.k8s.elastic.co/v1", "Elasticsearch"),
    ("minio.min.io/v2", "Tenant"),
    ("clickhouse.altinity.com/v1", "ClickHouseInstallation"),
    ("objectbucket.io/v1alpha1", "ObjectBucketClaim"),
    ("cert-manager.io/v1", "Certificate"),
    ("external-secrets.io/v1", "ExternalSecret"),
    ("kustomize.toolkit.fluxcd.io/v1", "Kustomization"),
    ("helm.toolkit.fluxcd.io/v2", "HelmRelease"),
    ("cluster.x-k8s.io/v1beta1", "Cluster"),
    ("serving.knative.dev/v1", "Service"),
    ("s3.services.k8s.aws/v1alpha1", "Bucket"),
    ("sql.cnrm.cloud.google.com/v1beta1", "SQLInstance"),
    ("services.cloud.sap.com/v1", "ServiceInstance"),
    ("pulumi.com/v1", "Stack"),
    ("keda.sh/v1alpha1", "ScaledObject"),
    ("core.oam.dev/v1beta1", "Application"),
    ("kro.run/v1alpha1", "WebApp"),
    ("infra.contrib.fluxcd.io/v1alpha2", "Terraform"),
    ("argoproj.io/v1alpha1", "Rollout"),
    ("db.example.org/v1", "XDatabase"),
    ("example.com/v1", "Bucket"),
    ("", ""),
    ("a/b/c", "*"),
];

/// Words that rules look for, wherever they stand.
fn word() -> impl Strategy<Value = String> {
    let words = prop::sample::select(vec![
        "True",
        "False",
        "Unknown",
        "Ready",
        "Running",
        "Bound",
        "Initialized",
        "Completed",
        "ready",
        "green",
        "Cluster in healthy state",
        "Provisioned",
        "Active",
        "UpToDate",
        "Failed",
        "running",
        "é",
    ]);
    prop_oneof![4 => words.prop_map(str::to_owned), 1 => ".{0,8}"]
}

fn field() -> impl Strategy<Value = String> {
    let fields = prop::sample::select(vec![
        "conditions",
        "phase",
        "state",
        "status",
        "health",
        "replicas",
        "readyReplicas",
        "observedGeneration",
        "type",
        "reason",
        "message",
        "containerStatuses",
        "currentState",
        "PostgresClusterStatus",
        "loadBalancer",
        "ingress",
    ]);
    prop_oneof![4 => fields.prop_map(str::to_owned), 1 => "[a-z/~]{0,6}"]
}

fn anything() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (0_i64..4).prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        word().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 48, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::btree_map(field(), inner, 0..6).prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

fn types() -> impl Strategy<Value = String> {
    prop::sample::select(vec![
        "Ready",
        "Synced",
        "Available",
        "Progressing",
        "Established",
        "Installed",
        "Healthy",
        "Complete",
        "Released",
        "ClusterAvailable",
        "AllReplicasReady",
        "ConfigurationsReady",
        "RoutesReady",
        "AbleToScale",
        "ScalingLimited",
        "ACK.ResourceSynced",
        "Succeeded",
        "Configured",
    ])
    .prop_map(str::to_owned)
}

proptest! {
    #[test]
    fn judging_never_fails(kind in prop::sample::select(KINDS.to_vec()), spec in anything(), status in anything()) {
        judge(&object(kind.0, kind.1, json!({"spec": spec, "status": status})));
        judge(&spec);
    }

    #[test]
    fn a_stale_status_never_makes_anything_ready(
        kind in prop::sample::select(KINDS.to_vec()), mut status in anything(), observed in -3_i64..2,
    ) {
        if !status.is_object() {
            status = json!({});
        }
        for observed in [json!(observed), json!(observed.to_string())] {
            status["observedGeneration"] = observed;
            let verdict = judge(&object(kind.0, kind.1, json!({"status": status})));
            prop_assert_ne!(verdict.phase, Ready);
        }
    }

    #[test]
    fn stale_conditions_never_make_anything_ready(
        kind in prop::sample::select(KINDS.to_vec()),
        spec in anything(),
        types in prop::collection::btree_set(types(), 1..8),
        word in word(),
    ) {
        // A Service without a load balancer has nothing to wait for.
        prop_assume!(kind != ("v1", "Service"));
        let stale = types.iter().map(|type_| {
            json!({"type": type_, "status": "True", "reason": word, "observedGeneration": 1})
        });
        let status = json!({"observedGeneration": 2, "conditions": stale.collect::<Vec<_>>()});
        // Where OnDelete is asked for there is nothing to be seen, and with no replicas nothing to count.
        let counts = kind.0 == "apps/v1" || kind.1 == "Rollout";
        let spec = if counts { json!({}) } else { spec };
        let verdict = judge(&object(kind.0, kind.1, json!({"spec": spec, "status": status})));
        prop_assert_ne!(verdict.phase, Ready, "{:?}", verdict);
    }
}
