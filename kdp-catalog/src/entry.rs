//! What the catalog shows of a service.

use std::collections::BTreeMap;

use kdp_core::api::apis::{APIBinding, APIExport, APIResourceSchema, PermissionClaim};
use kube::ResourceExt;
use serde::Serialize;

use crate::{ExportLocation, Service, access::Visibility};

/// A service as one identity may see it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct CatalogEntry {
    /// Name of the Service and of its APIExport.
    pub name: String,
    /// Labels of the Service.
    pub labels: BTreeMap<String, String>,
    /// The APIExport to bind.
    pub export: ExportLocation,
    /// Everything else on the tile; `None` when only its name and labels may be seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub details: Option<Details>,
    /// Whether the identity may bind the export, and the export is there to be bound.
    pub may_bind: bool,
    /// Rights the export asks for in a workspace that binds it; known to those who may bind it.
    pub claims: Vec<PermissionClaim>,
    /// How the tenant's workspace binds it; `None` when it does not, or no workspace was asked about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bound: Option<Bound>,
}

/// The full tile of a service.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Details {
    /// Name for people; empty when the provider gave none.
    pub title: String,
    /// What the service is good for, in Markdown.
    pub description: String,
    /// Where to read more.
    pub documentation_url: String,
    /// Shelf of the catalog.
    pub category: String,
    /// API group of the offered kinds.
    pub group: String,
    /// Kinds offered now; empty until the provider has published one.
    pub kinds: Vec<OfferedKind>,
}

/// A kind that binding brings into the workspace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct OfferedKind {
    /// API group.
    pub group: String,
    /// Kind.
    pub kind: String,
    /// Plural resource name.
    pub plural: String,
    /// Whether objects live in a namespace.
    pub namespaced: bool,
    /// Served versions, in the provider's order.
    pub versions: Vec<OfferedVersion>,
    /// The APIResourceSchema behind the kind.
    pub schema: String,
}

/// A served version of an offered kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct OfferedVersion {
    /// Version, such as `v1alpha1`.
    pub name: String,
    /// Whether its use is discouraged.
    pub deprecated: bool,
}

/// How a workspace binds a service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Bound {
    /// Name of the APIBinding.
    pub binding: String,
    /// Whether the binding is complete, so that its kinds can be used.
    pub complete: bool,
}

impl CatalogEntry {
    /// An entry of which nothing is known but where it is.
    #[must_use]
    pub fn at(location: ExportLocation) -> Self {
        Self {
            name: location.name.clone(),
            labels: BTreeMap::new(),
            export: location,
            details: None,
            may_bind: false,
            claims: Vec::new(),
            bound: None,
        }
    }

    /// What `visibility` and `may_bind` leave of a service, its export and the export's schemas.
    ///
    /// `None` when nothing of it may be seen.
    pub(crate) fn new<'a>(
        service: &Service,
        location: ExportLocation,
        export: Option<&APIExport>,
        schema: impl Fn(&str) -> Option<&'a APIResourceSchema>,
        visibility: Visibility,
        may_bind: bool,
    ) -> Option<Self> {
        let details = match visibility {
            Visibility::Hidden => return None,
            Visibility::NameAndLabels => None,
            Visibility::Full => {
                let resources = export.map_or(&[][..], |export| &export.spec.resources);
                let kinds = resources.iter().filter_map(|resource| schema(&resource.schema)).map(OfferedKind::of);
                Some(Details::of(service, kinds.collect()))
            }
        };
        let open = service.metadata.deletion_timestamp.is_none();
        let bindable = export.filter(|_| may_bind && open);
        Some(Self {
            name: location.name.clone(),
            labels: service.labels().clone(),
            export: location,
            details,
            may_bind: bindable.is_some(),
            claims: bindable.map(|export| export.spec.permission_claims.clone()).unwrap_or_default(),
            bound: None,
        })
    }

    /// The title, or the name when there is none to be seen.
    #[must_use]
    pub fn title(&self) -> &str {
        match &self.details {
            Some(details) if !details.title.is_empty() => &details.title,
            _ => &self.name,
        }
    }

    /// The kinds offered; empty when they may not be seen.
    #[must_use]
    pub fn kinds(&self) -> &[OfferedKind] {
        self.details.as_ref().map_or(&[], |details| &details.kinds)
    }

    /// The one of a workspace's bindings that binds this service.
    #[must_use]
    pub fn binding_among<'a>(&self, bindings: &'a [APIBinding]) -> Option<&'a APIBinding> {
        bindings.iter().find(|binding| self.export.is_bound_by(binding))
    }

    /// The entry that says how a workspace with these bindings binds the service.
    #[must_use]
    pub fn with_bound_among(mut self, bindings: &[APIBinding]) -> Self {
        self.bound = self
            .binding_among(bindings)
            .map(|binding| Bound { binding: binding.name_any(), complete: crate::binding::is_bound(binding) });
        self
    }
}

impl Details {
    fn of(service: &Service, kinds: Vec<OfferedKind>) -> Self {
        let tile = service.spec.catalog_metadata.clone();
        Self {
            title: tile.title,
            description: tile.description,
            documentation_url: tile.documentation_url,
            category: tile.category,
            group: service.spec.api_group.clone(),
            kinds,
        }
    }
}

impl OfferedKind {
    fn of(schema: &APIResourceSchema) -> Self {
        let spec = &schema.spec;
        Self {
            group: spec.group.clone(),
            kind: spec.names.kind.clone(),
            plural: spec.names.plural.clone(),
            namespaced: spec.scope == "Namespaced",
            versions: spec
                .versions
                .iter()
                .filter(|version| version.served)
                .map(|version| OfferedVersion { name: version.name.clone(), deprecated: version.deprecated })
                .collect(),
            schema: schema.name_any(),
        }
    }
}

#[cfg(test)]
mod tests;
