//! All offerings of a catalog, ready to be resolved.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, HashMap, HashSet},
};

use jiff::Timestamp;
use kube::ResourceExt;
use semver::{Version, VersionReq};
use serde_json::{Map, Value};

use super::{
    CLASS,
    answer::{ConsideredOffering, Explanation, Refusal, Resolution},
    criteria::{self, Fact},
    layers::{Layer, Origin, merge},
    limits::Limits,
    place,
    request::Request,
};
use crate::{
    Environment, Offering, Placement, Release,
    lifecycle::{self, Offer, Requirement},
    offering::{Deadlines, GroupKind, OfferingSpec, Plan, ProviderBinding},
};

/// All offerings of a catalog, ready to be resolved: immutable, and without any input or output.
///
/// Equal requests get equal answers, whatever else the shelf holds: an offering, a release or a cluster
/// that an order does not get changes nothing for it.
#[derive(Clone, Debug, Default)]
pub struct Shelf {
    /// In order of their names.
    offerings: Vec<Stocked>,
    by_name: HashMap<String, usize>,
    by_kind: HashMap<GroupKind, Postings>,
    by_type: HashMap<String, Vec<usize>>,
    placements: HashMap<String, place::Compiled>,
    defaults: HashMap<GroupKind, Value>,
}

/// What a shelf is made of.
#[derive(Clone, Debug, Default)]
pub struct Stock {
    /// The offerings.
    pub offerings: Vec<Offering>,
    /// Their releases.
    pub releases: Vec<Release>,
    /// The placements they name.
    pub placements: Vec<Placement>,
    /// What the schema of a kind fills into `spec`, as of [`defaults_of`](super::defaults_of).
    pub defaults: HashMap<GroupKind, Value>,
}

/// Something that cannot be put on the shelf.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{kind} {name}: spec.{field}: {message}")]
#[non_exhaustive]
pub struct Fault {
    /// Kind of the object.
    pub kind: &'static str,
    /// Its name.
    pub name: String,
    /// The field below `spec`.
    pub field: String,
    /// What is wrong with it.
    pub message: String,
}

#[derive(Clone, Debug)]
struct Stocked {
    name: String,
    spec: OfferingSpec,
    parameters: Value,
    criteria: criteria::Compiled,
    limits: Option<Limits>,
    plans: Vec<StockedPlan>,
    version: Option<Requirement>,
    releases: Vec<(lifecycle::Release, Value)>,
}

#[derive(Clone, Debug)]
struct StockedPlan {
    parameters: Value,
    limits: Option<Limits>,
}

/// Where the offerings of one kind are found, each list with the closest first.
#[derive(Clone, Debug, Default)]
struct Postings {
    by_fact: HashMap<Fact, HashMap<String, Vec<usize>>>,
    others: Vec<usize>,
    all: Vec<usize>,
}

impl Shelf {
    /// Puts everything on a shelf but what is faulty.
    #[must_use]
    pub fn stock(stock: Stock) -> (Self, Vec<Fault>) {
        let mut faults = Vec::new();
        let mut shelf = Self { defaults: stock.defaults, ..Self::default() };
        for placement in stock.placements {
            let name = placement.name_any();
            match place::Compiled::compile(&placement.spec) {
                Ok(compiled) => drop(shelf.placements.insert(name, compiled)),
                Err((field, message)) => faults.push(Fault { kind: "placement", name, field, message }),
            }
        }
        let mut releases: HashMap<String, Vec<Release>> = HashMap::new();
        for release in stock.releases {
            releases.entry(release.spec.offering.clone()).or_default().push(release);
        }
        let mut offerings = stock.offerings;
        offerings.sort_by_cached_key(ResourceExt::name_any);
        for offering in offerings {
            let name = offering.name_any();
            let releases = releases.remove(&name).unwrap_or_default();
            match Stocked::new(name.clone(), offering.spec, releases, &shelf.placements) {
                Ok(stocked) => shelf.offerings.push(stocked),
                Err((field, message)) => faults.push(Fault { kind: "offering", name, field, message }),
            }
        }
        shelf.index();
        (shelf, faults)
    }

