//! From a kind on the service cluster to what tenants can bind: pure functions over documents.

mod crd_json;
mod export;
mod offer;
mod openapi;
mod projection;
mod related;
mod schema;

pub(crate) use export::{Export, claims, export_news, new_export, update_export};
pub(crate) use offer::Offer;
pub(crate) use projection::{Projection, project};
pub(crate) use related::related_faults;
pub(crate) use schema::resource_schema;
