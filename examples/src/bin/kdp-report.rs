//! Tells how orders fare, as a program: see `kdp_examples::report`.

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    kdp_examples::report::main(std::env::args_os()).await
}
