//! Orders that are made as the catalog says.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use kdp_catalog::{
    Environment, GroupKind, Offering, Placement, Release,
    provision::{Around, CatalogProvider, ProviderMap, RELEASE_CURRENT, Surroundings},
    resolution::{ENVIRONMENT, OFFERING, Shelf, Stock},
};
use kdp_core::{
    Error,
    api::tenancy::Workspace,
    condition::{Condition, find_condition},
    provider::OrderId,
    testing::provider::{self as conformance, Fixture, Orders},
};
use kube::{
    Api,
    api::{DeleteParams, Patch, PatchParams},
};
use serde_json::json;

use crate::{
    shop::{GROUP, Shop, made, of, offering, widgets},
    support::{PROVIDER, eventually},
    things::Things,
};

/// The catalog over things in memory, as any provider.
#[derive(Default)]
struct OverThings(Mutex<Things>);

#[derive(Debug)]
struct Nowhere;

#[async_trait]
impl Surroundings for Nowhere {
    async fn around(&self, _: &OrderId) -> Result<Around, Error> {
        Ok(Around::default())
    }
}

impl OverThings {
    fn provider(&self) -> CatalogProvider {
        let things = self.0.lock().unwrap().clone();
        let providers = ProviderMap::new().with_cluster("standard", "one", things.clone()).with("other", things);
        let catalog = CatalogProvider::new(GroupKind::new(GROUP, "Widget"), providers, Nowhere);
        let clusters = Placement::new("clusters", of(json!({"clusters": [{"name": "one"}]})));
        let standard = offering("standard", json!({"placement": "clusters", "parameters": {"colour": "red"}}));
        let (shelf, faults) =
            Shelf::stock(Stock { offerings: vec![standard], placements: vec![clusters], ..Stock::default() });
        assert_eq!(faults, []);
        catalog.restock(Arc::new(shelf));
        catalog
    }
}

impl Fixture for OverThings {
    type Provider = CatalogProvider;

    fn orders(&self) -> Orders {
        Orders::new(json!({"size": 1}), json!({"size": 2}), json!({"size": 0}), "size")
            .with_sensitive_output("password")
    }

    async fn open(&self) -> Result<CatalogProvider, Error> {
        *self.0.lock().unwrap() = Things::default();
        Ok(self.provider())
    }

    async fn reopen(&self, _: &CatalogProvider) -> Result<CatalogProvider, Error> {
        Ok(self.provider())
    }

    async fn cut_off(&self, _: &CatalogProvider) {
        self.0.lock().unwrap().world().cut_off = true;
    }

    async fn reconnect(&self, _: &CatalogProvider) {
        self.0.lock().unwrap().world().cut_off = false;
    }

