use std::{convert::Infallible, time::Duration};

use http::{Request, Response};
use kube::client::Body;
use serde_json::{Value, json};

use super::*;
use crate::{driver::cache::Keeps, object::ResourceType};

/// Whether it was a watch, and from which version.
type Asked = (bool, String);

fn secret(name: &str, version: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": "n", "uid": name, "resourceVersion": version}})
}

/// The list is at version 1. The first watch ends after a bookmark, the second after telling that
/// its version is too old, and then there is another list.
fn script(is_watch: bool, watches: usize) -> String {
    if !is_watch {
        return json!({"metadata": {"resourceVersion": "1"}, "items": [secret("listed", "1")]}).to_string();
    }
    let bookmark = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"resourceVersion": "9"}});
    let too_old =
        json!({"kind": "Status", "status": "Failure", "code": 410, "reason": "Expired", "message": "too old"});
    let events = match watches {
        0 => vec![("ADDED", secret("watched", "5")), ("BOOKMARK", bookmark)],
        1 => vec![("ERROR", too_old)],
        _ => vec![("ADDED", secret("last", "12"))],
    };
    events.into_iter().map(|(type_, object)| format!("{}\n", json!({"type": type_, "object": object}))).collect()
}

/// An API server that answers by the script, and notes what was asked.
fn server(asked: Arc<Mutex<Vec<Asked>>>) -> Client {
    let service = tower::service_fn(move |request: Request<Body>| {
        let query: HashMap<_, _> =
            request.uri().query().unwrap_or_default().split('&').filter_map(|pair| pair.split_once('=')).collect();
        let is_watch = query.contains_key("watch");
        let mut asked = asked.lock();
        let body = script(is_watch, asked.iter().filter(|(is_watch, _)| *is_watch).count());
        asked.push((is_watch, query.get("resourceVersion").map_or_else(String::new, |version| (*version).to_owned())));
        let is_over = asked.len() > 5;
        async move {
            if is_over {
                std::future::pending::<()>().await;
            }
            Ok::<_, Infallible>(Response::new(Body::from(body.into_bytes())))
        }
    });
    Client::new(service, "default")
}

#[tokio::test(start_paused = true)]
async fn a_watch_goes_on_where_it_ended_and_lists_again_only_when_told_to() {
    let asked = Arc::<Mutex<Vec<Asked>>>::default();
    let caches = Caches::new(server(asked.clone()), server(asked.clone()), Metrics::new());
    let scope =
        Scope { side: Side::Service, types: Arc::new(ResourceType::secrets()), part: None, keeps: Keeps::Everything };
    let followed = caches.get(&scope);
    let names = || followed.cache.keys().into_iter().map(|key| key.name).collect::<Vec<_>>();
    while !names().contains(&"last".to_owned()) {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    // The second list did not have the one that was watched any more.
    assert_eq!(names(), ["last", "listed"]);
    drop(followed);
    caches.closed().await;
    let expected = [(false, ""), (true, "1"), (true, "9"), (false, ""), (true, "1")];
    assert_eq!(asked.lock()[..5], expected.map(|(is_watch, version)| (is_watch, version.to_owned())));
}