    /// How an order is made.
    ///
    /// # Errors
    /// Why it cannot be made.
    pub fn resolve(&self, request: &Request<'_>) -> Result<Resolution, Refusal> {
        let stocked = self.choose(request)?;
        let plan = stocked.plan(request)?;
        let (spec_of_plan, stocked_plan) = plan.map_or((None, None), |(spec, stocked)| (Some(spec), Some(stocked)));
        let provider = spec_of_plan.and_then(|plan| plan.provider.as_ref()).unwrap_or(&stocked.spec.provider);
        check_provider(request, provider)?;
        let release = stocked.release(request)?;
        let (parameters, fields) = {
            let from_environment = values_of_environment(request, &stocked.name);
            let mut layers: Vec<Layer<'_>> = Vec::with_capacity(6);
            layers.extend(self.defaults.get(request.kind).map(|values| (Origin::Default, values)));
            layers.push((Origin::Offering(stocked.name.clone()), &stocked.parameters));
            layers.extend(
                spec_of_plan.zip(stocked_plan).map(|(spec, plan)| (Origin::Plan(spec.name.clone()), &plan.parameters)),
            );
            layers.extend(release.map(|(release, values)| (Origin::Release(release.version.to_string()), values)));
            layers.extend(
                from_environment.iter().map(|(name, values)| (Origin::Environment((*name).to_owned()), values)),
            );
            layers.push((Origin::Order, &request.order.spec));
            merge(&layers)
        };
        let limits = [&stocked.limits, &stocked_plan.and_then(|plan| plan.limits.clone())];
        let faults: Vec<_> =
            limits.into_iter().flatten().flat_map(|limits| limits.check(&parameters, &fields)).collect();
        if !faults.is_empty() {
            return Err(Refusal::Limits(faults));
        }
        let no_demand = BTreeMap::new();
        let demand = spec_of_plan.map_or(&no_demand, |plan| &plan.demand);
        let placement = stocked.placement(spec_of_plan).and_then(|name| self.placements.get(name));
        let placed = match placement {
            None => None,
            Some(placement) => match placement.place(request, demand) {
                Some(placed) => Some(placed),
                None => return Err(Refusal::NoPlace { considered: placement.consider(request, demand) }),
            },
        };
        let no_deadlines = Deadlines::default();
        let deadlines = spec_of_plan.map_or(&no_deadlines, |plan| &plan.deadlines).or(&stocked.spec.deadlines);
        Ok(Resolution {
            offering: stocked.name.clone(),
            plan: spec_of_plan.map(|plan| plan.name.clone()),
            provider: provider.clone(),
            placed,
            version: release.map(|(release, _)| release.version.clone()),
            warning: release.and_then(|(release, _)| release.warning(&request.kind.kind)),
            parameters,
            fields,
            demand: demand.clone(),
            apart: placement.map(|placement| placement.apart(request)).unwrap_or_default(),
            deadlines,
        })
    }

    /// How an order is made, and why not otherwise. For the owner of the service: it tells of offerings and clusters
    /// that are not the tenant's to know.
    #[must_use]
    pub fn explain(&self, request: &Request<'_>) -> Explanation {
        let all = self.by_kind.get(request.kind).map_or(&[][..], |postings| &postings.all);
        let consider = |index: &usize| {
            let stocked = &self.offerings[*index];
            ConsideredOffering {
                offering: stocked.name.clone(),
                specificity: stocked.criteria.specificity,
                priority: stocked.spec.priority,
                misfit: stocked.criteria.misfit(request),
            }
        };
        let outcome = self.resolve(request);
        let clusters = || {
            let stocked = self.choose(request).ok()?;
            let plan = stocked.plan(request).ok()?.map(|(spec, _)| spec);
            let placement = self.placements.get(stocked.placement(plan)?)?;
            let no_demand = BTreeMap::new();
            Some(placement.consider(request, plan.map_or(&no_demand, |plan| &plan.demand)))
        };
        Explanation {
            offerings: all.iter().take(Explanation::MOST).map(consider).collect(),
            more: all.len().saturating_sub(Explanation::MOST),
            clusters: clusters().unwrap_or_default(),
            outcome,
        }
    }

