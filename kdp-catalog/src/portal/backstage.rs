//! The catalog as Backstage reads it: entities, and a template for every kind.
//!
//! | Here | In Backstage |
//! |---|---|
//! | category of services | Domain |
//! | service | System, and a Component of type `service` that provides its APIs |
//! | kind | API of type `openapi`, and a Template that orders one |
//! | workspace | Group of type `workspace`, below the Group of the next workspace above |
//! | order | Resource of its workspace's Group, which depends on the service's Component |
//! | team | Group of type `team` |
//!
//! Workspaces are Groups, not Domains, since every Resource needs an owner and Backstage asks Groups
//! what they own. The Templates run the action `kdp:order`, which is in `portal/backstage-action` of
//! this crate.
//!
//! Backstage replaces an object with one key such as `$text` by the file it names. No such object
//! ever gets into an entity.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Value, json};

use super::{Site, names};

mod definition;
mod entities;
mod files;
mod template;

pub use entities::entities;
pub use files::{CATALOG_FILE, TEMPLATES_FOLDER, to_yaml, write};
pub use template::{ORDER_ACTION, templates};

/// Prefix of our own labels and annotations.
const PREFIX: &str = "portal.kdp.k8c.io";

/// One thing in Backstage's catalog.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Entity {
    /// `backstage.io/v1alpha1`, or that of templates.
    pub api_version: &'static str,
    /// Kind, such as `Component`.
    pub kind: &'static str,
    /// What every kind has.
    pub metadata: Metadata,
    /// What this kind has.
    pub spec: Value,
}

/// What every entity has.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Metadata {
    /// Name, unique among entities of the kind.
    pub name: String,
    /// Name for people.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub title: String,
    /// More for people, in Markdown.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// To select by.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// For tools.
    pub annotations: BTreeMap<String, String>,
    /// To find by.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// Where to read more.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub links: Vec<Link>,
}

/// A link of an entity.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Link {
    /// Address.
    pub url: String,
    /// What is there.
    pub title: String,
}

impl Entity {
    /// An entity with the annotations that Backstage wants on all.
    fn new(kind: &'static str, name: &str, title: &str, site: &Site, spec: Value) -> Self {
        let places = ["backstage.io/managed-by-location", "backstage.io/managed-by-origin-location"];
        Self {
            api_version: "backstage.io/v1alpha1",
            kind,
            metadata: Metadata {
                name: name.to_owned(),
                title: names::readable(title),
                annotations: places.into_iter().map(|key| (key.to_owned(), site.location().to_owned())).collect(),
                ..Metadata::default()
            },
            spec: pruned(spec),
        }
    }

    fn described(mut self, description: &str) -> Self {
        self.metadata.description = names::readable(description);
        self
    }

    fn labelled(mut self, key: &str, value: &str) -> Self {
        self.metadata.labels.insert(format!("{PREFIX}/{key}"), names::label_value(value));
        self
    }

    fn annotated(mut self, key: &str, value: &str) -> Self {
        self.metadata.annotations.insert(format!("{PREFIX}/{key}"), names::readable(value));
        self
    }

    fn tagged(mut self, text: &str) -> Self {
        if let Some(tag) = names::tag(text).filter(|tag| !self.metadata.tags.contains(tag)) {
            self.metadata.tags.push(tag);
        }
        self
    }

    fn linked(mut self, url: &str, title: &str) -> Self {
        if names::is_web_url(url) {
            self.metadata.links.push(Link { url: url.to_owned(), title: title.to_owned() });
        }
        self
    }
}

/// The spec without the fields that are null.
fn pruned(mut spec: Value) -> Value {
    if let Some(spec) = spec.as_object_mut() {
        spec.retain(|_, value| !value.is_null());
    }
    spec
}

/// A reference to an entity.
fn reference(kind: &str, name: &str) -> Value {
    json!(format!("{kind}:default/{name}"))
}

#[cfg(test)]
mod tests;
