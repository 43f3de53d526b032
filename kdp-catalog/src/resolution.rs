#![doc = include_str!("../docs/resolution.md")]

mod answer;
mod criteria;
mod layers;
mod limits;
mod place;
mod request;
mod shelf;
mod stocked;

pub use self::{
    answer::{ConsideredOffering, Explanation, LimitFault, Refusal, Resolution},
    layers::{Field, Origin, defaults_of},
    place::{Because, ConsideredCluster, Placed},
    request::{Current, EnvironmentFacts, ORDERS, OrderFacts, Request, Selection, Usage, WorkspaceFacts},
    shelf::{Fault, Shelf, Stock},
};

/// Annotation of an order, or label of its namespace: the Environment it is in.
pub const ENVIRONMENT: &str = "catalog.kdp.k8c.io/environment";
/// Annotation of an order: the Offering it selects.
pub const OFFERING: &str = "catalog.kdp.k8c.io/offering";
/// Annotation of an order: the plan it selects.
pub const PLAN: &str = "catalog.kdp.k8c.io/plan";
/// Annotation of an order: the release it selects, as a version (`1.4.2`), a range (`>=1.4, <2`) or a channel
/// (`channel:stable`).
pub const VERSION: &str = "catalog.kdp.k8c.io/version";

/// Annotation of an order: the release that an upgrade has brought it to, or back to. A tenant who writes it chooses
/// among the releases that can be ordered, as with [`VERSION`].
pub const RELEASE: &str = "catalog.kdp.k8c.io/release";
/// Label of an order: the class of a workload's need. Offerings ask for it in their criteria.
pub const CLASS: &str = "catalog.kdp.k8c.io/class";

#[cfg(test)]
mod tests;
