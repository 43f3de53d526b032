//! Upgrades of all orders of a service, in waves.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use futures::future::join_all;
use kdp_catalog::{
    DECIDE, Release, UpgradeController,
    lifecycle::waves::{InstanceState, RunPhase, UpgradePlan, UpgradeRun},
    resolution::RELEASE,
};
use kdp_core::{Endpoint, Platform, RunningPlatform, SharedControlPlane};
use kube::{
    Api,
    api::{Patch, PatchParams},
};
use serde_json::json;

use crate::{
    shop::{GROUP, Shop, kind, made, of, offering, widgets},
    support::{PROVIDER, eventually},
    things::REFUSES,
};

/// Orders; `KDP_FLEET` sets another number.
fn size() -> usize {
    std::env::var("KDP_FLEET").ok().and_then(|number| number.parse().ok()).unwrap_or(100)
}

fn release(version: &str) -> Release {
    let spec = json!({"offering": "standard", "version": version, "parameters": {"image": version}});
    Release::new(&format!("standard-{version}"), of(spec))
}

/// Orders of two tenants at release 1, every twentieth of which cannot be made at release 2.
struct Fleet {
    shop: Shop,
    /// Path, name and UID.
    orders: Vec<(&'static str, String, String)>,
    fragile: BTreeSet<String>,
    upgrades: RunningPlatform,
}

impl Fleet {
    async fn of(number: usize) -> Self {
        let shop = Shop::open().await;
        shop.create(PROVIDER, &release("1.0.0")).await;
        shop.offer(offering("standard", json!({"parameters": {"size": 1}}))).await;
        let order = async |i: usize| {
            let path = ["root:a", "root:b"][i % 2];
            let name = format!("order-{i}");
            let colour = if i % 20 == 7 { "fragile" } else { "sound" };
            let uid = shop.order(path, &name, json!({"colour": colour}), json!({})).await;
            (path, name, uid)
        };
        let mut orders = Vec::new();
        for chunk in (0..number).collect::<Vec<_>>().chunks(50) {
            orders.extend(join_all(chunk.iter().map(|i| order(*i))).await);
        }
        let fragile = orders.iter().skip(7).step_by(20).map(|(_, _, uid)| uid.clone()).collect();
        let upgrades = upgrade(&shop).await;
        let fleet = Self { shop, orders, fragile, upgrades };
        fleet.are_at("1.0.0", |_| true).await;
        fleet.shop.create(PROVIDER, &release("2.0.0")).await;
        fleet.shop.standard.world().refuses = Some((REFUSES, "fragile", "2.0.0"));
        fleet
    }

    /// Ends the controller and begins another one.
    async fn restart(&mut self) {
        let upgrades = upgrade(&self.shop).await;
        drop(std::mem::replace(&mut self.upgrades, upgrades));
    }

    fn plans(&self) -> Api<UpgradePlan> {
        Api::namespaced(self.shop.site.system(PROVIDER), "default")
    }

    async fn plan(&self) {
        let plan = json!({
            "metadata": {"name": "to-2"},
            "spec": {
                "service": GROUP, "from": {"range": "^1"}, "to": "2.0.0", "maxConcurrent": "20%", "maxFailures": 2,
                "groups": [{"name": "canary", "percent": 2}, {"name": "rest"}],
            },
        });
        let plan: UpgradePlan = of(plan);
        self.plans().create(&kube::api::PostParams::default(), &plan).await.unwrap();
    }

    async fn decide(&self, decision: &str) {
        let patch = Patch::Merge(json!({"metadata": {"annotations": {DECIDE: decision}}}));
        self.plans().patch("to-2", &PatchParams::default(), &patch).await.unwrap();
    }

    async fn run(&self) -> Option<UpgradeRun> {
        self.plans().get("to-2").await.unwrap().status
    }

    async fn is_in(&self, phase: RunPhase) -> UpgradeRun {
        eventually(async || self.run().await.is_some_and(|run| run.phase == phase)).await;
        self.run().await.unwrap()
    }

    /// Waits until these orders are ready at a release, and were made as that says.
    async fn are_at(&self, version: &str, which: impl Fn(&str) -> bool) {
        for (path, name, uid) in self.orders.iter().filter(|(_, _, uid)| which(uid)) {
            let api = widgets(self.shop.site.system(path));
            eventually(async || {
                let status = api.get(name).await.unwrap().data["status"].clone();
                status["phase"] == "Ready" && status["release"] == version
            })
            .await;
            assert_eq!(made(&self.shop.standard)[uid]["image"], version);
        }
    }

