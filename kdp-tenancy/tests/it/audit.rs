//! The audit log.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use futures::StreamExt;
use http::Request;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kdp_core::{ControlPlane, Identity, LogicalClusterName, WorkspacePath, api::tenancy::Workspace};
use kdp_tenancy::{
    Embedded, EmbeddedOptions,
    embedded::audit::{
        AuditError, AuditOptions, AuditSink, CallbackSink, Event, FileSink, FileSinkOptions, Level, Overflow, Policy,
        PolicyRule, Stage, Verifier,
    },
};
use kube::{
    Api, Client,
    api::{DeleteParams, PostParams, WatchParams},
};
use parking_lot::Mutex;
use serde_json::{Value, json};

use crate::support::{eventually, refusal, system, user, workspace};

type Events = Arc<Mutex<Vec<Value>>>;

/// A control plane whose events are collected as JSON.
async fn audited(policy: Policy) -> (Embedded, Events) {
    let events = Events::default();
    let seen = Arc::clone(&events);
    let sink =
        CallbackSink::new(move |event: &Event| seen.lock().push(serde_json::from_str(&event.to_json()).unwrap()));
    let options = EmbeddedOptions::new().with_audit(AuditOptions::new(sink).with_policy(policy));
    (Embedded::in_memory_with(options).await.unwrap(), events)
}

fn everything(level: Level) -> Policy {
    Policy::new(vec![PolicyRule { level, ..PolicyRule::default() }])
}

fn secret(name: &str) -> Secret {
    serde_json::from_value(json!({"metadata": {"name": name}, "stringData": {"k": "hunter2"}})).unwrap()
}

async fn send(client: &Client, request: Request<Vec<u8>>) -> http::Response<kube::client::Body> {
    client.send(request.map(Into::into)).await.unwrap()
}

#[tokio::test]
async fn a_request_leaves_an_event_in_the_shape_of_kubernetes() {
    let (control_plane, events) = audited(Policy::default()).await;
    let cluster = workspace(&control_plane, "root", "a").await.spec.cluster.unwrap();
    let secrets: Api<Secret> = Api::namespaced(system(&control_plane, "root:a"), "default");
    secrets.create(&PostParams::default(), &secret("s")).await.unwrap();
    let event = events.lock().pop().unwrap();
    assert_eq!(event["annotations"]["kcp.io/path"], "root:a");
    for key in ["kcp.io/cluster", "tenancy.kcp.io/workspace"] {
        assert_eq!(event["annotations"][key], *cluster);
    }
    assert_eq!(event["annotations"]["authorization.k8s.io/decision"], "allow");
    for (field, expected) in [
        ("kind", json!("Event")),
        ("apiVersion", json!("audit.k8s.io/v1")),
        ("level", json!("Metadata")),
        ("stage", json!("ResponseComplete")),
        ("requestURI", json!("/clusters/root:a/api/v1/namespaces/default/secrets?")),
        ("verb", json!("create")),
        ("user", json!({"username": "kdp:system", "groups": ["system:masters", "system:authenticated"]})),
        ("objectRef", json!({"resource": "secrets", "namespace": "default", "name": "s", "apiVersion": "v1"})),
        ("responseStatus", json!({"metadata": {}, "code": 201})),
    ] {
        assert_eq!(event[field], expected, "{field}");
    }
    let time = event["stageTimestamp"].as_str().unwrap();
    assert!(time.ends_with('Z') && time.split('.').nth(1).unwrap().len() == 7, "{time}");
    assert!(!event.to_string().contains("hunter2") && event.get("requestObject").is_none());
}

#[tokio::test]
async fn bodies_are_kept_as_far_as_the_policy_says_but_never_credentials() {
    let (control_plane, events) = audited(everything(Level::RequestResponse).without_managed_fields()).await;
    let client = system(&control_plane, "root");
    let maps: Api<ConfigMap> = Api::namespaced(client.clone(), "default");
    let map = json!({"metadata": {"name": "m"}, "data": {"a": "b"}});
    maps.create(&PostParams::default(), &serde_json::from_value(map).unwrap()).await.unwrap();
    let event = events.lock().pop().unwrap();
    assert_eq!(event["requestObject"]["data"], json!({"a": "b"}));
    assert!(event["responseObject"]["metadata"]["uid"].is_string());
    assert!(event["responseObject"]["metadata"].get("managedFields").is_none());
    let received = events.lock().pop().unwrap();
    assert_eq!(received["stage"], "RequestReceived");
    assert_eq!(received["auditID"], event["auditID"]);

    let review = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": {"token": "hunter2"}});
    let request = Request::post("/apis/authentication.k8s.io/v1/tokenreviews?access_token=hunter2")
        .header("content-type", "application/json")
        .header("authorization", "Bearer hunter2")
        .body(review.to_string().into_bytes());
    send(&client, request.unwrap()).await;
    assert!(!format!("{:?}", events.lock()).contains("hunter2"));
}

