//! Tenants do not notice each other.
//!
//! `noninterference` lets random tenants do random things and compares what one of them sees with
//! what it sees alone. `attacks` is a table of what a tenant may try. More of the first:
//!
//! ```text
//! KDP_ISOLATION_OPS=1000000 cargo test --release -p kdp-tenancy --test isolation noninterference
//! KDP_ISOLATION_SEED=17 cargo test -p kdp-tenancy --test isolation noninterference   # one seed again
//! ```
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod attacks;
mod noninterference;
