//! The catalog in the words of developer portals: Backstage entities and templates, Port blueprints
//! and actions, forms from schemas, and scorecards.
//!
//! Everything here is a pure function of a [`Site`], which the caller fills from the catalog and from
//! the workspaces; only [`backstage::write`] touches the file system, and only [`LivePortal`] reads what
//! is there and answers portals itself. The same site gives the same bytes.
//!
//! ```
//! use kdp_catalog::{CatalogEntry, ExportLocation, portal::{KindInput, ServiceInput, Site, backstage}};
//! use serde_json::json;
//!
//! let location = ExportLocation::new("root:databases".parse()?, "2okdry95y5lkv".parse()?, "db.example.com");
//! let schema = json!({"type": "object", "properties": {"spec": {
//!     "type": "object", "required": ["size"], "properties": {"size": {"type": "integer", "minimum": 1}},
//! }}});
//! let postgres = KindInput::new("db.example.com", "v1", "Postgres", "postgreses")?.with_schema(schema);
//! let mut site = Site::new("https://kdp.example.com", "url:https://git.example.com/portal/catalog-info.yaml")?;
//! site.services.push(ServiceInput::new(CatalogEntry::at(location)).with_kinds([postgres]).with_owner("dba"));
//!
//! let template = &backstage::templates(&site)[0];
//! assert_eq!(template.metadata.name, "v1.postgreses.db.example.com");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! What an order says in its spec, its annotations, or the messages of its conditions never gets into
//! a portal: of an order there is its place, its kind, its age, and whether it is ready and why not,
//! in one word.

pub mod backstage;
mod directory;
mod error;
mod live;
pub mod names;
pub mod port;
pub mod schema_form;
pub mod scorecard;
mod site;

pub use error::Error;
pub use live::{BACKSTAGE, LivePortal, PORT};
pub use site::{KindInput, OrderInput, ServiceInput, Site, WorkspaceInput};
