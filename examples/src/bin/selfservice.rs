//! A self-service page over a whole platform in one process: see `kdp_examples::selfservice`.

use std::process::ExitCode;

use clap::Parser;
use kdp_examples::selfservice::{self, Options};
use mimalloc::MiMalloc;

// What a request costs is to a third the allocating of small pieces.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

#[tokio::main]
async fn main() -> ExitCode {
    selfservice::main(Options::parse()).await
}
