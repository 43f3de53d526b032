//! Blueprints: APIs made of a graph of objects, in the language of kro's ResourceGraphDefinition.
//!
//! Everything here is computation: definitions go in, and schemas, faults, graphs and plans come out.

pub mod definition;
mod fault;
#[cfg(test)]
mod fixtures;
mod graph;
mod path;
pub mod plan;
pub mod simple_schema;

pub use definition::{BlueprintDefinition, BlueprintDefinitionSpec, ResourceGraph};
pub use fault::{Fault, Faults};
pub use graph::Graph;
pub use plan::{InventoryEntry, Observed, Plan, Situation, deletion_waves};
