use std::{fs, path::Path};

use kdp_core::provider::conformance::{self, Fixture, Orders};
use serde_json::json;
use tempfile::TempDir;

use super::*;
use crate::database::SqliteProvider;

/// SQLite behind the engines, each in a directory of its own.
struct Sqlite(TempDir);

/// The engines, and the directory of SQLite.
#[derive(Debug)]
struct Opened(Engines, std::path::PathBuf);

async fn open(directory: &Path) -> Result<Opened, Error> {
    let sqlite = SqliteProvider::open(directory).await?;
    let mut engines = Engines::default();
    engines.add(sqlite.offer(), sqlite);
    Ok(Opened(engines, directory.to_owned()))
}

#[async_trait]
impl Provider for Opened {
    fn name(&self) -> &str {
        self.0.name()
    }

    async fn plan(&self, order: &Order, run: &Run) -> Result<Plan, Error> {
        self.0.plan(order, run).await
    }

    async fn apply(&self, order: &Order, plan: &PlanHash, run: &Run) -> Result<Observation, Error> {
        self.0.apply(order, plan, run).await
    }

    async fn observe(&self, order: &OrderId, sealed: Option<&Teardown>) -> Result<Observation, Error> {
        self.0.observe(order, sealed).await
    }

    async fn delete(&self, sealed: &Teardown, run: &Run) -> Result<Observation, Error> {
        self.0.delete(sealed, run).await
    }
}

impl Fixture for Sqlite {
    type Provider = Opened;

    fn orders(&self) -> Orders {
        let order = |storage: &str| json!({"engine": "sqlite", "storage": storage});
        Orders::new(order("1Mi"), order("2Mi"), json!({"engine": "oracle", "storage": "1Mi"}), "engine")
            .with_sensitive_output("uri")
    }

    async fn open(&self) -> Result<Opened, Error> {
        open(&self.0.path().join(format!("{:x}", rand::random::<u64>()))).await
    }

    async fn reopen(&self, opened: &Opened) -> Result<Opened, Error> {
        open(&opened.1).await
    }

    async fn cut_off(&self, opened: &Opened) {
        fs::rename(&opened.1, opened.1.with_extension("away")).unwrap();
    }

    async fn reconnect(&self, opened: &Opened) {
        fs::rename(opened.1.with_extension("away"), &opened.1).unwrap();
    }
}

#[tokio::test]
async fn engines_are_a_provider_like_any_other() {
    assert_eq!(conformance::run(&Sqlite(tempfile::tempdir().unwrap())).await, []);
}

#[tokio::test]
async fn an_engine_that_is_not_offered_is_unsupported_and_a_record_without_one_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let Opened(engines, _) = open(&directory.path().join("sqlite")).await.unwrap();
    let order = Order::new(OrderId::new("u", "default", "app"), 1, json!({"engine": "postgres", "storage": "1Mi"}));
    let run = Run::new(kdp_core::provider::Lease(1));
    assert_eq!(engines.plan(&order, &run).await.unwrap_err().kind(), ErrorKind::Unsupported);
    let error = engines.delete(&Teardown::new(&order.id), &run).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
}
