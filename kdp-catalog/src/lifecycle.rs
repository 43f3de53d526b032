//! What happens to instances after they were ordered: releases, upgrades in waves, ends and actions.
//!
//! Everything in here decides and does nothing. Each function is given what was observed and the
//! time, and answers what is to be done; whoever calls it does that and stores the answer. So every
//! decision can be tested, shown before it is carried out, and made again after a crash.

pub mod actions;
mod error;
mod orphans;
mod release;
mod ttl;
mod usage;
mod version;
pub mod waves;
mod window;

pub use error::{LifecycleError, Users};
pub use orphans::{Coverage, InventoryItem, Orders, Orphan, OrphanReason, orphans};
pub use release::{Deprecation, Release, ReleaseState};
pub use ttl::{
    EXPIRES_ANNOTATION, EndReason, LEASE_ANNOTATION, Lifetime, LifetimeSpec, PROTECTED_ANNOTATION, RENEWED_ANNOTATION,
    TTL_ANNOTATION, Verdict, WARN_BEFORE_ANNOTATION,
};
pub use usage::{PlanChange, UsageMeter, UsageRecord, UsageSubject, usage};
pub use version::{Channel, Choice, Offer, Requirement, RequirementSpec, parse_version};
pub use window::{Day, FreezeSpec, MaintenanceSpec, WindowSpec, Windows};
