#![doc = include_str!("../docs/postgres.md")]

mod actions;
mod apply;
mod dumps;
mod names;
mod observe;
mod plan;
mod program;
mod registry;
mod server;
mod wish;

use std::{collections::BTreeSet, fmt, path::PathBuf};

use async_trait::async_trait;
use kdp_core::{
    Error, Provider,
    provider::{Action, ActionCall, ActionOutcome, Observation, Order, OrderId, Plan, PlanHash, Run, Teardown},
};
use tokio_postgres::Config;

pub use self::program::main;
use self::{registry::Registry, server::Server, wish::Wish};

/// What a platform decides about the databases of one server.
#[derive(Clone)]
#[non_exhaustive]
pub struct PostgresOptions {
    server: Config,
    registry: String,
    extensions: BTreeSet<String>,
    most_connections: i32,
    largest_mib: i64,
    backups: Option<PathBuf>,
    programs: Option<PathBuf>,
}

impl PostgresOptions {
    /// The server that this superuser reaches, such as `host=db.internal user=postgres password=…`.
    ///
    /// # Errors
    /// `Invalid` when it is no connection string.
    pub fn new(connection: &str) -> Result<Self, Error> {
        let server: Config = connection.parse().map_err(|e: tokio_postgres::Error| {
            Error::new(kdp_core::ErrorKind::Invalid, "read", "the connection string", e.to_string())
        })?;
        Ok(Self {
            server,
            registry: "kdp".into(),
            extensions: ["citext", "hstore", "pg_trgm", "pgcrypto", "unaccent"].map(Into::into).into(),
            most_connections: 100,
            largest_mib: 10 * 1024,
            backups: None,
            programs: None,
        })
    }

    /// The same; this database keeps what the provider has to remember. Nobody else may connect to it.
    #[must_use]
    pub fn with_registry(mut self, database: impl Into<String>) -> Self {
        self.registry = database.into();
        self
    }

    /// The same; only these extensions can be ordered.
    #[must_use]
    pub fn with_extensions(mut self, extensions: impl IntoIterator<Item = String>) -> Self {
        self.extensions = extensions.into_iter().collect();
        self
    }

    /// The same; no order has more connections, or more MiB.
    #[must_use]
    pub fn with_limits(mut self, connections: i32, mib: i64) -> Self {
        (self.most_connections, self.largest_mib) = (connections, mib);
        self
    }

    /// The same; backups are kept in this directory, which the programs of PostgreSQL can be run to write.
    #[must_use]
    pub fn with_backups(mut self, directory: impl Into<PathBuf>) -> Self {
        self.backups = Some(directory.into());
        self
    }

    /// The same; `pg_dump` and `pg_restore` are here, and not on the `PATH`.
    #[must_use]
    pub fn with_programs(mut self, directory: impl Into<PathBuf>) -> Self {
        self.programs = Some(directory.into());
        self
    }
}

impl fmt::Debug for PostgresOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The connection has a password.
        f.debug_struct("PostgresOptions").field("registry", &self.registry).finish_non_exhaustive()
    }
}

/// Makes databases with their roles in one PostgreSQL server that many tenants share.
#[derive(Debug)]
pub struct PostgresDatabases {
    options: PostgresOptions,
    server: Server,
}

impl PostgresDatabases {
    /// Makes the registry if there is none yet, and closes what PostgreSQL leaves open to everybody: the
    /// databases `postgres` and `template1`.
    ///
    /// # Errors
    /// `Unavailable` when the server cannot be reached, `Forbidden` when the user is no superuser.
    pub async fn open(options: PostgresOptions) -> Result<Self, Error> {
        let server = Server::new(options.server.clone(), options.registry.clone());
        Registry::prepare(&server).await?;
        Ok(Self { options, server })
    }
}

#[async_trait]
impl Provider for PostgresDatabases {
    fn name(&self) -> &str {
        "postgres"
    }

    async fn plan(&self, order: &Order, _: &Run) -> Result<Plan, Error> {
        let wish = Wish::parse(order, &self.options)?;
        self.draft(order, &wish).await
    }

    async fn apply(&self, order: &Order, plan: &PlanHash, run: &Run) -> Result<Observation, Error> {
        let wish = Wish::parse(order, &self.options)?;
        // It is held until this is over, and given back by the server when this process dies.
        let registry = Registry::enter(&self.server, &order.id, run).await?;
        self.draft(order, &wish).await?.check(plan, &order.id)?;
        self.carry_out(&registry, order, &wish, run).await?;
        drop(registry);
        self.observe(&order.id, order.sealed.as_ref()).await
    }

    async fn observe(&self, order: &OrderId, sealed: Option<&Teardown>) -> Result<Observation, Error> {
        self.look(order, sealed).await
    }

    async fn delete(&self, sealed: &Teardown, run: &Run) -> Result<Observation, Error> {
        Self::check_record(sealed)?;
        let registry = Registry::enter(&self.server, &sealed.id, run).await?;
        if !self.is_server_of(&registry, sealed).await? {
            return Ok(Self::unknown("this is not the server that its database was made in"));
        }
        self.remove(&registry, &sealed.id).await?;
        drop(registry);
        self.look(&sealed.id, Some(sealed)).await
    }

    fn actions(&self) -> Vec<Action> {
        self.offered()
    }

    async fn act(&self, order: &Order, call: &ActionCall, run: &Run) -> Result<ActionOutcome, Error> {
        self.check_offered(order, call)?;
        let registry = Registry::enter(&self.server, &order.id, run).await?;
        self.carry_out_call(&registry, order, call).await
    }
}