#[tokio::test]
async fn refusals_impersonation_and_the_client_are_in_the_event() {
    let (control_plane, events) = audited(Policy::default()).await;
    workspace(&control_plane, "root", "a").await;
    let maps: Api<ConfigMap> = Api::namespaced(user(&control_plane, "root:a", "mallory"), "default");
    assert_eq!(refusal(maps.list(&Default::default()).await).0, 403);
    let event = events.lock().pop().unwrap();
    assert_eq!(event["annotations"]["authorization.k8s.io/decision"], "forbid");
    assert_eq!(
        (&event["responseStatus"]["code"], &event["responseStatus"]["reason"]),
        (&json!(403), &json!("Forbidden"))
    );
    assert_eq!(event["user"]["username"], "mallory");

    let request = Request::get("/api/v1/namespaces/default/configmaps")
        .header("impersonate-user", "bob")
        .header("user-agent", "tool/1")
        .header("x-forwarded-for", "6.6.6.6")
        .header("audit-id", "chosen-1");
    let answer = send(&system(&control_plane, "root:a"), request.body(Vec::new()).unwrap()).await;
    assert_eq!(answer.headers()["audit-id"], "chosen-1");
    let event = events.lock().pop().unwrap();
    assert_eq!(
        (&event["user"]["username"], &event["impersonatedUser"]["username"]),
        (&json!("kdp:system"), &json!("bob"))
    );
    assert_eq!((&event["userAgent"], &event["auditID"]), (&json!("tool/1"), &json!("chosen-1")));
    assert!(event.get("sourceIPs").is_none(), "nobody can choose where a request comes from");
}

#[tokio::test]
async fn a_watch_leaves_an_event_when_it_begins_and_when_it_ends() {
    let (control_plane, events) = audited(Policy::default()).await;
    let maps: Api<ConfigMap> = Api::namespaced(system(&control_plane, "root"), "default");
    let watch = maps.watch(&WatchParams::default(), "0").await.unwrap().boxed();
    let stages = || events.lock().iter().map(|event| event["stage"].clone()).collect::<Vec<_>>();
    assert_eq!(stages(), ["ResponseStarted"]);
    drop(watch);
    assert_eq!(stages(), ["ResponseStarted", "ResponseComplete"]);
    assert_eq!(events.lock()[1]["verb"], "watch");
}

#[tokio::test]
async fn a_request_whose_client_goes_away_still_leaves_an_event() {
    let (control_plane, events) = audited(Policy::default()).await;
    let maps: Api<ConfigMap> = Api::namespaced(system(&control_plane, "root"), "default");
    let map: ConfigMap = serde_json::from_value(json!({"metadata": {"name": "m"}})).unwrap();
    for _ in 0..20 {
        events.lock().clear();
        let (params, map) = (PostParams::default(), map.clone());
        let create = maps.create(&params, &map);
        // The client gives up after having been asked once.
        let answer = futures::FutureExt::now_or_never(create);
        let events = events.lock();
        if answer.is_none() && !events.is_empty() {
            assert_eq!(events[0]["annotations"]["audit.kdp.k8c.io/abandoned"], "true");
            assert_eq!(events[0]["verb"], "create");
        }
    }
}

