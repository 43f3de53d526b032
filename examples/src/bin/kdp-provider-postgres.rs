//! Databases in a shared PostgreSQL server, as a plugin: see `kdp_examples::postgres`.

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    kdp_examples::postgres::main(std::env::args_os()).await
}