    /// The kinds that can be ordered for what workload specifications call `type_`, in order.
    pub fn kinds_of_type(&self, type_: &str) -> impl Iterator<Item = &GroupKind> {
        let offerings = self.by_type.get(type_).map_or(&[][..], Vec::as_slice);
        let mut seen = HashSet::new();
        offerings.iter().map(|index| &self.offerings[*index].spec.kind).filter(move |kind| seen.insert(*kind))
    }

    /// The offerings of this kind that a request may select and that workload specifications call `type_`, the
    /// closest first, each with whether it takes a class: as the name of a plan, or because its criteria ask for the
    /// label [`CLASS`].
    pub fn of_type<'a>(
        &'a self,
        request: &Request<'_>,
        type_: &str,
    ) -> impl Iterator<Item = (&'a str, impl Fn(&str) -> bool + use<'a>)> {
        let offerings = self.by_type.get(type_).map_or(&[][..], Vec::as_slice);
        let stocked = offerings.iter().map(|index| &self.offerings[*index]);
        stocked.filter(|stocked| stocked.spec.kind == *request.kind && stocked.criteria.fit(request)).map(|stocked| {
            let asks = stocked.criteria.facts().iter().any(|(fact, _)| *fact == Fact::OrderLabel(CLASS.into()));
            let takes = move |class: &str| asks || stocked.spec.plans.iter().any(|plan| plan.name == class);
            (stocked.name.as_str(), takes)
        })
    }

    /// Whether anything is offered for a kind.
    #[must_use]
    pub fn offers(&self, kind: &GroupKind) -> bool {
        self.by_kind.contains_key(kind)
    }

    /// Whether an offering has a plan.
    #[must_use]
    pub fn has_plan(&self, offering: &str, plan: &str) -> bool {
        let stocked = self.by_name.get(offering).map(|index| &self.offerings[*index]);
        stocked.is_some_and(|stocked| stocked.spec.plans.iter().any(|known| known.name == plan))
    }

    /// The names of the offerings that a request may select, in order.
    #[must_use]
    pub fn selectable(&self, request: &Request<'_>) -> Vec<&str> {
        let all = self.by_kind.get(request.kind).map_or(&[][..], |postings| &postings.all);
        let mut names: Vec<_> = all
            .iter()
            .map(|index| &self.offerings[*index])
            .filter(|stocked| stocked.criteria.fit(request))
            .map(|stocked| stocked.name.as_str())
            .collect();
        names.sort_unstable();
        names
    }

    fn choose(&self, request: &Request<'_>) -> Result<&Stocked, Refusal> {
        let by_name = |name: &str| self.by_name.get(name).map(|index| &self.offerings[*index]);
        let current = request.order.current.as_ref().map(|current| &current.offering);
        if let Some(name) = &request.order.selection.offering {
            let is_kept = Some(name) == current;
            let named = by_name(name).filter(|stocked| stocked.spec.kind == *request.kind);
            return named.filter(|stocked| is_kept || stocked.criteria.fit(request)).ok_or_else(|| {
                let others = self.selectable(request).into_iter().map(str::to_owned).collect();
                Refusal::UnknownOffering { name: name.clone(), kind: request.kind.clone(), others }
            });
        }
        if let Some(name) = current {
            return by_name(name).ok_or_else(|| Refusal::OfferingGone(name.clone()));
        }
        let best = self.by_kind.get(request.kind).and_then(|postings| {
            let by_fact = postings.by_fact.iter().filter_map(|(fact, values)| values.get(fact.of(request)?));
            // Each list begins with the closest, so the first one that fits is the best of it.
            let fitting = by_fact.chain([&postings.others]).filter_map(|list| {
                list.iter().map(|index| &self.offerings[*index]).find(|stocked| stocked.criteria.fit(request))
            });
            fitting.min_by(|a, b| a.rank().cmp(&b.rank()))
        });
        best.ok_or_else(|| Refusal::NothingOffered { kind: request.kind.clone(), place: place_of(request) })
    }

    fn index(&mut self) {
        let mut counts: HashMap<(&GroupKind, &Fact, &str), usize> = HashMap::new();
        for stocked in &self.offerings {
            for (fact, values) in stocked.criteria.facts() {
                for value in values {
                    *counts.entry((&stocked.spec.kind, fact, value)).or_default() += 1;
                }
            }
        }
        let mut ranked: Vec<_> = (0..self.offerings.len()).collect();
        ranked.sort_by(|a, b| self.offerings[*a].rank().cmp(&self.offerings[*b].rank()));
        for index in ranked {
            let stocked = &self.offerings[index];
            let postings = self.by_kind.entry(stocked.spec.kind.clone()).or_default();
            postings.all.push(index);
            // Under what the fewest others ask for, too.
            let crowd = |values: &[String], fact: &Fact| {
                values.iter().map(|value| counts[&(&stocked.spec.kind, fact, value.as_str())]).sum::<usize>()
            };
            match stocked.criteria.facts().iter().min_by_key(|(fact, values)| crowd(values, fact)) {
                None => postings.others.push(index),
                Some((fact, values)) => {
                    let by_value = postings.by_fact.entry(fact.clone()).or_default();
                    for value in values {
                        by_value.entry(value.clone()).or_default().push(index);
                    }
                }
            }
            for type_ in &stocked.spec.resource_types {
                self.by_type.entry(type_.clone()).or_default().push(index);
            }
        }
        self.by_name =
            self.offerings.iter().enumerate().map(|(index, stocked)| (stocked.name.clone(), index)).collect();
    }
}

