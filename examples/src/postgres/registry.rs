//! What the provider has to remember, in a database of the same server: whose each database is, the
//! passwords, and which lease was seen.

use std::collections::{BTreeMap, BTreeSet};

use kdp_core::{
    Error, ErrorKind,
    provider::{OrderId, Run},
};
use tokio_postgres::{Client, error::SqlState};

use super::{
    names,
    server::{Server, failed, name},
    wish::Access,
};

const TABLES: &str = "
    CREATE TABLE IF NOT EXISTS fence (one bool PRIMARY KEY CHECK (one), lease bigint NOT NULL);
    CREATE TABLE IF NOT EXISTS orders (
        database text PRIMARY KEY, uid text NOT NULL, label text NOT NULL,
        generation bigint, quota_mib bigint, is_full bool NOT NULL DEFAULT false);
    CREATE TABLE IF NOT EXISTS logins (
        role text PRIMARY KEY, database text NOT NULL REFERENCES orders ON DELETE CASCADE,
        name text NOT NULL, slot smallint NOT NULL, access text, password text NOT NULL, is_current bool NOT NULL);
    CREATE TABLE IF NOT EXISTS extensions (
        database text REFERENCES orders ON DELETE CASCADE, name text, PRIMARY KEY (database, name));
    CREATE TABLE IF NOT EXISTS calls (
        database text REFERENCES orders ON DELETE CASCADE, id text, outcome text NOT NULL, PRIMARY KEY (database, id));
    CREATE TABLE IF NOT EXISTS backups (
        database text REFERENCES orders ON DELETE CASCADE, name text, file text NOT NULL, PRIMARY KEY (database, name));
";

/// Nobody waits for ever, and passwords, which are parameters of statements, are in no log of the server.
const SESSION: &str = "
    SET lock_timeout = '10s'; SET log_statement = 'none'; SET log_min_duration_statement = -1;
    SET log_duration = off; SET log_parameter_max_length = 0; SET log_parameter_max_length_on_error = 0;
";

/// What is remembered of an order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Entry {
    /// Of the last apply that came to its end.
    pub(super) generation: Option<i64>,
    pub(super) quota_mib: Option<i64>,
    /// Writing was withdrawn because the quota is exhausted.
    pub(super) is_full: bool,
    pub(super) owner: Option<Login>,
    pub(super) roles: BTreeMap<String, (Option<Access>, Login)>,
    pub(super) extensions: BTreeSet<String>,
}

/// A role that can log in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Login {
    pub(super) role: String,
    pub(super) password: String,
    pub(super) slot: i16,
}

/// The registry, while no other process works on the order.
pub(super) struct Registry {
    pub(super) client: Client,
}

impl Registry {
    /// Makes the registry, and closes the databases that are open to everybody.
    pub(super) async fn prepare(server: &Server) -> Result<(), Error> {
        let subject = &server.registry;
        let maintenance = server.connect("postgres").await.map_err(|e| failed(subject, e))?;
        let made = maintenance.batch_execute(&format!("CREATE DATABASE {}", name(&server.registry))).await;
        match made {
            Err(error) if error.code() == Some(&SqlState::DUPLICATE_DATABASE) => {}
            // Another process makes it at the same time.
            Err(error) if error.code() == Some(&SqlState::UNIQUE_VIOLATION) => {}
            made => made.map_err(|e| failed(subject, e))?,
        }
        let closing = format!("REVOKE ALL ON DATABASE postgres, template1, {} FROM PUBLIC", name(&server.registry));
        maintenance.batch_execute(&closing).await.map_err(|e| failed(subject, e))?;
        let client = server.connect(&server.registry).await.map_err(|e| failed(subject, e))?;
        // Two processes that make the same tables at once would stumble over each other.
        let tables = format!("BEGIN; SELECT pg_advisory_xact_lock(0); {TABLES} COMMIT;");
        client.batch_execute(&tables).await.map_err(|e| failed(subject, e))
    }

    /// Takes the turn of an order, unless a newer lease was seen.
    pub(super) async fn enter(server: &Server, id: &OrderId, run: &Run) -> Result<Self, Error> {
        let client = server.connect_for(&server.registry, id).await?;
        let failed = |e| failed(id, e);
        client.batch_execute(SESSION).await.map_err(failed)?;
        // It ends with the connection, so with this process: nobody writes late.
        let lock = "SELECT pg_advisory_lock(hashtextextended($1, 0))";
        client.execute(lock, &[&names::database(id)]).await.map_err(failed)?;
        let seen = "INSERT INTO fence VALUES (true, $1)
            ON CONFLICT (one) DO UPDATE SET lease = EXCLUDED.lease WHERE fence.lease <= EXCLUDED.lease RETURNING lease";
        let lease = i64::try_from(run.lease.0).unwrap_or(i64::MAX);
        if client.query_opt(seen, &[&lease]).await.map_err(failed)?.is_none() {
            return Err(Error::new(ErrorKind::Stale, "change", id, "another process has taken over"));
        }
        Ok(Self { client })
    }

    /// What is remembered of an order; none when nothing was begun.
    pub(super) async fn entry(client: &Client, database: &str, id: &OrderId) -> Result<Option<Entry>, Error> {
        let failed = |e| failed(id, e);
        let order = "SELECT uid, generation, quota_mib, is_full FROM orders WHERE database = $1";
        let Some(row) = client.query_opt(order, &[&database]).await.map_err(failed)? else { return Ok(None) };
        if row.get::<_, String>(0) != id.uid {
            let message = format!("the database {database} is another order's");
            return Err(Error::new(ErrorKind::Forbidden, "use", id, message));
        }
        let mut entry =
            Entry { generation: row.get(1), quota_mib: row.get(2), is_full: row.get(3), ..Entry::default() };
        let logins = "SELECT role, name, slot, access, password FROM logins WHERE database = $1 AND is_current";
        for row in client.query(logins, &[&database]).await.map_err(failed)? {
            let login = Login { role: row.get(0), slot: row.get(2), password: row.get(4) };
            let access = row.get::<_, Option<String>>(3).as_deref().and_then(Access::parse);
            match row.get::<_, String>(1) {
                name if name.is_empty() => entry.owner = Some(login),
                name => drop(entry.roles.insert(name, (access, login))),
            }
        }
        let extensions = "SELECT name FROM extensions WHERE database = $1";
        let rows = client.query(extensions, &[&database]).await.map_err(failed)?;
        entry.extensions = rows.into_iter().map(|row| row.get(0)).collect();
        Ok(Some(entry))
    }

    /// Whether there is a database of this name.
    pub(super) async fn has_database(client: &Client, database: &str, id: &OrderId) -> Result<bool, Error> {
        let found = client.query_opt("SELECT 1 FROM pg_database WHERE datname = $1", &[&database]).await;
        Ok(found.map_err(|e| failed(id, e))?.is_some())
    }

    /// The MiB that a database takes; none when there is no such database.
    pub(super) async fn size_mib(client: &Client, database: &str, id: &OrderId) -> Result<Option<i64>, Error> {
        let size = "SELECT pg_database_size(oid) / 1048576 FROM pg_database WHERE datname = $1";
        let row = client.query_opt(size, &[&database]).await.map_err(|e| failed(id, e))?;
        Ok(row.map(|row| row.get(0)))
    }

    /// Which server it is: a number that initdb has drawn.
    pub(super) async fn server_id(client: &Client, id: &OrderId) -> Result<String, Error> {
        let row = client.query_one("SELECT system_identifier::text FROM pg_control_system()", &[]).await;
        Ok(row.map_err(|e| failed(id, e))?.get(0))
    }
}
