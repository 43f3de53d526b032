//! A whole platform in one process: see `kdp_examples::quickstart`.

use std::process::ExitCode;

use clap::Parser;
use kdp_examples::quickstart::{self, Options};

#[tokio::main]
async fn main() -> ExitCode {
    quickstart::main(Options::parse()).await
}
