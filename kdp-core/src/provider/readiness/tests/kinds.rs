//! One test for each row of the table.

use super::*;

/// Checks objects of one kind with these fields.
#[track_caller]
fn table<const N: usize>(api_version: &str, kind: &str, rows: [(Value, Phase, &str); N]) {
    for (fields, phase, message) in rows {
        check(object(api_version, kind, fields), phase, message);
    }
}

/// The fields of both.
fn both(mut one: Value, other: Value) -> Value {
    merge(&mut one, other);
    one
}

#[expect(clippy::needless_pass_by_value, reason = "it is written where it is given")]
fn status(status: Value) -> Value {
    json!({"status": status})
}

/// Conditions and that they are about the current generation.
fn current(all: &[&str]) -> Value {
    both(conditions(all), status(json!({"observedGeneration": 2})))
}

#[test]
fn deployment() {
    let done = || {
        both(
            current(&["Available=True/MinimumReplicasAvailable", "Progressing=True/NewReplicaSetAvailable"]),
            json!({
                "spec": {"replicas": 3, "progressDeadlineSeconds": 600},
                "status": {"replicas": 3, "updatedReplicas": 3, "availableReplicas": 3, "readyReplicas": 3},
            }),
        )
    };
    let but = |field: &str, count: i64| both(done(), status(json!({field: count})));
    table(
        "apps/v1",
        "Deployment",
        [
            (done(), Ready, ""),
            (but("replicas", 2), Progressing, "replicas is 2 of 3"),
            (but("updatedReplicas", 1), Progressing, "updatedReplicas is 1 of 3"),
            (but("replicas", 4), Progressing, "still 4"),
            (but("availableReplicas", 2), Progressing, "availableReplicas is 2 of 3"),
            (but("readyReplicas", 2), Progressing, "readyReplicas is 2 of 3"),
            (json!({"status": {"observedGeneration": 2}}), Progressing, "replicas is 0 of 1"),
            (both(done(), status(json!({"observedGeneration": null}))), Progressing, "has not seen it yet"),
            (both(done(), json!({"spec": {"paused": true}})), Paused, "spec.paused"),
            (json!({}), Progressing, "has not seen it yet"),
        ],
    );
    let with = |all: &[&str]| both(done(), conditions(all));
    table(
        "apps/v1",
        "Deployment",
        [
            (with(&["Available=False", "Progressing=True/NewReplicaSetAvailable"]), Progressing, "not available yet"),
            (with(&["Available=True", "Progressing=True/ReplicaSetUpdated"]), Progressing, "new replicas"),
            (
                with(&["Available=True", "Progressing=False/ProgressDeadlineExceeded"]),
                Failing,
                "ProgressDeadlineExceeded",
            ),
        ],
    );
    // Without a deadline, nobody keeps track of the progress.
    for seconds in [json!(i32::MAX), Value::Null] {
        let endless = both(with(&["Available=True"]), json!({"spec": {"progressDeadlineSeconds": seconds}}));
        check(object("apps/v1", "Deployment", endless), Ready, "");
    }
}

#[test]
fn stateful_set() {
    let done = || {
        json!({
            "spec": {"replicas": 3},
            "status": {
                "observedGeneration": 2, "replicas": 3, "readyReplicas": 3, "currentReplicas": 3, "updatedReplicas": 3,
                "currentRevision": "db-1", "updateRevision": "db-1",
            },
        })
    };
    let partition = json!({"spec": {"updateStrategy": {"rollingUpdate": {"partition": 2}}}});
    table(
        "apps/v1",
        "StatefulSet",
        [
            (done(), Ready, ""),
            (both(done(), status(json!({"readyReplicas": 2}))), Progressing, "readyReplicas is 2 of 3"),
            (both(done(), status(json!({"replicas": 4}))), Progressing, "still 4"),
            (both(done(), status(json!({"currentReplicas": 2}))), Progressing, "currentReplicas is 2 of 3"),
            (both(done(), status(json!({"updateRevision": "db-2"}))), Progressing, "db-2 is rolled out"),
            (
                both(both(done(), partition.clone()), status(json!({"updatedReplicas": 1, "currentReplicas": 2}))),
                Ready,
                "",
            ),
            (
                both(both(done(), partition), status(json!({"updatedReplicas": 0}))),
                Progressing,
                "updatedReplicas is 0 of 1",
            ),
            (json!({"spec": {"updateStrategy": {"type": "OnDelete"}}}), Ready, ""),
            (json!({}), Progressing, "has not seen it yet"),
        ],
    );
}

