//! Bad requests get the answer Kubernetes gives, and change nothing.

use http::{Method, Request};
use kdp_core::{ControlPlane, Endpoint, Identity};
use kdp_tenancy::Embedded;
use kube::{Client, api::PostParams};
use serde_json::{Value, json};

use crate::{
    crud::widget_crd,
    support::{dynamic, object, system, user, workspace},
};

struct Server {
    control_plane: Embedded,
    client: Client,
}

impl Server {
    async fn start() -> Self {
        let control_plane = Embedded::in_memory().await.unwrap();
        let client = system(&control_plane, "root");
        let kind = "CustomResourceDefinition";
        let crds = dynamic(client.clone(), "", "apiextensions.k8s.io", "v1", kind, "customresourcedefinitions");
        crds.create(&PostParams::default(), &object(widget_crd())).await.unwrap();
        let widgets = dynamic(client.clone(), "default", "example.com", "v1", "Widget", "widgets");
        widgets.create(&PostParams::default(), &object(widget("w", &json!({"size": 3})))).await.unwrap();
        Self { control_plane, client }
    }

    /// Sends a request and expects this answer.
    async fn check(
        &self,
        method: Method,
        path: &str,
        content_type: &str,
        body: impl Into<Vec<u8>>,
        code: u16,
        reason: &str,
    ) -> String {
        refused(&self.client, method, path, content_type, body, code, reason).await
    }

    /// What there is, to see that a refused request left it alone.
    async fn everything(&self) -> Vec<Value> {
        let mut lists = Vec::new();
        for path in [WIDGETS, "/api/v1/namespaces/default/configmaps", "/api/v1/namespaces"] {
            let request = Request::get(path).body(Vec::new()).unwrap();
            lists.push(self.client.request::<Value>(request).await.unwrap()["items"].clone());
        }
        lists
    }
}

async fn refused(
    client: &Client,
    method: Method,
    path: &str,
    content_type: &str,
    body: impl Into<Vec<u8>>,
    code: u16,
    reason: &str,
) -> String {
    let request =
        Request::builder().method(&method).uri(path).header("content-type", content_type).body(body.into()).unwrap();
    match client.request_text(request).await {
        Err(kube::Error::Api(status)) => {
            assert_eq!((status.code, &*status.reason), (code, reason), "{method} {path}: {}", status.message);
            status.message.clone()
        }
        other => panic!("{method} {path}: {other:?}"),
    }
}

const WIDGETS: &str = "/apis/example.com/v1/namespaces/default/widgets";
const W: &str = "/apis/example.com/v1/namespaces/default/widgets/w";
const JSON: &str = "application/json";
const MERGE: &str = "application/merge-patch+json";

fn widget(name: &str, spec: &Value) -> Value {
    json!({"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": name}, "spec": spec})
}

fn text(value: &Value) -> String {
    value.to_string()
}