#[tokio::test]
async fn nothing_a_client_says_can_forge_a_line_or_a_file() {
    let dir = tempfile::tempdir().unwrap();
    let sink = FileSink::open(dir.path(), FileSinkOptions::new()).unwrap();
    let options =
        EmbeddedOptions::new().with_audit(AuditOptions::new(sink).with_policy(everything(Level::RequestResponse)));
    let control_plane = Embedded::in_memory_with(options).await.unwrap();
    let forged = "x\"}}\n{\"kind\":\"Event\",\"annotations\":{\"audit.kdp.k8c.io/hash\":\"\u{0}\u{2028}";
    let path: WorkspacePath = "root".parse().unwrap();
    let identity = Identity { username: forged.into(), groups: vec![forged.into()], ..Identity::default() };
    let client = control_plane.client(&path.into(), &identity).unwrap();
    let agents: [&[u8]; 3] = [b"a\"}},{", b"\xff\xfe", b"a\tb"];
    for (uri, agent) in [
        "/api/v1/namespaces/%0a%7b%22kind%22/configmaps",
        "/api/v1/namespaces/default/configmaps?labelSelector=a%0Ab%22",
        "/apis/../../x",
    ]
    .into_iter()
    .zip(agents)
    {
        for id in ["ok", "a b", "\"}}", &"x".repeat(65)] {
            let request = Request::get(uri).header("user-agent", agent).header("audit-id", id);
            let answer = send(&client, request.body(Vec::new()).unwrap()).await;
            assert_eq!(answer.headers()["audit-id"] == id, id == "ok", "{id}");
        }
    }
    // Workspaces and exports that do not exist have no files made for them.
    for path in ["root:missing", "zzz", "system:zzz", "_server"] {
        if let Ok(path) = path.parse::<WorkspacePath>() {
            let client = control_plane.client(&path.into(), &identity).unwrap();
            send(&client, Request::get("/api/v1/namespaces").body(Vec::new()).unwrap()).await;
        }
    }
    control_plane.close().await.unwrap();
    let mut files: Vec<_> = std::fs::read_dir(dir.path()).unwrap().map(|f| f.unwrap().file_name()).collect();
    files.sort();
    assert_eq!(files, ["_server.log", "root.log"]);
    for file in files {
        let path = dir.path().join(file);
        for line in lines(&path) {
            assert_eq!(line["kind"], "Event");
        }
        Verifier::new().verify(&path).unwrap();
    }
}