#[test]
fn daemon_set() {
    let done = || {
        status(json!({
            "observedGeneration": 2, "desiredNumberScheduled": 2, "currentNumberScheduled": 2,
            "updatedNumberScheduled": 2, "numberAvailable": 2, "numberReady": 2,
        }))
    };
    table(
        "apps/v1",
        "DaemonSet",
        [
            (done(), Ready, ""),
            (both(done(), status(json!({"desiredNumberScheduled": null}))), Progressing, "not known yet"),
            (both(done(), status(json!({"observedGeneration": null}))), Progressing, "has not seen it yet"),
            (both(done(), json!({"metadata": {"generation": null}})), Progressing, "has not seen it yet"),
            (
                both(done(), status(json!({"updatedNumberScheduled": 1}))),
                Progressing,
                "updatedNumberScheduled is 1 of 2",
            ),
            (both(done(), status(json!({"numberReady": 1}))), Progressing, "numberReady is 1 of 2"),
        ],
    );
}

#[test]
fn replica_set() {
    let done = || {
        status(json!({
            "observedGeneration": 2, "replicas": 1, "fullyLabeledReplicas": 1, "availableReplicas": 1,
            "readyReplicas": 1,
        }))
    };
    table(
        "apps/v1",
        "ReplicaSet",
        [
            (done(), Ready, ""),
            (both(done(), status(json!({"replicas": 2}))), Progressing, "still 2"),
            (both(done(), status(json!({"fullyLabeledReplicas": 0}))), Progressing, "fullyLabeledReplicas is 0 of 1"),
            (both(done(), conditions(&["ReplicaFailure=True/FailedCreate/quota"])), Progressing, "FailedCreate: quota"),
        ],
    );
}

#[test]
fn pod() {
    let waiting = |reason: &str| {
        json!({"phase": "Running", "containerStatuses": [
            {"name": "app", "state": {"waiting": {"reason": reason, "message": "back-off 5m"}}},
        ]})
    };
    let unschedulable = |seconds| {
        json!({"phase": "Pending", "conditions": [{
            "type": "PodScheduled", "status": "False", "reason": "Unschedulable",
            "message": "0/3 nodes are available", "lastTransitionTime": ago(seconds),
        }]})
    };
    let running = |ready: &str| both(status(json!({"phase": "Running"})), conditions(&[ready]));
    table(
        "v1",
        "Pod",
        [
            (status(json!({"phase": "Succeeded"})), Ready, ""),
            (status(json!({"phase": "Failed", "message": "evicted"})), Failing, "evicted"),
            (running("Ready=True"), Ready, ""),
            (running("Ready=False/ContainersNotReady"), Progressing, "not all of its containers"),
            (status(json!({"phase": "Pending"})), Progressing, "Pending"),
            (status(waiting("CrashLoopBackOff")), Failing, "container app: CrashLoopBackOff: back-off 5m"),
            (status(waiting("ErrImagePull")), Failing, "ErrImagePull"),
            (status(waiting("CreateContainerConfigError")), Failing, "CreateContainerConfigError"),
            (status(waiting("ContainerCreating")), Progressing, ""),
            (status(unschedulable(20)), Failing, "0/3 nodes"),
            (status(unschedulable(5)), Progressing, "Pending"),
            (json!({}), Progressing, "Pending"),
        ],
    );
}

#[test]
fn job() {
    let started = || json!({"spec": {"completions": 3}, "status": {"startTime": ago(9), "active": 1, "succeeded": 1}});
    table(
        "batch/v1",
        "Job",
        [
            (both(started(), conditions(&["Complete=True"])), Ready, ""),
            (both(started(), conditions(&["Failed=True/BackoffLimitExceeded"])), Failing, "BackoffLimitExceeded"),
            // kstatus takes it for done.
            (started(), Progressing, "1 of 3 are complete"),
            (json!({}), Progressing, "not started"),
            (json!({"spec": {"suspend": true}}), Paused, "spec.suspend"),
        ],
    );
}

