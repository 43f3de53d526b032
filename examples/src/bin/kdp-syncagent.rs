//! The agent of a service owner, as a program: see `kdp_examples::syncagent`.

use std::process::ExitCode;

use mimalloc::MiMalloc;

// An order is read, compared and written as trees of JSON, so a third of the work is allocating.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

#[tokio::main]
async fn main() -> ExitCode {
    kdp_examples::syncagent::main(std::env::args_os()).await
}
