//! A blueprint as its instances see it.

use std::collections::BTreeSet;

use kdp_core::{
    Endpoint, LogicalClusterName,
    api::{CLUSTER_ANNOTATION, apis::APIExport},
};
use kube::{ResourceExt, api::ApiResource, core::GroupVersionKind};
use semver::Version;

use super::super::{
    CURRENT, names,
    revision::{BlueprintRevision, BlueprintRevisionSpec, UsedKind},
};
use crate::blueprint::definition::InstanceScope;

/// An export with all revisions of its blueprint.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Offer {
    pub(super) export: String,
    cluster: LogicalClusterName,
    /// Kind of the instances.
    pub(super) kind: ApiResource,
    pub(super) is_namespaced: bool,
    /// The version new instances are made with; none while nothing is offered.
    pub(super) current: Option<String>,
    pub(super) revisions: Vec<BlueprintRevisionSpec>,
    /// All kinds of which any revision has made something.
    pub(super) made: Vec<UsedKind>,
}

impl Offer {
    /// None when nothing was published, or what was published is not what it was.
    pub(super) fn of(export: &APIExport, revisions: &[BlueprintRevision]) -> Option<Self> {
        let name = export.name_any();
        let own = revisions.iter().map(|revision| &revision.spec).filter(|revision| revision.export == name);
        let mut revisions: Vec<_> = own.filter(|revision| revision.is_intact()).cloned().collect();
        revisions.sort_by_key(|revision| Version::parse(&revision.version).ok());
        let schema = &revisions.last()?.resource_graph.schema;
        let resource = export.spec.resources.first()?;
        let gvk = GroupVersionKind::gvk(&resource.group, &schema.api_version, &schema.kind);
        let made: BTreeSet<_> =
            revisions.iter().flat_map(|revision| &revision.kinds).filter(|kind| kind.made).cloned().collect();
        Some(Self {
            export: name,
            cluster: export.annotations().get(CLUSTER_ANNOTATION)?.parse().ok()?,
            kind: ApiResource::from_gvk_with_plural(&gvk, &names::plural(&schema.kind)),
            is_namespaced: schema.scope == InstanceScope::Namespaced,
            current: Self::current_of(export),
            made: made.into_iter().collect(),
            revisions,
        })
    }

    /// The version that an export offers at present.
    pub(super) fn current_of(export: &APIExport) -> Option<String> {
        export.annotations().get(CURRENT).filter(|version| !version.is_empty()).cloned()
    }

    pub(super) fn revision(&self, version: &str) -> Option<&BlueprintRevisionSpec> {
        self.revisions.iter().find(|revision| revision.version == version)
    }

    /// Where the instances of one consumer, or of all, are.
    pub(super) fn endpoint(&self, consumer: Option<LogicalClusterName>) -> Endpoint {
        Endpoint::ApiExport { cluster: self.cluster.clone(), export: self.export.clone(), consumer }
    }
}
