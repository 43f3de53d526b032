//! A small self-service page: browse the catalog, order, watch it come, read the credentials.
//!
//! ```text
//!   browser ── cookie ──► page ── the user's own bearer token ──► control plane (HTTPS)
//!                          │
//!                          └─ the catalog, as the user may see it
//! ```
//!
//! The page holds no right of its own in a tenant's workspace. Each request of a browser becomes requests to the API
//! server with the token the user signed in with, so that the page can do nothing the user cannot do with `kubectl`;
//! and a token that is revoked is worth nothing from that moment. The catalog alone reads as the platform, and shows
//! what access reviews allow the user to see.
//!
//! A browser keeps a random session id in a cookie that scripts cannot read, and a second secret that it sends along
//! with whatever changes something. Data of tenants and providers reaches the browser as JSON, and the document as
//! text.

mod assets;
mod credentials;
mod demo;
mod events;
mod fault;
mod guard;
mod kinds;
mod limit;
mod options;
mod orders;
mod page;
mod server;
mod session;
mod shelf;
mod sign_in;
mod topology;
mod upstream;

use std::process::ExitCode;

use kdp_core::{Error, reconcile::Chain};

pub use demo::{Demo, Guest};
pub use options::Options;
pub use page::{Page, PageOptions};
pub use server::PageServer;
pub use session::Secret;
pub use sign_in::Tickets;
pub use upstream::Upstream;

use crate::quickstart::{Stop, screen};

/// Runs the program to its end: 0 when all went well, 1 otherwise.
pub async fn main(options: Options) -> ExitCode {
    options.init_logging();
    match run(&options).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            screen::line(format_args!("\nerror: {}", Chain(&error)));
            ExitCode::FAILURE
        }
    }
}

async fn run(options: &Options) -> Result<(), Error> {
    let mut stop = Stop::listen()?;
    let demo = Demo::start(options).await?;
    let outcome = if options.once {
        demo.check().await
    } else {
        demo.print_guide();
        tokio::select! {
            // Stopping tells the cause.
            () = demo.failed() => {}
            () = stop.requested() => screen::line("\nstopping"),
        }
        Ok(())
    };
    demo.stop().await.and(outcome)
}
