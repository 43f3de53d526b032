//! The database service, tested at its borders.
#![expect(clippy::unwrap_used, reason = "a failure of a helper is a failure of its test")]
#![expect(clippy::print_stderr, reason = "a skipped test says so")]

mod fixture;
mod killed;
mod postgres;
mod sqlite;
