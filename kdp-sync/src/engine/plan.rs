//! A published resource, compiled once into everything that decisions need.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::core::Selector;
use serde::{Deserialize, Serialize};

use super::{
    ObjectKey, OrderKey, Place,
    policies::{Conflict, Policies, field},
    related::{OrderRules, Related, Scopes},
};
use crate::{
    api::{PublishedResourceSpec, RelatedResource, Scope, Side},
    diagnostic::{Diagnostic, Diagnostics},
    mutation::Mutations,
    naming::Naming,
    object::ResourceType,
    publish::Projection,
    wire,
};

/// What an agent does for one published resource.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) agent: String,
    /// Finalizer on the orders.
    pub(super) finalizer: String,
    /// Whether no other agent has the same finalizer.
    pub(super) has_own_finalizer: bool,
    pub(super) policies: Policies,
    /// Namespace of the Secrets with the last synced state.
    pub(crate) state_namespace: String,
    pub(crate) local: Arc<ResourceType>,
    pub(crate) local_scope: Scope,
    pub(crate) remote: Arc<ResourceType>,
    pub(super) has_status: bool,
    pub(super) naming: Naming,
    pub(super) namespace_filter: Option<Selector>,
    pub(super) resource_filter: Option<Selector>,
    pub(super) workspace_paths: bool,
    pub(super) spec_mutations: Mutations,
    pub(super) status_mutations: Mutations,
    pub(crate) related: Vec<Related>,
}

/// What a plan needs to know of its agent.
#[derive(Clone, Debug)]
pub(crate) struct PlanOptions {
    pub(crate) agent: String,
    pub(crate) state_namespace: String,
}

/// A related kind on both sides.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RelatedType {
    pub(crate) origin: Arc<ResourceType>,
    pub(crate) copy: Arc<ResourceType>,
}

impl RelatedType {
    /// The kind on one side, given which side it originates from.
    pub(crate) fn on(&self, origin: Side, side: Side) -> &Arc<ResourceType> {
        if origin == side { &self.origin } else { &self.copy }
    }
}

/// A resource whose kind has to be looked up on a side.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct UnknownKind {
    pub(crate) side: Side,
    pub(crate) group: String,
    pub(crate) version: String,
    pub(crate) plural: String,
}

/// A kind, as discovery tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FoundKind {
    pub(crate) kind: String,
    pub(crate) scope: Scope,
}

/// The kinds of resources.
pub(crate) type Kinds = BTreeMap<UnknownKind, FoundKind>;

/// The related resources whose kinds must be known to compile a published resource.
pub(crate) fn needed_kinds(published: &PublishedResourceSpec) -> Vec<UnknownKind> {
    published.related.iter().flat_map(needed_kinds_of).collect()
}

/// The resource on its origin, and on the other side.
pub(crate) fn needed_kinds_of(related: &RelatedResource) -> [UnknownKind; 2] {
    let plural = match related.kind.as_str() {
        "ConfigMap" => "configmaps",
        "Secret" => "secrets",
        _ => &related.resource,
    };
    let version = if related.kind.is_empty() { &related.version } else { "v1" };
    let origin = UnknownKind {
        side: related.origin,
        group: related.group.clone(),
        version: version.into(),
        plural: plural.into(),
    };
    let projection = related.projection.clone().unwrap_or_default();
    let or = |new: String, old: &str| if new.is_empty() { old.to_owned() } else { new };
    let copy = UnknownKind {
        side: related.origin.other(),
        group: or(projection.group, &origin.group),
        version: or(projection.version, &origin.version),
        plural: or(projection.resource, &origin.plural),
    };
    [origin, copy]
}

impl Plan {
    /// Compiles a published resource.
    ///
    /// # Errors
    /// Every fault found, with the field it is in.
    pub(crate) fn compile(
        published: &PublishedResourceSpec,
        projection: &Projection,
        kinds: &Kinds,
        options: &PlanOptions,
    ) -> Result<Self, Vec<Diagnostic>> {
        let mut faults = Diagnostics::default();
        let filter = published.filter.clone().unwrap_or_default();
        if filter.namespace.is_some() && projection.remote_scope == Scope::Cluster {
            faults.push("spec.filter.namespace", "the kind is not in namespaces");
        }
        let mutation = published.mutation.clone().unwrap_or_default();
        let is_namespaced = [projection.local_scope, projection.remote_scope] == [Scope::Namespaced; 2];
        let naming = Naming::compile(published.naming.as_ref(), &mut faults);
        let spec_mutations = Mutations::compile(&mutation.spec, "spec.mutation.spec", &mut faults);
        let rules = OrderRules {
            mutations: &spec_mutations,
            shares_namespace: naming.shares_namespace(),
            chooses_names: naming.is_tenants_choice(),
            chooses_namespaces: naming.chooses_namespaces(),
        };
        let related = compile_related(published, kinds, is_namespaced, &rules, &mut faults);
        let plan = Self {
            agent: options.agent.clone(),
            finalizer: wire::FINALIZER.into(),
            has_own_finalizer: false,
            policies: Policies::default(),
            state_namespace: options.state_namespace.clone(),
            local: Arc::new(projection.local.clone()),
            local_scope: projection.local_scope,
            remote: Arc::new(projection.remote.clone()),
            has_status: projection.has_status,
            naming,
            namespace_filter: selector(filter.namespace, "spec.filter.namespace", &mut faults),
            resource_filter: selector(filter.resource, "spec.filter.resource", &mut faults),
            workspace_paths: published.enable_workspace_paths,
            spec_mutations,
            status_mutations: Mutations::compile(&mutation.status, "spec.mutation.status", &mut faults),
            related,
        };
        faults.finish(Some(plan))
    }