#[tokio::test]
async fn a_bad_object_is_refused_with_the_field_that_is_wrong() {
    let s = Server::start().await;
    let before = s.everything().await;
    let strict = format!("{WIDGETS}?fieldValidation=Strict");
    let unknown = text(&widget("x", &json!({"size": 1, "colour": "red"})));
    let said = s.check(Method::POST, &strict, JSON, unknown, 400, "BadRequest").await;
    assert!(said.contains("unknown field \"spec.colour\""), "{said}");
    let twice = r#"{"apiVersion":"example.com/v1","kind":"Widget","metadata":{"name":"x"},"spec":{"size":1,"size":2}}"#;
    let said = s.check(Method::POST, &strict, JSON, twice, 400, "BadRequest").await;
    assert!(said.contains("duplicate field \"spec.size\""), "{said}");
    let said = s.check(Method::POST, WIDGETS, JSON, text(&widget("x", &json!({"size": "big"}))), 422, "Invalid").await;
    assert!(said.contains("spec.size in body must be of type integer"), "{said}");
    let said = s.check(Method::POST, WIDGETS, JSON, text(&widget("x", &json!({}))), 422, "Invalid").await;
    assert!(said.contains("spec.size: Required value"), "{said}");
    let said =
        s.check(Method::POST, WIDGETS, JSON, text(&widget("Not_A_Name", &json!({"size": 1}))), 422, "Invalid").await;
    assert!(said.contains("metadata.name"), "{said}");
    s.check(Method::PATCH, W, MERGE, r#"{"spec":{"size":1}}"#, 422, "Invalid").await;
    s.check(Method::POST, WIDGETS, JSON, text(&json!({"apiVersion": "v1", "kind": "Pod"})), 400, "BadRequest").await;
    s.check(Method::POST, WIDGETS, JSON, text(&widget("w", &json!({"size": 1}))), 409, "AlreadyExists").await;
    assert_eq!(s.everything().await, before);
}

#[tokio::test]
async fn a_bad_body_is_refused() {
    let s = Server::start().await;
    let before = s.everything().await;
    for body in ["", "{", "[1", "nonsense", "\"text\"", "[]", "{\"a\":\u{0}}"] {
        s.check(Method::POST, WIDGETS, JSON, body, 400, "BadRequest").await;
    }
    s.check(Method::POST, WIDGETS, JSON, vec![b'{', b'"', 0xff, b'"', b':', b'1', b'}'], 400, "BadRequest").await;
    s.check(Method::POST, WIDGETS, JSON, "[".repeat(100_000), 400, "BadRequest").await;
    let mut large = widget("x", &json!({"size": 1}));
    large["metadata"]["annotations"]["a"] = "x".repeat(5 * 1024 * 1024).into();
    s.check(Method::POST, WIDGETS, JSON, text(&large), 413, "RequestEntityTooLarge").await;
    s.check(Method::POST, WIDGETS, "text/plain", "x", 415, "UnsupportedMediaType").await;
    s.check(Method::PATCH, W, "application/strategic-merge-patch+json", "{}", 415, "UnsupportedMediaType").await;
    s.check(Method::POST, WIDGETS, MERGE, "{}", 415, "UnsupportedMediaType").await;
    s.check(Method::PATCH, W, JSON, "{}", 415, "UnsupportedMediaType").await;
    s.check(
        Method::PATCH,
        W,
        "application/json-patch+json",
        r#"[{"op":"test","path":"/spec/size","value":9}]"#,
        422,
        "Invalid",
    )
    .await;
    s.check(Method::PATCH, W, "application/apply-patch+yaml", text(&widget("w", &json!({"size": 4}))), 422, "Invalid")
        .await;
    let bomb = "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: &f [*e,*e,*e,*e,*e,*e,*e,*e,*e]\ng: &g [*f,*f,*f,*f,*f,*f,*f,*f,*f]\nh: [*g,*g,*g,*g,*g,*g,*g,*g,*g]\n";
    s.check(Method::POST, WIDGETS, "application/yaml", bomb, 400, "BadRequest").await;
    assert_eq!(s.everything().await, before);
}

#[tokio::test]
async fn a_conflicting_update_is_refused() {
    let s = Server::start().await;
    let before = s.everything().await;
    let mut stale = widget("w", &json!({"size": 5}));
    s.check(Method::PUT, W, JSON, text(&stale), 422, "Invalid").await;
    stale["metadata"]["resourceVersion"] = "1".into();
    s.check(Method::PUT, W, JSON, text(&stale), 409, "Conflict").await;
    stale["metadata"]["resourceVersion"] = "nonsense".into();
    s.check(Method::PUT, W, JSON, text(&stale), 400, "BadRequest").await;
    stale["metadata"]["name"] = "other".into();
    s.check(Method::PUT, W, JSON, text(&stale), 400, "BadRequest").await;
    let wrong_uid = r#"{"metadata":{"uid":"not-it"}}"#;
    s.check(Method::PATCH, W, MERGE, wrong_uid, 409, "Conflict").await;
    s.check(Method::DELETE, W, JSON, r#"{"preconditions":{"uid":"not-it"}}"#, 409, "Conflict").await;
    s.check(
        Method::PUT,
        &format!("{WIDGETS}/missing"),
        JSON,
        text(&{
            let mut missing = widget("missing", &json!({"size": 5}));
            missing["metadata"]["resourceVersion"] = "1".into();
            missing
        }),
        404,
        "NotFound",
    )
    .await;
    assert_eq!(s.everything().await, before);
}

#[tokio::test]
async fn a_bad_query_is_refused() {
    let s = Server::start().await;
    let get = Method::GET;
    let later = format!("{WIDGETS}?resourceVersion=999999");
    for (query, code, reason) in [
        ("labelSelector=a%3D%3D%3Db", 400, "BadRequest"),
        ("fieldSelector=spec.size%3D1", 400, "BadRequest"),
        ("continue=nonsense", 400, "BadRequest"),
        ("resourceVersion=nonsense", 400, "BadRequest"),
        ("resourceVersionMatch=Exact", 400, "BadRequest"),
        ("resourceVersion=0&resourceVersionMatch=Exact", 400, "BadRequest"),
        ("limit=x", 400, "BadRequest"),
    ] {
        s.check(get.clone(), &format!("{WIDGETS}?{query}"), JSON, "", code, reason).await;
    }
    s.check(get, &later, JSON, "", 504, "Timeout").await;
    s.check(
        Method::POST,
        &format!("{WIDGETS}?dryRun=Some"),
        JSON,
        text(&widget("x", &json!({"size": 1}))),
        400,
        "BadRequest",
    )
    .await;
    s.check(
        Method::POST,
        &format!("{WIDGETS}?fieldValidation=Maybe"),
        JSON,
        text(&widget("x", &json!({"size": 1}))),
        400,
        "BadRequest",
    )
    .await;
}

#[tokio::test]
async fn a_path_that_leads_nowhere_is_not_found_and_a_trick_finds_nothing() {
    let s = Server::start().await;
    for path in [
        "/apis/example.com/v1/namespaces/default/gadgets",
        "/apis/example.com/v2/namespaces/default/widgets",
        "/api/v1/namespaces/default/widgets",
        "/api/v1/namespaces/default/configmaps/a%2Fb",
        "/apis/example.com/v1/widgets/w",
        "/metrics",
        "/services/apiexport/root/x",
    ] {
        s.check(Method::GET, path, JSON, "", 404, "NotFound").await;
    }
    for name in ["..", ".", "%2e%2e", "a%25b"] {
        s.check(Method::GET, &format!("/api/v1/namespaces/default/configmaps/{name}"), JSON, "", 400, "BadRequest")
            .await;
    }
    s.check(Method::POST, W, JSON, "{}", 405, "MethodNotAllowed").await;
    s.check(Method::PUT, WIDGETS, JSON, "{}", 405, "MethodNotAllowed").await;
    let missing = widget("x", &json!({"size": 1}));
    s.check(Method::POST, "/apis/example.com/v1/namespaces/missing/widgets", JSON, text(&missing), 404, "NotFound")
        .await;
}

#[tokio::test]
async fn a_workspace_that_is_not_there_looks_like_one_that_is_not_yours() {
    let s = Server::start().await;
    workspace(&s.control_plane, "root", "theirs").await;
    let mut said = Vec::new();
    for path in ["root:theirs", "root:missing", "missing", "root:theirs:missing"] {
        for request in [
            "/api/v1/namespaces/default/secrets",
            "/api/v1/namespaces/default/secrets/s",
            "/apis",
            "/version",
            "/openapi/v3",
        ] {
            let client = user(&s.control_plane, path, "mallory");
            said.push((request, refused(&client, Method::GET, request, JSON, "", 403, "Forbidden").await));
        }
    }
    let (first, rest) = said.split_at(5);
    for (i, answer) in rest.iter().enumerate() {
        assert_eq!(answer, &first[i % 5], "the answers differ");
    }
    let everywhere = s
        .control_plane
        .client(&Endpoint::AllWorkspaces, &Identity { username: "mallory".into(), ..Identity::default() });
    refused(&everywhere.unwrap(), Method::GET, "/api/v1/secrets", JSON, "", 403, "Forbidden").await;
}

#[tokio::test]
async fn a_dry_run_changes_nothing() {
    let s = Server::start().await;
    let before = s.everything().await;
    let request = |method: Method, path: String, content_type: &str, body: String| {
        Request::builder()
            .method(method)
            .uri(path)
            .header("content-type", content_type)
            .body(body.into_bytes())
            .unwrap()
    };
    let create = request(Method::POST, format!("{WIDGETS}?dryRun=All"), JSON, text(&widget("x", &json!({"size": 1}))));
    let made: Value = s.client.request(create).await.unwrap();
    assert_eq!((&made["spec"]["color"], &made["metadata"]["resourceVersion"]), (&json!("blue"), &Value::Null));
    let patch = request(Method::PATCH, format!("{W}?dryRun=All"), MERGE, r#"{"spec":{"size":7}}"#.into());
    assert_eq!(s.client.request::<Value>(patch).await.unwrap()["spec"]["size"], 7);
    s.client.request::<Value>(request(Method::DELETE, format!("{W}?dryRun=All"), JSON, String::new())).await.unwrap();
    assert_eq!(s.everything().await, before);
}