    async fn count(&self, _: &CatalogProvider) -> Option<usize> {
        Some(self.0.lock().unwrap().world().things.len())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_catalog_keeps_the_promises_of_every_provider() {
    assert_eq!(conformance::run(&OverThings::default()).await, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_tenant_gets_what_is_offered_to_it_with_the_values_of_its_environment() {
    let shop = Shop::open().await;
    let labels = Patch::Merge(json!({"metadata": {"labels": {"tier": "gold"}}}));
    let workspaces: Api<Workspace> = Api::all(shop.site.system("root"));
    workspaces.patch("b", &PatchParams::default(), &labels).await.unwrap();
    let limits = json!({"properties": {"size": {"maximum": 5}}});
    shop.offer(offering("standard", json!({"parameters": {"size": 1, "colour": "red"}, "limits": limits}))).await;
    let for_gold = json!({"workspaces": {"matchLabels": {"tier": "gold"}}});
    shop.offer(offering("secret-gold", json!({"provider": {"name": "gold"}, "criteria": for_gold}))).await;
    let live = json!({"parameters": [{"kind": {"group": GROUP, "kind": "Widget"}, "values": {"size": 4}}]});
    shop.create("root:a", &Environment::new("live", of(live))).await;

    let plain = shop.order("root:a", "plain", json!({}), json!({})).await;
    let in_live = shop.order("root:a", "in-live", json!({}), json!({ENVIRONMENT: "live"})).await;
    let rich = shop.order("root:b", "rich", json!({"size": 100}), json!({})).await;
    for (path, name) in [("root:a", "plain"), ("root:a", "in-live"), ("root:b", "rich")] {
        shop.phase(path, name, "Ready").await;
    }
    let standard = made(&shop.standard);
    assert_eq!(standard.get(&plain), Some(&json!({"size": 1, "colour": "red"})));
    assert_eq!(standard.get(&in_live), Some(&json!({"size": 4, "colour": "red"})));
    assert_eq!(made(&shop.gold).get(&rich), Some(&json!({"size": 100, "colour": "grey"})));

    // What is not offered to a tenant is not there for it, by any name.
    shop.order("root:a", "greedy", json!({}), json!({OFFERING: "secret-gold"})).await;
    shop.order("root:a", "typo", json!({}), json!({OFFERING: "secret-golf"})).await;
    let message = shop.phase("root:a", "greedy", "Failing").await;
    let typo = shop.phase("root:a", "typo", "Failing").await;
    assert_eq!(
        message.replace("secret-gold", "X").replace("greedy", "Y"),
        typo.replace("secret-golf", "X").replace("typo", "Y")
    );
    // A tenant may label what it owns as it likes.
    let own = Patch::Merge(json!({"metadata": {"labels": {"tier": "gold"}}}));
    widgets(shop.site.system("root:a")).patch("greedy", &PatchParams::default(), &own).await.unwrap();
    shop.order("root:a", "large", json!({"size": 6}), json!({})).await;
    let message = shop.phase("root:a", "large", "Blocked").await;
    assert!(message.contains("/size") && message.contains('5'), "{message}");
    shop.order("root:a", "lost", json!({}), json!({ENVIRONMENT: "nowhere"})).await;
    let message = shop.phase("root:a", "lost", "Blocked").await;
    assert!(message.contains("no environment nowhere"), "{message}");
    // A name leads nowhere else, not even to what is beside it.
    for (order, name) in [("sideways", "live/status"), ("upwards", "../environments/live"), ("queried", "live?a=b")] {
        shop.order("root:a", order, json!({}), json!({ENVIRONMENT: name})).await;
        let message = shop.phase("root:a", order, "Blocked").await;
        assert!(message.contains("no environment"), "{message}");
    }
    assert_eq!(made(&shop.gold).len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_longer_offered_can_still_be_removed_and_nothing_else() {
    let shop = Shop::open().await;
    shop.offer(offering("standard", json!({"parameters": {"size": 1}}))).await;
    shop.order("root:a", "one", json!({}), json!({})).await;
    shop.phase("root:a", "one", "Ready").await;
    let offerings: Api<Offering> = Api::all(shop.site.system(PROVIDER));
    offerings.delete("standard", &DeleteParams::default()).await.unwrap();
    shop.offer(offering("other", json!({"provider": {"name": "gold"}, "parameters": {"size": 9}}))).await;
    shop.order("root:a", "two", json!({}), json!({})).await;
    shop.phase("root:a", "two", "Ready").await;
    assert_eq!((made(&shop.standard).len(), made(&shop.gold).len()), (1, 1));
    shop.delete("root:a", "one").await;
    assert_eq!((made(&shop.standard).len(), made(&shop.gold).len()), (0, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_uses_a_deprecated_release_is_told() {
    let shop = Shop::open().await;
    let spec = json!({"offering": "standard", "version": "1.0.0"});
    shop.create(PROVIDER, &Release::new("first", of(spec))).await;
    shop.offer(offering("standard", json!({"parameters": {"size": 1}}))).await;
    shop.order("root:a", "one", json!({}), json!({})).await;
    shop.phase("root:a", "one", "Ready").await;
    let deprecation = json!({"since": "2026-01-01T00:00:00Z", "replacement": "2.0.0"});
    let patch = Patch::Merge(json!({"spec": {"deprecation": deprecation}}));
    let releases: Api<Release> = Api::all(shop.site.system(PROVIDER));
    releases.patch("first", &PatchParams::default(), &patch).await.unwrap();
    let orders = widgets(shop.site.system("root:a"));
    let told = async || {
        let conditions = orders.get("one").await.unwrap().data["status"]["conditions"].clone();
        let conditions: Vec<Condition> = serde_json::from_value(conditions).unwrap();
        find_condition(&conditions, RELEASE_CURRENT).map(|condition| condition.message.clone())
    };
    eventually(async || told().await.is_some_and(|message| message.contains("use 2.0.0"))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_faulty_offering_says_so_and_harms_no_other() {
    let shop = Shop::open().await;
    shop.offer(offering("standard", json!({"parameters": {"size": 1}}))).await;
    shop.create(PROVIDER, &offering("broken", json!({"priority": 9, "placement": "nowhere"}))).await;
    let message = shop.is_accepted("broken", "False").await;
    assert!(message.contains("spec.placement") && message.contains("nowhere"), "{message}");
    shop.order("root:a", "one", json!({}), json!({})).await;
    shop.phase("root:a", "one", "Ready").await;
    // It is mended by what it lacked.
    shop.create(PROVIDER, &Placement::new("nowhere", of(json!({"clusters": [{"name": "one"}]})))).await;
    shop.is_accepted("broken", "True").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn orders_are_spread_over_clusters_wait_for_room_and_stay_over_restarts() {
    let mut shop = Shop::open().await;
    let clusters = ["one", "two"].map(|name| json!({"name": name, "capacity": {"orders": 1}}));
    shop.create(PROVIDER, &Placement::new("clusters", of(json!({"clusters": clusters})))).await;
    shop.offer(offering("standard", json!({"placement": "clusters", "parameters": {"size": 1}}))).await;
    for (path, name) in [("root:a", "first"), ("root:b", "second")] {
        shop.order(path, name, json!({}), json!({})).await;
        shop.phase(path, name, "Ready").await;
    }
    let third = shop.order("root:a", "third", json!({}), json!({})).await;
    let message = shop.phase("root:a", "third", "Failing").await;
    assert!(message.contains("no service cluster can take it"), "{message}");
    assert!(!message.contains("one") && !message.contains("root:b"), "{message}");

    shop.restart().await;
    // A change shows that the order is looked at.
    let change = Patch::Merge(json!({"spec": {"size": 2}}));
    widgets(shop.site.system("root:a")).patch("first", &PatchParams::default(), &change).await.unwrap();
    eventually(async || made(&shop.standard).values().any(|thing| thing["size"] == 2)).await;
    assert_eq!(made(&shop.standard).len(), 2);

    shop.delete("root:b", "second").await;
    eventually(async || made(&shop.standard).contains_key(&third)).await;
    shop.phase("root:a", "third", "Ready").await;
    let names: BTreeSet<_> = made(&shop.standard).into_keys().collect();
    assert_eq!(names.len(), 2);
    drop(shop.catalog);
}
