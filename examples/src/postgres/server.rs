//! Connections to the server.

use std::{fmt, time::Duration};

use kdp_core::{Error, ErrorKind, provider::OrderId};
use postgres_protocol::escape::{escape_identifier, escape_literal};
use tokio::time::timeout;
use tokio_postgres::{Client, Config, NoTls, error::SqlState};

/// How long a server may take to answer the door.
const LONGEST_KNOCK: Duration = Duration::from_secs(5);

/// The server, and how it is reached.
#[derive(Clone)]
pub(super) struct Server {
    config: Config,
    pub(super) registry: String,
}

impl Server {
    pub(super) fn new(mut config: Config, registry: String) -> Self {
        config.connect_timeout(LONGEST_KNOCK).application_name("kdp");
        Self { config, registry }
    }

    /// A connection to one of its databases, which ends when it is dropped.
    pub(super) async fn connect(&self, database: &str) -> Result<Client, tokio_postgres::Error> {
        let mut config = self.config.clone();
        config.dbname(database);
        let (client, connection) = config.connect(NoTls).await?;
        // It ends with the client; what breaks it, the client is told.
        tokio::spawn(async move { drop(connection.await) });
        Ok(client)
    }

    /// The same, with what an operation on an order says about a server that cannot be reached.
    pub(super) async fn connect_for(&self, database: &str, id: &OrderId) -> Result<Client, Error> {
        match timeout(LONGEST_KNOCK * 2, self.connect(database)).await {
            Ok(connected) => connected.map_err(|e| failed(id, e)),
            Err(_) => Err(Error::new(ErrorKind::Unavailable, "reach", id, "the server does not answer")),
        }
    }

    /// Where consumers connect to.
    pub(super) fn address(&self) -> (String, u16) {
        let host = self.config.get_hosts().first().map(|host| match host {
            tokio_postgres::config::Host::Tcp(name) => name.clone(),
            #[cfg(unix)]
            tokio_postgres::config::Host::Unix(path) => path.to_string_lossy().into_owned(),
        });
        (host.unwrap_or_else(|| "localhost".into()), self.config.get_ports().first().copied().unwrap_or(5432))
    }

    pub(super) fn config(&self) -> &Config {
        &self.config
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The configuration has a password.
        f.debug_struct("Server").field("registry", &self.registry).finish_non_exhaustive()
    }
}

/// What the server said, as what a caller can do about it.
pub(super) fn failed(id: impl fmt::Display, error: tokio_postgres::Error) -> Error {
    let kind = match error.code() {
        Some(code) if *code == SqlState::INSUFFICIENT_PRIVILEGE => ErrorKind::Forbidden,
        Some(code) if *code == SqlState::INTERNAL_ERROR || *code == SqlState::SYNTAX_ERROR => ErrorKind::Internal,
        // Shutting down, too many connections, a lock that is not given, or no answer at all.
        _ => ErrorKind::Unavailable,
    };
    let message = match error.as_db_error() {
        Some(answer) => answer.message().to_owned(),
        None => "the server cannot be reached".into(),
    };
    Error::new(kind, "use the server for", id, message).with_source(error)
}

/// A name in SQL.
pub(super) fn name(text: &str) -> String {
    escape_identifier(text)
}

/// A text in SQL.
pub(super) fn text(text: &str) -> String {
    escape_literal(text)
}
