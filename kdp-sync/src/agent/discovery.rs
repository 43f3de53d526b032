//! Asks the service cluster for kinds that no CustomResourceDefinition defines.

use kdp_core::{Error, ErrorKind};
use kube::Client;
use serde_json::Value;

use super::publisher::Refusal;
use crate::{
    api::{PublishedResourceSpec, SourceResource},
    driver::in_time,
    publish::Offer,
};

/// The definition that a built-in or aggregated kind would have.
///
/// Only the kind's own group is asked for, so an aggregated API that is down fails nobody else. A
/// kind that is not there may come with its API at any time, so that is tried again.
pub(super) async fn definition(client: &Client, published: &PublishedResourceSpec) -> Result<Value, Refusal> {
    let source = &published.resource;
    let SourceResource { api_group: group, kind, .. } = source;
    let versions = versions(client, group).await?;
    let mut lists = Vec::new();
    for version in &versions {
        let subject = format!("{group}/{version}");
        let list = if group.is_empty() {
            in_time("discover", subject, client.list_core_api_resources(version)).await?
        } else {
            in_time("discover", &subject, client.list_api_group_resources(&subject)).await?
        };
        lists.push((version.clone(), list.resources));
    }
    let preferred = versions.first().map(String::as_str).unwrap_or_default();
    let offer = Offer::find(source, &lists, preferred).ok_or_else(|| {
        let subject = format!("spec.resource: {kind} in the group {group:?}");
        Error::new(ErrorKind::NotFound, "discover", subject, "the service cluster has no such kind")
    })?;
    let request = http::Request::get("/openapi/v2").body(Vec::new());
    let request = request.map_err(|e| Error::new(ErrorKind::Internal, "discover", "OpenAPI", e.to_string()))?;
    let openapi: Value = in_time("discover", "OpenAPI", client.request(request)).await?;
    offer.definition(published, &openapi).map_err(|fault| vec![fault].into())
}

/// The versions of a group, the preferred one first.
async fn versions(client: &Client, group: &str) -> Result<Vec<String>, Error> {
    if group.is_empty() {
        return Ok(in_time("discover", "core versions", client.list_core_api_versions()).await?.versions);
    }
    let groups = in_time("discover", "API groups", client.list_api_groups()).await?.groups;
    let found = groups.into_iter().find(|found| found.name == group);
    let Some(found) = found else { return Ok(Vec::new()) };
    let preferred = found.preferred_version.map(|preferred| preferred.version);
    let mut versions: Vec<_> = found.versions.into_iter().map(|version| version.version).collect();
    versions.sort_by_key(|version| Some(version) != preferred.as_ref());
    Ok(versions)
}
