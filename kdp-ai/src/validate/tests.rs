use kdp_core::testing::{FakeRequest, FakeResponse, FakeServer};
use serde_json::json;

use super::*;

fn manifest() -> Value {
    json!({
        "apiVersion": "db.example.com/v1", "kind": "Database",
        "metadata": {"name": "orders", "namespace": "shop"}, "spec": {"storageGB": 1},
    })
}

fn group_version(resources: &Value) -> FakeResponse {
    FakeResponse::ok(&json!({"kind": "APIResourceList", "groupVersion": "db.example.com/v1", "resources": resources}))
}

/// A workspace that serves databases and answers every apply with `answer`.
fn server(answer: impl Fn(&FakeRequest) -> FakeResponse + Send + Sync + 'static) -> FakeServer {
    FakeServer::new(move |request| match request.line().as_str() {
        "GET /apis/db.example.com/v1" => group_version(&json!([
            {"name": "databases", "singularName": "", "namespaced": true, "kind": "Database", "verbs": ["patch"]},
        ])),
        "GET /api/v1" => FakeResponse::ok(&json!({
            "kind": "APIResourceList", "groupVersion": "v1",
            "resources": [{"name": "secrets", "singularName": "", "namespaced": true, "kind": "Secret", "verbs": ["patch"]}],
        })),
        "GET /apis" => FakeResponse::ok(&json!({
            "kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "metadata": {},
            "items": [{"metadata": {"name": "db.example.com"}, "versions": [{"version": "v1", "resources": [{
                "resource": "databases", "scope": "Namespaced", "singularResource": "database", "verbs": ["patch"],
                "responseKind": {"group": "db.example.com", "version": "v1", "kind": "Database"},
            }]}]}],
        })),
        "GET /api" => FakeResponse::ok(&json!({
            "kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "metadata": {}, "items": [],
        })),
        "GET /openapi/v3/apis/db.example.com/v1" => FakeResponse::ok(&json!({"components": {"schemas": {"Database": {
            "x-kubernetes-group-version-kind": [{"group": "db.example.com", "version": "v1", "kind": "Database"}],
            "type": "object",
            "properties": {"spec": {"type": "object", "properties": {
                "storageGB": {"type": "integer", "minimum": 1, "maximum": 100},
                "engine": {"type": "string", "enum": ["sqlite", "postgres"]},
            }}},
        }}}})),
        line if line.starts_with("PATCH ") => answer(request),
        _ => FakeResponse::not_found(),
    })
}

fn refusal(code: u16, reason: &str, message: &str, causes: &Value) -> FakeServer {
    let details = json!({"name": "orders", "group": "db.example.com", "kind": "databases", "causes": causes});
    let answer = FakeResponse::failure(code, reason, message, &details);
    server(move |_| answer.clone())
}

/// The only fault of the sample manifest on this server.
async fn only_fault(server: &FakeServer) -> Fault {
    let mut validation = validate(&server.client(), &manifest()).await.unwrap();
    assert_eq!((validation.faults.len(), validation.object), (1, None), "{:?}", validation.faults);
    validation.faults.remove(0)
}

fn fault(field: &str, reason: &str, message: &str, fix: Option<&str>) -> Fault {
    Fault { field: field.into(), reason: reason.into(), message: message.into(), fix: fix.map(str::to_owned) }
}

#[tokio::test]
async fn a_manifest_is_judged_by_a_strict_dry_run_that_takes_nothing_over() {
    let server = server(|request| {
        let mut stored = request.body.clone();
        stored["spec"]["engine"] = json!("sqlite");
        stored["metadata"]["managedFields"] = json!([]);
        FakeResponse::ok(&stored)
    });
    let validation = validate(&server.client(), &manifest()).await.unwrap();
    assert!(validation.is_valid());
    let object = validation.object.unwrap();
    assert_eq!((&object["spec"]["engine"], object["metadata"].get("managedFields")), (&json!("sqlite"), None));

    let apply = server.requests().pop().unwrap();
    assert_eq!(apply.line(), "PATCH /apis/db.example.com/v1/namespaces/shop/databases/orders");
    let mut query: Vec<_> = apply.query.split('&').filter(|pair| !pair.is_empty()).collect();
    query.sort_unstable();
    assert_eq!(query, ["dryRun=All", "fieldManager=kdp-ai", "fieldValidation=Strict"]);
}

