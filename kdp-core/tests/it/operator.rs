//! The operator provider, against an API server with an operator at work.

mod attacks;
mod cluster;
mod faults;
mod lives;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, atomic::Ordering},
};

use kdp_core::{
    Error, Provider,
    provider::{
        Observation, Order, OrderId, Phase, Run, Teardown,
        conformance::{self, Fixture, Orders},
        operator::{Locator, ObjectTemplate, Offering, OperatorProvider, OutputRule, OutputsFrom, Placement, Source},
    },
};
use serde_json::{Value, json};

use self::cluster::{Cluster, Switches};
use crate::site::within;

const SECRET: &str = "tr0ub4dor-and-3";

/// One object whose spec is what was ordered.
pub(crate) fn single(namespace: &str) -> Offering {
    let bucket = ObjectTemplate::of_spec("main", "example.com/v1", "Bucket").with_sensitive("spec.password");
    with_outputs(Offering::new(Placement::Namespace(namespace.into())).with_object(bucket))
}

/// A bucket, a Secret and, for who orders it, a cache.
fn several(namespace: &str) -> Offering {
    let bucket = ObjectTemplate::new("main", "example.com/v1", "Bucket").with_body(
        json!({"spec": {"size": "${order.spec.size}", "note": "for ${order.id.name} by ${objects.input.name}"}}),
    );
    let input = ObjectTemplate::new("input", "v1", "Secret")
        .with_body(json!({"stringData": {"key": "${order.spec.password}"}}));
    let cache = ObjectTemplate::new("cache", "example.com/v1", "Cache")
        .when("has(order.spec.cache) && order.spec.cache")
        .with_body(json!({"spec": {"size": "${order.spec.size}"}}));
    let offering = Offering::new(Placement::Namespace(namespace.into()));
    with_outputs(offering.with_object(input).with_object(bucket).with_object(cache))
}

fn with_outputs(offering: Offering) -> Offering {
    let credentials =
        OutputsFrom::new(Source::Secret(Locator::Name("objects.main.metadata.name + '-credentials'".into())))
            .with("password", OutputRule::key("password"))
            .with("username", OutputRule::key("username"));
    let host = OutputsFrom::new(Source::Object("main".into())).with("host", OutputRule::value("object.status.host"));
    offering
        .with_outputs(credentials)
        .with_outputs(host)
        .with_endpoint("main", "'https://' + objects.main.status.host")
        .with_imports()
}

/// Providers of an offering, each with a namespace of its own in one cluster.
struct Places {
    cluster: Cluster,
    offering: fn(&str) -> Offering,
    orders: Orders,
    switches: Mutex<HashMap<String, Arc<Switches>>>,
}

impl Places {
    async fn new(offering: fn(&str) -> Offering, orders: Orders) -> Self {
        let cluster = Cluster::new().await;
        cluster.add_namespace("home").await;
        Self { cluster, offering, orders, switches: Mutex::default() }
    }

    fn switches(&self, name: &str) -> Arc<Switches> {
        self.switches.lock().unwrap().entry(name.into()).or_default().clone()
    }

    /// The name of a provider is that of its namespace.
    fn provider(&self, name: &str) -> OperatorProvider {
        self.cluster.provider(name, &self.switches(name), &(self.offering)(name))
    }
}

impl Fixture for Places {
    type Provider = OperatorProvider;

    fn orders(&self) -> Orders {
        self.orders.clone()
    }

    async fn open(&self) -> Result<OperatorProvider, Error> {
        let name = format!("place-{:x}", rand::random::<u64>());
        self.cluster.add_namespace(&name).await;
        Ok(self.provider(&name))
    }

    async fn reopen(&self, provider: &OperatorProvider) -> Result<OperatorProvider, Error> {
        Ok(self.provider(provider.name()))
    }

    async fn cut_off(&self, provider: &OperatorProvider) {
        self.switches(provider.name()).cut_off.store(true, Ordering::SeqCst);
    }

