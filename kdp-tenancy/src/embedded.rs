//! The in-process control plane.

pub mod resource;
