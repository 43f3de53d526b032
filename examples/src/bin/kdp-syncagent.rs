//! The agent of a service owner, as a program: see `kdp_examples::syncagent`.

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    kdp_examples::syncagent::main(std::env::args_os()).await
}
