use std::convert::Infallible;

use http::{Request, Response};
use k8s_openapi::api::core::v1::Secret;
use serde_json::{Value, json};

use super::*;

const MINUTE: Duration = Duration::from_secs(60);

fn secret(version: u64) -> Value {
    json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "resourceVersion": version.to_string()}})
}

fn failure(code: u16, reason: &str) -> Response<Body> {
    let status = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": reason});
    Response::builder().status(code).body(Body::from(status.to_string().into_bytes())).unwrap()
}

/// Watches for a minute what an API server answers; returns how often it was asked for a list and
/// for a watch. The answer to a watch is given its number and told how long it took.
async fn asked(
    list: impl Fn() -> Response<Body> + Send + Sync + 'static,
    watch_answer: impl Fn(u64) -> (Response<Body>, Duration) + Send + Sync + 'static,
) -> (u64, u64) {
    let asked = Arc::new(Mutex::new((0, 0)));
    let answers = Arc::new((list, watch_answer));
    let counted = asked.clone();
    let service = tower::service_fn(move |request: Request<Body>| {
        let (answers, counted) = (answers.clone(), counted.clone());
        async move {
            if !is_watch(&request) {
                counted.lock().0 += 1;
                return Ok::<_, Infallible>((answers.0)());
            }
            let number = {
                let mut counted = counted.lock();
                counted.1 += 1;
                counted.1
            };
            let (answer, delay) = (answers.1)(number);
            tokio::time::sleep(delay).await;
            Ok(answer)
        }
    });
    let events = watch::<Secret>(&Client::new(service, "default"), Api::all, watcher::Config::default());
    let _ = tokio::time::timeout(MINUTE, events.for_each(async |_| ())).await;
    *asked.lock()
}

fn listed() -> Response<Body> {
    let list = json!({"metadata": {"resourceVersion": "1"}, "items": []});
    Response::new(Body::from(list.to_string().into_bytes()))
}

fn told(version: u64) -> Response<Body> {
    let event = json!({"type": "MODIFIED", "object": secret(version)});
    Response::new(Body::from(format!("{event}\n").into_bytes()))
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_ends_at_once_is_opened_again_less_and_less_often() {
    let (lists, watches) = asked(listed, |_| (Response::new(Body::empty()), Duration::ZERO)).await;
    assert_eq!(lists, 1, "it goes on where it ended");
    assert!((14..=26).contains(&watches), "{watches}");
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_told_of_something_is_opened_again_at_once() {
    let second = Duration::from_secs(1);
    let (lists, watches) = asked(listed, move |number| (told(number + 1), second)).await;
    assert_eq!((lists, watches), (1, 60));
}

#[tokio::test(start_paused = true)]
async fn the_pause_is_short_again_after_a_watch_that_was_of_use() {
    // Nine of ten are of no use.
    let answer = |number| match number % 10 {
        0 => told(number),
        _ => Response::new(Body::empty()),
    };
    let (_, watches) = asked(listed, move |number| (answer(number), Duration::ZERO)).await;
    assert!((20..=45).contains(&watches), "{watches}");
}

#[tokio::test(start_paused = true)]
async fn what_is_no_longer_kept_is_listed_again_after_a_pause() {
    for (code, reason) in [(410, "Gone"), (410, "Expired"), (400, "Expired")] {
        let (lists, watches) = asked(listed, move |_| (failure(code, reason), Duration::ZERO)).await;
        assert_eq!(lists, watches, "{code} {reason}");
        assert!((14..=26).contains(&lists), "{code} {reason}: {lists}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_list_that_fails_is_tried_again_less_and_less_often() {
    let (lists, watches) = asked(|| failure(500, "InternalError"), |_| unreachable!("nothing was listed")).await;
    assert_eq!(watches, 0);
    assert!((14..=26).contains(&lists), "{lists}");
}