#[test]
fn kinds_that_only_have_to_exist() {
    for (api_version, kind) in [
        ("batch/v1", "CronJob"),
        ("v1", "ConfigMap"),
        ("v1", "Secret"),
        ("v1", "ServiceAccount"),
        ("policy/v1", "PodDisruptionBudget"),
        ("rbac.authorization.k8s.io/v1", "RoleBinding"),
    ] {
        check(object(api_version, kind, json!({"metadata": {"creationTimestamp": ago(0)}})), Ready, "");
    }
    check(object("v1", "Namespace", status(json!({"phase": "Active"}))), Ready, "");
    check(object("v1", "Namespace", json!({})), Progressing, "");
}

#[test]
fn volume_claim() {
    table(
        "v1",
        "PersistentVolumeClaim",
        [
            (status(json!({"phase": "Bound"})), Ready, ""),
            (status(json!({"phase": "Pending"})), Progressing, "no volume yet"),
            (status(json!({"phase": "Lost"})), Failing, "lost"),
        ],
    );
}

#[test]
fn service_and_ingress() {
    let balanced = || json!({"spec": {"type": "LoadBalancer", "clusterIP": "10.0.0.1"}});
    let address = status(json!({"loadBalancer": {"ingress": [{"ip": "203.0.113.1"}]}}));
    table(
        "v1",
        "Service",
        [
            (json!({"spec": {"type": "ClusterIP"}}), Ready, ""),
            (balanced(), Progressing, "no address yet"),
            (both(balanced(), address.clone()), Ready, ""),
        ],
    );
    table(
        "networking.k8s.io/v1",
        "Ingress",
        [(status(json!({"loadBalancer": {"ingress": []}})), Progressing, "no address yet"), (address, Ready, "")],
    );
}

#[test]
fn custom_resource_definition() {
    table(
        "apiextensions.k8s.io/v1",
        "CustomResourceDefinition",
        [
            (conditions(&["NamesAccepted=True", "Established=True/InitialNamesAccepted"]), Ready, ""),
            (conditions(&["NamesAccepted=True", "Established=False/Installing"]), Progressing, "being installed"),
            (conditions(&["NamesAccepted=False/PluralConflict"]), Failing, "PluralConflict"),
            (conditions(&["NamesAccepted=True", "Established=False/NotAccepted"]), Failing, "NotAccepted"),
        ],
    );
}

#[test]
fn autoscaler() {
    table(
        "autoscaling/v2",
        "HorizontalPodAutoscaler",
        [
            (conditions(&["AbleToScale=True/ReadyForNewScale", "ScalingActive=True"]), Ready, ""),
            (conditions(&["ScalingLimited=True/TooManyReplicas"]), Ready, ""),
            (conditions(&["AbleToScale=False/FailedGetScale"]), Failing, "FailedGetScale"),
            (conditions(&["AbleToScale=False/FailedUpdateScale"]), Failing, "FailedUpdateScale"),
            (
                conditions(&["AbleToScale=True", "ScalingActive=False/FailedGetResourceMetric"]),
                Failing,
                "FailedGetResource",
            ),
            (conditions(&["AbleToScale=True", "ScalingActive=False/InvalidSelector"]), Failing, "InvalidSelector"),
            (json!({}), Progressing, ""),
        ],
    );
}

#[test]
fn api_service() {
    table(
        "apiregistration.k8s.io/v1",
        "APIService",
        [
            (conditions(&["Available=True/Passed"]), Ready, ""),
            (conditions(&["Available=False/MissingEndpoints"]), Progressing, "MissingEndpoints"),
        ],
    );
}

#[test]
fn crossplane_resources() {
    for (api_version, kind) in [("rds.aws.m.upbound.io/v1beta1", "Instance"), ("db.example.org/v1", "XDatabase")] {
        table(
            api_version,
            kind,
            [
                (conditions(&["Ready=True/Available", "Synced=True/ReconcileSuccess"]), Ready, ""),
                (conditions(&["Ready=False/Creating", "Synced=True"]), Progressing, "Creating"),
                (conditions(&["Ready=True/Available", "Synced=False/ReconcileError/denied"]), Degraded, "denied"),
                (conditions(&["Ready=False/Unavailable", "Synced=False/ReconcileError/denied"]), Failing, "denied"),
                (conditions(&["Ready=True", "Synced=False/ReconcilePaused"]), Paused, ""),
                (
                    conditions(&["Ready=True", "Synced=True", "LastAsyncOperation=False/ApplyFailure"]),
                    Failing,
                    "ApplyFailure",
                ),
                (
                    conditions(&["Ready=True", "Synced=True", "Responsive=False/WatchCircuitOpen"]),
                    Progressing,
                    "Circuit",
                ),
                (
                    conditions(&["Ready=False/Creating/Unready resources: a, b, and 3 more", "Synced=True"]),
                    Progressing,
                    "Unready resources: a, b",
                ),
                (both(json!({"spec": {"crossplane": {}}}), conditions(&["Ready=True"])), Progressing, "not synced yet"),
                (json!({"spec": {"forProvider": {}}}), Progressing, "not synced yet"),
            ],
        );
    }
}

