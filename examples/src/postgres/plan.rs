//! Planning, from what is remembered and what the server has.

use kdp_core::{
    Error, ErrorKind,
    provider::{Change, ChangeAction, Order, OrderId, Plan, Shown, Teardown, ValueChange},
};
use serde_json::json;

use super::{
    PostgresDatabases, names,
    registry::{Entry, Registry},
    server::failed,
    wish::Wish,
};

/// Marks the records of this provider.
const ENGINE: &str = "postgres-database";

impl PostgresDatabases {
    pub(super) async fn draft(&self, order: &Order, wish: &Wish) -> Result<Plan, Error> {
        let id = &order.id;
        let database = names::database(id);
        let client = self.server.connect_for(&self.server.registry, id).await?;
        let entry = Registry::entry(&client, &database, id).await?;
        let there = "SELECT datconnlimit FROM pg_database WHERE datname = $1";
        let limit: Option<i32> =
            client.query_opt(there, &[&database]).await.map_err(|e| failed(id, e))?.map(|row| row.get(0));
        if entry.is_none() && limit.is_some() {
            let message = format!("there is a database {database} already that nobody has ordered");
            return Err(Error::new(ErrorKind::Forbidden, "plan", id, message));
        }
        let size = Registry::size_mib(&client, &database, id).await?;
        let entry = entry.unwrap_or_default();
        let mut changes = Vec::new();
        match limit {
            None => changes.push(Change::new(ChangeAction::Create, "database")),
            Some(limit) if limit != wish.connections => changes.push(changed("connections", limit, wish.connections)),
            Some(_) if entry.generation.is_none() => {
                changes.push(Change::new(ChangeAction::Update, "database").with_detail("finish what was begun"));
            }
            Some(_) => {}
        }
        if limit.is_some() && entry.quota_mib != wish.quota_mib {
            changes.push(changed("quotaMib", entry.quota_mib, wish.quota_mib));
        }
        let is_full = is_full(size, wish.quota_mib);
        if entry.is_full != is_full {
            let detail = if is_full { "withdrawn, because the quota is exhausted" } else { "given back" };
            changes.push(Change::new(ChangeAction::Update, "writing").with_detail(detail));
        }
        for extension in wish.extensions.difference(&entry.extensions) {
            changes.push(Change::new(ChangeAction::Create, format!("extension {extension}")));
        }
        for extension in entry.extensions.difference(&wish.extensions) {
            changes.push(Change::new(ChangeAction::Delete, format!("extension {extension}")));
        }
        for (name, access) in &wish.roles {
            match entry.roles.get(name) {
                None => changes.push(Change::new(ChangeAction::Create, format!("role {name}"))),
                Some((known, _)) if *known != Some(*access) => {
                    let detail = format!("may now {}", access.as_str());
                    changes.push(Change::new(ChangeAction::Update, format!("role {name}")).with_detail(detail));
                }
                Some(_) => {}
            }
        }
        for name in entry.roles.keys().filter(|name| !wish.roles.contains_key(*name)) {
            changes.push(Change::new(ChangeAction::Delete, format!("role {name}")));
        }
        let roles = wish.roles.keys().map(String::as_str);
        let teardown = record(id, roles, &Registry::server_id(&client, id).await?);
        Ok(Plan::new(order, changes, teardown))
    }

    /// # Errors
    /// `Invalid` when the record is none of this provider's.
    pub(super) fn check_record(sealed: &Teardown) -> Result<(), Error> {
        if sealed.data["engine"] == ENGINE {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Invalid, "read the record of", &sealed.id, "it is no database of this provider"))
    }
}

/// Whether a database has taken all it may.
pub(super) fn is_full(size_mib: Option<i64>, quota_mib: Option<i64>) -> bool {
    matches!((size_mib, quota_mib), (Some(size), Some(quota)) if size > quota)
}

/// The record of an order: what depends on others goes first.
pub(super) fn record<'a>(id: &OrderId, roles: impl Iterator<Item = &'a str>, server: &str) -> Teardown {
    let database = names::database(id);
    let record = Teardown::new(id).with_item("database", &database);
    let record = roles.fold(record, |record, name| record.with_item("role", names::extra(&database, name)));
    record.with_item("role", &database).with_data(json!({"engine": ENGINE, "server": server}))
}

/// Of the entry of an order.
pub(super) fn record_of(id: &OrderId, entry: &Entry, server: &str) -> Teardown {
    record(id, entry.roles.keys().map(String::as_str), server)
}

fn changed<T: serde::Serialize>(field: &str, before: T, after: T) -> Change {
    let shown = |value| match json!(value) {
        serde_json::Value::Null => Shown::Absent,
        value => Shown::Value(value),
    };
    Change::new(ChangeAction::Update, "database").with_value(ValueChange::plain(field, shown(before), shown(after)))
}
