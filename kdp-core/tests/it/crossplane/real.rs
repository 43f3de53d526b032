//! The life of an order with the real Crossplane, on whatever cluster it runs.
//!
//! `docs/crossplane.md` is about what the cluster has to have; what is ordered becomes ready by itself.
#![expect(clippy::print_stderr, reason = "a test that is skipped says so")]

use std::time::Duration;

use kdp_core::provider::{
    Phase,
    conformance::{self, Orders},
    crossplane::{CrossplaneOptions, GarbageCollection, Namespaces, discover},
};
use kube::{
    Client, Config,
    config::{KubeConfigOptions, Kubeconfig},
};
use serde_json::{Value, json};

use super::place::{Journey, Places};

/// The kubeconfig of a cluster with Crossplane.
const KUBECONFIG: &str = "KDP_TEST_CROSSPLANE";
/// Kind of the composite resource to order; the first one that is offered without it.
const KIND: &str = "KDP_TEST_CROSSPLANE_KIND";
/// Its parameters, as JSON; none without it.
const SPEC: &str = "KDP_TEST_CROSSPLANE_SPEC";
/// `size` where the parameters of the kind are a number of that name, of at least 1.
const SIZED: &str = "KDP_TEST_CROSSPLANE_SIZED";
/// Set where the cluster has no garbage collector.
const BARE: &str = "KDP_TEST_CROSSPLANE_BARE";
/// Makes the test fail where it would be skipped.
const REQUIRE: &str = "KDP_REQUIRE_CROSSPLANE";
/// The real Crossplane and the garbage collector take their time.
const PATIENCE: Duration = Duration::from_secs(300);

/// The place that is configured; says so when there is none.
async fn configured() -> Option<(Client, impl Fn(&str) -> CrossplaneOptions + Send + Sync + 'static)> {
    let Ok(path) = std::env::var(KUBECONFIG) else {
        assert!(std::env::var(REQUIRE).is_err(), "{REQUIRE} is set, and {KUBECONFIG} names no kubeconfig");
        eprintln!("SKIPPED: {KUBECONFIG} names no kubeconfig of a cluster with Crossplane");
        return None;
    };
    let kubeconfig = Kubeconfig::read_from(path).unwrap();
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.unwrap();
    let client = Client::try_from(config).unwrap();
    let wanted = std::env::var(KIND).ok();
    let offerings = discover(&client).await.unwrap();
    let is_wanted = |kind: &str| wanted.as_deref().is_none_or(|wanted| wanted == kind);
    let offering = offerings.into_iter().find(|offering| is_wanted(&offering.kind)).expect("it is offered");
    let is_bare = std::env::var(BARE).is_ok();
    let collection = if is_bare { GarbageCollection::ByProvider } else { GarbageCollection::ByCluster };
    let options = move |namespace: &str| {
        let target = offering.claim_target().unwrap_or_else(|| offering.target());
        CrossplaneOptions::new(target, Namespaces::Fixed(namespace.into())).with_garbage_collection(collection)
    };
    Some((client, options))
}

#[tokio::test]
async fn an_order_lives_with_the_real_crossplane() {
    let Some((client, options)) = configured().await else { return };
    let spec: Value = std::env::var(SPEC).map_or_else(|_| json!({}), |spec| serde_json::from_str(&spec).unwrap());
    let name = format!("test-{:08x}", rand::random::<u32>());
    let mut journey = Journey::new(client, options("default").with_name(name));
    journey.patience = PATIENCE;
    journey.reach(spec.clone(), Phase::Ready).await;
    let seen = journey.observe().await;
    assert!(seen.conditions.iter().any(|condition| condition.type_ == "Synced" && condition.is_true()), "{seen:?}");

    // Whether it says that it did depends on the schema of the definition.
    let asked = journey.provider.reconcile_now(&journey.id, journey.sealed.as_ref(), "now", &journey.run);
    asked.await.unwrap();
    journey.provider.pause(&journey.id, journey.sealed.as_ref(), &journey.run).await.unwrap();
    journey.see(Phase::Paused, "").await;
    journey.provider.resume(&journey.id, journey.sealed.as_ref(), &journey.run).await.unwrap();
    journey.see(Phase::Ready, "").await;

    journey.delete_until(Phase::Gone, "").await;
    assert_eq!(journey.observe().await.phase, Phase::Gone);
}

#[tokio::test]
async fn the_real_crossplane_provides_as_any_provider_must() {
    let Some((client, options)) = configured().await else { return };
    let Ok(sized) = std::env::var(SIZED) else {
        eprintln!("SKIPPED: {SIZED} does not say that the kind is a number `size` of at least 1");
        return;
    };
    let order = |size: i64| json!({"size": size});
    let orders = Orders::new(order(1), order(2), order(0), sized);
    assert_eq!(conformance::run(&Places::on(client, orders, options)).await, []);
}
