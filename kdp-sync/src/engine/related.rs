//! Which objects belong to an order, and what each needs.

mod abandoned;
mod choice;
mod deliver;
pub(super) mod former;
mod listed;
mod locate;
mod retire;

use std::sync::Arc;

use self::locate::{Finder, Locator};
use super::{
    Facts, ObjectKey, OrderKey, Place, Stop,
    decide::Order,
    plan::RelatedType,
    state::{Entry, Location},
};
use crate::{
    api::{RelatedResource, Scope, Side},
    diagnostic::Diagnostics,
    mutation::Mutations,
    object::{self, ResourceType},
};

/// One compiled entry of `spec.related`.
#[derive(Clone, Debug)]
pub(crate) struct Related {
    pub(crate) identifier: String,
    pub(crate) origin: Side,
    pub(crate) types: RelatedType,
    pub(crate) identity_hash: String,
    pub(super) cleanup: bool,
    scopes: Scopes,
    names: Locator,
    /// The namespaces of the order and its copy when absent.
    namespaces: Option<Locator>,
    /// Whether tenants choose the namespace on the service cluster.
    is_namespace_chosen: bool,
    spec_mutations: Mutations,
    status_mutations: Mutations,
    sync_status: bool,
}

/// Whether a related kind is in namespaces, on its origin and where its copies are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scopes {
    pub(super) origin: Scope,
    pub(super) copy: Scope,
}

/// What the compilation of a related resource needs to know of its published resource.
pub(super) struct OrderRules<'a> {
    pub(super) mutations: &'a Mutations,
    /// Whether copies of orders of different workspaces may be in the same namespace.
    pub(super) shares_namespace: bool,
    /// Whether tenants choose how copies are called.
    pub(super) chooses_names: bool,
    /// Whether tenants choose the namespaces of copies, and may choose one that is not theirs.
    pub(super) chooses_namespaces: bool,
}

/// How many objects one entry may find for an order: each costs a look with every decision.
const MOST_OBJECTS: usize = 500;

/// An object on its origin, and where its copy goes.
pub(super) type Pair = (Location, Location);

impl Related {
    pub(super) fn compile(
        related: &RelatedResource,
        types: RelatedType,
        scopes: Scopes,
        order: &OrderRules<'_>,
        field: &str,
        faults: &mut Diagnostics,
    ) -> Option<Self> {
        let mutation = related.mutation.clone().unwrap_or_default();
        let names = Locator::compile(&related.object.names, &format!("{field}.object"), faults);
        let namespaces = related.object.namespace.as_ref();
        let namespaces = namespaces.map(|spec| Locator::compile(spec, &format!("{field}.object.namespace"), faults));
        let spec_mutations = Mutations::compile(&mutation.spec, &format!("{field}.mutation.spec"), faults);
        let status_mutations = Mutations::compile(&mutation.status, &format!("{field}.mutation.status"), faults);
        let (names, namespaces) = (names?, namespaces.map_or(Some(None), |locator| locator.map(Some))?);
        let is_chosen = |locator: &Locator| locator.is_tenants_choice(related.origin, order);
        let is_namespace_chosen = namespaces.as_ref().is_some_and(is_chosen);
        let is_shared = match &namespaces {
            // Names that are not in a namespace are the same for everybody.
            _ if scopes.on(related.origin, Side::Service) == Scope::Cluster => true,
            Some(locator) if !is_namespace_chosen => locator.shares_namespace(order.shares_namespace),
            _ => order.shares_namespace,
        };
        if is_shared && is_chosen(&names) {
            let message = "tenants could name each other's objects here, because their workspaces share the namespace \
                           on the service cluster; use .ClusterName in the name or in the namespace";
            faults.push(format!("{field}.object"), message);
        }
        let takes_namespace = order.chooses_namespaces && namespaces.is_none();
        if takes_namespace && related.origin == Side::Service && names.is_the_same_for_all_orders() {
            let message = "tenants could get at what is in any namespace of the service cluster here, because they \
                           choose the namespace of the copy; use .ClusterName in it, or the copy's name in this name";
            faults.push(format!("{field}.object"), message);
        }
        Some(Self {
            identifier: related.identifier.clone(),
            origin: related.origin,
            is_namespace_chosen,
            types,
            identity_hash: related.identity_hash.clone(),
            scopes,
            cleanup: related.cleanup || related.origin == Side::Kcp,
            spec_mutations,
            status_mutations,
            sync_status: related.sync_status,
            names,
            namespaces,
        })
    }

