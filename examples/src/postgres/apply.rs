//! Making, changing and removing.
//!
//! Roles and what the registry remembers change in one transaction, because PostgreSQL keeps roles for the
//! whole server. Databases are made and removed outside of transactions, between two of them.

use kdp_core::{
    Error,
    provider::{Order, OrderId, Run, Step, StepState},
};
use postgres_protocol::password::scram_sha_256;
use tokio_postgres::Client;

use super::{
    PostgresDatabases, names,
    plan::is_full,
    registry::{Entry, Registry},
    server::{failed, name, text},
    wish::{Access, Wish},
};

/// What no role of a tenant is.
const POWERLESS: &str = "NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS";
/// The most that a session may write for sorting and the like; only a superuser can change it.
const TEMPORARY: &str = "SET temp_file_limit = '1GB'";

impl PostgresDatabases {
    pub(super) async fn carry_out(
        &self,
        registry: &Registry,
        order: &Order,
        wish: &Wish,
        run: &Run,
    ) -> Result<(), Error> {
        let (id, client) = (&order.id, &registry.client);
        let database = names::database(id);
        let tell = |subject: &str| run.progress.tell(Step::new(StepState::Done, subject));
        self.make_roles(client, id, &database, wish).await?;
        tell("roles");

        if !Registry::has_database(client, &database, id).await? {
            let sql = format!("CREATE DATABASE {} OWNER {}", name(&database), name(&database));
            client.batch_execute(&sql).await.map_err(|e| failed(id, e))?;
        }
        let limit = format!("ALTER DATABASE {} CONNECTION LIMIT {}", name(&database), wish.connections);
        client.batch_execute(&limit).await.map_err(|e| failed(id, e))?;
        tell("database");

        let entry = Registry::entry(client, &database, id).await?.unwrap_or_default();
        let is_full = is_full(Registry::size_mib(client, &database, id).await?, wish.quota_mib);
        self.furnish(id, &database, wish, &entry, is_full).await?;
        tell("privileges");

        self.finish(client, order, &database, wish, &entry, is_full).await
    }

    /// Remembers the order and makes all its roles.
    async fn make_roles(&self, client: &Client, id: &OrderId, database: &str, wish: &Wish) -> Result<(), Error> {
        let failed = |e| failed(id, e);
        client.batch_execute("BEGIN").await.map_err(failed)?;
        let remember = "INSERT INTO orders (database, uid, label) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";
        client.execute(remember, &[&database, &id.uid, &id.to_string()]).await.map_err(failed)?;
        for role in [database.to_owned(), names::frugal(database)] {
            make_role(client, id, &role, "NOLOGIN").await?;
        }
        let entry = Registry::entry(client, database, id).await?.unwrap_or_default();
        if entry.owner.is_none() {
            make_login(client, id, database, &Position { name: "", role: names::owner(database, 0), slot: 0 }).await?;
        }
        for role in wish.roles.keys().filter(|role| !entry.roles.contains_key(*role)) {
            make_login(client, id, database, &Position { name: role, role: names::extra(database, role), slot: 0 })
                .await?;
        }
        client.batch_execute("COMMIT").await.map_err(failed)
    }

    /// Sets up what is inside the database, and who may do what there.
    async fn furnish(
        &self,
        id: &OrderId,
        database: &str,
        wish: &Wish,
        entry: &Entry,
        is_full: bool,
    ) -> Result<(), Error> {
        let inside = self.server.connect_for(database, id).await?;
        let (base, frugal) = (name(database), name(&names::frugal(database)));
        let mut sql = vec![
            // Its owner may have put things into the way of names without a schema.
            "SET search_path = pg_catalog".to_owned(),
            format!("REVOKE ALL ON DATABASE {base} FROM PUBLIC"),
            format!("GRANT CONNECT, TEMPORARY ON DATABASE {base} TO {base}, {frugal}"),
            "CREATE SCHEMA IF NOT EXISTS public".to_owned(),
            format!("ALTER SCHEMA public OWNER TO {base}"),
            "REVOKE ALL ON SCHEMA public FROM PUBLIC".to_owned(),
        ];
        for extension in &wish.extensions {
            sql.push(format!("CREATE EXTENSION IF NOT EXISTS {} SCHEMA public", name(extension)));
        }
        for extension in entry.extensions.difference(&wish.extensions) {
            sql.push(format!("DROP EXTENSION IF EXISTS {}", name(extension)));
        }
        sql.extend(grants(&base, &frugal, "SELECT, DELETE, TRUNCATE"));
        for (role, access) in &wish.roles {
            let privileges = match access {
                Access::Write if !is_full => "SELECT, INSERT, UPDATE, DELETE",
                Access::Write => "SELECT, DELETE",
                Access::Read => "SELECT",
            };
            let role = name(&names::extra(database, role));
            sql.push(format!("GRANT CONNECT ON DATABASE {base} TO {role}"));
            sql.extend(grants(&base, &role, privileges));
        }
        for role in entry.roles.keys().filter(|role| !wish.roles.contains_key(*role)) {
            let role = name(&names::extra(database, role));
            sql.push(format!("REASSIGN OWNED BY {role} TO {base}"));
            sql.push(format!("DROP OWNED BY {role}"));
        }
        inside.batch_execute(&sql.join(";\n")).await.map_err(|e| failed(id, e))
    }