    async fn reconnect(&self, provider: &OperatorProvider) {
        self.switches(provider.name()).cut_off.store(false, Ordering::SeqCst);
    }

    async fn existing(&self, provider: &OperatorProvider) -> Option<String> {
        let bucket = json!({"apiVersion": "example.com/v1", "kind": "Bucket", "metadata": {"name": "legacy"}, "spec": {"size": 1}});
        self.cluster.make("Bucket", provider.name(), bucket).await;
        let has_one = (self.offering)(provider.name()).objects.len() == 1;
        // What an operator makes for an imported object belongs to it by its owner.
        Some(if has_one { "legacy".into() } else { "main/legacy".into() })
    }

    async fn count(&self, provider: &OperatorProvider) -> Option<usize> {
        Some(self.cluster.all("Bucket", provider.name()).await.len())
    }
}

fn orders() -> Orders {
    let spec = |size: i64| json!({"size": size, "password": SECRET});
    Orders::new(spec(1), spec(2), spec(0), "size").with_sensitive_output("password").with_secret_input(SECRET)
}

#[tokio::test(flavor = "multi_thread")]
async fn one_object_as_ordered_conforms() {
    let places = Places::new(single, orders()).await;
    assert_eq!(conformance::run(&places).await, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn several_objects_conform() {
    let larger = json!({"size": 1, "password": SECRET, "cache": true});
    let places = Places::new(several, orders().with_larger(larger)).await;
    assert_eq!(conformance::run(&places).await, []);
}

/// One provider with an order, driven as a runner drives it.
pub(crate) struct Desk {
    pub(crate) cluster: Cluster,
    pub(crate) switches: Arc<Switches>,
    pub(crate) provider: OperatorProvider,
    pub(crate) sealed: Option<Teardown>,
    pub(crate) id: OrderId,
}

impl Desk {
    pub(crate) async fn new(offering: Offering) -> Self {
        let cluster = Cluster::new().await;
        for namespace in ["home", "things"] {
            cluster.add_namespace(namespace).await;
        }
        let switches = Arc::<Switches>::default();
        let provider = cluster.provider("buckets", &switches, &offering);
        Self { cluster, switches, provider, sealed: None, id: order_id() }
    }

    pub(crate) fn order(&self, spec: Value) -> Order {
        Order::new(self.id.clone(), 1, spec).with_sealed(self.sealed.clone())
    }

    /// Plans, seals and applies once.
    pub(crate) async fn apply(&mut self, spec: Value, run: &Run) -> Result<Observation, Error> {
        let plan = self.provider.plan(&self.order(spec.clone()), run).await?;
        self.sealed = Some(plan.teardown.clone().on_top_of(self.sealed.as_ref()));
        self.provider.apply(&self.order(spec), &plan.hash(), run).await
    }

    pub(crate) async fn observe(&self) -> Observation {
        self.provider.observe(&self.id, self.sealed.as_ref()).await.unwrap()
    }

    /// Applies, and waits until it is in this phase.
    pub(crate) async fn reach(&mut self, spec: Value, run: &Run, phase: Phase) -> Observation {
        within(async {
            loop {
                match self.apply(spec.clone(), run).await {
                    Ok(seen) if seen.phase == phase => return seen,
                    Err(error) if error.retry() == kdp_core::Retry::Never => panic!("{error}"),
                    _ => tokio::time::sleep(std::time::Duration::from_millis(5)).await,
                }
            }
        })
        .await
    }

    pub(crate) async fn remove(&self, run: &Run) -> Observation {
        let sealed = self.sealed.clone().unwrap();
        within(async {
            loop {
                let seen = self.provider.delete(&sealed, run).await.unwrap();
                if seen.phase == Phase::Gone {
                    return seen;
                }
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
        })
        .await
    }
}

pub(crate) fn order_id() -> OrderId {
    OrderId::new(format!("{:032x}", rand::random::<u128>()), "team", "order")
}
