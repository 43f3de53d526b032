use std::convert::Infallible;

use http::{Request, Response};
use kdp_core::Identity;
use kube::{Client, client::Body};
use serde_json::{Value, json};
use tokio::{sync::watch, time::Instant};

use super::{merge::tests::Nowhere, *};
use crate::{
    AgentStatus, Health, Metrics,
    api::Scope as ApiScope,
    engine::{Kinds, Part, PlanOptions, Problem, Query},
    lease::{Renewal, Tenure},
    publish::Projection,
    telemetry::Telemetry,
};

/// A sync that nothing is ever told.
fn silent(ownership: Ownership) -> Shared {
    let spec = json!({"resource": {"apiGroup": "", "kind": "Thing"}});
    let types = ResourceType::core("Thing", "things");
    let projection = Projection {
        spec: Value::Null,
        generation: 0,
        local: types.clone(),
        local_scope: ApiScope::Namespaced,
        remote: types,
        remote_scope: ApiScope::Namespaced,
        has_status: true,
    };
    let options = PlanOptions { agent: "a".into(), state_namespace: "a".into() };
    let spec = serde_json::from_value(spec).unwrap();
    let plan = Plan::compile(&spec, &projection, &Kinds::new(), &options).unwrap();
    let never = tower::service_fn(|_: Request<Body>| std::future::pending::<Result<Response<Body>, Infallible>>());
    let service = Client::new(never, "default");
    let endpoints = Endpoints::new(Arc::new(Nowhere), Identity::system_masters());
    let health = Health::new(watch::channel(AgentStatus::default()).1);
    let caches = Caches::new(service.clone(), endpoints.clone(), Telemetry { metrics: Metrics::new(), health });
    Shared {
        name: "things".into(),
        known: Known::new(&plan, &caches),
        plan,
        dependents: Dependents::default(),
        failures: Failures::default(),
        imports: Imports::default(),
        without_status: WithoutStatus::default(),
        waits: Waits::new(),
        queue: Queue::new(1),
        news: News::default(),
        remote: Remote::new(service, endpoints),
        ownership,
        metrics: Metrics::new().resource("things"),
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_remembered_of_orders_goes_with_their_shard() {
    let (renewal, now) = (Renewal::new(), Instant::now());
    renewal.until(now + Duration::from_secs(10), now + Duration::from_secs(12));
    let shared = silent(Ownership::new([Tenure::forever(), renewal.tenure()]));
    let mut losses = shared.ownership.losses();
    let order = |number: usize| OrderKey {
        cluster: format!("w{number}").parse().unwrap(),
        namespace: Some("default".into()),
        name: "one".into(),
    };
    let orders: Vec<_> = (0..10).map(order).collect();
    for order in &orders {
        let types = Arc::new(ResourceType::secrets());
        let secret = ObjectKey { place: Place::Service, types, namespace: Some("n".into()), name: "s".into() };
        shared.dependents.remember(order, vec![Query::Object(secret)]);
        let problem = Problem { part: Part::Primary, message: "no".into(), advice: None };
        assert_eq!(shared.failures.record(order, &[problem]), (true, 1));
    }
    shared.leave(&losses.next().await);
    let kept = |remembered: Vec<OrderKey>| {
        orders.iter().filter(|order| remembered.contains(order)).cloned().collect::<Vec<_>>()
    };
    let mine: Vec<_> = orders.iter().filter(|order| shared.ownership.is_mine(&order.cluster)).cloned().collect();
    assert!((1..10).contains(&mine.len()), "both shards have some: {mine:?}");
    assert_eq!(kept(shared.failures.orders()), mine);
    assert_eq!(kept(shared.dependents.orders()), mine);
    assert_eq!(shared.dependents.objects().len(), mine.len());
}
