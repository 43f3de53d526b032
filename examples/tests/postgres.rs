//! The PostgreSQL provider, with a real server.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "postgres/actions.rs"]
mod actions;
#[path = "postgres/attacks.rs"]
mod attacks;
#[path = "postgres/place.rs"]
mod place;

use std::sync::Arc;

use async_trait::async_trait;
use kdp_core::{
    Error, Provider,
    plugin::PluginProvider,
    provider::{
        Action, ActionCall, ActionOutcome, Observation, Order, OrderId, Plan, PlanHash, Run, Teardown,
        conformance::{self, Fixture, Orders},
    },
};
use kdp_examples::postgres::PostgresDatabases;
use serde_json::json;

use self::place::Place;

/// How a provider is reached.
#[derive(Clone, Copy, PartialEq)]
enum Reach {
    Linked,
    Plugin,
}

/// Providers of one server, each with a registry of its own.
struct Places {
    place: Place,
    reach: Reach,
}

/// A provider, and the name of its registry.
#[derive(Debug)]
struct Placed {
    provider: Arc<dyn Provider>,
    registry: String,
}

#[async_trait]
impl Provider for Placed {
    fn name(&self) -> &str {
        self.provider.name()
    }

    async fn plan(&self, order: &Order, run: &Run) -> Result<Plan, Error> {
        self.provider.plan(order, run).await
    }

    async fn apply(&self, order: &Order, plan: &PlanHash, run: &Run) -> Result<Observation, Error> {
        self.provider.apply(order, plan, run).await
    }

    async fn observe(&self, id: &OrderId, sealed: Option<&Teardown>) -> Result<Observation, Error> {
        self.provider.observe(id, sealed).await
    }

    async fn delete(&self, sealed: &Teardown, run: &Run) -> Result<Observation, Error> {
        self.provider.delete(sealed, run).await
    }

    fn actions(&self) -> Vec<Action> {
        self.provider.actions()
    }

    async fn act(&self, order: &Order, call: &ActionCall, run: &Run) -> Result<ActionOutcome, Error> {
        self.provider.act(order, call, run).await
    }
}

impl Places {
    async fn provider(&self, registry: &str) -> Result<Placed, Error> {
        let provider: Arc<dyn Provider> = match self.reach {
            Reach::Linked => Arc::new(PostgresDatabases::open(self.place.options(registry)).await?),
            Reach::Plugin => Arc::new(PluginProvider::start(self.place.plugin(registry)).await?),
        };
        Ok(Placed { provider, registry: registry.into() })
    }
}

impl Fixture for Places {
    type Provider = Placed;

    fn orders(&self) -> Orders {
        let larger = json!({
            "connections": 5, "extensions": ["citext"], "roles": [{"name": "reports", "access": "read"}],
        });
        Orders::new(json!({"connections": 5}), json!({"connections": 7}), json!({"connections": 0}), "connections")
            .with_sensitive_output("password")
            .with_larger(larger)
    }

    async fn open(&self) -> Result<Placed, Error> {
        self.provider(&format!("registry_{:x}", rand::random::<u64>())).await
    }

    async fn reopen(&self, provider: &Placed) -> Result<Placed, Error> {
        self.provider(&provider.registry).await
    }

    async fn cut_off(&self, _: &Placed) {
        self.place.stop();
    }

    async fn reconnect(&self, _: &Placed) {
        self.place.start().await;
    }

    async fn count(&self, _: &Placed) -> Option<usize> {
        let count = "SELECT count(*) FROM pg_database WHERE datname LIKE 'kdp\\_%'";
        let row = self.place.superuser("postgres").await.query_one(count, &[]).await.unwrap();
        Some(usize::try_from(row.get::<_, i64>(0)).unwrap())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_keeps_the_promises_of_every_provider() {
    let Some(place) = Place::new().await else { return };
    assert_eq!(conformance::run(&Places { place, reach: Reach::Linked }).await, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn as_a_plugin_it_keeps_them_too() {
    let Some(place) = Place::new().await else { return };
    assert_eq!(conformance::run(&Places { place, reach: Reach::Plugin }).await, []);
}