#[test]
fn crossplane_packages_and_definitions() {
    table(
        "pkg.crossplane.io/v1",
        "Provider",
        [
            (conditions(&["Installed=True", "Healthy=True"]), Ready, ""),
            (conditions(&["Installed=True"]), Progressing, "no condition Healthy yet"),
            (conditions(&["Installed=False/UnpackFailed"]), Failing, "UnpackFailed"),
            (conditions(&["Installed=True", "Healthy=False/Unhealthy"]), Failing, "not Healthy"),
        ],
    );
    let claims = json!({"spec": {"claimNames": {"kind": "Database"}}});
    table(
        "apiextensions.crossplane.io/v2",
        "CompositeResourceDefinition",
        [
            (conditions(&["Established=True"]), Ready, ""),
            (conditions(&["Established=False"]), Progressing, "not Established"),
            (both(claims.clone(), conditions(&["Established=True"])), Progressing, "Offered"),
            (both(claims, conditions(&["Established=True", "Offered=True"])), Ready, ""),
        ],
    );
}

#[test]
fn cnpg() {
    let phase = |phase: &str| status(json!({"phase": phase}));
    let annotated = |name: &str, value: &str| {
        both(json!({"metadata": {"annotations": {name: value}}}), phase("Cluster in healthy state"))
    };
    table(
        "postgresql.cnpg.io/v1",
        "Cluster",
        [
            (phase("Cluster in healthy state"), Ready, ""),
            (phase("Setting up primary"), Progressing, "Setting up primary"),
            (phase("Creating a new replica"), Progressing, ""),
            (phase("Upgrading cluster"), Progressing, ""),
            (phase("Waiting for the instances to become active"), Progressing, ""),
            (phase("Unable to create required cluster objects"), Failing, "Unable"),
            (phase("Cluster is unrecoverable and needs manual intervention"), Failing, ""),
            (phase("Cluster has incomplete or invalid image catalog"), Failing, ""),
            (phase("Cluster cannot proceed to reconciliation due to an unknown plugin being required"), Failing, ""),
            (annotated("cnpg.io/reconciliationLoop", "disabled"), Paused, ""),
            (annotated("cnpg.io/hibernation", "on"), Paused, ""),
            (json!({}), Progressing, "no phase yet"),
        ],
    );
}

#[test]
fn zalando() {
    let said = |said: &str| status(json!({"PostgresClusterStatus": said}));
    table(
        "acid.zalan.do/v1",
        "postgresql",
        [
            (said("Running"), Ready, ""),
            (said("Creating"), Progressing, "Creating"),
            (said("Updating"), Progressing, ""),
            (said("CreateFailed"), Failing, "CreateFailed"),
            (said("UpdateFailed"), Failing, ""),
            (said("SyncFailed"), Failing, ""),
            (said("Invalid"), Failing, ""),
            (json!({}), Progressing, "no status yet"),
        ],
    );
}

#[test]
fn strimzi() {
    for kind in ["Kafka", "KafkaTopic", "KafkaConnect"] {
        table(
            "kafka.strimzi.io/v1",
            kind,
            [
                (current(&["Ready=True"]), Ready, ""),
                (current(&["NotReady=True/Creating"]), Progressing, "Creating"),
                (current(&["NotReady=True/InvalidResourceException"]), Failing, "InvalidResourceException"),
                (current(&["ReconciliationPaused=True"]), Paused, ""),
                (json!({}), Progressing, ""),
            ],
        );
    }
}