    /// The objects that belong to the order now, sorted; they need not exist.
    pub(super) fn resolve(&self, order: &Order<'_>, facts: &Facts<'_>) -> Result<Vec<Pair>, Stop> {
        let finder = Finder { order, origin: self.origin, facts };
        let namespaces = match &self.namespaces {
            _ if self.scopes.are_clusterwide() => vec![Default::default()],
            Some(locator) => finder.find(locator, &Arc::new(ResourceType::namespaces()), None)?,
            None => {
                let namespace = |side| object::namespace(order.on(side)).map(str::to_owned);
                let pair = namespace(self.origin).zip(namespace(self.origin.other()));
                vec![pair.ok_or_else(|| "the related object's namespace must be given".to_owned())?]
            }
        };
        let mut pairs = Vec::new();
        for (from, to) in namespaces {
            let from = if self.scopes.origin == Scope::Cluster { String::new() } else { from };
            let to = if self.scopes.copy == Scope::Cluster { String::new() } else { to };
            self.check_namespace(order, if self.origin == Side::Service { &from } else { &to })?;
            let namespace = Some(from.as_str()).filter(|namespace| !namespace.is_empty());
            for (from_name, to_name) in finder.find(&self.names, &self.types.origin, namespace)? {
                let location = |namespace: &str, name| Location { namespace: namespace.into(), name };
                pairs.push((location(&from, from_name), location(&to, to_name)));
            }
        }
        pairs.sort();
        pairs.dedup();
        if pairs.len() > MOST_OBJECTS {
            return Err(Stop::Refused("it finds more objects than one order may have"));
        }
        Ok(pairs)
    }

    /// Whether namespaces are found by their labels.
    pub(super) fn selects_namespaces(&self) -> bool {
        matches!(self.namespaces, Some(Locator::Selector { .. }))
    }

    /// Keeps what tenants choose from reaching beyond what is theirs on the service cluster.
    fn check_namespace(&self, order: &Order<'_>, namespace: &str) -> Result<(), Stop> {
        if self.scopes.on(self.origin, Side::Service) == Scope::Cluster {
            return Ok(());
        }
        let is_own = object::namespace(order.copy) == Some(namespace);
        if namespace == order.plan.state_namespace || (self.is_namespace_chosen && !is_own) {
            return Err(Stop::Refused("its namespace on the service cluster is out of the order's reach"));
        }
        Ok(())
    }

    pub(super) fn entry(&self, (from, to): Pair) -> Entry {
        Entry {
            identifier: self.identifier.clone(),
            origin: self.origin,
            types: self.types.clone(),
            from,
            to,
            cleanup: self.cleanup,
        }
    }
}

impl Scopes {
    /// The scope on one side, given which side the kind originates from.
    fn on(self, origin: Side, side: Side) -> Scope {
        if origin == side { self.origin } else { self.copy }
    }

    fn are_clusterwide(self) -> bool {
        [self.origin, self.copy] == [Scope::Cluster; 2]
    }
}

impl Entry {
    pub(super) fn original(&self, order: &OrderKey) -> ObjectKey {
        self.key(self.origin, &self.from, order)
    }

    pub(super) fn copy(&self, order: &OrderKey) -> ObjectKey {
        self.key(self.origin.other(), &self.to, order)
    }

    /// On the tenants' side this is always the order's own workspace.
    fn key(&self, side: Side, location: &Location, order: &OrderKey) -> ObjectKey {
        ObjectKey {
            place: place(side, order),
            types: self.types.on(self.origin, side).clone(),
            namespace: Some(location.namespace.clone()).filter(|namespace| !namespace.is_empty()),
            name: location.name.clone(),
        }
    }
}

fn place(side: Side, order: &OrderKey) -> Place {
    match side {
        Side::Kcp => Place::Workspace(order.cluster.clone()),
        Side::Service => Place::Service,
    }
}