    fn images(&self) -> BTreeMap<String, usize> {
        let mut images = BTreeMap::new();
        for thing in made(&self.shop.standard).values() {
            *images.entry(thing["image"].as_str().unwrap().to_owned()).or_default() += 1;
        }
        images
    }
}

async fn upgrade(shop: &Shop) -> RunningPlatform {
    let control_plane: SharedControlPlane = Arc::new(shop.site.control_plane.clone());
    let export = shop.site.entry().await.export;
    let endpoint = Endpoint::ApiExport { cluster: export.cluster, export: export.name, consumer: None };
    let controller = UpgradeController::new(GROUP, PROVIDER.parse().unwrap(), kind(), endpoint);
    Platform::builder(control_plane).component(controller).start().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fleet_halts_is_told_why_goes_on_and_is_brought_back_exactly() {
    let mut fleet = Fleet::of(size()).await;
    fleet.plan().await;
    let halted = fleet.is_in(RunPhase::Halted).await;
    let report = halted.report.clone().unwrap();
    let failed: BTreeSet<_> = report.failures.iter().map(|failure| failure.id.clone()).collect();
    assert!(failed.len() > 2 && failed.is_subset(&fleet.fragile), "{report:?}");
    assert!(report.failures.iter().all(|failure| failure.why.contains("fragile")), "{report:?}");
    fleet.restart().await;
    // What nobody has told to go is where it was.
    assert_eq!(fleet.is_in(RunPhase::Halted).await.report.map(|report| report.reason), Some(report.reason));

    // Whoever resumes accepts the failures so far; the others bring it to a halt again.
    let mut halts = 1;
    loop {
        fleet.decide("resume").await;
        let settled = async || {
            let plan = fleet.plans().get("to-2").await.unwrap();
            let is_noted = !plan.metadata.annotations.unwrap_or_default().contains_key(DECIDE);
            is_noted.then_some(plan.status.unwrap()).filter(|run| run.phase != RunPhase::Running)
        };
        eventually(async || settled().await.is_some()).await;
        match settled().await.unwrap().phase {
            RunPhase::Halted => halts += 1,
            phase => break assert_eq!(phase, RunPhase::Completed),
        }
        assert!(halts < 60);
    }
    let run = fleet.run().await.unwrap();
    let in_state = |state| run.instances.values().filter(|instance| instance.state == state).count();
    assert_eq!(in_state(InstanceState::Failed), fleet.fragile.len());
    assert_eq!(in_state(InstanceState::Upgraded), fleet.orders.len() - fleet.fragile.len());
    fleet.are_at("2.0.0", |uid| !fleet.fragile.contains(uid)).await;

    fleet.decide("rollback-failed").await;
    fleet.is_in(RunPhase::Halted).await;
    fleet.are_at("1.0.0", |uid| fleet.fragile.contains(uid)).await;
    let (old, new) = (fleet.fragile.len(), fleet.orders.len() - fleet.fragile.len());
    assert_eq!(fleet.images(), BTreeMap::from([("1.0.0".to_owned(), old), ("2.0.0".to_owned(), new)]));

    fleet.decide("rollback").await;
    fleet.is_in(RunPhase::RolledBack).await;
    fleet.are_at("1.0.0", |_| true).await;
    assert_eq!(fleet.images(), BTreeMap::from([("1.0.0".to_owned(), fleet.orders.len())]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_that_is_wrong_changes_nothing_and_a_tenant_who_interferes_is_left_alone() {
    let fleet = Fleet::of(10).await;
    fleet.shop.standard.world().refuses = None;
    let wrong: UpgradePlan = of(json!({
        "metadata": {"name": "wrong"}, "spec": {"service": GROUP, "from": {"range": "what"}, "to": "2.0.0"},
    }));
    fleet.plans().create(&kube::api::PostParams::default(), &wrong).await.unwrap();
    // A tenant that leads its own order to a release that is not there harms itself alone.
    let (path, name, uid) = fleet.orders[3].clone();
    let own = Patch::Merge(json!({"metadata": {"annotations": {RELEASE: "9.9.9"}}}));
    widgets(fleet.shop.site.system(path)).patch(&name, &PatchParams::default(), &own).await.unwrap();
    let message = fleet.shop.phase(path, &name, "Failing").await;
    assert!(message.contains("9.9.9"), "{message}");
    fleet.plan().await;
    fleet.is_in(RunPhase::Completed).await;
    fleet.are_at("2.0.0", |other| other != uid).await;
    assert_eq!(made(&fleet.shop.standard)[&uid]["image"], "1.0.0");
    drop(fleet.upgrades);
}
