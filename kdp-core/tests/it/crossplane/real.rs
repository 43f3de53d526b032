//! The life of an order with the real Crossplane.

use std::time::{Duration, Instant};

use kdp_core::{
    Provider,
    provider::{
        Lease, Order, OrderId, Phase, Run,
        crossplane::{CrossplaneOptions, CrossplaneProvider, Namespaces, discover},
    },
};
use kube::{
    Client, Config,
    config::{KubeConfigOptions, Kubeconfig},
};
use serde_json::{Value, json};

const DEADLINE: Duration = Duration::from_secs(300);

/// The kubeconfig of a cluster with Crossplane.
const KUBECONFIG: &str = "KDP_TEST_CROSSPLANE";
/// Kind of the composite resource to order; the first one that is offered without it.
const KIND: &str = "KDP_TEST_CROSSPLANE_KIND";
/// Its parameters, as JSON; none without it.
const SPEC: &str = "KDP_TEST_CROSSPLANE_SPEC";
/// Makes the test fail where it would be skipped.
const REQUIRE: &str = "KDP_REQUIRE_CROSSPLANE";

#[tokio::test]
async fn an_order_lives_with_the_real_crossplane() {
    let Ok(path) = std::env::var(KUBECONFIG) else {
        assert!(std::env::var(REQUIRE).is_err(), "{REQUIRE} is set, and {KUBECONFIG} names no kubeconfig");
        eprintln!("SKIPPED: {KUBECONFIG} names no kubeconfig of a cluster with Crossplane");
        return;
    };
    let kubeconfig = Kubeconfig::read_from(path).unwrap();
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.unwrap();
    let client = Client::try_from(config).unwrap();
    let wanted = std::env::var(KIND).ok();
    let offerings = discover(&client).await.unwrap();
    let is_wanted = |kind: &str| wanted.as_deref().is_none_or(|wanted| wanted == kind);
    let offering = offerings.iter().find(|offering| is_wanted(&offering.kind)).expect("it is offered");
    let spec: Value = std::env::var(SPEC).map_or_else(|_| json!({}), |spec| serde_json::from_str(&spec).unwrap());

    let target = offering.claim_target().unwrap_or_else(|| offering.target());
    let name = format!("test-{:08x}", rand::random::<u32>());
    let options = CrossplaneOptions::new(target, Namespaces::Fixed("default".into())).with_name(name);
    let provider = CrossplaneProvider::new(client, "default", options);
    let id = OrderId::new(format!("{:032x}", rand::random::<u128>()), "default", "real");
    let (mut order, run, started) = (Order::new(id.clone(), 1, spec), Run::new(Lease(1)), Instant::now());
    loop {
        let plan = provider.plan(&order, &run).await.unwrap();
        order.sealed = Some(plan.teardown.clone().on_top_of(order.sealed.as_ref()));
        let seen = provider.apply(&order, &plan.hash(), &run).await;
        if seen.as_ref().is_ok_and(|seen| seen.phase == Phase::Ready) {
            break;
        }
        assert!(started.elapsed() < DEADLINE, "it does not become ready: {seen:?}");
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    let ready = provider.observe(&id, order.sealed.as_ref()).await.unwrap();
    let sealed = order.sealed.unwrap().settled(&ready.teardown.expect("what is ready can be removed"));
    loop {
        let seen = provider.delete(&sealed, &run).await.unwrap();
        if seen.phase == Phase::Gone {
            break;
        }
        assert!(started.elapsed() < DEADLINE * 2, "it is not gone: {seen:?}");
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}