#[test]
fn rabbitmq() {
    table(
        "rabbitmq.com/v1beta1",
        "RabbitmqCluster",
        [
            (conditions(&["ClusterAvailable=True", "AllReplicasReady=True", "ReconcileSuccess=True"]), Ready, ""),
            (
                conditions(&["ClusterAvailable=True", "AllReplicasReady=False/NotAllPodsReady"]),
                Progressing,
                "NotAllPods",
            ),
            (conditions(&["ClusterAvailable=Unknown"]), Progressing, ""),
            (
                conditions(&["ClusterAvailable=True", "AllReplicasReady=True", "ReconcileSuccess=False/Error"]),
                Failing,
                "",
            ),
        ],
    );
}

#[test]
fn mariadb() {
    table(
        "k8s.mariadb.com/v1alpha1",
        "MariaDB",
        [
            (conditions(&["Ready=True", "StorageReady=True"]), Ready, ""),
            (conditions(&["Ready=True", "Updated=False/Updating"]), Progressing, "Updating"),
            (conditions(&["Ready=False/Failed/no space"]), Failing, "no space"),
            (json!({"spec": {"suspend": true}}), Paused, ""),
            (json!({}), Progressing, "no conditions yet"),
        ],
    );
}

#[test]
fn percona() {
    for (api_version, kind) in
        [("psmdb.percona.com/v1", "PerconaServerMongoDB"), ("pxc.percona.com/v1", "PerconaXtraDBCluster")]
    {
        table(
            api_version,
            kind,
            [
                (status(json!({"state": "ready"})), Ready, ""),
                (status(json!({"state": "initializing"})), Progressing, "initializing"),
                (status(json!({"state": "stopping"})), Progressing, "stopping"),
                (status(json!({"state": "error", "message": ["no such class"]})), Failing, "no such class"),
                (status(json!({"state": "error", "message": "no such class"})), Failing, "no such class"),
                (status(json!({"state": "paused"})), Paused, ""),
            ],
        );
    }
}

#[test]
fn elasticsearch() {
    let with = |nodes: i64, phase: &str, health: &str| {
        json!({
            "spec": {"nodeSets": [{"count": 2}, {"count": 1}]},
            "status": {"availableNodes": nodes, "phase": phase, "health": health},
        })
    };
    table(
        "elasticsearch.k8s.elastic.co/v1",
        "Elasticsearch",
        [
            (with(3, "Ready", "green"), Ready, ""),
            (with(2, "Ready", "green"), Progressing, "2 of 3 nodes"),
            (with(3, "Ready", "yellow"), Progressing, "yellow"),
            (with(3, "ApplyingChanges", "green"), Progressing, "ApplyingChanges"),
            (with(3, "MigratingData", "green"), Progressing, ""),
            (with(3, "Ready", "red"), Failing, "red"),
            (with(3, "Invalid", "green"), Failing, "Invalid"),
            (json!({}), Progressing, ""),
        ],
    );
}

#[test]
fn minio() {
    let state = |state: &str| status(json!({"currentState": state}));
    table(
        "minio.min.io/v2",
        "Tenant",
        [
            (state("Initialized"), Ready, ""),
            (state("Provisioning MinIO Cluster IP Service"), Progressing, "Provisioning"),
            (state("Waiting for Pods to be ready"), Progressing, ""),
            (state("Updating MinIO Version"), Progressing, ""),
            (state("Restarting MinIO"), Progressing, ""),
            (state("Tenant credentials are not set properly"), Failing, "credentials"),
            (state("Statefulset not controlled by operator"), Failing, ""),
            (json!({}), Progressing, ""),
        ],
    );
}

#[test]
fn clickhouse() {
    table(
        "clickhouse.altinity.com/v1",
        "ClickHouseInstallation",
        [
            (status(json!({"status": "Completed"})), Ready, ""),
            (status(json!({"status": "InProgress"})), Progressing, ""),
            (status(json!({"status": "Aborted"})), Failing, "Aborted"),
            (json!({}), Progressing, ""),
        ],
    );
}

#[test]
fn bucket_claim() {
    table(
        "objectbucket.io/v1alpha1",
        "ObjectBucketClaim",
        [
            (status(json!({"phase": "Bound"})), Ready, ""),
            (status(json!({"phase": "Pending"})), Progressing, "Pending"),
            (status(json!({"phase": "Failed"})), Failing, ""),
        ],
    );
}

#[test]
fn cert_manager() {
    for kind in ["Certificate", "Issuer", "ClusterIssuer"] {
        table(
            "cert-manager.io/v1",
            kind,
            [
                (conditions(&["Ready=True"]), Ready, ""),
                (conditions(&["Ready=False/DoesNotExist", "Issuing=True/DoesNotExist"]), Progressing, "Issuing"),
                (conditions(&["Ready=False/Failed/denied"]), Failing, "denied"),
            ],
        );
    }
}

