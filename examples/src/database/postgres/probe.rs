//! Whether a server serves, asked the way its consumer would.

use std::time::Duration;

use tokio_postgres::{Config, NoTls, error::SqlState};

use super::{HOST, server::APP};
use crate::database::quantity::Bytes;

const PATIENCE: Duration = Duration::from_secs(3);

/// What a server answered.
#[derive(Debug)]
pub(super) enum Answer {
    /// It serves; its database has this size.
    Size(Bytes),
    /// It does not listen yet, or says that it is starting.
    NotYet,
    /// It serves, but not this consumer.
    Refusal(String),
}

/// Connects with the consumer's credentials and asks for the size of the database. Cancel-safe.
pub(super) async fn ask(port: u16, password: &str) -> Answer {
    match tokio::time::timeout(PATIENCE, size(port, password)).await {
        Ok(Ok(size)) => Answer::Size(size),
        Ok(Err(error)) => match error.code() {
            Some(&SqlState::CANNOT_CONNECT_NOW) | None => Answer::NotYet,
            Some(_) => Answer::Refusal(error.to_string()),
        },
        Err(_) => Answer::Refusal(format!("the server did not answer within {PATIENCE:?}")),
    }
}

async fn size(port: u16, password: &str) -> Result<Bytes, tokio_postgres::Error> {
    let mut config = Config::new();
    config.host(HOST).port(port).user(APP).password(password).dbname(APP);
    let (client, connection) = config.connect(NoTls).await?;
    // The connection ends when the client is dropped, which the question does once answered.
    let question = async move {
        let row = client.query_one("SELECT pg_database_size(current_database())", &[]).await?;
        row.try_get::<_, i64>(0)
    };
    let (size, ()) = tokio::try_join!(question, connection)?;
    Ok(Bytes(u64::try_from(size).unwrap_or_default()))
}
