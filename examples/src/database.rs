//! A database service: the kind [`Database`], the providers that make databases, and the operator
//! that drives them.
//!
//! ```text
//! Database (what a user orders) ── operator ──► Provider: sqlite, postgres
//!                                     │
//!                                     ├─ status, conditions
//!                                     └─ Secret <name>-credentials
//! ```
//!
//! The parts know little of each other: a provider sees an [`Order`](kdp_core::provider::Order)
//! and no Kubernetes; the operator has a [`Runner`](kdp_core::Runner) drive them, and knows no database.

mod engines;
pub mod operator;
mod place;
pub mod postgres;
pub mod quantity;
pub mod spec;
pub mod sqlite;

pub use operator::DatabaseOperator;
pub use postgres::PostgresProvider;
pub use spec::{Database, DatabaseSpec, DatabaseStatus, Engine, Offer};
pub use sqlite::SqliteProvider;
