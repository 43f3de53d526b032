//! How a consumer opens its SQLite database, with the limit it ordered.

use std::path::Path;

use rusqlite::{Connection, OpenFlags};

use crate::database::quantity::Bytes;

/// Bytes of one page in every database made here; SQLite's default.
pub(super) const PAGE_SIZE: u32 = 4096;
/// The most pages a SQLite database can have.
pub(super) const MOST_PAGES: u32 = 4_294_967_294;

const PARAMETER: &str = "max_page_count";

/// A delivered URI cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The URI does not say how large the database may become.
    #[error("the connection string has no {PARAMETER}")]
    NoLimit,
    /// SQLite refused.
    #[error("cannot open the database")]
    Sqlite(#[from] rusqlite::Error),
}

/// Opens the database that a delivered `uri` names. Writing past its limit fails with
/// `SQLITE_FULL`.
///
/// SQLite itself skips parameters it does not know, so the same string opens the database in any
/// client that understands SQLite URIs, there with the limit once the client has run the delivered
/// `init-sql`: `sqlite3 -cmd "$INIT_SQL" "$URI"`.
///
/// # Errors
/// When the string has no limit, or SQLite cannot open the file.
pub fn open(uri: &str) -> Result<Connection, OpenError> {
    let pages = parameter(uri).ok_or(OpenError::NoLimit)?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(uri, flags)?;
    connection.execute_batch(&pragma(pages))?;
    Ok(connection)
}

/// The connection string of a database that may grow to `limit`.
pub(super) fn uri(path: &Path, limit: Bytes) -> String {
    let path = encode(&path.to_string_lossy());
    format!("file:{path}?mode=rw&{PARAMETER}={}", pages(limit))
}

/// The statement that sets the limit on a connection.
pub(super) fn init_sql(limit: Bytes) -> String {
    pragma(pages(limit))
}

fn pragma(pages: u32) -> String {
    format!("PRAGMA {PARAMETER} = {pages};")
}

fn pages(limit: Bytes) -> u32 {
    u32::try_from(limit.0 / u64::from(PAGE_SIZE)).unwrap_or(MOST_PAGES).min(MOST_PAGES)
}

fn parameter(uri: &str) -> Option<u32> {
    let (_, query) = uri.split_once('?')?;
    query.split('&').find_map(|pair| pair.strip_prefix(PARAMETER)?.strip_prefix('=')?.parse().ok())
}

/// Escapes what ends or changes the path of a SQLite URI.
fn encode(path: &str) -> String {
    path.chars().fold(String::with_capacity(path.len()), |mut encoded, c| {
        match c {
            '%' => encoded.push_str("%25"),
            '?' => encoded.push_str("%3f"),
            '#' => encoded.push_str("%23"),
            c => encoded.push(c),
        }
        encoded
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_path_survives_the_uri() {
        let directory = tempfile::tempdir().unwrap();
        for name in ["plain", "with space", "50%25", "what?", "a#b", "ü&=+"] {
            let path = directory.path().join(name);
            Connection::open(&path).unwrap().execute_batch("CREATE TABLE t (x)").unwrap();
            let connection = open(&uri(&path, Bytes(64 << 10))).unwrap();
            assert_eq!(connection.query_row("SELECT count(*) FROM t", [], |row| row.get::<_, i64>(0)), Ok(0), "{name}");
            assert_eq!(connection.query_row("PRAGMA max_page_count", [], |row| row.get::<_, i64>(0)), Ok(16));
        }
    }

    #[test]
    fn a_string_without_a_limit_is_refused() {
        assert!(matches!(open("file:/nowhere?mode=rw"), Err(OpenError::NoLimit)));
        assert!(matches!(open("/nowhere"), Err(OpenError::NoLimit)));
    }
}
