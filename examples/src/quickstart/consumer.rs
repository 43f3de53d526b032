//! The consumer of an order: it has nothing but what the Secret delivers.

use std::{collections::BTreeMap, error::Error as StdError, net::SocketAddr, path::Path};

use k8s_openapi::api::core::v1::Secret;
use kdp_core::{Error, ErrorKind};
use kube::{Api, Client};
use rusqlite::ErrorCode;
use tokio_postgres::NoTls;

use super::tour::NAMESPACE;
use crate::database::sqlite::connection;

const GREETING: &str = "hello from the tenant";

/// The contents of a credentials Secret.
#[derive(Clone)]
pub(super) struct Credentials(BTreeMap<String, String>);

impl Credentials {
    /// Reads the Secret that belongs to the Database `name`.
    pub(super) async fn read(client: &Client, name: &str) -> Result<Self, Error> {
        let secret = format!("{name}-credentials");
        let api = Api::<Secret>::namespaced(client.clone(), NAMESPACE);
        let data = api.get(&secret).await.map_err(|e| Error::from_kube("read", &secret, e))?.data.unwrap_or_default();
        Ok(Self(data.into_iter().map(|(key, value)| (key, String::from_utf8_lossy(&value.0).into_owned())).collect()))
    }

    /// Writes a row into the database, and reads it back over another connection.
    pub(super) async fn write_and_read(&self) -> Result<(), Error> {
        match self.engine()? {
            "sqlite" => {
                self.sqlite(|connection| {
                    connection.execute_batch("CREATE TABLE IF NOT EXISTS greeting (words TEXT)")?;
                    connection.execute("INSERT INTO greeting VALUES (?1)", [GREETING]).map(|_| ())
                })
                .await?;
            }
            _ => {
                self.postgres("CREATE TABLE IF NOT EXISTS greeting (words TEXT)").await?;
                self.postgres(&format!("INSERT INTO greeting VALUES ('{GREETING}')")).await?;
            }
        }
        self.expect_row().await
    }

    /// Reads the row that was written before.
    pub(super) async fn expect_row(&self) -> Result<(), Error> {
        const QUERY: &str = "SELECT words FROM greeting LIMIT 1";
        let words = match self.engine()? {
            "sqlite" => self.sqlite(|connection| connection.query_row(QUERY, [], |row| row.get(0))).await?,
            _ => self.postgres(QUERY).await?.unwrap_or_default(),
        };
        if words == GREETING {
            return Ok(());
        }
        Err(self.failed("read from", format!("the row says {words:?}"), None))
    }

    /// Whether the engine refuses to hold more than was ordered. Only SQLite can be asked to.
    pub(super) async fn overflow_is_refused(&self) -> Result<bool, Error> {
        self.sqlite(|connection| {
            let pages: i64 = connection.query_row("PRAGMA max_page_count", [], |row| row.get(0))?;
            let bytes: i64 =
                connection.query_row("PRAGMA page_size", [], |row| row.get(0)).map(|size: i64| size * pages)?;
            connection.execute_batch("BEGIN; CREATE TABLE overflow (x)")?;
            let written = connection.execute("INSERT INTO overflow VALUES (zeroblob(?1))", [bytes]);
            // A statement that finds the database full may have ended the transaction already.
            if !connection.is_autocommit() {
                connection.execute_batch("ROLLBACK")?;
            }
            match written {
                Err(error) if error.sqlite_error_code() == Some(ErrorCode::DiskFull) => Ok(true),
                Err(error) => Err(error),
                Ok(_) => Ok(false),
            }
        })
        .await
    }

    /// Whether nothing is left of the database at the place these credentials lead to.
    pub(super) async fn lead_nowhere(&self) -> bool {
        match (self.0.get("path"), self.address()) {
            (Some(path), _) => !Path::new(path).exists(),
            (None, Some(address)) => tokio::net::TcpStream::connect(address).await.is_err(),
            (None, None) => false,
        }
    }

    fn address(&self) -> Option<SocketAddr> {
        self.0.get("endpoint")?.parse().ok()
    }

    fn engine(&self) -> Result<&str, Error> {
        self.get("engine")
    }

    fn get(&self, key: &str) -> Result<&str, Error> {
        let value = self.0.get(key).map(String::as_str);
        value.ok_or_else(|| self.failed("open", format!("the Secret has no {key}"), None))
    }

    /// Opens the file exactly as its connection string says. SQLite blocks.
    async fn sqlite<T: Send + 'static>(
        &self,
        work: impl FnOnce(&rusqlite::Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, Error> {
        let uri = self.get("uri")?.to_owned();
        let work = move || -> Result<T, Box<dyn StdError + Send + Sync>> { Ok(work(&connection::open(&uri)?)?) };
        match tokio::task::spawn_blocking(work).await {
            Ok(result) => result.map_err(|e| self.failed("use", "SQLite refused".into(), Some(e))),
            Err(error) => Err(self.failed("use", "the work did not finish".into(), Some(error.into()))),
        }
    }

    /// Runs one statement; the first column of the first row, if there is one.
    async fn postgres(&self, statement: &str) -> Result<Option<String>, Error> {
        let uri = self.get("uri")?;
        let work = async {
            let (client, connection) = tokio_postgres::connect(uri, NoTls).await?;
            // The connection ends when the client is dropped, which the question does once answered.
            let question = async move {
                let row = client.query_opt(statement, &[]).await?;
                row.map(|row| row.try_get(0)).transpose()
            };
            tokio::try_join!(question, connection).map(|(words, ())| words)
        };
        work.await.map_err(|e| self.failed("use", "PostgreSQL refused".into(), Some(e.into())))
    }

    fn failed(&self, op: &'static str, message: String, cause: Option<Box<dyn StdError + Send + Sync>>) -> Error {
        let subject = self.0.get("endpoint").map_or("the database", String::as_str);
        let error = Error::new(ErrorKind::Internal, op, subject, message);
        match cause {
            Some(cause) => error.with_source(cause),
            None => error,
        }
    }
}
