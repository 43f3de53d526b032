//! A whole platform in one process: see `kdp_examples::quickstart`.

use std::process::ExitCode;

use clap::Parser;
use kdp_examples::quickstart::{self, Options};
use mimalloc::MiMalloc;

// What a request costs is to a third the allocating of small pieces.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

#[tokio::main]
async fn main() -> ExitCode {
    quickstart::main(Options::parse()).await
}