impl Stocked {
    fn new(
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
    fn rank(&self) -> impl Ord + '_ {
        (Reverse(self.criteria.specificity), Reverse(self.spec.priority), self.name.as_str())
    }

    fn plan(&self, request: &Request<'_>) -> Result<Option<(&Plan, &StockedPlan)>, Refusal> {
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

    fn placement<'a>(&'a self, plan: Option<&'a Plan>) -> Option<&'a String> {
        plan.and_then(|plan| plan.placement.as_ref()).or(self.spec.placement.as_ref())
    }

    fn release(&self, request: &Request<'_>) -> Result<Option<&(lifecycle::Release, Value)>, Refusal> {
        if self.releases.is_empty() {
            return Ok(None);
        }
        let there = |version: &Version| {
            let found = self.releases.iter().find(|(release, _)| release.version == *version);
            found.map(Some).ok_or_else(|| Refusal::ReleaseGone(version.clone()))
        };
        let selection = &request.order.selection;
        if let Some(pinned) = &selection.pinned {
            return there(pinned);
        }
        let current = request.order.current.as_ref().and_then(|current| current.version.as_ref());
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
}

impl Stocked {
    fn offer(&self, now: Timestamp) -> Offer {
        let releases: Vec<_> = self.releases.iter().map(|(release, _)| release.clone()).collect();
        Offer::new(&self.name, &releases, &self.spec.channels, now)
    }
}

fn check_provider(request: &Request<'_>, provider: &ProviderBinding) -> Result<(), Refusal> {
    match &request.order.current {
        Some(current) if current.provider != provider.name => {
            Err(Refusal::OtherProvider { from: current.provider.clone(), to: provider.name.clone() })
        }
        _ => Ok(()),
    }
}

/// The values that the environment has for orders of this kind and offering.
fn values_of_environment<'a>(request: &Request<'a>, offering: &str) -> Option<(&'a str, Value)> {
    let environment = request.environment?;
    let fits = environment.spec.parameters.iter().filter(|parameters| {
        parameters.kind == *request.kind && parameters.offering.as_ref().is_none_or(|named| named == offering)
    });
    let layers: Vec<_> =
        fits.map(|parameters| (Origin::Order, Value::Object(Map::clone(&parameters.values)))).collect();
    if layers.is_empty() {
        return None;
    }
    let layers: Vec<Layer<'_>> = layers.iter().map(|(origin, values)| (origin.clone(), values)).collect();
    Some((&environment.name, merge(&layers).0))
}

fn place_of(request: &Request<'_>) -> String {
    let mut place = format!("the workspace {}", request.workspace.path);
    if let Some(environment) = request.environment {
        place.push_str(&format!(", environment {}", environment.name));
    }
    place
}

impl Environment {
    /// What counts of it.
    #[must_use]
    pub fn facts(&self) -> super::EnvironmentFacts {
        super::EnvironmentFacts { name: self.name_any(), labels: self.labels().clone(), spec: self.spec.clone() }
    }
}
