//! The agent of a service owner: publishes kinds of a service cluster to the workspaces of a
//! control plane, and syncs what tenants order.
//!
//! ```no_run
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use std::sync::Arc;
//!
//! use kdp_core::Platform;
//! use kdp_sync::{Agent, AgentOptions};
//! use kdp_tenancy::Embedded;
//!
//! // Where the operators run: any Kubernetes.
//! let service_cluster = kube::Client::try_default().await?;
//! kdp_sync::install_crds(&service_cluster).await?;
//!
//! // Where the tenants are. The workspace `root:provider` offers what is published.
//! let control_plane = Embedded::open("data").await?;
//! let options = AgentOptions::new("databases", "root:provider".parse()?, "databases.example.com").with_created_export();
//! Platform::builder(Arc::new(control_plane))
//!     .component(Agent::new(service_cluster, options))
//!     .run(async { tokio::signal::ctrl_c().await.unwrap_or_default() })
//!     .await?;
//! # Ok(())
//! # }
//! ```
//!
//! What is published is said by [`PublishedResource`](api::PublishedResource)s on the service
//! cluster, in the wire format of kcp's api-syncagent. The agent turns each into an
//! APIResourceSchema and an entry of the APIExport. Once a workspace binds the export, every order
//! there gets a copy on the service cluster; what tenants change goes down, status and related
//! objects such as credentials come up, and a deletion takes everything away again, in order.
//!
//! Inside, decisions are made by a synchronous engine that looks at facts and answers with writes;
//! a driver follows both sides with watches, asks the engine and carries out the writes. An agent
//! may be stopped between any two of them: the next one goes on.
//!
//! [`operation`] is the guide for who runs one.
//!
//! # What keeps tenants apart
//! - An order only ever reaches the copy whose labels name its workspace, namespace and name. An
//!   object that has the name of a copy by chance is left alone, and the order says so.
//! - Labels and annotations of the agent never travel, so nobody can write another one's.
//! - What tenants choose about related objects is kept in the namespace of their own copies; where
//!   workspaces share that namespace, such a PublishedResource is refused.

mod agent;
pub mod api;
mod diagnostic;
mod driver;
mod engine;
mod event;
mod go_json;
mod hash;
mod health;
mod lease;
mod metrics;
mod mutation;
mod naming;
mod object;
mod path;
mod plain;
pub mod preview;
mod publish;
mod rewrite;
mod sharding;
mod telemetry;
mod template;
pub mod toolkit;
mod watch;
pub mod wire;
#[doc = include_str!("../docs/agent.md")]
pub mod operation {}

pub use agent::{Agent, AgentOptions, AgentStatus, Inspector};
pub use api::install_crds;
pub use diagnostic::Diagnostic;
pub use health::{Check, Health};
pub use lease::LeaseOptions;
pub use metrics::{CONTENT_TYPE as METRICS_CONTENT_TYPE, Metrics};
pub use plain::PlainCluster;
