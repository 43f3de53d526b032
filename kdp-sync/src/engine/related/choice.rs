//! How far a tenant's choice of related objects reaches.
//!
//! A locator may read fields that tenants write. On their own side that is harmless: there, related
//! objects are always in the order's own workspace. On the service cluster it would let one tenant
//! name an object of another. So a chosen namespace must be the copy's own, and a name may be
//! chosen only in a namespace that no two workspaces share.

use super::{
    OrderRules,
    locate::{Locator, Rewrite, Text},
};
use crate::{api::Side, naming::names_workspace, path::Path, template::Template};

impl Locator {
    /// Whether tenants decide what this finds on the service cluster.
    pub(super) fn is_tenants_choice(&self, origin: Side, order: &OrderRules<'_>) -> bool {
        match self {
            Self::Reference { path, .. } => !is_providers_path(path, order) && !order.mutations.decide(path),
            Self::Template(template) => reads_tenants_fields(template, order),
            Self::Selector { rewrite, .. } if origin == Side::Kcp => {
                !matches!(rewrite, Rewrite::Template(template) if names_workspace(template))
            }
            Self::Selector { labels, .. } => {
                let is_chosen = templates(labels).any(|template| reads_tenants_fields(template, order));
                is_chosen && !finds_only_the_workspaces_own(labels)
            }
        }
    }

    /// Whether it finds the same in a namespace for whatever order asks.
    pub(super) fn is_the_same_for_all_orders(&self) -> bool {
        match self {
            Self::Reference { .. } => false,
            Self::Template(template) => template.reads().is_empty(),
            Self::Selector { labels, .. } => templates(labels).next().is_none(),
        }
    }

    /// Whether the namespaces this finds on the service cluster may be the same for two workspaces.
    pub(super) fn shares_namespace(&self, naming_shares: bool) -> bool {
        match self {
            // Any other field, even one that only the provider writes, may say the same everywhere.
            Self::Reference { path, .. } => {
                naming_shares || path.keys().is_none_or(|keys| keys != ["metadata", "namespace"])
            }
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

/// Whether one of the labels is the name of the workspace, whatever the others are. A key that is
/// rendered could take its place.
fn finds_only_the_workspaces_own(labels: &[(Text, Text)]) -> bool {
    let is_plain = |(key, _): &(Text, Text)| matches!(key, Text::Plain(_));
    let names_it = |(_, value): &(Text, Text)| matches!(value, Text::Template(template) if names_workspace(template));
    labels.iter().all(is_plain) && labels.iter().any(names_it)
}

/// A query may reach anything, and give what is written in it.
fn is_providers_path(path: &Path, order: &OrderRules<'_>) -> bool {
    path.keys().is_some_and(|keys| is_providers_field(&keys, order))
}

/// Whether a field of the copy is written on the service cluster only.
fn is_providers_field(keys: &[&str], order: &OrderRules<'_>) -> bool {
    match keys {
        ["metadata", "name"] => !order.chooses_names,
        keys => matches!(keys, ["status", ..] | ["metadata", "namespace" | "uid"]),
    }
}

fn reads_tenants_fields(template: &Template, order: &OrderRules<'_>) -> bool {
    let is_tenants = |keys: &[&str]| match keys {
        ["ClusterName" | "ClusterPath" | "Side"] => false,
        ["Object" | "LocalObject", field @ ..] => !is_providers_field(field, order),
        _ => true,
    };
    !names_workspace(template) && template.reads().iter().any(|keys| is_tenants(keys))
}

fn reads_own_namespace(template: &Template) -> bool {
    ["Object", "LocalObject"].into_iter().any(|object| template.is_only(&[object, "metadata", "namespace"]))
}