    /// Lets the logins in as what they may be now, and remembers that all is done.
    async fn finish(
        &self,
        client: &Client,
        order: &Order,
        database: &str,
        wish: &Wish,
        entry: &Entry,
        is_full: bool,
    ) -> Result<(), Error> {
        let id = &order.id;
        let failed = |e| failed(id, e);
        client.batch_execute("BEGIN").await.map_err(failed)?;
        let owners = "SELECT role FROM logins WHERE database = $1 AND name = ''";
        for row in client.query(owners, &[&database]).await.map_err(failed)? {
            client.batch_execute(&membership(database, row.get(0), is_full)).await.map_err(failed)?;
        }
        for role in entry.roles.keys().filter(|role| !wish.roles.contains_key(*role)) {
            let role = names::extra(database, role);
            let sql = format!("DROP ROLE IF EXISTS {}", name(&role));
            client.batch_execute(&sql).await.map_err(failed)?;
            client.execute("DELETE FROM logins WHERE role = $1", &[&role]).await.map_err(failed)?;
        }
        for (role, access) in &wish.roles {
            let sql = "UPDATE logins SET access = $2 WHERE role = $1";
            client.execute(sql, &[&names::extra(database, role), &access.as_str()]).await.map_err(failed)?;
        }
        client.execute("DELETE FROM extensions WHERE database = $1", &[&database]).await.map_err(failed)?;
        for extension in &wish.extensions {
            client.execute("INSERT INTO extensions VALUES ($1, $2)", &[&database, extension]).await.map_err(failed)?;
        }
        let done = "UPDATE orders SET generation = $2, quota_mib = $3, is_full = $4 WHERE database = $1";
        client.execute(done, &[&database, &order.generation, &wish.quota_mib, &is_full]).await.map_err(failed)?;
        client.batch_execute("COMMIT").await.map_err(failed)?;
        if is_full && !entry.is_full {
            // Sessions keep the privileges they began with.
            end_sessions(client, id, database).await?;
        }
        Ok(())
    }

    /// Removes the database and all its roles.
    pub(super) async fn remove(&self, registry: &Registry, id: &OrderId) -> Result<(), Error> {
        let client = &registry.client;
        let failed = |e| failed(id, e);
        let database = names::database(id);
        // Without an entry, a database of this name is not this order's.
        if Registry::entry(client, &database, id).await?.is_none() {
            return Ok(());
        }
        self.remove_backups(client, id, &database).await?;
        for database in [database.clone(), replaced(&database), restored(&database)] {
            if Registry::has_database(client, &database, id).await? {
                let closed = format!("ALTER DATABASE {} WITH ALLOW_CONNECTIONS false", name(&database));
                client.batch_execute(&closed).await.map_err(failed)?;
                let dropped = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", name(&database));
                client.batch_execute(&dropped).await.map_err(failed)?;
            }
        }
        client.batch_execute("BEGIN").await.map_err(failed)?;
        let logins = client.query("SELECT role FROM logins WHERE database = $1", &[&database]).await.map_err(failed)?;
        let logins = logins.iter().map(|row| row.get::<_, String>(0));
        for role in logins.chain([names::frugal(&database), database.clone()]) {
            client.batch_execute(&format!("DROP ROLE IF EXISTS {}", name(&role))).await.map_err(failed)?;
        }
        client.execute("DELETE FROM orders WHERE database = $1", &[&database]).await.map_err(failed)?;
        client.batch_execute("COMMIT").await.map_err(failed)
    }
}