#[test]
fn external_secrets() {
    for kind in ["ExternalSecret", "SecretStore"] {
        table(
            "external-secrets.io/v1",
            kind,
            [
                (conditions(&["Ready=True/SecretSynced"]), Ready, ""),
                (conditions(&["Ready=False/SecretSyncedError"]), Failing, "SecretSyncedError"),
                (json!({}), Progressing, ""),
            ],
        );
    }
}

#[test]
fn flux() {
    for (api_version, kind) in
        [("kustomize.toolkit.fluxcd.io/v1", "Kustomization"), ("source.toolkit.fluxcd.io/v1", "GitRepository")]
    {
        table(
            api_version,
            kind,
            [
                (current(&["Ready=True"]), Ready, ""),
                (current(&["Ready=Unknown/Progressing", "Reconciling=True/Progressing"]), Progressing, "Reconciling"),
                (current(&["Ready=True", "Reconciling=True"]), Progressing, ""),
                (current(&["Ready=False/BuildFailed"]), Failing, "BuildFailed"),
                (both(json!({"spec": {"suspend": true}}), current(&["Ready=True"])), Paused, ""),
            ],
        );
    }
    table(
        "helm.toolkit.fluxcd.io/v2",
        "HelmRelease",
        [
            (current(&["Ready=True", "Released=True"]), Ready, ""),
            (current(&["Ready=True"]), Progressing, "Released"),
            (current(&["Ready=False/InstallFailed", "Released=False"]), Failing, "InstallFailed"),
        ],
    );
}

#[test]
fn cluster_api() {
    let phase = |phase: &str| status(json!({"phase": phase}));
    let with_severity = |severity: &str| {
        status(json!({"phase": "Provisioning", "conditions": [
            {"type": "Ready", "status": "False", "severity": severity, "reason": "WaitingForControlPlane"},
        ]}))
    };
    table(
        "cluster.x-k8s.io/v1beta1",
        "Cluster",
        [
            (phase("Provisioned"), Ready, ""),
            (phase("Provisioning"), Progressing, "Provisioning"),
            (phase("Failed"), Failing, "Failed"),
            (with_severity("Error"), Failing, "WaitingForControlPlane"),
            (with_severity("Info"), Progressing, "Provisioning"),
            (both(json!({"spec": {"paused": true}}), phase("Provisioned")), Paused, ""),
            (json!({"metadata": {"annotations": {"cluster.x-k8s.io/paused": ""}}}), Paused, ""),
        ],
    );
}

#[test]
fn knative() {
    table(
        "serving.knative.dev/v1",
        "Service",
        [
            (current(&["Ready=True", "ConfigurationsReady=True", "RoutesReady=True"]), Ready, ""),
            (current(&["Ready=Unknown", "ConfigurationsReady=Unknown"]), Progressing, ""),
            (current(&["Ready=True", "ConfigurationsReady=True", "RoutesReady=False/Missing"]), Failing, "Missing"),
        ],
    );
}

#[test]
fn ack() {
    for api_version in ["rds.services.k8s.aws/v1alpha1", "s3.services.k8s.aws/v1alpha1"] {
        table(
            api_version,
            "Thing",
            [
                (conditions(&["Ready=True"]), Ready, ""),
                (conditions(&["ACK.ResourceSynced=True"]), Ready, ""),
                (conditions(&["Ready=False", "ACK.ResourceSynced=True"]), Progressing, "not Ready"),
                (conditions(&["ACK.ResourceSynced=False"]), Progressing, ""),
                (conditions(&["Ready=True", "ACK.Terminal=True/InvalidParameter"]), Failing, "InvalidParameter"),
            ],
        );
    }
}

#[test]
fn config_connector() {
    table(
        "sql.cnrm.cloud.google.com/v1beta1",
        "SQLInstance",
        [
            (current(&["Ready=True/UpToDate"]), Ready, ""),
            (conditions(&["Ready=True/UpToDate"]), Progressing, ""),
            (current(&["Ready=False/UpdateFailed/quota"]), Failing, "quota"),
            (current(&["Ready=False/DependencyNotFound"]), Failing, ""),
            (current(&["Ready=False/DependencyNotReady"]), Progressing, "DependencyNotReady"),
            (current(&["Ready=False/Updating"]), Progressing, ""),
        ],
    );
}

