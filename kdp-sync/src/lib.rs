//! The service owner's side: publish kinds from a service cluster, and sync the orders.
//!
//! A service owner says with a `PublishedResource` on their own cluster what is offered. The
//! [`Agent`] makes an APIResourceSchema of it and puts it into an APIExport. From then on it copies
//! the specs of orders down to the service cluster, and brings status and related objects such as
//! credentials up. The wire, the labels and the state are those of kcp's sync agent.
//!
//! The service cluster is whatever a [`kube::Client`] talks to; the control plane is the one of the
//! platform that the agent is a component of.
//!
//! ```no_run
//! use kdp_core::{Error, Platform, SharedControlPlane};
//! use kdp_sync::{Agent, AgentOptions, install_crds};
//!
//! async fn run(control_plane: SharedControlPlane, service_cluster: kube::Client) -> Result<(), Error> {
//!     install_crds(&service_cluster).await?;
//!     let provider = "root:databases".parse().expect("it is a path");
//!     let options = AgentOptions::new("databases-agent", provider, "databases").with_created_export();
//!     Platform::builder(control_plane)
//!         .component(Agent::new(service_cluster, options))
//!         .run(std::future::pending())
//!         .await
//! }
//! ```

mod agent;
pub mod api;
mod diagnostic;
mod driver;
mod engine;
mod event;
mod go_json;
mod hash;
mod mutation;
mod naming;
mod object;
mod path;
mod publish;
mod rewrite;
mod template;
pub mod wire;

pub use agent::{Agent, AgentOptions};
pub use api::install_crds;
pub use diagnostic::Diagnostic;
