//! The catalog in the words of developer portals.

pub mod names;
pub mod schema_form;