#[tokio::test]
async fn causes_become_faults_with_what_the_schema_knows_of_their_field() {
    let check = |cause: Value, expected: Fault| async move {
        let server = refusal(422, "Invalid", "Database.db.example.com \"orders\" is invalid", &json!([cause]));
        assert_eq!(only_fault(&server).await, expected);
    };
    check(
        json!({"reason": "FieldValueInvalid", "message": "must be at most 100", "field": "spec.storageGB"}),
        fault(
            "spec.storageGB",
            "FieldValueInvalid",
            "must be at most 100",
            Some("change spec.storageGB to: integer; at least 1; at most 100"),
        ),
    )
    .await;
    check(
        json!({"reason": "FieldValueNotSupported", "message": "Unsupported value", "field": "spec.engine"}),
        fault(
            "spec.engine",
            "FieldValueNotSupported",
            "Unsupported value",
            Some(r#"change spec.engine to: one of "sqlite", "postgres""#),
        ),
    )
    .await;
    check(
        json!({"reason": "FieldValueRequired", "message": "Required value", "field": "spec.storageGB"}),
        fault(
            "spec.storageGB",
            "FieldValueRequired",
            "Required value",
            Some("set spec.storageGB to: integer; at least 1; at most 100"),
        ),
    )
    .await;
}

#[tokio::test]
async fn an_unknown_field_is_answered_with_the_nearest_one() {
    let message = r#"strict decoding error: unknown field "spec.storage""#;
    let expected = fault(
        "spec.storage",
        "UnknownField",
        "the kind has no such field",
        Some("did you mean storageGB? otherwise leave out spec.storage"),
    );
    assert_eq!(only_fault(&refusal(400, "BadRequest", message, &json!([]))).await, expected);
    let message = "failed to create typed patch object (shop/orders; db.example.com/v1, Kind=Database): .spec.storage: field not declared in schema";
    assert_eq!(only_fault(&refusal(400, "BadRequest", message, &json!([]))).await, expected);
}

#[tokio::test]
async fn every_strict_fault_is_told() {
    let message = r#"strict decoding error: unknown field "spec.a", duplicate field "spec.b""#;
    let server = refusal(400, "BadRequest", message, &json!([]));
    let faults = validate(&server.client(), &manifest()).await.unwrap().faults;
    let told: Vec<_> = faults.iter().map(|fault| (fault.field.as_str(), fault.reason.as_str())).collect();
    assert_eq!(told, [("spec.a", "UnknownField"), ("spec.b", "DuplicateField")]);
}

#[tokio::test]
async fn a_field_of_another_writer_is_a_fault_of_that_field() {
    let cause =
        json!({"reason": "FieldManagerConflict", "message": "conflict with \"kubectl\"", "field": ".spec.storageGB"});
    let fault = only_fault(&refusal(409, "Conflict", "Apply failed with 1 conflict", &json!([cause]))).await;
    assert_eq!((fault.field.as_str(), fault.reason.as_str()), ("spec.storageGB", "FieldManagerConflict"));
}

#[tokio::test]
async fn a_missing_right_is_told_and_a_missing_namespace_is_told_of_its_field() {
    let forbidden = only_fault(&refusal(403, "Forbidden", "User \"a\" cannot patch", &json!([]))).await;
    assert_eq!((forbidden.field.as_str(), forbidden.message.as_str()), ("", "User \"a\" cannot patch"));
    let details = json!({"kind": "namespaces", "name": "shop"});
    let answer = FakeResponse::failure(404, "NotFound", "namespaces \"shop\" not found", &details);
    let fault = only_fault(&server(move |_| answer.clone())).await;
    assert_eq!(fault.field, "metadata.namespace");
    assert!(fault.fix.unwrap().starts_with("create the namespace"));
}

#[tokio::test]
async fn a_server_that_cannot_judge_is_an_error_and_no_verdict() {
    for (code, kind) in [(503, ErrorKind::Unavailable), (429, ErrorKind::Unavailable), (401, ErrorKind::Forbidden)] {
        let error = validate(&refusal(code, "X", "later", &json!([])).client(), &manifest()).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{code}");
    }
}

#[tokio::test]
async fn an_unknown_kind_is_answered_with_the_nearest_and_nothing_is_applied() {
    let check = |api_version: &'static str, kind: &'static str, field: &'static str, fix: &'static str| async move {
        let server = server(|_| panic!("an unknown kind was applied"));
        let mut manifest = manifest();
        manifest["apiVersion"] = json!(api_version);
        manifest["kind"] = json!(kind);
        let validation = validate(&server.client(), &manifest).await.unwrap();
        let fault = &validation.faults[0];
        assert_eq!((fault.field.as_str(), fault.reason.as_str()), (field, "UnknownKind"));
        assert_eq!(fault.fix.as_deref(), Some(fix));
    };
    let bind = "if a service of the catalog offers it, bind that service first";
    let near = "did you mean Database of db.example.com/v1? otherwise, \
                if a service of the catalog offers it, bind that service first";
    check("db.example.com/v1", "Databse", "kind", near).await;
    check("db.example.com/v2", "Database", "apiVersion", near).await;
    check("mq.example.com/v1", "Queue", "kind", bind).await;
}

#[tokio::test]
async fn what_a_manifest_does_not_say_is_told_at_once() {
    let server = FakeServer::new(|request| panic!("the server was asked: {}", request.line()));
    let check = |manifest: Value, expected: &'static [&'static str]| {
        let client = server.client();
        async move {
            let faults = validate(&client, &manifest).await.unwrap().faults;
            assert_eq!(faults.iter().map(|fault| fault.field.as_str()).collect::<Vec<_>>(), expected, "{manifest}");
        }
    };
    check(json!("text"), &[""]).await;
    check(json!({}), &["apiVersion", "kind", "metadata.name"]).await;
    check(json!({"apiVersion": "v1", "kind": "A", "metadata": {"generateName": "a-"}}), &["metadata.name"]).await;
}

#[tokio::test]
async fn the_data_of_a_secret_is_not_shown() {
    let server = server(|request| {
        let mut stored = request.body.clone();
        stored["data"] = json!({"password": "aHVudGVyMg=="});
        FakeResponse::ok(&stored)
    });
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "stringData": {"user": "a"}});
    let object = validate(&server.client(), &secret).await.unwrap().object.unwrap();
    assert_eq!((object.get("data"), object.get("stringData")), (None, None));
}