#[test]
fn sap() {
    let stale = || {
        let mut ready = conditions(&["Ready=True", "Succeeded=True"]);
        ready["status"]["conditions"][0]["observedGeneration"] = 1.into();
        ready
    };
    table(
        "services.cloud.sap.com/v1",
        "ServiceInstance",
        [
            (conditions(&["Ready=True", "Succeeded=True"]), Ready, ""),
            (stale(), Progressing, "older generation"),
            (conditions(&["Ready=False", "Succeeded=False/CreateFailed"]), Failing, "CreateFailed"),
            (conditions(&["Ready=True", "Failed=True/Broken"]), Failing, "Broken"),
        ],
    );
}

#[test]
fn pulumi() {
    table(
        "pulumi.com/v1",
        "Stack",
        [
            (current(&["Ready=True"]), Ready, ""),
            (conditions(&["Ready=True"]), Progressing, "not seen yet"),
            (current(&["Reconciling=True/Processing"]), Progressing, "Processing"),
            (current(&["Stalled=True/SourceUnavailable"]), Failing, "SourceUnavailable"),
        ],
    );
}

#[test]
fn keda() {
    table(
        "keda.sh/v1alpha1",
        "ScaledObject",
        [
            (conditions(&["Ready=True/ScaledObjectReady"]), Ready, ""),
            (conditions(&["Ready=False/TriggerError"]), Failing, "TriggerError"),
            (conditions(&["Ready=True", "Fallback=True/FallbackExists"]), Degraded, "FallbackExists"),
            (conditions(&["Ready=True", "Paused=True"]), Paused, ""),
            (json!({"metadata": {"annotations": {"autoscaling.keda.sh/paused": "true"}}}), Paused, ""),
        ],
    );
}

#[test]
fn kubevela() {
    let said = |said: &str| status(json!({"status": said}));
    table(
        "core.oam.dev/v1beta1",
        "Application",
        [
            (said("running"), Ready, ""),
            (said("runningWorkflow"), Progressing, "runningWorkflow"),
            (said("workflowFailed"), Failing, ""),
            (said("workflowTerminated"), Failing, ""),
            (said("unhealthy"), Failing, "unhealthy"),
        ],
    );
}

#[test]
fn kro() {
    let mut stale = conditions(&["Ready=True"]);
    stale["status"]["conditions"][0]["observedGeneration"] = 1.into();
    table(
        "kro.run/v1alpha1",
        "WebApp",
        [
            (conditions(&["Ready=True", "GraphResolved=True"]), Ready, ""),
            (stale, Progressing, "older generation"),
            (conditions(&["Ready=False", "GraphResolved=False/Error"]), Failing, "GraphResolved"),
            (json!({}), Progressing, ""),
        ],
    );
}

#[test]
fn terraform_controller() {
    let pending = status(json!({"plan": {"pending": "plan-main-0123456789"}}));
    table(
        "infra.contrib.fluxcd.io/v1alpha2",
        "Terraform",
        [
            (current(&["Ready=True"]), Ready, ""),
            (both(current(&["Ready=Unknown/TerraformPlannedWithChanges"]), pending), Blocked, "plan-main-0123456789"),
            (current(&["Ready=Unknown/Progressing"]), Progressing, ""),
            (current(&["Ready=False/TFExecApplyFailed"]), Failing, "TFExecApplyFailed"),
            (current(&["Stalled=True"]), Failing, ""),
            (json!({"spec": {"suspend": true}}), Paused, ""),
        ],
    );
}

#[test]
fn rollout() {
    let done = || {
        json!({
            "spec": {"replicas": 2},
            "status": {"observedGeneration": "2", "phase": "Healthy", "updatedReplicas": 2, "availableReplicas": 2},
        })
    };
    table(
        "argoproj.io/v1alpha1",
        "Rollout",
        [
            (done(), Ready, ""),
            (both(done(), status(json!({"updatedReplicas": 1}))), Progressing, "updatedReplicas is 1 of 2"),
            (both(done(), status(json!({"observedGeneration": "1"}))), Progressing, "generation 1"),
            (both(done(), status(json!({"phase": "Degraded", "message": "aborted"}))), Failing, "aborted"),
            (both(done(), status(json!({"phase": "Paused"}))), Paused, ""),
        ],
    );
}
