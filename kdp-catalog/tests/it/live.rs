//! What portals are shown of a platform at work.

use std::{sync::Arc, time::Duration};

use http::{Method, Request, Response};
use kdp_catalog::portal::{BACKSTAGE, LivePortal, PORT, port::Invocation};
use kdp_core::{Endpoint, Identity};
use serde_json::{Value, json};

use crate::{
    shop::{GROUP, Shop, kind, offering},
    support::user,
};

const TOKEN: &str = "a-token-of-the-portal";

async fn portal(shop: &Shop, viewer: Identity) -> LivePortal {
    let export = shop.site.entry().await.export;
    let endpoint = Endpoint::ApiExport { cluster: export.cluster, export: export.name, consumer: None };
    let addresses = ("https://kdp.example.com", "url:https://kdp.example.com/portal/catalog-info.yaml");
    let webhook = Invocation::webhook("https://kdp.example.com/port").unwrap();
    let control_plane = Arc::new(shop.site.control_plane.clone());
    LivePortal::new(control_plane, shop.site.catalog.clone(), viewer, addresses, webhook, TOKEN)
        .with_orders(GROUP, kind(), endpoint)
        .with_age(Duration::ZERO)
}

fn request(path: &str) -> Request<()> {
    Request::get(path).header("authorization", format!("Bearer {TOKEN}")).body(()).unwrap()
}

async fn text(portal: &LivePortal, path: &str) -> String {
    let response = portal.answer(&request(path)).await;
    assert_eq!(response.status(), 200, "{path}");
    String::from_utf8(response.into_body()).unwrap()
}

fn documents(yaml: &str) -> Vec<Value> {
    yaml.split("\n---\n")
        .filter_map(|text| serde_saphyr::from_str(text).ok())
        .filter(|value: &Value| !value.is_null())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_portal_sees_services_kinds_and_orders_as_they_are_now() {
    let shop = Shop::open().await;
    shop.offer(offering("standard", json!({"parameters": {"size": 1}}))).await;
    let uid = shop.order("root:a", "mine", json!({}), json!({"secret-note": "do-not-tell"})).await;
    shop.phase("root:a", "mine", "Ready").await;
    let portal = portal(&shop, Identity::system_masters()).await;

    let yaml = text(&portal, BACKSTAGE).await;
    let entities = documents(&yaml);
    let of_kind = |kind: &str| entities.iter().filter(|entity| entity["kind"] == kind).collect::<Vec<_>>();
    assert_eq!((of_kind("Component").len(), of_kind("API").len(), of_kind("Resource").len()), (1, 1, 1));
    assert!(yaml.contains(&uid) && yaml.contains("mine") && !yaml.contains("do-not-tell"), "{yaml}");
    let location = of_kind("Location")[0];
    let target = location["spec"]["targets"][0].as_str().unwrap().strip_prefix('.').unwrap().to_owned();
    let template = text(&portal, &target).await;
    assert!(template.contains("scaffolder.backstage.io/v1beta3") && template.contains("colour"), "{template}");
    let port: Value = serde_json::from_str(&text(&portal, PORT).await).unwrap();
    assert!(port["actions"].as_array().is_some_and(|actions| !actions.is_empty()));

    // What is there already is not sent again, and what has changed is.
    let tag = |response: &Response<Vec<u8>>| response.headers()["etag"].to_str().unwrap().to_owned();
    let first = tag(&portal.answer(&request(PORT)).await);
    let again = Request::get(PORT).header("authorization", format!("Bearer {TOKEN}")).header("if-none-match", &first);
    let response = portal.answer(&again.body(()).unwrap()).await;
    assert_eq!((response.status().as_u16(), response.body().len()), (304, 0));
    shop.delete("root:a", "mine").await;
    assert_ne!(tag(&portal.answer(&request(PORT)).await), first);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_told_without_the_token_or_beside_what_the_viewer_may_see() {
    let shop = Shop::open().await;
    shop.order("root:a", "mine", json!({}), json!({})).await;
    let portal = portal(&shop, user("nobody")).await;
    let with = |token: Option<&str>, method: Method, path: &str| {
        let request = Request::builder().method(method).uri(path);
        let request = match token {
            Some(token) => request.header("authorization", token),
            None => request,
        };
        request.body(()).unwrap()
    };
    for token in [None, Some("Bearer "), Some("Bearer wrong"), Some(TOKEN), Some("Basic YTpi")] {
        for path in [BACKSTAGE, PORT, "/nothing"] {
            let response = portal.answer(&with(token, Method::GET, path)).await;
            assert_eq!(response.status(), 401, "{token:?} {path}");
            assert!(!String::from_utf8_lossy(response.body()).contains("widgets"));
        }
    }
    let token = format!("Bearer {TOKEN}");
    assert_eq!(portal.answer(&with(Some(&token), Method::POST, PORT)).await.status(), 405);
    for path in ["/", "/templates/../port.json", "/templates/x.yaml"] {
        assert_eq!(portal.answer(&with(Some(&token), Method::GET, path)).await.status(), 404, "{path}");
    }
    let head = portal.answer(&with(Some(&token), Method::HEAD, PORT)).await;
    assert_eq!((head.status().as_u16(), head.body().len()), (200, 0));
    // The viewer sees no tile, so no service and no kind is shown.
    let yaml = text(&portal, BACKSTAGE).await;
    assert!(!yaml.contains("kind: \"API\"") && !yaml.contains("kind: API"), "{yaml}");
}
