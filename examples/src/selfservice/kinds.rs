//! The kinds that can be ordered.

use kdp_catalog::{CatalogEntry, OfferedKind};
use kube::{
    Api, Client,
    api::{ApiResource, DynamicObject},
    core::GroupVersionKind,
};

use super::{
    fault::Fault,
    page::{Place, Shared},
};

/// What stands in a path for the namespace of a kind that has none.
pub(super) const NO_NAMESPACE: &str = "-";

/// A kind of a service, in the version that is ordered.
#[derive(Clone, Debug)]
pub(super) struct Ordered {
    /// Name of the service.
    pub(super) service: String,
    /// How the API server serves it.
    pub(super) resource: ApiResource,
    /// Whether its objects live in a namespace.
    pub(super) namespaced: bool,
}

impl Ordered {
    /// The kind in its first version, if one is served; one whose use is not discouraged, if there is one.
    pub(super) fn new(entry: &CatalogEntry, kind: &OfferedKind) -> Option<Self> {
        let versions = &kind.versions;
        let version = versions.iter().find(|version| !version.deprecated).or_else(|| versions.first())?;
        let gvk = GroupVersionKind::gvk(&kind.group, &version.name, &kind.kind);
        Some(Self {
            service: service_key(entry),
            resource: ApiResource::from_gvk_with_plural(&gvk, &kind.plural),
            namespaced: kind.namespaced,
        })
    }

    /// Where its objects are, as the client may see them. The namespace counts for kinds that have one.
    pub(super) fn api(&self, client: &Client, namespace: &str) -> Api<DynamicObject> {
        if self.namespaced {
            Api::namespaced_with(client.clone(), namespace, &self.resource)
        } else {
            Api::all_with(client.clone(), &self.resource)
        }
    }

    /// All of its objects that the client may see.
    pub(super) fn everywhere(&self, client: &Client) -> Api<DynamicObject> {
        Api::all_with(client.clone(), &self.resource)
    }
}

/// What a service is called in addresses of this page: its name and where it comes from, as the catalog takes it.
pub(super) fn service_key(entry: &CatalogEntry) -> String {
    format!("{}:{}", entry.export.workspace, entry.export.name)
}

/// Whether a text is one part of a path and stays so: what is made of it leads nowhere else.
pub(super) fn is_segment(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_graphic() && !b"/?#%\\".contains(&byte);
    !text.is_empty() && text.len() <= 253 && text.bytes().all(is_plain) && !matches!(text, "." | "..")
}

/// A service as the user may see it, and how the workspace binds it.
pub(super) async fn find_service(shared: &Shared, place: &Place, service: &str) -> Result<CatalogEntry, Fault> {
    if !is_segment(service.rsplit(':').next().unwrap_or_default()) {
        return Err(Fault::NotFound("service"));
    }
    let identity = place.identity().await?;
    let entry = shared.catalog.get_in(&identity, service, &place.client).await?;
    entry.ok_or(Fault::NotFound("service"))
}

/// A kind of a service, by its plural name, as the user may see it.
pub(super) async fn find(shared: &Shared, place: &Place, service: &str, plural: &str) -> Result<Ordered, Fault> {
    let entry = find_service(shared, place, service).await?;
    let kind = entry.kinds().iter().find(|kind| kind.plural == plural);
    kind.and_then(|kind| Ordered::new(&entry, kind)).ok_or(Fault::NotFound("kind"))
}

/// Every kind that can be ordered at the place: those of the services it binds.
pub(super) async fn all(shared: &Shared, place: &Place) -> Result<Vec<Ordered>, Fault> {
    let identity = place.identity().await?;
    let entries = shared.catalog.list_in(&identity, &place.client).await?;
    let bound = entries.iter().filter(|entry| entry.bound.as_ref().is_some_and(|bound| bound.complete));
    Ok(bound.flat_map(|entry| entry.kinds().iter().filter_map(|kind| Ordered::new(entry, kind))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_segment_leads_nowhere_else() {
        for text in ["app", "app.example.com", "system:admin", "A-b_c"] {
            assert!(is_segment(text), "{text}");
        }
        for text in ["", ".", "..", "a/b", "a?b", "a#b", "a%2fb", "a b", "a\\b", "a\0b", "ä", &"a".repeat(254)] {
            assert!(!is_segment(text), "{text}");
        }
    }
}
