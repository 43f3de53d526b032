//! What is remembered of an order's resolution, within what its provider seals.

use std::collections::BTreeMap;

use kdp_core::{
    Error, ErrorKind,
    provider::{OrderId, Teardown},
};
use semver::Version;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{
    offering::ProviderBinding,
    resolution::{Current, Resolution},
};

/// Who makes an order and where: all that is needed to find it again without the catalog.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Assignment {
    /// Name of the Offering.
    pub offering: String,
    /// Name of its plan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<String>,
    /// Who makes it.
    pub provider: ProviderBinding,
    /// Where; none when the provider knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
    /// Which release.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<Version>,
    /// Path of the workspace it was ordered in.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub workspace: String,
    /// What it takes of the service cluster.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub demand: BTreeMap<String, u64>,
    /// Labels by which it is kept apart from other orders.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub apart: BTreeMap<String, String>,
}

impl Assignment {
    pub(super) fn of(resolution: &Resolution, workspace: &str) -> Self {
        Self {
            offering: resolution.offering.clone(),
            plan: resolution.plan.clone(),
            provider: resolution.provider.clone(),
            cluster: resolution.placed.as_ref().map(|placed| placed.cluster.clone()),
            version: resolution.version.clone(),
            workspace: workspace.into(),
            demand: resolution.demand.clone(),
            apart: resolution.apart.clone(),
        }
    }

    pub(super) fn current(&self) -> Current {
        Current {
            offering: self.offering.clone(),
            provider: self.provider.name.clone(),
            version: self.version.clone(),
            cluster: self.cluster.clone(),
        }
    }

    /// The record of the provider, with this around what is the provider's own.
    pub(super) fn around(&self, record: Teardown) -> Teardown {
        let data = json!({"assignment": self, "provider": record.data});
        record.with_data(data)
    }

    /// What was put around the record of a provider, and that record.
    ///
    /// # Errors
    /// `Invalid` when the record is none of the catalog's.
    pub(super) fn within(record: &Teardown) -> Result<(Self, Teardown), Error> {
        let foreign = |message: String| Error::new(ErrorKind::Invalid, "read the record of", &record.id, message);
        let Value::Object(data) = &record.data else {
            return Err(foreign("it was not made through the catalog".into()));
        };
        let assignment = data.get("assignment").cloned().unwrap_or_default();
        let assignment = serde_json::from_value(assignment).map_err(|error| foreign(error.to_string()))?;
        let own = data.get("provider").cloned().unwrap_or_default();
        Ok((assignment, record.clone().with_data(own)))
    }

    pub(super) fn of_order(id: &OrderId, sealed: Option<&Teardown>) -> Result<Option<(Self, Teardown)>, Error> {
        let within = sealed.map(Self::within).transpose()?;
        if within.as_ref().is_some_and(|(_, record)| record.id.uid != id.uid) {
            return Err(Error::new(ErrorKind::Invalid, "read the record of", id, "it is the record of another order"));
        }
        Ok(within)
    }
}
