//! Blueprints: APIs made of a graph of objects, in the language of kro's ResourceGraphDefinition.
//!
//! Everything here is computation: definitions go in, and schemas, faults, graphs and plans come out.

pub mod definition;
mod fault;
mod graph;
mod path;
pub mod simple_schema;

pub use definition::{BlueprintDefinition, BlueprintDefinitionSpec, ResourceGraph};
pub use fault::{Fault, Faults};
pub use graph::Graph;
