//! Day-2 actions: new passwords, backups, and going back to one.

use std::{fs, path::PathBuf};

use kdp_core::{
    Error, ErrorKind,
    provider::{Action, ActionCall, ActionOutcome, Order, OrderId, Output},
};
use serde_json::json;
use sha2::{Digest, Sha256};
use tokio_postgres::Client;

use super::{
    PostgresDatabases,
    apply::{Position, end_sessions, make_login, membership, replaced, restored},
    names,
    registry::{Entry, Registry},
    server::{failed, name},
};

const ROTATE: &str = "rotate-password";
const BACKUP: &str = "backup";
const RESTORE: &str = "restore";

impl PostgresDatabases {
    pub(super) fn offered(&self) -> Vec<Action> {
        let role = json!({"type": "object", "properties": {"role": {"type": "string"}}, "additionalProperties": false});
        let backup = json!({
            "type": "object", "properties": {"backup": {"type": "string"}}, "required": ["backup"],
            "additionalProperties": false,
        });
        let rotate = Action::new(ROTATE, "Makes a new password. The one before goes on until the next time.");
        let mut actions = vec![rotate.with_parameters(role)];
        if self.options.backups.is_some() {
            actions.push(Action::new(BACKUP, "Keeps a copy of the database."));
            let restore = Action::new(RESTORE, "Puts a copy in the place of the database.");
            actions.push(restore.with_parameters(backup).destructive());
        }
        actions
    }

    pub(super) fn check_offered(&self, order: &Order, call: &ActionCall) -> Result<(), Error> {
        if self.offered().iter().any(|action| action.name == call.name) {
            return Ok(());
        }
        let message = format!("databases have no action {:?}", call.name);
        Err(Error::new(ErrorKind::Unsupported, "act on", &order.id, message))
    }

    pub(super) async fn carry_out_call(
        &self,
        registry: &Registry,
        order: &Order,
        call: &ActionCall,
    ) -> Result<ActionOutcome, Error> {
        let (id, client) = (&order.id, &registry.client);
        let database = names::database(id);
        let Some(entry) = Registry::entry(client, &database, id).await?.filter(|entry| entry.generation.is_some())
        else {
            return Err(Error::new(ErrorKind::NotFound, "act on", id, "there is no database yet"));
        };
        let done = "SELECT outcome FROM calls WHERE database = $1 AND id = $2";
        if let Some(row) = client.query_opt(done, &[&database, &call.id]).await.map_err(|e| failed(id, e))? {
            let outcome: ActionOutcome = serde_json::from_str(row.get(0)).map_err(|e| {
                Error::new(ErrorKind::Internal, "act on", id, "what came of it cannot be read").with_source(e)
            })?;
            return Ok(outcome);
        }
        let call = Call { id, database: &database, call };
        match call.call.name.as_str() {
            ROTATE => rotate(client, &call, &entry).await,
            BACKUP => self.back_up(client, &call).await,
            _ => self.restore(client, &call).await,
        }
    }

    async fn back_up(&self, client: &Client, call: &Call<'_>) -> Result<ActionOutcome, Error> {
        let (id, database) = (call.id, call.database);
        // The id of a call may have anything in it.
        let backup = format!("{:x}", Sha256::digest(&call.call.id))[..16].to_owned();
        let file = self.backup_directory(id)?.join(format!("{database}-{backup}.dump"));
        let (size, digest) = self.dump(id, database, &file).await?;
        let outcome = ActionOutcome::new(format!("the backup {backup} was made, {size} bytes"))
            .with_output("backup", Output::plain(&backup))
            .with_output("bytes", Output::plain(size.to_string()))
            .with_output("sha256", Output::plain(digest));
        let failed = |e| failed(id, e);
        client.batch_execute("BEGIN").await.map_err(failed)?;
        let remember = "INSERT INTO backups VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";
        client.execute(remember, &[&database, &backup, &file.to_string_lossy()]).await.map_err(failed)?;
        call.remember(client, &outcome).await?;
        client.batch_execute("COMMIT").await.map_err(failed)?;
        Ok(outcome)
    }

