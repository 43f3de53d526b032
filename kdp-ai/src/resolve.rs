//! Finds how the workspace serves a kind, or what was probably meant.

use kdp_core::Error;
use kube::{
    Discovery,
    core::GroupVersionKind,
    discovery::{ApiCapabilities, ApiResource, pinned_kind},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::nearest::nearest;

const NEAR_KINDS: usize = 5;

/// A kind and the version it is written in.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct KindRef {
    /// Group and version, such as `databases.example.com/v1`.
    pub api_version: String,
    /// Kind.
    pub kind: String,
}

impl KindRef {
    /// The kind that this resource serves.
    pub(crate) fn of(resource: &ApiResource) -> Self {
        Self { api_version: resource.api_version.clone(), kind: resource.kind.clone() }
    }

    pub(crate) fn group_version_kind(&self) -> GroupVersionKind {
        let (group, version) = self.api_version.split_once('/').unwrap_or(("", &self.api_version));
        GroupVersionKind::gvk(group, version, &self.kind)
    }
}

/// What the workspace knows of a kind.
#[derive(Debug)]
pub(crate) enum Resolution {
    /// It is served.
    Served(Box<ApiResource>, ApiCapabilities),
    /// It is not; these served kinds come nearest.
    Unknown(Vec<KindRef>),
}

/// Looks a kind up in the workspace's discovery.
pub(crate) async fn resolve(client: &kube::Client, kind: &KindRef) -> Result<Resolution, Error> {
    match pinned_kind(client, &kind.group_version_kind()).await {
        Ok((resource, capabilities)) => Ok(Resolution::Served(Box::new(resource), capabilities)),
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(Resolution::Unknown(near(client, kind).await?)),
        Err(kube::Error::Discovery(_)) => Ok(Resolution::Unknown(near(client, kind).await?)),
        Err(error) => Err(Error::from_kube("find kind", format!("{} {}", kind.api_version, kind.kind), error)),
    }
}

async fn near(client: &kube::Client, kind: &KindRef) -> Result<Vec<KindRef>, Error> {
    let discovery = Discovery::new(client.clone()).run_aggregated().await;
    let discovery = discovery.map_err(|error| Error::from_kube("discover", "the kinds of the workspace", error))?;
    let groups = discovery.groups_alphabetical().into_iter();
    let served = groups.flat_map(|group| group.resources_by_stability()).map(|(resource, _)| KindRef::of(&resource));
    Ok(near_among(kind, served.collect()))
}

/// The kinds of the same or a similar name first, then those of the same group.
fn near_among(wanted: &KindRef, mut served: Vec<KindRef>) -> Vec<KindRef> {
    served.sort();
    served.dedup();
    let similar = nearest(&wanted.kind, served.iter().map(|kind| kind.kind.as_str()), NEAR_KINDS);
    let group = |kind: &KindRef| kind.group_version_kind().group;
    let rank = |kind: &KindRef| match similar.iter().position(|name| *name == kind.kind) {
        Some(position) => Some(position),
        None => (!group(kind).is_empty() && group(kind) == group(wanted)).then_some(NEAR_KINDS),
    };
    let mut ranked: Vec<(usize, KindRef)> =
        served.iter().filter_map(|kind| Some((rank(kind)?, kind.clone()))).collect();
    ranked.sort();
    ranked.into_iter().take(NEAR_KINDS).map(|(_, kind)| kind).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(api_version: &str, kind: &str) -> KindRef {
        KindRef { api_version: api_version.into(), kind: kind.into() }
    }

    #[test]
    fn the_core_group_has_no_slash() {
        assert_eq!(kind("v1", "Secret").group_version_kind(), GroupVersionKind::gvk("", "v1", "Secret"));
        assert_eq!(kind("a.b/v2", "C").group_version_kind(), GroupVersionKind::gvk("a.b", "v2", "C"));
    }

    #[test]
    fn names_count_more_than_groups_and_the_rest_stays_away() {
        let served = [
            kind("v1", "Secret"),
            kind("db.example.com/v1", "Backup"),
            kind("db.example.com/v1", "Database"),
            kind("other.com/v1", "Database"),
        ];
        assert_eq!(
            near_among(&kind("db.example.com/v2", "Databse"), served.to_vec()),
            [
                kind("db.example.com/v1", "Database"),
                kind("other.com/v1", "Database"),
                kind("db.example.com/v1", "Backup")
            ]
        );
        assert_eq!(near_among(&kind("x.com/v1", "Queue"), served.to_vec()), []);
    }
}
