//! The service catalog of a platform: what can be ordered, by whom, and how it is bound.
//!
//! A provider describes an offer as a [`Service`] in its workspace. The [`ServiceController`] makes
//! an APIExport of it, the [`Catalog`] shows it to those who may see it, and [`bind`] makes its
//! kinds appear in a tenant's workspace.
//!
//! ```no_run
//! use kdp_catalog::{Catalog, ClaimPolicy, bind};
//! use kdp_core::{Endpoint, Identity, SharedControlPlane};
//!
//! # async fn order(control_plane: SharedControlPlane, alice: Identity) -> Result<(), Box<dyn std::error::Error>> {
//! let catalog = Catalog::new(control_plane.clone(), ["root:providers".parse()?]);
//! let tenant = control_plane.client(&Endpoint::Workspace("root:acme".parse()?), &alice)?;
//!
//! for entry in catalog.list(&alice).await? {
//!     println!("{} may be bound: {}", entry.title(), entry.may_bind);
//! }
//! let databases = catalog.get(&alice, "databases.example.com").await?.ok_or("not in the catalog")?;
//! bind(&tenant, &databases, ClaimPolicy::AcceptAll).await?;
//! # Ok(())
//! # }
//! ```

mod access;
mod binding;
pub mod blueprint;
pub mod blueprints;
mod catalog;
mod controller;
mod entry;
mod environment;
mod expiry;
mod export;
mod fleet;
pub mod insight;
pub mod lifecycle;
mod offering;
mod passes;
mod placement;
pub mod portal;
pub mod provision;
mod reach;
mod release;
pub mod resolution;
pub mod score;
mod service;
mod shelving;

pub use binding::{ClaimPolicy, Remaining, Unbound, WhenInUse, bind, unbind};
pub use catalog::Catalog;
pub use controller::ServiceController;
pub use entry::{Bound, CatalogEntry, Details, OfferedKind, OfferedVersion};
pub use environment::{Environment, EnvironmentParameters, EnvironmentSpec};
pub use expiry::{ExpiryController, NOTICE};
pub use export::ExportLocation;
pub use fleet::{DECIDE, UpgradeController};
pub use offering::{Criteria, Deadlines, GroupKind, Offering, OfferingSpec, OfferingStatus, Plan, ProviderBinding};
pub use placement::{AntiAffinity, Placement, PlacementSpec, Preference, ServiceCluster};
pub use release::{Release, ReleaseSpec};
pub use service::{
    CatalogMetadata, ConfigMapKey, Logo, SecretReference, Service, ServiceSpec, ServiceStatus, install_service_crd,
};
pub use shelving::{OfferingController, install_catalog_crds, install_environment_crd};