/// Where a backup is restored to, before it takes the place of the database.
pub(super) fn restored(database: &str) -> String {
    format!("{database}_new")
}

/// The database whose place a backup has taken.
pub(super) fn replaced(database: &str) -> String {
    format!("{database}_old")
}

/// What a login is remembered as.
pub(super) struct Position<'a> {
    pub(super) name: &'a str,
    pub(super) role: String,
    pub(super) slot: i16,
}

/// Makes a role that logs in with a new password, and remembers it as the current one.
pub(super) async fn make_login(
    client: &Client,
    id: &OrderId,
    database: &str,
    position: &Position<'_>,
) -> Result<(), Error> {
    let failed = |e| failed(id, e);
    let Position { name: known_as, role, slot } = position;
    make_role(client, id, role, "LOGIN").await?;
    let password = names::password();
    // Made here, so that the password itself is in no log of the server.
    let verifier = scram_sha_256(password.as_bytes());
    let role_name = name(role);
    let sql = format!("ALTER ROLE {role_name} PASSWORD {}; ALTER ROLE {role_name} {TEMPORARY}", text(&verifier));
    client.batch_execute(&sql).await.map_err(failed)?;
    let earlier = "UPDATE logins SET is_current = false WHERE database = $1 AND name = $2";
    client.execute(earlier, &[&database, known_as]).await.map_err(failed)?;
    let remember = "INSERT INTO logins (role, database, name, slot, password, is_current)
        VALUES ($1, $2, $3, $4, $5, true)
        ON CONFLICT (role) DO UPDATE SET password = EXCLUDED.password, is_current = true";
    client.execute(remember, &[role, &database, known_as, slot, &password]).await.map_err(failed).map(drop)
}

async fn make_role(client: &Client, id: &OrderId, role: &str, login: &str) -> Result<(), Error> {
    let failed = |e| failed(id, e);
    let there = client.query_opt("SELECT 1 FROM pg_roles WHERE rolname = $1", &[&role]).await.map_err(failed)?;
    let verb = if there.is_some() { "ALTER" } else { "CREATE" };
    client.batch_execute(&format!("{verb} ROLE {} {login} {POWERLESS}", name(role))).await.map_err(failed)
}

/// What a role gets of the tables that there are and that will be.
fn grants(base: &str, role: &str, privileges: &str) -> Vec<String> {
    let all = "ON ALL TABLES IN SCHEMA public";
    let later = format!("ALTER DEFAULT PRIVILEGES FOR ROLE {base} IN SCHEMA public");
    let is_writing = privileges.contains("INSERT");
    let sequences = if is_writing { "USAGE, SELECT" } else { "SELECT" };
    vec![
        format!("GRANT USAGE ON SCHEMA public TO {role}"),
        format!("REVOKE ALL {all} FROM {role}"),
        format!("GRANT {privileges} {all} TO {role}"),
        format!("{later} REVOKE ALL ON TABLES FROM {role}"),
        format!("{later} GRANT {privileges} ON TABLES TO {role}"),
        format!("REVOKE ALL ON ALL SEQUENCES IN SCHEMA public FROM {role}"),
        format!("GRANT {sequences} ON ALL SEQUENCES IN SCHEMA public TO {role}"),
        format!("{later} GRANT {sequences} ON SEQUENCES TO {role}"),
    ]
}

/// Makes a login the owner, or, when the quota is exhausted, somebody who reads and removes.
pub(super) fn membership(database: &str, login: &str, is_full: bool) -> String {
    let (base, frugal, login) = (name(database), name(&names::frugal(database)), name(login));
    if is_full {
        format!(
            "GRANT {frugal} TO {login}; REVOKE {base} FROM {login};
            ALTER ROLE {login} IN DATABASE {base} SET role = {}",
            text(&names::frugal(database))
        )
    } else {
        format!(
            "GRANT {base} TO {login}; REVOKE {frugal} FROM {login};
            ALTER ROLE {login} IN DATABASE {base} SET role = {}",
            text(database)
        )
    }
}

pub(super) async fn end_sessions(client: &Client, id: &OrderId, database: &str) -> Result<(), Error> {
    let sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1 AND pid <> pg_backend_pid()";
    client.execute(sql, &[&database]).await.map_err(|e| failed(id, e)).map(drop)
}
