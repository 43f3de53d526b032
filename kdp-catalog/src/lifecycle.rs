//! What happens to instances after they were ordered: releases, upgrades in waves, ends and actions.
//!
//! Everything in here decides and does nothing. Each function is given what was observed and the
//! time, and answers what is to be done; whoever calls it does that and stores the answer. So every
//! decision can be tested, shown before it is carried out, and made again after a crash.

mod error;
mod release;
mod version;
mod window;

pub use error::{LifecycleError, Users};
pub use release::{Deprecation, Release, ReleaseState};
pub use version::{Channel, Choice, Offer, Requirement, RequirementSpec, parse_version};
pub use window::{Day, FreezeSpec, MaintenanceSpec, WindowSpec, Windows};
