//! An embeddable Kubernetes API server whose tenants are kcp logical clusters.
//!
//! [`Embedded`] is a control plane inside this process, in memory or on disk. A workspace is made by
//! creating a `Workspace` object, and is a whole API server of its own from the moment the request
//! returns.
//!
//! ```
//! use kdp_core::{ControlPlaneExt, WorkspacePath, api::tenancy::Workspace};
//! use kdp_tenancy::Embedded;
//! use kube::{Api, api::PostParams};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let control_plane = Embedded::in_memory().await?;
//! let workspaces: Api<Workspace> = Api::all(control_plane.system_client(&WorkspacePath::root())?);
//! workspaces.create(&PostParams::default(), &Workspace::new("acme", Default::default())).await?;
//!
//! let acme = control_plane.system_client(&"root:acme".parse()?)?;
//! assert!(acme.apiserver_version().await?.git_version.contains("kdp"));
//! # Ok(())
//! # }
//! ```
//!
//! [`Embedded::server`] adds HTTPS for kubectl and everybody else outside the process. Where data is
//! kept is behind the seam [`store::Store`]. [`Kcp`] is the same for a kcp server that runs elsewhere.
//! [`tenants`] walks through what a platform does with its tenants.

pub mod archive;
pub mod embedded;
mod error;
pub mod kcp;
pub mod lifecycle;
mod server;
pub mod store;
#[doc = include_str!("../docs/tenants.md")]
pub mod tenants {}

pub use embedded::{Embedded, EmbeddedOptions};
pub use error::Error;
pub use kcp::Kcp;
pub use server::Server;