fn lines(path: &Path) -> Vec<Value> {
    std::fs::read_to_string(path).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

async fn on_files(dir: &Path, options: FileSinkOptions) -> Embedded {
    let sink = FileSink::open(dir, options).unwrap();
    let options = EmbeddedOptions::new().with_audit(AuditOptions::new(sink));
    Embedded::in_memory_with(options).await.unwrap()
}

#[tokio::test]
async fn each_workspace_has_a_log_of_its_own_that_outlives_it() {
    let dir = tempfile::tempdir().unwrap();
    let control_plane = on_files(dir.path(), FileSinkOptions::new().with_max_open_files(2)).await;
    let mut clusters = Vec::new();
    for name in ["a", "b", "c"] {
        clusters.push(workspace(&control_plane, "root", name).await.spec.cluster.unwrap());
    }
    for round in 0..3 {
        for name in ["a", "b", "c"] {
            let secrets: Api<Secret> = Api::namespaced(system(&control_plane, &format!("root:{name}")), "default");
            secrets.create(&PostParams::default(), &secret(&format!("{name}{round}"))).await.unwrap();
        }
    }
    let workspaces: Api<Workspace> = Api::all(system(&control_plane, "root"));
    workspaces.delete("a", &DeleteParams::default()).await.unwrap();
    eventually(async || workspaces.get_opt("a").await.unwrap().is_none()).await;
    control_plane.close().await.unwrap();
    for (cluster, name) in clusters.iter().zip(["a", "b", "c"]) {
        let path = dir.path().join(format!("{cluster}.log"));
        let found: Vec<_> = lines(&path).iter().map(|l| l["objectRef"]["name"].as_str().unwrap().to_owned()).collect();
        assert_eq!(found, [format!("{name}0"), format!("{name}1"), format!("{name}2")]);
        assert_eq!(Verifier::new().verify(&path).unwrap().head.unwrap().sequence, 3);
    }
}

/// An event about `cluster`, taken from a real request.
async fn an_event(cluster: &str) -> Event {
    let seen = Arc::new(Mutex::new(None));
    let keep = Arc::clone(&seen);
    let sink = CallbackSink::new(move |event: &Event| *keep.lock() = Some(event.clone()));
    let options = EmbeddedOptions::new().with_audit(AuditOptions::new(sink));
    let control_plane = Embedded::in_memory_with(options).await.unwrap();
    let secrets: Api<Secret> = Api::namespaced(system(&control_plane, "root"), "default");
    secrets.create(&PostParams::default(), &secret("s")).await.unwrap();
    let mut event = seen.lock().clone().unwrap();
    event.cluster = Some(cluster.parse().unwrap());
    event
}

#[tokio::test]
async fn a_log_goes_on_after_a_restart_and_after_a_crash_in_the_middle_of_a_line() {
    let (dir, event) = (tempfile::tempdir().unwrap(), an_event("a").await);
    let path = dir.path().join("a.log");
    for round in 1..=3u64 {
        let sink = FileSink::open(dir.path(), FileSinkOptions::new()).unwrap();
        sink.record(event.clone()).await.unwrap();
        sink.close().await.unwrap();
        assert_eq!(Verifier::new().verify(&path).unwrap().head.unwrap().sequence, round);
        let cluster: LogicalClusterName = "a".parse().unwrap();
        assert_eq!(sink.head(&cluster).unwrap(), Verifier::new().verify(&path).unwrap().head);
        let mut bytes = std::fs::read(&path).unwrap();
        bytes.extend_from_slice(b"{\"kind\":\"Event\",\"level\":\"Meta");
        std::fs::write(&path, bytes).unwrap();
    }
}

#[tokio::test]
async fn the_chain_goes_on_from_file_to_file() {
    let (dir, event) = (tempfile::tempdir().unwrap(), an_event("a").await);
    for _ in 0..5 {
        let sink = FileSink::open(dir.path(), FileSinkOptions::new().with_max_file_bytes(1)).unwrap();
        sink.record(event.clone()).await.unwrap();
        sink.close().await.unwrap();
    }
    let path = dir.path().join("a.log");
    let report = Verifier::new().verify(&path).unwrap();
    assert_eq!((report.first, report.head.unwrap().sequence), (1, 5));
    assert_eq!(std::fs::read_dir(dir.path().join("a")).unwrap().count(), 4);
    // Cut off between putting a file aside and beginning the next.
    std::fs::rename(&path, dir.path().join("a").join(format!("{:020}.log", 5))).unwrap();
    let sink = FileSink::open(dir.path(), FileSinkOptions::new().with_max_file_bytes(1).with_max_old_files(2)).unwrap();
    for _ in 0..2 {
        sink.record(event.clone()).await.unwrap();
        let path = path.clone();
        eventually(async || std::fs::metadata(&path).is_ok_and(|file| file.len() > 0)).await;
    }
    sink.close().await.unwrap();
    assert_eq!(Verifier::new().after_removal().verify(&path).unwrap().head.unwrap().sequence, 7);
    std::fs::remove_file(dir.path().join("a").join(format!("{:020}.log", 3))).unwrap_or_default();
}

#[tokio::test]
async fn events_that_find_no_room_wait_or_are_counted() {
    let (dir, event) = (tempfile::tempdir().unwrap(), an_event("a").await);
    let tiny = FileSinkOptions::new().with_queue_bytes(1);
    let sink = FileSink::open(dir.path(), tiny.clone()).unwrap();
    for _ in 0..50 {
        sink.record(event.clone()).await.unwrap();
    }
    sink.close().await.unwrap();
    let path = dir.path().join("a.log");
    assert_eq!((lines(&path).len(), sink.dropped()), (50, 0));
    assert!(matches!(sink.record(event.clone()).await, Err(AuditError::Closed)));

    let dir = tempfile::tempdir().unwrap();
    let sink = FileSink::open(dir.path(), tiny.with_overflow(Overflow::Drop)).unwrap();
    for _ in 0..50 {
        sink.record(event.clone()).await.unwrap();
    }
    sink.close().await.unwrap();
    let kept = lines(&dir.path().join("a.log")).len() as u64;
    assert!(kept > 0 && sink.dropped() > 0);
    assert_eq!(kept + sink.dropped(), 50);
}

/// A sink that can keep nothing once it was told so.
#[derive(Debug, Default)]
struct Full(AtomicUsize);

#[async_trait::async_trait]
impl AuditSink for Full {
    fn check(&self) -> Result<(), AuditError> {
        match self.0.load(Ordering::Relaxed) {
            0 => Ok(()),
            _ => Err(AuditError::Unavailable("the disk is full".into())),
        }
    }

    async fn record(&self, event: Event) -> Result<(), AuditError> {
        assert_ne!(event.stage, Stage::Panic);
        Ok(())
    }

    fn record_now(&self, _event: Event) {}

    async fn close(&self) -> Result<(), AuditError> {
        Ok(())
    }
}

#[tokio::test]
async fn nothing_is_done_that_cannot_be_audited() {
    let sink = Arc::new(Full::default());
    let options = EmbeddedOptions::new().with_audit(AuditOptions::shared(sink.clone()));
    let control_plane = Embedded::in_memory_with(options).await.unwrap();
    let secrets: Api<Secret> = Api::namespaced(system(&control_plane, "root"), "default");
    sink.0.store(1, Ordering::Relaxed);
    assert_eq!(refusal(secrets.create(&PostParams::default(), &secret("s")).await).0, 503);
    sink.0.store(0, Ordering::Relaxed);
    assert!(secrets.get_opt("s").await.unwrap().is_none());
}
