//! What answers of an API server are taken for, request by request.

use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use super::{
    super::{Lease, Phase},
    desired::ORDER_LABEL,
    *,
};
use crate::{
    ErrorKind,
    testing::{FakeRequest, FakeResponse, FakeServer},
};

const UID: &str = "0a1b";
const BUCKET: &str = "/apis/example.org/v1/namespaces/all/buckets/kdp-0a1b";
const FENCE: &str = "/apis/coordination.k8s.io/v1/namespaces/home/leases/kdp-crossplane";

fn id() -> OrderId {
    OrderId::new(UID, "default", "app")
}

fn provider(server: &FakeServer) -> CrossplaneProvider {
    let target = Target::new("example.org", "v1", "Bucket", "buckets", Shape::Namespaced);
    let options = CrossplaneOptions::new(target, Namespaces::Fixed("all".into()));
    CrossplaneProvider::new(server.client(), "home", options)
}

fn sealed() -> Teardown {
    Teardown::new(&id())
        .with_item("buckets.example.org", "all/kdp-0a1b")
        .with_data(json!({"cluster": "c", "composed": []}))
}

fn bucket() -> Value {
    json!({
        "apiVersion": "example.org/v1", "kind": "Bucket",
        "metadata": {
            "name": "kdp-0a1b", "namespace": "all", "uid": "u", "resourceVersion": "3", "generation": 1,
            "labels": {ORDER_LABEL: UID}, "annotations": {desired::LEASE: "1"},
        },
        "spec": {"size": 1},
    })
}

/// What every server here answers, unless the test says something else.
fn usual(request: &FakeRequest) -> FakeResponse {
    let lease = |number: u64| {
        let annotations = json!({desired::LEASE: number.to_string()});
        FakeResponse::ok(&json!({"metadata": {"name": "kdp-crossplane", "annotations": annotations}, "spec": {}}))
    };
    match request.path.as_str() {
        FENCE => lease(1),
        "/api/v1/namespaces/home" => FakeResponse::ok(&json!({"metadata": {"name": "home", "uid": "c"}})),
        _ => absent("kdp-0a1b"),
    }
}

fn absent(name: &str) -> FakeResponse {
    FakeResponse::failure(404, "NotFound", "not found", &json!({"name": name}))
}

async fn observed(script: impl Fn(&FakeRequest) -> FakeResponse + Send + Sync + 'static) -> Observation {
    provider(&FakeServer::new(script)).observe(&id(), Some(&sealed())).await.unwrap()
}

#[tokio::test]
async fn only_an_answer_about_the_object_is_evidence_that_it_is_gone() {
    let check = async |response: fn() -> FakeResponse, expected: Phase| {
        let seen = observed(move |request| if request.path == BUCKET { response() } else { usual(request) }).await;
        assert_eq!(seen.phase, expected, "{}", seen.message);
        assert_eq!(seen.message.is_empty(), expected == Phase::Gone);
    };
    check(|| absent("kdp-0a1b"), Phase::Gone).await;
    check(FakeResponse::not_found, Phase::Unknown).await;
    check(|| FakeResponse::Answer(404, "404 page not found".into()), Phase::Unknown).await;
    check(|| FakeResponse::status(403, "Forbidden", "may not read buckets"), Phase::Unknown).await;
    check(|| FakeResponse::status(401, "Unauthorized", "who are you"), Phase::Unknown).await;
    check(|| FakeResponse::status(503, "ServiceUnavailable", "later"), Phase::Unknown).await;
}

#[tokio::test]
async fn an_empty_cluster_in_the_place_of_the_one_it_was_made_on_is_no_evidence() {
    let seen = observed(|request| match request.path.as_str() {
        "/api/v1/namespaces/home" => FakeResponse::ok(&json!({"metadata": {"name": "home", "uid": "another"}})),
        _ => usual(request),
    })
    .await;
    assert_eq!(seen.phase, Phase::Unknown);
    assert!(seen.message.contains("another cluster"), "{}", seen.message);
}

#[tokio::test]
async fn a_denial_by_the_webhook_of_usages_blocks_and_any_other_is_an_error() {
    let deleted = async |message: &'static str| {
        let server = FakeServer::new(move |request| match (request.path.as_str(), request.method.as_str()) {
            (BUCKET, "GET") => FakeResponse::ok(&bucket()),
            (BUCKET, "DELETE") => FakeResponse::status(403, "Forbidden", message),
            _ => usual(request),
        });
        let deleted = provider(&server).delete(&sealed(), &Lease(1).into()).await;
        let body = server.requests().into_iter().find(|request| request.method == "DELETE").unwrap().body;
        assert_eq!((&body["propagationPolicy"], &body["preconditions"]["uid"]), (&json!("Foreground"), &json!("u")));
        deleted
    };
    let denied = "admission webhook \"nousages.protection.crossplane.io\" denied the request: \
                  This resource is in-use by 1 usage(s), including the *v1beta1.Usage u with reason: \"prod\".";
    let blocked = deleted(denied).await.unwrap();
    assert_eq!(blocked.phase, Phase::Blocked);
    assert!(blocked.message.contains("with reason: \"prod\""), "{}", blocked.message);
    assert!(blocked.teardown.is_some());
    let refused = deleted("you may not delete buckets").await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Unavailable);
    assert!(refused.message().contains("you may not delete buckets"), "{refused}");
}

