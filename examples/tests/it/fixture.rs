//! Providers in temporary directories, for the conformance suite and the other tests.

use std::{
    fs,
    future::Future,
    marker::PhantomData,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    time::Duration,
};

use kdp_core::{
    Error, Provider, Retry,
    provider::{
        Lease, Observation, Order, OrderId, Phase,
        conformance::{Fixture, Orders},
    },
};
use kdp_examples::database::{PostgresProvider, SqliteProvider};
use serde_json::Value;
use tempfile::TempDir;

pub(crate) const LEASE: Lease = Lease(1);

/// A provider that keeps all it makes in one directory.
pub(crate) trait InDirectory: Provider + Sized {
    fn open(directory: PathBuf) -> impl Future<Output = Result<Self, Error>> + Send;
    fn directory(&self) -> &Path;
}

impl InDirectory for SqliteProvider {
    async fn open(directory: PathBuf) -> Result<Self, Error> {
        Self::open(directory).await
    }

    fn directory(&self) -> &Path {
        self.directory()
    }
}

impl InDirectory for PostgresProvider {
    async fn open(directory: PathBuf) -> Result<Self, Error> {
        Self::open(directory).await
    }

    fn directory(&self) -> &Path {
        self.directory()
    }
}

/// Runs the conformance suite over providers of one type, each in a directory of its own.
pub(crate) struct Directories<P> {
    orders: Orders,
    root: TempDir,
    provider: PhantomData<fn() -> P>,
}

impl<P> Directories<P> {
    pub(crate) fn new(orders: Orders) -> Self {
        Self { orders, root: directory(), provider: PhantomData }
    }
}

impl<P: InDirectory> Fixture for Directories<P> {
    type Provider = P;

    fn orders(&self) -> Orders {
        self.orders.clone()
    }

    async fn open(&self) -> Result<P, Error> {
        P::open(self.root.path().join(format!("{:x}", rand::random::<u64>()))).await
    }

    async fn reopen(&self, provider: &P) -> Result<P, Error> {
        P::open(provider.directory().to_owned()).await
    }

    async fn cut_off(&self, provider: &P) {
        fs::rename(provider.directory(), elsewhere(provider.directory())).unwrap();
    }

    async fn reconnect(&self, provider: &P) {
        fs::rename(elsewhere(provider.directory()), provider.directory()).unwrap();
    }
}

fn elsewhere(directory: &Path) -> PathBuf {
    directory.with_extension("elsewhere")
}

/// A temporary directory that a database server of another account can pass through.
pub(crate) fn directory() -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o711)).unwrap();
    directory
}

pub(crate) fn order(uid: &str, spec: Value) -> Order {
    let id = OrderId::new(uid, "default", "app");
    Order::new(id, 1, spec)
}

/// Plans and applies until the order is ready.
pub(crate) async fn converge(provider: &impl Provider, order: &Order) -> Observation {
    for _ in 0..500 {
        let plan = provider.plan(order, &LEASE.into()).await.unwrap();
        match provider.apply(order, &plan.hash(), &LEASE.into()).await {
            Ok(observation) if observation.phase == Phase::Ready => return observation,
            Ok(_) => {}
            // A server that comes up or goes down between plan and apply makes the plan outdated.
            Err(error) => assert_ne!(error.retry(), Retry::Never, "{error}"),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("the order did not become ready: {:?}", provider.observe(&order.id, None).await);
}

/// Deletes until the order is gone.
pub(crate) async fn vanish(provider: &impl Provider, order: &Order) {
    let teardown = provider.plan(order, &LEASE.into()).await.unwrap().teardown;
    for _ in 0..500 {
        match provider.delete(&teardown, &LEASE.into()).await {
            Ok(observation) if observation.phase == Phase::Gone => return,
            Ok(_) => {}
            Err(error) => assert_ne!(error.retry(), Retry::Never, "{error}"),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("the order did not vanish: {:?}", provider.observe(&order.id, None).await);
}
