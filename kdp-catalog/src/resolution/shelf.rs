//! All offerings of a catalog, ready to be resolved.

use std::collections::{BTreeMap, HashMap, HashSet};

use kube::ResourceExt;
use semver::Version;
use serde_json::{Map, Value};

use super::{
    CLASS,
    answer::{ConsideredOffering, Explanation, Refusal, Resolution},
    criteria::Fact,
    layers::{Layer, Origin, merge},
    place,
    request::Request,
    stocked::Stocked,
};
use crate::{
    Environment, Offering, Placement, Release,
    offering::{Deadlines, GroupKind, ProviderBinding},
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

    /// What those are told who use a release of an offering; nothing while all is well.
    #[must_use]
    pub fn warning(&self, offering: &str, version: &Version) -> Option<String> {
        let stocked = &self.offerings[*self.by_name.get(offering)?];
        let release = stocked.releases.iter().find(|(release, _)| release.version == *version);
        release.and_then(|(release, _)| release.warning(&stocked.spec.kind.kind))
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
