//! Agents as users of a platform: find a service, learn its kinds, check a manifest, order, follow.
//!
//! Everything here acts as the caller, through the caller's [`kube::Client`] of one workspace: an
//! agent can do what its user can do and nothing else. Answers are data with a JSON Schema, small
//! ones first, and never hold the content of a Secret.
//!
//! ```no_run
//! use std::time::Duration;
//!
//! use kdp_ai::{Order, describe, discover, order, wait_ready};
//! use kdp_catalog::Catalog;
//! use kdp_core::Identity;
//!
//! # async fn run(client: kube::Client, catalog: Catalog, alice: Identity) -> Result<(), Box<dyn std::error::Error>> {
//! let found = discover(&client, &catalog, &alice, Some("database")).await?;
//! let service = describe(&client, &catalog, &alice, &found[0].name).await?;
//! let mut manifest = service.kinds[0].example.clone();
//! manifest["metadata"]["name"] = "orders".into();
//! match order(&client, &manifest).await? {
//!     Order::Refused(validation) => println!("{:#?}", validation.faults),
//!     Order::Placed(placed) => {
//!         let ready = wait_ready(&client, &placed.order, Duration::from_secs(60), |progress| println!("{progress:?}"));
//!         println!("credentials: {:?}", ready.await?.secrets);
//!     }
//! }
//! # Ok(())
//! # }
//! ```

mod describe;
mod discover;
mod nearest;
mod order;
mod progress;
mod resolve;
mod schema;
mod validate;

pub use describe::{Column, KindDescription, SchemaSource, ServiceDescription, describe};
pub use discover::{Availability, ServiceSummary, discover};
pub use order::{ConditionSummary, Order, OrderPhase, OrderRef, OrderStatus, SecretName, order, status};
pub use progress::{ConditionChange, Progress, progress, wait_ready};
pub use resolve::KindRef;
pub use schema::fields::Field;
pub use validate::{Fault, Validation, validate};
