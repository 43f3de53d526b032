//! Role-based access control, as Kubernetes evaluates it, over the objects of one workspace.

mod binding;
pub mod bootstrap;
mod escalation;
mod policy;
mod rule;
#[cfg(test)]
mod tests;

pub use self::{
    policy::Policy,
    rule::{Rule, covers, uncovered},
};