    /// The same, with a finalizer on the orders that no other agent has.
    pub(crate) fn with_own_finalizer(mut self) -> Self {
        self.finalizer = format!("{}{}", self.agent, wire::OWN_FINALIZER_SUFFIX);
        self.has_own_finalizer = true;
        self
    }

    /// The same, with what the annotations of the published resource ask for.
    ///
    /// # Errors
    /// When that would let tenants reach each other's objects.
    pub(crate) fn with_policies(mut self, policies: Policies) -> Result<Self, Vec<Diagnostic>> {
        if policies.conflict != Conflict::Refuse && !self.naming.keeps_workspaces_apart(self.local_scope) {
            let message = "a tenant could take an object by naming it; use .ClusterName in spec.naming";
            return Err(vec![Diagnostic::new(field(wire::CONFLICT_POLICY), message)]);
        }
        self.policies = policies;
        Ok(self)
    }

    /// Whether some orders are left to other agents.
    pub(super) fn is_filtered(&self) -> bool {
        self.namespace_filter.is_some() || self.resource_filter.is_some()
    }

    /// The kinds that decisions ask about, beside the order's own, its copy's and the state's.
    pub(crate) fn watched(&self) -> BTreeSet<(Side, Arc<ResourceType>)> {
        let mut watched = BTreeSet::new();
        for related in &self.related {
            watched.extend(Side::BOTH.map(|side| (side, related.types.on(related.origin, side).clone())));
            if related.selects_namespaces() {
                watched.insert((related.origin, Arc::new(ResourceType::namespaces())));
            }
        }
        if self.namespace_filter.is_some() {
            watched.insert((Side::Kcp, Arc::new(ResourceType::namespaces())));
        }
        if self.workspace_paths {
            watched.insert((Side::Kcp, Arc::new(ResourceType::logical_clusters())));
        }
        watched
    }

    /// The order as an object.
    pub(crate) fn order_object(&self, order: &OrderKey) -> ObjectKey {
        ObjectKey {
            place: Place::Workspace(order.cluster.clone()),
            types: self.remote.clone(),
            namespace: order.namespace.clone(),
            name: order.name.clone(),
        }
    }
}

fn compile_related(
    published: &PublishedResourceSpec,
    kinds: &Kinds,
    is_namespaced: bool,
    rules: &OrderRules<'_>,
    faults: &mut Diagnostics,
) -> Vec<Related> {
    let mut compiled: Vec<Related> = Vec::new();
    for (at, related) in published.related.iter().enumerate() {
        let field = format!("spec.related[{at}]");
        if related.identifier.is_empty() {
            faults.push(format!("{field}.identifier"), "must not be empty");
        }
        if published.related[..at].iter().any(|other| other.identifier == related.identifier) {
            faults.push(format!("{field}.identifier"), "is used twice");
        }
        let mut resolve = |unknown: UnknownKind| {
            let Some(FoundKind { kind, scope }) = kinds.get(&unknown) else {
                let side = if unknown.side == Side::Kcp { "tenants'" } else { "service" };
                let message = format!(
                    "there is no {} in {}/{} on the {side} side",
                    unknown.plural, unknown.group, unknown.version
                );
                faults.push(format!("{field}.resource"), message);
                return None;
            };
            let UnknownKind { group, version, plural, .. } = unknown;
            Some((Arc::new(ResourceType { group, version, plural, kind: kind.clone() }), *scope))
        };
        let [origin, copy] = needed_kinds_of(related).map(&mut resolve);
        let (Some((origin, origin_scope)), Some((copy, copy_scope))) = (origin, copy) else { continue };
        let scopes = Scopes { origin: origin_scope, copy: copy_scope };
        let is_in_namespaces = [origin_scope, copy_scope].contains(&Scope::Namespaced);
        if related.object.namespace.is_none() && !is_namespaced && is_in_namespaces {
            faults.push(format!("{field}.object.namespace"), "must be given, because the kind is not in namespaces");
        }
        compiled.extend(Related::compile(related, RelatedType { origin, copy }, scopes, rules, &field, faults));
    }
    compiled
}

fn selector(selector: Option<LabelSelector>, field: &str, faults: &mut Diagnostics) -> Option<Selector> {
    faults.check(field, Selector::try_from(selector?))
}

#[cfg(test)]
pub(super) mod tests;
