//! `catalog.kdp.k8c.io` Placement: on which service cluster what is ordered is made.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The service clusters there are, and which one an order gets, in the provider's workspace.
///
/// An order stays where it is placed, whatever becomes of the rules, until its service cluster is
/// [evacuated](ServiceCluster::evacuated) or no longer listed.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "catalog.kdp.k8c.io",
    version = "v1alpha1",
    kind = "Placement",
    category = "kdp",
    printcolumn = r#"{"name":"Age","type":"date","jsonPath":".metadata.creationTimestamp"}"#
)]
#[serde(rename_all = "camelCase", default)]
pub struct PlacementSpec {
    /// The service clusters to choose from.
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub clusters: Vec<ServiceCluster>,
    /// Only clusters with such labels; all of them without.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub required: Option<LabelSelector>,
    /// Clusters that are better than others.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub preferences: Vec<Preference>,
    /// Orders that are to be kept apart.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub anti_affinity: Vec<AntiAffinity>,
    /// How much it counts that a cluster has free capacity: a score of an empty one, of 0 to 100; 10 by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 100))]
    pub spread: Option<u32>,
}

/// A cluster on which orders are made.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServiceCluster {
    /// Its name, under which providers know it.
    pub name: String,
    /// What is known of it. The label `region` has to be the region of the order's Environment, where both are stated.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Classes of data that it may hold; all of them without.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub data_classes: Vec<String>,
    /// What fits on it, in units of which plans state their demand; `orders` counts orders. What is not listed is
    /// unlimited.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub capacity: BTreeMap<String, u64>,
    /// It gets no new orders.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub drained: bool,
    /// It gets no new orders, and those it has are placed anew.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub evacuated: bool,
}

/// What makes a cluster better than others.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Preference {
    /// Labels of the better clusters.
    pub clusters: LabelSelector,
    /// By how much, from -100 to 100.
    #[schemars(range(min = -100, max = 100))]
    pub weight: i32,
}

/// Keeps orders with the same value of a label apart.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AntiAffinity {
    /// Label of orders of one workspace; those with an equal value are kept apart.
    pub label: String,
    /// Label of clusters; those with an equal value are one place. Without it every cluster is a place of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topology: Option<String>,
    /// What it costs to put two together, from 1 to 100; without it they are never put together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100))]
    pub penalty: Option<u32>,
}
