//! On which service cluster an order is made.

use std::collections::BTreeMap;

use kube::core::{Selector, SelectorExt};
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::request::{ORDERS, Request};
use crate::placement::{AntiAffinity, PlacementSpec, ServiceCluster};

const SPREAD: u32 = 10;

/// A Placement, ready to be used.
#[derive(Clone, Debug)]
pub(super) struct Compiled {
    /// In order of their names.
    clusters: Vec<Candidate>,
    anti_affinity: Vec<AntiAffinity>,
    spread: f64,
}

#[derive(Clone, Debug)]
struct Candidate {
    cluster: ServiceCluster,
    is_selected: bool,
    /// The score that its labels give it.
    preference: i64,
}

/// A service cluster, and why.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Placed {
    /// Name of the service cluster.
    pub cluster: String,
    /// Why it is this one.
    pub because: Because,
}

/// Why an order is on a service cluster.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum Because {
    /// It is there already.
    Sticky,
    /// Its score is the highest.
    Best(f64),
}

/// What was found of a service cluster.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ConsideredCluster {
    /// Its name.
    pub cluster: String,
    /// Its score, or why it cannot take the order.
    pub outcome: Result<f64, String>,
}

impl Compiled {
    /// # Errors
    /// The field and what is wrong with it.
    pub(super) fn compile(spec: &PlacementSpec) -> Result<Self, (String, String)> {
        let selector = |field: &str, selector: &k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector| {
            Selector::try_from(selector.clone()).map_err(|error| (field.to_owned(), error.to_string()))
        };
        let required = spec.required.as_ref().map(|required| selector("required", required)).transpose()?;
        let preferences = spec.preferences.iter().enumerate().map(|(i, preference)| {
            let clusters = selector(&format!("preferences[{i}].clusters"), &preference.clusters)?;
            Ok((clusters, i64::from(preference.weight)))
        });
        let preferences = preferences.collect::<Result<Vec<_>, (String, String)>>()?;
        let mut clusters: Vec<_> = spec
            .clusters
            .iter()
            .map(|cluster| Candidate {
                is_selected: required.as_ref().is_none_or(|required| required.matches(&cluster.labels)),
                preference: preferences
                    .iter()
                    .filter(|(clusters, _)| clusters.matches(&cluster.labels))
                    .map(|(_, weight)| weight)
                    .sum(),
                cluster: cluster.clone(),
            })
            .collect();
        clusters.sort_by(|a, b| a.cluster.name.cmp(&b.cluster.name));
        if let Some(twice) = clusters.windows(2).find(|pair| pair[0].cluster.name == pair[1].cluster.name) {
            return Err(("clusters".into(), format!("{} is listed twice", twice[0].cluster.name)));
        }
        let spread = f64::from(spec.spread.unwrap_or(SPREAD));
        Ok(Self { clusters, anti_affinity: spec.anti_affinity.clone(), spread })
    }

    /// The service cluster of an order that demands this much.
    ///
    /// None when no cluster can take it.
    pub(super) fn place(&self, request: &Request<'_>, demand: &BTreeMap<String, u64>) -> Option<Placed> {
        let current = request.order.current.as_ref().and_then(|current| current.cluster.as_ref());
        let stays = |candidate: &&Candidate| Some(&candidate.cluster.name) == current && !candidate.cluster.evacuated;
        if let Some(Candidate { cluster, .. }) = self.clusters.iter().find(stays) {
            return Some(Placed { cluster: cluster.name.clone(), because: Because::Sticky });
        }
        let scored = self.clusters.iter().filter_map(|candidate| {
            let score = self.score(candidate, request, demand).ok()?;
            Some((candidate, score))
        });
        let better = |(a, score_a): &(&Candidate, f64), (b, score_b): &(&Candidate, f64)| {
            // Equal ones are told apart by a number that is the order's and the cluster's own, so that another
            // cluster changes nothing for the orders that do not go there.
            score_a.total_cmp(score_b).then_with(|| lot(request, a).cmp(&lot(request, b)))
        };
        let (best, score) = scored.max_by(better)?;
        Some(Placed { cluster: best.cluster.name.clone(), because: Because::Best(score) })
    }

