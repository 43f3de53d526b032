//! How far a tenant's choice of related objects reaches.
//!
//! A locator may read fields that tenants write. On their own side that is harmless: there, related
//! objects are always in the order's own workspace. On the service cluster it would let one tenant
//! name an object of another. So a chosen namespace must be the copy's own, and a name may be
//! chosen only in a namespace that no two workspaces share.

use super::locate::{Locator, Rewrite, Text};
use crate::{api::Side, mutation::Mutations, naming::names_workspace, path::Path, template::Template};

impl Locator {
    /// Whether tenants decide what this finds on the service cluster.
    pub(super) fn is_tenants_choice(&self, origin: Side, mutations: &Mutations) -> bool {
        match self {
            Self::Reference { path, .. } => !is_providers_path(path) && !mutations.decide(path),
            Self::Template(template) => reads_tenants_fields(template),
            Self::Selector { rewrite, .. } if origin == Side::Kcp => {
                !matches!(rewrite, Rewrite::Template(template) if names_workspace(template))
            }
            Self::Selector { labels, .. } => templates(labels).any(reads_tenants_fields),
        }
    }

    /// Whether the namespaces this finds on the service cluster may be the same for two workspaces.
    pub(super) fn shares_namespace(&self, naming_shares: bool) -> bool {
        match self {
            Self::Reference { path, .. } => path.keys().eq(["metadata", "namespace"]) && naming_shares,
            Self::Template(template) if reads_own_namespace(template) => naming_shares,
            Self::Template(template) => !names_workspace(template),
            Self::Selector { labels, .. } => !templates(labels).any(names_workspace),
        }
    }
}

fn templates(labels: &[(Text, Text)]) -> impl Iterator<Item = &Template> {
    labels.iter().flat_map(|(key, value)| [key, value]).filter_map(|text| match text {
        Text::Plain(_) => None,
        Text::Template(template) => Some(template),
    })
}

fn is_providers_path(path: &Path) -> bool {
    is_providers_field(&path.keys().collect::<Vec<_>>())
}

/// Whether a field of the copy is written on the service cluster only.
fn is_providers_field(keys: &[&str]) -> bool {
    matches!(keys, ["status", ..] | ["metadata", "name" | "namespace" | "uid"])
}

fn reads_tenants_fields(template: &Template) -> bool {
    let is_tenants = |keys: &[&str]| match keys {
        ["ClusterName" | "ClusterPath" | "Side"] => false,
        ["Object" | "LocalObject", field @ ..] => !is_providers_field(field),
        _ => true,
    };
    !names_workspace(template) && template.reads().iter().any(|keys| is_tenants(keys))
}

fn reads_own_namespace(template: &Template) -> bool {
    ["Object", "LocalObject"].into_iter().any(|object| template.is_only(&[object, "metadata", "namespace"]))
}
