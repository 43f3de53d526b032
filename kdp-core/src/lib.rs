//! Vocabulary and seams of a KDP platform.
//!
//! A platform is a set of [`Component`]s around one [`ControlPlane`] whose tenants are logical
//! clusters. Everything reaches a tenant through an ordinary [`kube::Client`], so what is written
//! against this crate runs on any control plane.
//!
//! ```
//! use async_trait::async_trait;
//! use kdp_core::{Component, ComponentContext, ControlPlaneExt, Error, Platform, SharedControlPlane, WorkspacePath};
//!
//! /// Does something for the workspace `root:acme` until it is told to stop.
//! struct Greeter;
//!
//! #[async_trait]
//! impl Component for Greeter {
//!     fn name(&self) -> &str {
//!         "greeter"
//!     }
//!
//!     async fn run(self: Box<Self>, context: ComponentContext) -> Result<(), Error> {
//!         let acme: WorkspacePath = "root:acme".parse().expect("it is a path");
//!         let _client: kube::Client = context.control_plane().system_client(&acme)?;
//!         context.ready();
//!         context.shutdown().cancelled().await;
//!         Ok(())
//!     }
//! }
//!
//! async fn run(control_plane: SharedControlPlane, until: impl Future<Output = ()>) -> Result<(), Error> {
//!     Platform::builder(control_plane).component(Greeter).run(until).await
//! }
//! ```

pub mod api;
#[cfg(feature = "cel")]
pub mod cel;
pub mod component;
pub mod condition;
pub mod control_plane;
pub mod error;
#[cfg(feature = "functions")]
pub mod functions;
pub mod identity;
pub mod platform;
#[cfg(feature = "plugin")]
pub mod plugin;
#[cfg(any(feature = "crossplane", feature = "functions"))]
mod protobuf;
pub mod provider;
pub mod reconcile;
pub mod runner;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod workspace;

pub use component::{Component, ComponentContext};
pub use control_plane::{ControlPlane, ControlPlaneExt, Endpoint, ExportUrl, SharedControlPlane};
pub use error::{Error, ErrorKind, Retry};
pub use identity::Identity;
pub use platform::{Platform, RunningPlatform};
pub use provider::Provider;
pub use runner::Runner;
pub use workspace::{LogicalClusterName, WorkspacePath};
