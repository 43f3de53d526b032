//! What can be ordered here, in few words.

use kdp_catalog::{Catalog, CatalogEntry};
use kdp_core::{Error, Identity, api::apis::APIBinding};
use kube::{Api, ResourceExt, api::ListParams};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::schema::fields::shorten;

/// Characters of a description that a summary keeps.
const SUMMARY_MAX: usize = 160;

/// One service in few words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ServiceSummary {
    /// Name to give to `describe`.
    pub name: String,
    /// Name for people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub title: String,
    /// What it is good for, in at most 160 characters.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub summary: String,
    /// Shelf of the catalog.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub category: String,
    /// Kinds it brings, or their plural names where the kinds may not be seen.
    pub kinds: Vec<String>,
    /// What stands between the caller and an order.
    pub availability: Availability,
}

/// What stands between the caller and an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub enum Availability {
    /// Nothing: the workspace binds it, and its kinds can be ordered.
    Bound,
    /// The workspace's binding is not complete, or is being deleted.
    Binding,
    /// The caller may bind it into the workspace first.
    Bindable,
    /// The caller may see it, and somebody else must bind it.
    NotPermitted,
}

/// The services of the catalog that `identity` may see, and everything the workspace binds.
///
/// With a `query`, only services that hold every one of its words, best matches first; otherwise
/// in order of name. `client` is the caller's, of the workspace that would order; `identity` is
/// the same caller.
///
/// # Errors
/// When the catalog cannot be read, or the caller may not list the APIBindings of the workspace.
pub async fn discover(
    client: &kube::Client,
    catalog: &Catalog,
    identity: &Identity,
    query: Option<&str>,
) -> Result<Vec<ServiceSummary>, Error> {
    let (entries, bindings) = futures::try_join!(catalog.list(identity), bindings(client))?;
    let entries: Vec<_> = entries.into_iter().map(|entry| entry.with_bound_among(&bindings)).collect();
    Ok(matching(summaries(&entries, &bindings), query.unwrap_or_default()))
}

pub(crate) async fn bindings(client: &kube::Client) -> Result<Vec<APIBinding>, Error> {
    let list = Api::<APIBinding>::all(client.clone()).list(&ListParams::default()).await;
    list.map(|list| list.items).map_err(|error| Error::from_kube("list", "apibindings", error))
}

/// The services of the catalog, then bindings of services that the catalog does not show.
fn summaries(entries: &[CatalogEntry], bindings: &[APIBinding]) -> Vec<ServiceSummary> {
    let is_shown = |binding: &&APIBinding| entries.iter().any(|entry| entry.export.is_bound_by(binding));
    let foreign = bindings.iter().filter(|binding| !is_shown(binding)).map(ServiceSummary::of_binding);
    entries.iter().map(|entry| ServiceSummary::of_entry(entry, entries)).chain(foreign).collect()
}

impl ServiceSummary {
    /// `others` are the entries among which its name must be enough to find it again.
    pub(crate) fn of_entry(entry: &CatalogEntry, others: &[CatalogEntry]) -> Self {
        let is_ambiguous = others.iter().filter(|other| other.name == entry.name).count() > 1;
        let name = if is_ambiguous { format!("{}:{}", entry.export.workspace, entry.name) } else { entry.name.clone() };
        let (title, summary, category) = match &entry.details {
            Some(tile) => (tile.title.clone(), shorten(&tile.description, SUMMARY_MAX), tile.category.clone()),
            None => Default::default(),
        };
        let availability = match (&entry.bound, entry.may_bind) {
            (Some(bound), _) if bound.complete => Availability::Bound,
            (Some(_), _) => Availability::Binding,
            (None, true) => Availability::Bindable,
            (None, false) => Availability::NotPermitted,
        };
        Self {
            name,
            title,
            summary,
            category,
            kinds: entry.kinds().iter().map(|kind| kind.kind.clone()).collect(),
            availability,
        }
    }

    pub(crate) fn of_binding(binding: &APIBinding) -> Self {
        let status = binding.status.as_ref();
        let is_complete =
            binding.metadata.deletion_timestamp.is_none() && status.is_some_and(|status| status.phase == "Bound");
        Self {
            name: binding.name_any(),
            title: String::new(),
            summary: String::new(),
            category: String::new(),
            kinds: status
                .iter()
                .flat_map(|s| &s.bound_resources)
                .map(|r| format!("{}.{}", r.resource, r.group))
                .collect(),
            availability: if is_complete { Availability::Bound } else { Availability::Binding },
        }
    }

    /// How well it answers one lower-case word; 0 when not at all.
    fn score(&self, word: &str) -> u32 {
        let holds = |text: &String| text.to_lowercase().contains(word);
        if holds(&self.title) || holds(&self.name) || self.kinds.iter().any(holds) {
            3
        } else if holds(&self.category) {
            2
        } else {
            u32::from(holds(&self.summary))
        }
    }
}

/// Those that hold every word of the query, best first; all of them when there is no word.
fn matching(summaries: Vec<ServiceSummary>, query: &str) -> Vec<ServiceSummary> {
    let words: Vec<String> = query.split_whitespace().map(str::to_lowercase).collect();
    let score = |service: &ServiceSummary| {
        words.iter().try_fold(0, |sum, word| match service.score(word) {
            0 => None,
            score => Some(sum + score),
        })
    };
    let mut scored: Vec<_> = summaries.into_iter().filter_map(|service| Some((score(&service)?, service))).collect();
    // A stable sort keeps the order of names among equals.
    scored.sort_by_key(|(score, _)| std::cmp::Reverse(*score));
    scored.into_iter().map(|(_, service)| service).collect()
}

#[cfg(test)]
mod tests;