    /// What is found of every cluster for an order that is not placed yet.
    pub(super) fn consider(&self, request: &Request<'_>, demand: &BTreeMap<String, u64>) -> Vec<ConsideredCluster> {
        let consider = |candidate: &Candidate| ConsideredCluster {
            cluster: candidate.cluster.name.clone(),
            outcome: self.score(candidate, request, demand),
        };
        self.clusters.iter().map(consider).collect()
    }

    /// The labels of an order by which it is kept apart from others.
    pub(super) fn apart(&self, request: &Request<'_>) -> BTreeMap<String, String> {
        let labels = self.anti_affinity.iter().map(|rule| &rule.label);
        labels.filter_map(|label| Some((label.clone(), request.order.labels.get(label)?.clone()))).collect()
    }

    fn score(
        &self,
        candidate: &Candidate,
        request: &Request<'_>,
        demand: &BTreeMap<String, u64>,
    ) -> Result<f64, String> {
        let cluster = &candidate.cluster;
        if cluster.evacuated || cluster.drained {
            return Err("it takes no new orders".into());
        }
        if !candidate.is_selected {
            return Err("its labels do not match".into());
        }
        if let Some(environment) = request.environment {
            let (region, data) = (&environment.spec.region, &environment.spec.data_class);
            if let Some(own) = cluster.labels.get("region").filter(|own| !region.is_empty() && *own != region) {
                return Err(format!("it is in {own}, not in {region}"));
            }
            if !data.is_empty() && !cluster.data_classes.is_empty() && !cluster.data_classes.contains(data) {
                return Err(format!("it may not hold {data} data"));
            }
        }
        let free = free(cluster, request, demand)?;
        let penalty = self.penalty(cluster, request)?;
        #[expect(clippy::cast_precision_loss, reason = "weights are small")]
        Ok(candidate.preference as f64 + self.spread * free - f64::from(penalty))
    }

    fn penalty(&self, cluster: &ServiceCluster, request: &Request<'_>) -> Result<u32, String> {
        let mut penalty: u32 = 0;
        for rule in &self.anti_affinity {
            let Some(value) = request.order.labels.get(&rule.label) else { continue };
            let is_taken = |name: &str| request.usage.labelled(name, &request.workspace.path, &rule.label, value) > 0;
            let taken =
                match rule.topology.as_ref().and_then(|topology| Some((topology, cluster.labels.get(topology)?))) {
                    None => is_taken(&cluster.name),
                    Some((topology, place)) => {
                        let here = |other: &&Candidate| other.cluster.labels.get(topology) == Some(place);
                        self.clusters.iter().filter(here).any(|other| is_taken(&other.cluster.name))
                    }
                };
            match rule.penalty {
                _ if !taken => {}
                Some(cost) => penalty = penalty.saturating_add(cost),
                None => return Err(format!("an order with the same {} is there", rule.label)),
            }
        }
        Ok(penalty)
    }
}

/// How much of the scarcest capacity is left with the order on it, from 0 to 1.
fn free(cluster: &ServiceCluster, request: &Request<'_>, demand: &BTreeMap<String, u64>) -> Result<f64, String> {
    let mut least = 1.0_f64;
    for (unit, capacity) in &cluster.capacity {
        let wanted = if unit == ORDERS { 1 } else { demand.get(unit).copied().unwrap_or_default() };
        let used = request.usage.used(&cluster.name, unit).saturating_add(wanted);
        if wanted > 0 && used > *capacity {
            return Err(format!("its {unit} do not suffice"));
        }
        #[expect(clippy::cast_precision_loss, reason = "a share need not be exact")]
        let free = if *capacity == 0 { 0.0 } else { 1.0 - used as f64 / *capacity as f64 };
        least = least.min(free.max(0.0));
    }
    Ok(least)
}

/// Rendezvous hashing.
fn lot(request: &Request<'_>, candidate: &Candidate) -> [u8; 32] {
    let mut digest = Sha256::new();
    for part in [&request.order.uid, &candidate.cluster.name] {
        digest.update((part.len() as u64).to_be_bytes());
        digest.update(part);
    }
    digest.finalize().into()
}