#[tokio::test]
async fn what_was_written_under_a_newer_lease_is_left_alone() {
    let server = FakeServer::new(|request| match (request.path.as_str(), request.method.as_str()) {
        (BUCKET, "GET") => {
            let mut bucket = bucket();
            bucket["metadata"]["annotations"][desired::LEASE] = json!("9");
            FakeResponse::ok(&bucket)
        }
        (BUCKET, "PATCH") => FakeResponse::ok(&bucket()),
        _ => usual(request),
    });
    let (provider, order) = (provider(&server), Order::new(id(), 1, json!({"size": 1})).with_sealed(Some(sealed())));
    let plan = provider.plan(&order, &Lease(1).into()).await.unwrap();
    let error = provider.apply(&order, &plan.hash(), &Lease(1).into()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Stale);
    let writes = server.requests().into_iter().filter(|request| request.method == "PATCH");
    assert!(writes.into_iter().all(|request| request.query.contains("dryRun=All")));
}

#[tokio::test]
async fn a_change_names_the_version_that_it_was_planned_on() {
    let server = FakeServer::new(|request| match (request.path.as_str(), request.method.as_str()) {
        (BUCKET, "GET") => FakeResponse::ok(&bucket()),
        (BUCKET, "PATCH") => {
            let mut bucket = bucket();
            bucket["spec"]["size"] = json!(2);
            FakeResponse::ok(&bucket)
        }
        _ => usual(request),
    });
    let (provider, order) = (provider(&server), Order::new(id(), 1, json!({"size": 2})).with_sealed(Some(sealed())));
    let plan = provider.plan(&order, &Lease(1).into()).await.unwrap();
    provider.apply(&order, &plan.hash(), &Lease(1).into()).await.unwrap();
    let written = server.requests().into_iter().rfind(|request| request.method == "PATCH").unwrap();
    assert_eq!(written.body["metadata"]["resourceVersion"], "3");
    assert_eq!(written.body["metadata"]["uid"], "u");
    assert!(written.query.contains("fieldManager=kdp") && !written.query.contains("force=true"), "{}", written.query);
}

#[tokio::test]
async fn looking_at_what_is_ready_is_one_request_and_planning_it_two() {
    let server = FakeServer::new(|request| match request.path.as_str() {
        BUCKET => {
            let mut bucket = bucket();
            let said = |type_: &str| json!({"type": type_, "status": "True", "observedGeneration": 1});
            bucket["status"] = json!({"conditions": [said("Ready"), said("Synced")]});
            FakeResponse::ok(&bucket)
        }
        _ => usual(request),
    });
    let (provider, order) = (provider(&server), Order::new(id(), 1, json!({"size": 1})).with_sealed(Some(sealed())));
    assert_eq!(provider.observe(&id(), Some(&sealed())).await.unwrap().phase, Phase::Ready);
    assert_eq!(server.requests().len(), 1);
    assert_eq!(provider.plan(&order, &Lease(1).into()).await.unwrap().changes, []);
    assert_eq!(server.requests().len(), 3);
}

#[tokio::test]
async fn what_is_created_after_somebody_else_took_over_is_taken_back() {
    let (fence, looks) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let server = FakeServer::new(move |request| match (request.path.as_str(), request.method.as_str()) {
        // Two looks are before the creation: that of the plan, and that of the apply.
        (BUCKET, "GET") if looks.fetch_add(1, Ordering::SeqCst) < 2 => absent("kdp-0a1b"),
        (BUCKET, _) => FakeResponse::ok(&bucket()),
        (FENCE, "GET") if fence.fetch_add(1, Ordering::SeqCst) > 0 => {
            let annotations = json!({desired::LEASE: "2"});
            FakeResponse::ok(&json!({"metadata": {"name": "kdp-crossplane", "annotations": annotations}, "spec": {}}))
        }
        _ => usual(request),
    });
    let (provider, order) = (provider(&server), Order::new(id(), 1, json!({"size": 1})).with_sealed(Some(sealed())));
    let plan = provider.plan(&order, &Lease(1).into()).await.unwrap();
    let error = provider.apply(&order, &plan.hash(), &Lease(1).into()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Stale);
    let taken_back = server.requests().into_iter().find(|request| request.method == "DELETE").unwrap();
    assert_eq!(taken_back.body["preconditions"]["uid"], "u");
}
