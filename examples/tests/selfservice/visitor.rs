//! Somebody who talks to the page without a browser, and may say what no browser would.

use std::path::Path;

use axum::body::{Body, to_bytes};
use http::{HeaderMap, Method, Request, StatusCode, header};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use kdp_examples::selfservice::{Demo, Guest, Options};
use serde_json::{Value, json};
use tempfile::TempDir;

/// A platform with a page, that keeps everything in a directory of its own.
pub(crate) async fn demo() -> (Demo, TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let demo = Demo::start(&Options::on_free_ports(directory.path().join("data"))).await.unwrap();
    (demo, directory)
}

/// What was answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or(Value::Null)
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Visitor {
    client: Client<HttpConnector, Body>,
    pub(crate) url: String,
    pub(crate) cookie: String,
    pub(crate) csrf: String,
    pub(crate) origin: String,
    pub(crate) host: Option<String>,
}

impl Visitor {
    /// Nobody yet.
    pub(crate) fn stranger(demo: &Demo) -> Self {
        let client = Client::builder(TokioExecutor::new()).build_http();
        let url = demo.url().to_owned();
        Self { client, origin: url.clone(), url, cookie: String::new(), csrf: String::new(), host: None }
    }

    /// Signed in with the token of `guest`.
    pub(crate) async fn signed_in(demo: &Demo, guest: &Guest) -> Self {
        let mut visitor = Self::stranger(demo);
        let body = json!({"token": guest.token.expose(), "workspace": guest.workspace});
        let answer = visitor.ask(Method::POST, "/api/session", Some(body)).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text);
        let cookie = answer.headers[header::SET_COOKIE].to_str().unwrap();
        visitor.cookie = cookie.split(';').next().unwrap().to_owned();
        visitor.csrf = answer.json()["csrf"].as_str().unwrap().to_owned();
        visitor
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.ask(Method::GET, path, None).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        self.ask(Method::POST, path, Some(body)).await
    }

    pub(crate) async fn ask(&self, method: Method, path: &str, body: Option<Value>) -> Answer {
        let mut request = Request::builder().method(method).uri(format!("{}{path}", self.url));
        for (name, value) in
            [(header::COOKIE.as_str(), &self.cookie), ("x-csrf-token", &self.csrf), ("origin", &self.origin)]
        {
            if !value.is_empty() {
                request = request.header(name, value);
            }
        }
        if let Some(host) = &self.host {
            request = request.header(header::HOST, host);
        }
        let body = match body {
            Some(body) => {
                request = request.header(header::CONTENT_TYPE, "application/json");
                Body::from(body.to_string())
            }
            None => Body::empty(),
        };
        let response = self.client.request(request.body(body).unwrap()).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = to_bytes(Body::new(body), 1 << 20).await.unwrap();
        Answer { status: parts.status, headers: parts.headers, text: String::from_utf8_lossy(&bytes).into_owned() }
    }

    /// Lets the database service into the workspace, and orders a database that is ready when this returns.
    pub(crate) async fn order(&self, name: &str) -> Value {
        let bound = self.post("/api/catalog/databases/binding", Value::Null).await;
        assert_eq!(bound.status, StatusCode::OK, "{}", bound.text);
        let created = self.post("/api/orders", new_order(name)).await;
        assert_eq!(created.status, StatusCode::CREATED, "{}", created.text);
        let path = order_path(name);
        for _ in 0..600 {
            let order = self.get(&path).await;
            assert_eq!(order.status, StatusCode::OK, "{}", order.text);
            if order.json()["ready"] == "True" {
                return order.json();
            }
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
        panic!("the order did not become ready");
    }
}

pub(crate) fn order_path(name: &str) -> String {
    format!("/api/orders/databases/databases/default/{name}")
}

pub(crate) fn new_order(name: &str) -> Value {
    json!({
        "service": "databases", "kind": "databases", "namespace": "default", "name": name,
        "values": {"spec": {"engine": "sqlite", "storage": "16Mi"}},
    })
}

/// The repository's folder of this test.
pub(crate) fn folder() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/selfservice")
}