    /// Restores next to the database, and swaps the two when that has succeeded.
    async fn restore(&self, client: &Client, call: &Call<'_>) -> Result<ActionOutcome, Error> {
        let (id, database) = (call.id, call.database);
        let failed = |e| failed(id, e);
        let backup = call.text("backup")?.unwrap_or_default();
        let known = "SELECT file FROM backups WHERE database = $1 AND name = $2";
        let Some(row) = client.query_opt(known, &[&database, &backup]).await.map_err(failed)? else {
            let message = format!("backup: this database has no backup {backup:?}");
            return Err(Error::new(ErrorKind::Invalid, "restore", id, message));
        };
        let file = PathBuf::from(row.get::<_, String>(0));
        let (new, old) = (restored(database), replaced(database));
        for left in [&new, &old] {
            let sql = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", name(left));
            client.batch_execute(&sql).await.map_err(failed)?;
        }
        let limit = "SELECT datconnlimit FROM pg_database WHERE datname = $1";
        let limit: i32 = client.query_one(limit, &[&database]).await.map_err(failed)?.get(0);
        let made = format!("CREATE DATABASE {} OWNER {} CONNECTION LIMIT {limit}", name(&new), name(database));
        client.batch_execute(&made).await.map_err(failed)?;
        let closed = format!("REVOKE ALL ON DATABASE {} FROM PUBLIC", name(&new));
        client.batch_execute(&closed).await.map_err(failed)?;
        self.load(id, &new, database, &file).await?;

        let outcome = ActionOutcome::new(format!("the backup {backup} is in the place of the database"));
        end_sessions(client, id, database).await?;
        client.batch_execute("BEGIN").await.map_err(failed)?;
        let swap = format!(
            "ALTER DATABASE {} RENAME TO {}; ALTER DATABASE {} RENAME TO {}",
            name(database),
            name(&old),
            name(&new),
            name(database)
        );
        client.batch_execute(&swap).await.map_err(failed)?;
        // Who logs in as whom was said about the database that had the name before.
        let settings = "SELECT role FROM logins WHERE database = $1 AND name = ''";
        let is_full: bool = client
            .query_one("SELECT is_full FROM orders WHERE database = $1", &[&database])
            .await
            .map_err(failed)?
            .get(0);
        for row in client.query(settings, &[&database]).await.map_err(failed)? {
            client.batch_execute(&membership(database, row.get(0), is_full)).await.map_err(failed)?;
        }
        // Privileges are given anew by the next apply.
        let anew = "UPDATE orders SET generation = NULL WHERE database = $1";
        client.execute(anew, &[&database]).await.map_err(failed)?;
        call.remember(client, &outcome).await?;
        client.batch_execute("COMMIT").await.map_err(failed)?;
        let dropped = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", name(&old));
        client.batch_execute(&dropped).await.map_err(failed)?;
        Ok(outcome)
    }

    pub(super) async fn remove_backups(&self, client: &Client, id: &OrderId, database: &str) -> Result<(), Error> {
        let files = "SELECT file FROM backups WHERE database = $1";
        for row in client.query(files, &[&database]).await.map_err(|e| failed(id, e))? {
            let file = PathBuf::from(row.get::<_, String>(0));
            match fs::remove_file(&file) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    let message = format!("the backup {} cannot be removed: {error}", file.display());
                    return Err(Error::new(ErrorKind::Unavailable, "delete", id, message).with_source(error));
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn backup_directory(&self, id: &OrderId) -> Result<PathBuf, Error> {
        self.options
            .backups
            .clone()
            .ok_or_else(|| Error::new(ErrorKind::Unsupported, "back up", id, "this platform keeps no backups"))
    }
}

/// Makes a new password: for the owner with the other of its two roles, so that the old one goes on.
async fn rotate(client: &Client, call: &Call<'_>, entry: &Entry) -> Result<ActionOutcome, Error> {
    let (id, database) = (call.id, call.database);
    let failed = |e| failed(id, e);
    let role = call.text("role")?;
    client.batch_execute("BEGIN").await.map_err(failed)?;
    let outcome = match role {
        None => {
            let slot = 1 - entry.owner.as_ref().map_or(1, |owner| owner.slot);
            let login = names::owner(database, slot);
            make_login(client, id, database, &Position { name: "", role: login.clone(), slot }).await?;
            client.batch_execute(&membership(database, &login, entry.is_full)).await.map_err(failed)?;
            ActionOutcome::new("there is a new user and password; the ones before work until the next rotation")
        }
        Some(role) => {
            let Some((access, login)) = entry.roles.get(role) else {
                let message = format!("role: there is no role {role:?}");
                return Err(Error::new(ErrorKind::Invalid, "rotate the password of", id, message));
            };
            let position = Position { name: role, role: login.role.clone(), slot: 0 };
            make_login(client, id, database, &position).await?;
            let access = access.map(super::wish::Access::as_str);
            let kept = "UPDATE logins SET access = $2 WHERE role = $1";
            client.execute(kept, &[&login.role, &access]).await.map_err(failed)?;
            ActionOutcome::new(format!("{role} has a new password, and the old one is of no use"))
        }
    };
    call.remember(client, &outcome).await?;
    client.batch_execute("COMMIT").await.map_err(failed)?;
    Ok(outcome)
}

/// A call and what it is about.
struct Call<'a> {
    id: &'a OrderId,
    database: &'a str,
    call: &'a ActionCall,
}

impl<'a> Call<'a> {
    /// A parameter that is a text.
    fn text(&self, field: &str) -> Result<Option<&'a str>, Error> {
        match self.call.parameters.get(field) {
            None | Some(serde_json::Value::Null) => Ok(None),
            Some(serde_json::Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(Error::new(ErrorKind::Invalid, "act on", self.id, format!("{field}: must be a text"))),
        }
    }

    /// Remembers what came of it, so that the same call again is answered with that.
    async fn remember(&self, client: &Client, outcome: &ActionOutcome) -> Result<(), Error> {
        let outcome = serde_json::to_string(outcome).expect("outcomes are made of text");
        let sql = "INSERT INTO calls VALUES ($1, $2, $3)";
        client.execute(sql, &[&self.database, &self.call.id, &outcome]).await.map_err(|e| failed(self.id, e)).map(drop)
    }
}
