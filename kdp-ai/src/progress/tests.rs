use futures::stream;
use kdp_core::testing::{FakeResponse, FakeServer};
use serde_json::{Value, json};

use super::*;
use crate::KindRef;

fn order() -> OrderRef {
    OrderRef {
        kind: KindRef { api_version: "db.example.com/v1".into(), kind: "Database".into() },
        namespace: Some("shop".into()),
        name: "orders".into(),
    }
}

fn database(conditions: &Value) -> Value {
    json!({
        "apiVersion": "db.example.com/v1", "kind": "Database",
        "metadata": {"name": "orders", "namespace": "shop", "resourceVersion": "1"}, "status": {"conditions": conditions},
    })
}

fn seen(conditions: &Value) -> watcher::Result<Option<DynamicObject>> {
    Ok(Some(serde_json::from_value(database(conditions)).unwrap()))
}

/// Each step in words: the phase and the conditions that changed.
async fn words(objects: Vec<watcher::Result<Option<DynamicObject>>>) -> Vec<String> {
    let change = |change: &ConditionChange| {
        let word = |status: &Option<String>| status.clone().unwrap_or_else(|| "-".into());
        format!(" {}:{}>{}", change.type_, word(&change.from), word(&change.to))
    };
    steps(stream::iter(objects), order())
        .map(|step| match step {
            Ok(Progress::Gone) => "gone".into(),
            Ok(Progress::Changed { status, changes }) => {
                format!("{:?}{}", status.phase, changes.iter().map(change).collect::<String>())
            }
            Err(error) => format!("error {:?}", error.kind()),
        })
        .collect()
        .await
}

fn failure(code: u16) -> watcher::Error {
    let status = json!({"status": "Failure", "code": code, "reason": "X", "message": "no"});
    watcher::Error::WatchStartFailed(kube::Error::Api(Box::new(serde_json::from_value(status).unwrap())))
}

#[tokio::test]
async fn steps_tell_what_changed_and_leave_out_what_did_not() {
    let waiting = json!([{"type": "Ready", "status": "False"}, {"type": "Synced", "status": "True"}]);
    let done = json!([{"type": "Ready", "status": "True"}]);
    assert_eq!(
        words(vec![seen(&json!([])), seen(&waiting), seen(&waiting), seen(&done), Ok(None), Ok(None), seen(&done)])
            .await,
        [
            "Progressing",
            "Progressing Ready:->False Synced:->True",
            "Ready Ready:False>True Synced:True>-",
            "gone",
            "Ready Ready:->True",
        ]
    );
}

#[tokio::test]
async fn a_broken_connection_is_passed_over_and_a_refusal_is_the_end() {
    assert_eq!(words(vec![Err(failure(500)), Err(failure(410)), seen(&json!([]))]).await, ["Progressing"]);
    assert_eq!(words(vec![Err(failure(403)), seen(&json!([]))]).await, ["error Forbidden"]);
    assert_eq!(words(vec![Err(failure(404)), seen(&json!([]))]).await, ["error NotFound"]);
}

/// A workspace with one database that reports these conditions, first as a list and then as events.
fn server(first: Value, events: Option<Value>) -> FakeServer {
    FakeServer::new(move |request| match request.line().as_str() {
        "GET /apis/db.example.com/v1" => FakeResponse::ok(&json!({
            "kind": "APIResourceList", "groupVersion": "db.example.com/v1",
            "resources": [{"name": "databases", "singularName": "", "namespaced": true, "kind": "Database", "verbs": ["watch"]}],
        })),
        _ if request.is_watch() => match &events {
            Some(conditions) => FakeResponse::events(&[("MODIFIED", database(conditions))]),
            None => FakeResponse::Silence,
        },
        _ if first.is_null() => FakeResponse::list(&[]),
        _ => FakeResponse::list(&[database(&first)]),
    })
}

async fn wait(server: &FakeServer) -> (Result<OrderStatus, Error>, usize) {
    let mut heard = 0;
    let result = wait_ready(&server.client(), &order(), Duration::from_secs(60), |_| heard += 1).await;
    (result, heard)
}

#[tokio::test]
async fn waiting_ends_when_it_is_ready_and_every_step_is_heard() {
    let server = server(json!([]), Some(json!([{"type": "Ready", "status": "True"}])));
    let (result, heard) = wait(&server).await;
    assert_eq!((result.unwrap().phase, heard), (OrderPhase::Ready, 2));
    let watch = server.requests().into_iter().find(|request| request.is_watch()).unwrap();
    assert_eq!(watch.path, "/apis/db.example.com/v1/namespaces/shop/databases");
    assert!(watch.query.contains("fieldSelector=metadata.name%3Dorders"), "{}", watch.query);
}

#[tokio::test(start_paused = true)]
async fn waiting_too_long_says_what_is_missing() {
    let stuck = json!([{"type": "Ready", "status": "False", "message": "no space left"}]);
    let error = wait(&server(stuck, None)).await.0.unwrap_err();
    assert_eq!(error.to_string(), "cannot wait for Database shop/orders: not ready after 60s: no space left");
}

#[tokio::test]
async fn an_order_that_does_not_exist_is_not_waited_for() {
    assert_eq!(wait(&server(Value::Null, None)).await.0.unwrap_err().kind(), ErrorKind::NotFound);
}
