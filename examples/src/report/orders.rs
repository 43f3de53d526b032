//! Reads the orders that are there.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use kdp_catalog::{
    GroupKind,
    insight::{Event, Facts, Journal, JournalOptions, Report, Sighting, Snapshot, WorkspaceFact},
};
use kdp_core::{
    Error, ErrorKind,
    api::{
        CLUSTER_ANNOTATION, PATH_ANNOTATION,
        apis::APIBinding,
        core::{LOGICAL_CLUSTER_NAME, LogicalCluster},
    },
};
use kube::{
    Api, Discovery, ResourceExt,
    api::{ApiResource, DynamicObject, GroupVersionKind, ListParams},
    discovery,
};

use super::connection::Place;

/// How many orders are asked for at once.
const CHUNK: u32 = 500;

/// A kind of orders and the service it belongs to.
#[derive(Clone, Debug, PartialEq)]
struct Ordered {
    service: String,
    kind: ApiResource,
}

/// How the orders in a place fare.
///
/// # Errors
/// `Invalid` when there is no such kind; as the server answers otherwise.
pub(super) async fn report(
    place: &Place,
    kinds: &[GroupVersionKind],
    days: u16,
    now: Timestamp,
) -> Result<Report, Error> {
    let mut facts = Facts::default();
    let ordered = match (kinds, &place.export) {
        ([], Some(export)) => exported(place, export).await?,
        ([], None) => bound(place, &mut facts).await?,
        (kinds, export) => named(place, kinds, export.as_deref()).await?,
    };
    if place.export.is_none() {
        facts.workspaces.extend(own_workspace(place).await?);
    }
    let mut journal = Journal::new(JournalOptions::default().with_days(days));
    for ordered in &ordered {
        read(place, ordered, &mut journal, now).await?;
    }
    Ok(Report::new(&journal, &facts, days, now))
}

/// The kinds that were named.
async fn named(place: &Place, kinds: &[GroupVersionKind], export: Option<&str>) -> Result<Vec<Ordered>, Error> {
    let mut all = Vec::new();
    for kind in kinds {
        let found = discovery::pinned_kind(&place.client, kind).await;
        let (resource, _) = found.map_err(|error| match error {
            kube::Error::Discovery(error) => {
                let subject = format!("{}/{}/{}", kind.group, kind.version, kind.kind);
                Error::new(ErrorKind::Invalid, "find", subject, "there is no such kind here").with_source(error)
            }
            error => Error::from_kube("find", &kind.kind, error),
        })?;
        // In what a tenant sees, the group of a kind is the nearest there is to the name of its service.
        all.push(Ordered { service: export.unwrap_or(&kind.group).to_owned(), kind: resource });
    }
    Ok(all)
}

/// The kinds of an export, without what it only claims of its consumers.
async fn exported(place: &Place, export: &str) -> Result<Vec<Ordered>, Error> {
    let is_foreign = |group: &str| !group.contains('.') || group.ends_with(".k8s.io") || group.ends_with(".kcp.io");
    let kinds = served(place).await?.into_iter().filter(|kind| !is_foreign(&kind.group));
    Ok(kinds.map(|kind| Ordered { service: export.to_owned(), kind }).collect())
}

/// The kinds that a workspace has bound; notes what it has bound.
async fn bound(place: &Place, facts: &mut Facts) -> Result<Vec<Ordered>, Error> {
    let bindings = Api::<APIBinding>::all(place.client.clone()).list(&ListParams::default()).await;
    let bindings = match bindings {
        Ok(bindings) => bindings,
        Err(kube::Error::Api(status)) if status.is_not_found() => {
            let message = "nothing can be bound here; name the kinds of orders with --kind";
            return Err(Error::new(ErrorKind::Invalid, "find", "the kinds of orders", message));
        }
        Err(error) => return Err(Error::from_kube("list", "bindings", error)),
    };
    let mut services: BTreeMap<(String, String), String> = BTreeMap::new();
    let mut binders: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for binding in &bindings.items {
        let service = &binding.spec.reference.export.name;
        let status = binding.status.clone().unwrap_or_default();
        for resource in status.bound_resources {
            // What the platform itself brings is no service.
            if resource.group.ends_with(".kcp.io") {
                continue;
            }
            services.insert((resource.group, resource.resource), service.clone());
            let cluster = binding.annotations().get(CLUSTER_ANNOTATION).or(place.workspace.as_ref());
            binders.entry(service.clone()).or_default().extend(cluster.cloned());
        }
    }
    facts.binders = Some(binders);
    let kinds = served(place).await?;
    let ordered = kinds.into_iter().filter_map(|kind| {
        let service = services.get(&(kind.group.clone(), kind.plural.clone()))?.clone();
        Some(Ordered { service, kind })
    });
    Ok(ordered.collect())
}

/// Every kind there is, in the version that is to be used.
async fn served(place: &Place) -> Result<Vec<ApiResource>, Error> {
    let found = Discovery::new(place.client.clone()).run().await;
    let found = found.map_err(|error| Error::from_kube("find", "the kinds that are served", error))?;
    let kinds = found.groups().flat_map(|group| group.recommended_resources());
    Ok(kinds.filter(|(_, capabilities)| capabilities.supports_operation("list")).map(|(kind, _)| kind).collect())
}

/// What the workspace is called and since when it is there, if it may be known.
async fn own_workspace(place: &Place) -> Result<Option<(String, WorkspaceFact)>, Error> {
    let cluster = match Api::<LogicalCluster>::all(place.client.clone()).get(LOGICAL_CLUSTER_NAME).await {
        Ok(cluster) => cluster,
        // Not everybody may look at it, and a plain cluster has none.
        Err(kube::Error::Api(status)) if status.is_forbidden() || status.is_not_found() => return Ok(None),
        Err(error) => return Err(Error::from_kube("look at", "the workspace", error)),
    };
    let annotations = cluster.annotations();
    let Some((name, created)) = annotations.get(CLUSTER_ANNOTATION).zip(cluster.metadata.creation_timestamp.as_ref())
    else {
        return Ok(None);
    };
    let path = annotations.get(PATH_ANNOTATION).or(place.workspace.as_ref()).unwrap_or(name);
    Ok(Some((name.clone(), WorkspaceFact::new(path, created.0))))
}

/// Puts all orders of a kind into the journal, bit by bit.
async fn read(place: &Place, ordered: &Ordered, journal: &mut Journal, now: Timestamp) -> Result<(), Error> {
    let api = Api::<DynamicObject>::all_with(place.client.clone(), &ordered.kind);
    let kind = GroupKind::new(&ordered.kind.group, &ordered.kind.kind);
    let mut params = ListParams::default().limit(CHUNK);
    loop {
        let list = api.list(&params).await.map_err(|error| Error::from_kube("list", &ordered.kind.plural, error))?;
        for object in &list.items {
            let cluster = object.annotations().get(CLUSTER_ANNOTATION).or(place.workspace.as_ref());
            let workspace = cluster.map_or("", String::as_str);
            let snapshot = Snapshot::read(object, &kind, &ordered.service, workspace).map_err(|error| {
                Error::new(ErrorKind::Internal, "read", object.name_any(), "it is not complete").with_source(error)
            })?;
            journal.fold(&Event::Seen(Box::new(snapshot), Sighting::Listed), now);
        }
        match list.metadata.continue_.filter(|more| !more.is_empty()) {
            Some(more) => params = params.continue_token(&more),
            None => return Ok(()),
        }
    }
}
