//! Runners that die anywhere, are late, or work at once: nothing is made twice, nothing is left behind.

use std::{sync::Arc, time::Duration};

use kdp_core::{ErrorKind, SharedControlPlane};
use serde_json::json;

use crate::{
    cut::{Cut, Side},
    site::{Site, eventually, options, start, within},
};

/// Requests after which every order has come to its end.
const MOST: usize = 400;

/// Lets an order live under a runner that dies after so many requests, and under another one from
/// then on. Returns whether the first one died at all.
async fn live_and_die(site: &Site, requests: usize, side: Side) -> bool {
    let name = format!("app-{requests}-{}", if side == Side::Before { "before" } else { "after" });
    let cut = Cut::after(site.control_plane.clone(), requests, side);
    let control_plane: SharedControlPlane = Arc::new(cut.clone());
    let mut runner = Some(start(site.runner_through(&control_plane, options()), control_plane));
    let happened = cut.happened.clone();
    let successor = async {
        happened.cancelled().await;
        if let Some(dying) = runner.take() {
            dying.kill().await;
        }
        site.run(options())
    };
    let life = async {
        let uid = site.order(&name, json!({"size": 1})).await;
        site.phase(&name, "Ready").await;
        site.change(&name, json!({"size": 2})).await;
        site.phase(&name, "Ready").await;
        assert_eq!(site.shelf.of(&uid).len(), 1);
        site.delete(&name).await;
        site.is_gone(&name).await;
        assert!(site.shelf.of(&uid).is_empty(), "something is left after {requests} requests ({side:?})");
    };
    let second = {
        let mut successor = std::pin::pin!(successor);
        let mut life = std::pin::pin!(life);
        tokio::select! {
            biased;
            second = &mut successor => {
                life.await;
                Some(second)
            }
            () = &mut life => None,
        }
    };
    assert!(site.records().await.is_empty(), "a record is left after {requests} requests ({side:?})");
    assert!(site.secret(&format!("{name}-credentials")).await.is_none());
    let died = second.is_some();
    for running in second.into_iter().chain(runner) {
        running.kill().await;
    }
    died
}

#[tokio::test(flavor = "multi_thread")]
async fn a_runner_may_die_at_any_request() {
    let site = Site::new().await;
    for side in [Side::Before, Side::After] {
        let mut deaths = 0;
        for requests in 0..MOST {
            if !live_and_die(&site, requests, side).await {
                break;
            }
            deaths += 1;
        }
        println!("{deaths} deaths, {side:?} a request");
        assert!(deaths > 20, "an order takes more requests than {deaths}");
    }
    assert_eq!(site.shelf.doubles_and_things(), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_runner_may_die_at_any_moment() {
    let site = Site::new().await;
    let mut uids = Vec::new();
    for number in 0..60_u64 {
        let runner = site.run(options());
        uids.push(site.order(&format!("app-{number}"), json!({"size": 1})).await);
        if number % 3 == 2 {
            site.delete(&format!("app-{}", number - 2)).await;
        }
        tokio::time::sleep(Duration::from_micros(number * 733 % 40_000)).await;
        runner.kill().await;
    }
    let runner = site.run(options());
    for number in 0..60_u64 {
        let name = format!("app-{number}");
        if number % 3 == 0 {
            site.is_gone(&name).await;
            assert!(site.shelf.of(&uids[usize::try_from(number).unwrap()]).is_empty());
        } else {
            site.phase(&name, "Ready").await;
        }
    }
    assert_eq!(site.shelf.doubles_and_things(), (0, 40));
    runner.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_creation_that_takes_effect_after_its_runner_died_is_not_repeated() {
    let site = Site::new().await;
    site.shelf.world().delay = Duration::from_millis(300);
    let patient = options().with_settle(Duration::from_secs(2));
    for number in 0..3_u64 {
        let made = site.shelf.world().made;
        let runner = site.run(patient.clone());
        let name = format!("app-{number}");
        let uid = site.order(&name, json!({"size": 1})).await;
        // It dies while the engine is at work: its record is there and its thing is not.
        eventually("it is begun", async || (site.records().await.len() as u64 > number).then_some(())).await;
        tokio::time::sleep(Duration::from_millis(60 + 40 * number)).await;
        runner.kill().await;
        assert_eq!(site.shelf.world().made, made, "the engine has not begun yet");
        let runner = site.run(patient.clone());
        site.phase(&name, "Ready").await;
        assert_eq!(site.shelf.of(&uid).len(), 1);
        runner.stop().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_runners_the_one_that_started_last_works() {
    let site = Site::new().await;
    let first = site.run(options());
    let uid = site.order("app", json!({"size": 1})).await;
    site.phase("app", "Ready").await;
    let second = site.run(options());
    for size in 2..6 {
        site.change("app", json!({"size": size})).await;
        site.phase("app", "Ready").await;
        assert_eq!(site.shelf.of(&uid)[0].size, size);
    }
    let ended = within(first.task).await.unwrap().unwrap_err();
    assert_eq!(ended.kind(), ErrorKind::Stale);
    assert_eq!(site.shelf.doubles_and_made(), (0, 1));
    second.stop().await.unwrap();
}

#[tokio::test]
async fn an_order_whose_record_was_lost_is_still_removed() {
    let site = Site::new().await;
    let runner = site.run(options());
    let uid = site.order("app", json!({"size": 1})).await;
    site.phase("app", "Ready").await;
    runner.stop().await.unwrap();
    let secrets: kube::Api<k8s_openapi::api::core::v1::Secret> =
        kube::Api::namespaced(site.system(crate::site::HOME), "default");
    for record in site.records().await {
        secrets.delete(&record.metadata.name.unwrap(), &Default::default()).await.unwrap();
    }
    site.delete("app").await;
    let runner = site.run(options());
    site.is_gone("app").await;
    assert!(site.shelf.of(&uid).is_empty());
    runner.stop().await.unwrap();
}
