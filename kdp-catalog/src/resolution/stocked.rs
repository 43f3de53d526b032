//! One offering, ready to be resolved.

use std::{
    cmp::Reverse,
    collections::{HashMap, HashSet},
};

use jiff::Timestamp;
use semver::{Version, VersionReq};
use serde_json::Value;

use super::{RELEASE, answer::Refusal, criteria, limits::Limits, place, request::Request};
use crate::{
    Release,
    lifecycle::{self, Offer, Requirement},
    offering::{OfferingSpec, Plan},
};

#[derive(Clone, Debug)]
pub(super) struct Stocked {
    pub(super) name: String,
    pub(super) spec: OfferingSpec,
    pub(super) parameters: Value,
    pub(super) criteria: criteria::Compiled,
    pub(super) limits: Option<Limits>,
    pub(super) plans: Vec<StockedPlan>,
    pub(super) version: Option<Requirement>,
    pub(super) releases: Vec<(lifecycle::Release, Value)>,
}

#[derive(Clone, Debug)]
pub(super) struct StockedPlan {
    pub(super) parameters: Value,
    pub(super) limits: Option<Limits>,
}

impl Stocked {
    pub(super) fn new(
        name: String,
        spec: OfferingSpec,
        releases: Vec<Release>,
        placements: &HashMap<String, place::Compiled>,
    ) -> Result<Self, (String, String)> {
        let limits = |field: String, limits: &Option<Value>| {
            limits.as_ref().map(|schema| Limits::compile(schema).map_err(|message| (field, message))).transpose()
        };
        let known = |field: String, placement: &Option<String>| match placement {
            Some(placement) if !placements.contains_key(placement) => {
                Err((field, format!("there is no placement {placement}, or it is faulty")))
            }
            _ => Ok(()),
        };
        known("placement".into(), &spec.placement)?;
        let mut names = HashSet::new();
        let mut plans = Vec::new();
        for (i, plan) in spec.plans.iter().enumerate() {
            if !names.insert(&plan.name) {
                return Err((format!("plans[{i}].name"), format!("{} is there twice", plan.name)));
            }
            known(format!("plans[{i}].placement"), &plan.placement)?;
            plans.push(StockedPlan {
                parameters: Value::Object(plan.parameters.clone()),
                limits: limits(format!("plans[{i}].limits"), &plan.limits)?,
            });
        }
        if let Some(default) = spec.default_plan.as_ref().filter(|default| !names.contains(default)) {
            return Err(("defaultPlan".into(), format!("there is no plan {default}")));
        }
        let version = match &spec.version {
            Some(version) => Some(
                Requirement::parse(&name, "version", version)
                    .map_err(|error| ("version".to_owned(), error.to_string()))?,
            ),
            None => None,
        };
        let releases = releases.into_iter().map(|release| (release.standing(), Value::Object(release.spec.parameters)));
        Ok(Self {
            criteria: criteria::Compiled::compile(&spec.criteria)?,
            limits: limits("limits".into(), &spec.limits)?,
            version,
            parameters: Value::Object(spec.parameters.clone()),
            releases: releases.collect(),
            plans,
            name,
            spec,
        })
    }

    /// The smaller, the closer.
    pub(super) fn rank(&self) -> impl Ord + '_ {
        (Reverse(self.criteria.specificity), Reverse(self.spec.priority), self.name.as_str())
    }

    pub(super) fn plan(&self, request: &Request<'_>) -> Result<Option<(&Plan, &StockedPlan)>, Refusal> {
        let at = |index: usize| (&self.spec.plans[index], &self.plans[index]);
        let position = |name: &String| self.spec.plans.iter().position(|plan| plan.name == *name);
        if let Some(name) = &request.order.selection.plan {
            return position(name).map(|index| Some(at(index))).ok_or_else(|| Refusal::UnknownPlan {
                offering: self.name.clone(),
                name: name.clone(),
                others: self.spec.plans.iter().map(|plan| plan.name.clone()).collect(),
            });
        }
        let default = self.spec.default_plan.as_ref().and_then(position);
        let first = || (!self.plans.is_empty()).then_some(0);
        Ok(default.or_else(first).map(at))
    }

    pub(super) fn placement<'a>(&'a self, plan: Option<&'a Plan>) -> Option<&'a String> {
        plan.and_then(|plan| plan.placement.as_ref()).or(self.spec.placement.as_ref())
    }

    pub(super) fn release(&self, request: &Request<'_>) -> Result<Option<&(lifecycle::Release, Value)>, Refusal> {
        if self.releases.is_empty() {
            return Ok(None);
        }
        let there = |version: &Version| {
            let found = self.releases.iter().find(|(release, _)| release.version == *version);
            found.map(Some).ok_or_else(|| Refusal::ReleaseGone(version.clone()))
        };
        let selection = &request.order.selection;
        let current = request.order.current.as_ref().and_then(|current| current.version.as_ref());
        if let Some(pinned) = &selection.pinned {
            let release = there(pinned)?;
            if let Some((release, _)) = release.filter(|_| current != Some(pinned)) {
                release.orderable(&self.name, RELEASE, request.now)?;
            }
            return Ok(release);
        }
        // What runs is not led to another release because a channel moves: that is for upgrades to decide.
        if let (Some(current), None) = (current, &selection.version) {
            return there(current);
        }
        let from_environment = match request.environment.and_then(|environment| environment.spec.version.as_ref()) {
            Some(version) => Some(Requirement::parse("environment", "spec.version", version)?),
            None => None,
        };
        let newest = Requirement::Range(VersionReq::STAR);
        let requirement =
            selection.version.as_ref().or(from_environment.as_ref()).or(self.version.as_ref()).unwrap_or(&newest);
        let offer = self.offer(request.now);
        there(offer.choose("version", requirement, current)?.version())
    }

    fn offer(&self, now: Timestamp) -> Offer {
        let releases: Vec<_> = self.releases.iter().map(|(release, _)| release.clone()).collect();
        Offer::new(&self.name, &releases, &self.spec.channels, now)
    }
}
