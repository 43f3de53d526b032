//! Which objects belong to an order, and what each needs.

mod choice;
mod locate;

use std::{collections::BTreeMap, sync::Arc};

use serde_json::{Map, Value, json};

use self::locate::{Finder, Locator};
use super::{
    Command, Evidence, Facts, ObjectKey, OrderKey, Place, Stop,
    copy::{self, Marks},
    decide::{Order, add_finalizer},
    plan::{Plan, RelatedType},
    state::{Edit, Entry, Location, State},
    teardown::{self, Removal},
};
use crate::{
    api::{RelatedResource, Side},
    diagnostic::Diagnostics,
    mutation::Mutations,
    object::{self, ResourceType},
    wire,
};

/// One compiled entry of `spec.related`.
#[derive(Clone, Debug)]
pub(crate) struct Related {
    pub(crate) identifier: String,
    pub(crate) origin: Side,
    pub(crate) types: RelatedType,
    pub(crate) identity_hash: String,
    pub(super) cleanup: bool,
    names: Locator,
    /// The namespaces of the order and its copy when absent.
    namespaces: Option<Locator>,
    /// Whether tenants choose the namespace on the service cluster.
    is_namespace_chosen: bool,
    spec_mutations: Mutations,
    status_mutations: Mutations,
    sync_status: bool,
}

/// What the compilation of a related resource needs to know of its published resource.
pub(super) struct OrderRules<'a> {
    pub(super) mutations: &'a Mutations,
    /// Whether copies of orders of different workspaces may be in the same namespace.
    pub(super) shares_namespace: bool,
}

/// An object on its origin, and where its copy goes.
pub(super) type Pair = (Location, Location);

impl Related {
    pub(super) fn compile(
        related: &RelatedResource,
        types: RelatedType,
        order: &OrderRules<'_>,
        field: &str,
        faults: &mut Diagnostics,
    ) -> Option<Self> {
        let mutation = related.mutation.clone().unwrap_or_default();
        let names = Locator::compile(&related.object.names, &format!("{field}.object"), faults);
        let namespaces = related.object.namespace.as_ref();
        let namespaces = namespaces.map(|spec| Locator::compile(spec, &format!("{field}.object.namespace"), faults));
        let (names, namespaces) = (names?, namespaces.map_or(Some(None), |locator| locator.map(Some))?);
        let is_chosen = |locator: &Locator| locator.is_tenants_choice(related.origin, order.mutations);
        let is_namespace_chosen = namespaces.as_ref().is_some_and(is_chosen);
        let is_shared = match &namespaces {
            Some(locator) if !is_namespace_chosen => locator.shares_namespace(order.shares_namespace),
            _ => order.shares_namespace,
        };
        if is_shared && is_chosen(&names) {
            let message = "tenants could name each other's objects here, because their workspaces share the namespace \
                           on the service cluster; use .ClusterName in the name or in the namespace";
            faults.push(format!("{field}.object"), message);
        }
        Some(Self {
            identifier: related.identifier.clone(),
            origin: related.origin,
            is_namespace_chosen,
            types,
            identity_hash: related.identity_hash.clone(),
            cleanup: related.cleanup || related.origin == Side::Kcp,
            spec_mutations: Mutations::compile(&mutation.spec, &format!("{field}.mutation.spec"), faults),
            status_mutations: Mutations::compile(&mutation.status, &format!("{field}.mutation.status"), faults),
            sync_status: related.sync_status,
            names,
            namespaces,
        })
    }

    /// The objects that belong to the order now, sorted; they need not exist.
    pub(super) fn resolve(&self, order: &Order<'_>, facts: &Facts<'_>) -> Result<Vec<Pair>, Stop> {
        let finder = Finder { order, origin: self.origin, facts };
        let namespaces = match &self.namespaces {
            Some(locator) => finder.find(locator, &Arc::new(ResourceType::namespaces()), None)?,
            None => {
                let namespace = |side| object::namespace(order.on(side)).map(str::to_owned);
                let pair = namespace(self.origin).zip(namespace(self.origin.other()));
                vec![pair.ok_or_else(|| "the related object's namespace must be given".to_owned())?]
            }
        };
        let mut pairs = Vec::new();
        for (from, to) in namespaces {
            self.check_namespace(order, if self.origin == Side::Service { &from } else { &to })?;
            for (from_name, to_name) in finder.find(&self.names, &self.types.origin, Some(&from))? {
                let location = |namespace: &str, name| Location { namespace: namespace.into(), name };
                pairs.push((location(&from, from_name), location(&to, to_name)));
            }
        }
        pairs.sort();
        pairs.dedup();
        Ok(pairs)
    }

    /// Whether namespaces are found by their labels.
    pub(super) fn selects_namespaces(&self) -> bool {
        matches!(self.namespaces, Some(Locator::Selector { .. }))
    }

    /// Keeps what tenants choose from reaching beyond what is theirs on the service cluster.
    fn check_namespace(&self, order: &Order<'_>, namespace: &str) -> Result<(), Stop> {
        let is_own = object::namespace(order.copy) == Some(namespace);
        if namespace == order.plan.state_namespace || (self.is_namespace_chosen && !is_own) {
            return Err(Stop::Failed("its namespace on the service cluster is out of the order's reach".into()));
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

    /// The next writes for the objects of this entry; none when all are in their wanted state.
    pub(super) fn next(
        &self,
        order: &Order<'_>,
        state: &State,
        facts: &Facts<'_>,
    ) -> Result<Option<Vec<Command>>, Stop> {
        let mut delivered = Vec::new();
        for pair in self.resolve(order, facts)? {
            let entry = self.entry(pair);
            let from = entry.original(order.key);
            let Some(source) = facts.get(&from, Evidence::Heard)? else { continue };
            if self.origin == Side::Kcp {
                if object::is_deleting(&source) {
                    continue;
                }
                if !object::has_finalizer(&source, wire::FINALIZER) {
                    return Ok(Some(vec![add_finalizer(from, &source)]));
                }
            }
            let commands = self.sync(&entry, &source, order, state, facts)?;
            if commands.is_some() {
                return Ok(commands);
            }
            delivered.push((source, entry));
        }
        if let Some(command) = self.list_on_order(order, &delivered) {
            return Ok(Some(vec![command]));
        }
        self.retire(order, state, facts)
    }

    fn sync(
        &self,
        entry: &Entry,
        source: &Value,
        order: &Order<'_>,
        state: &State,
        facts: &Facts<'_>,
    ) -> Result<Option<Vec<Command>>, Stop> {
        let (from, to) = (entry.original(order.key), entry.copy(order.key));
        let marks = Marks::of_related(&owner_mark(order.plan, order.key, &self.identifier));
        let existing = facts.get(&to, Evidence::Heard)?;
        let fresh = copy::new_copy(&copy::strip(source), &to, &marks);
        let other = existing.as_deref().unwrap_or(&fresh);
        let mutated = copy::strip(&self.spec_mutations.apply(source.clone(), other)?);
        let history = state.of_related(&from);
        let mut before: Vec<_> = inventory_with(state, entry).into_iter().collect();

        let Some(existing) = existing else {
            let is_first = history.bases().is_none();
            before.extend(history.before_create(&mutated));
            let mut commands = save(state, &before);
            let namespace = entry.to.namespace.clone();
            commands.push(Command::EnsureNamespace { place: to.place.clone(), name: namespace });
            let object = copy::new_copy(&mutated, &to, &marks);
            commands.push(Command::Create { key: to, object });
            if !is_first {
                commands.extend(save(state, &history.after(&mutated)));
            }
            return Ok(Some(commands));
        };
        if object::is_deleting(&existing) {
            return Ok(None);
        }
        let is_legacy = state.has_legacy_related(&from) && object::annotation(&existing, wire::RELATED_OWNER).is_none();
        if !is_legacy && !teardown::is_own(order.plan, &existing, order.key, &self.identifier) {
            return Err(Stop::Failed(format!("{to} was not made for this order and is left alone")));
        }
        let marks = if is_legacy { Marks::default() } else { marks };
        let write = copy::update(&mutated, history.bases().as_deref(), &to, &existing, &marks);
        let after = history.after(&mutated);
        if write.is_some() {
            before.extend(history.before_update(&mutated));
        } else if is_legacy && after.is_empty() {
            // Taking over writes nothing; what is in step is recorded with its first change.
            before.clear();
        }
        let mut commands = save(state, &before);
        commands.extend(write);
        commands.extend(save(state, &after));
        if commands.is_empty() {
            commands.extend(self.sync_status(source, &existing, to)?);
        }
        Ok((!commands.is_empty()).then_some(commands))
    }

    fn sync_status(&self, source: &Value, existing: &Value, to: ObjectKey) -> Result<Option<Command>, Stop> {
        if !self.sync_status {
            return Ok(None);
        }
        let mutated = self.status_mutations.apply(source.clone(), existing)?;
        Ok(copy_status(&mutated, existing, to))
    }

    /// What [`Self::list_on_order`] has written on an order.
    ///
    /// Tenants can write there, too; so whoever removes something on this evidence must find the
    /// order's mark on it. Where the originals are is not listed.
    pub(super) fn listed_on(&self, order: &Value) -> Vec<Entry> {
        if self.origin != Side::Service {
            return Vec::new();
        }
        let prefix = self.list_prefix();
        let listed = object::annotations(order).iter().filter(|(key, _)| key.starts_with(&prefix));
        let copies = listed.filter_map(|(_, reference)| serde_json::from_str::<Location>(reference.as_str()?).ok());
        copies.map(|to| self.entry((Location::default(), to))).collect()
    }

    fn list_prefix(&self) -> String {
        format!("{}{}.", wire::RELATED_PREFIX, self.identifier)
    }

    /// Lists the delivered objects on the order, for people and user interfaces.
    fn list_on_order(&self, order: &Order<'_>, delivered: &[(Arc<Value>, Entry)]) -> Option<Command> {
        if self.origin != Side::Service {
            return None;
        }
        let prefix = self.list_prefix();
        let mut wanted: BTreeMap<String, Value> = BTreeMap::new();
        for (at, (source, entry)) in delivered.iter().enumerate() {
            let reference = json!({
                "namespace": entry.to.namespace,
                "name": entry.to.name,
                "apiVersion": source["apiVersion"],
                "kind": source["kind"],
            });
            wanted.insert(format!("{prefix}{at}"), reference);
        }
        let mut changes = Map::new();
        for key in object::annotations(order.order).keys().filter(|key| key.starts_with(&prefix)) {
            if !wanted.contains_key(key) {
                changes.insert(key.clone(), Value::Null);
            }
        }
        for (key, reference) in wanted {
            let known = object::annotation(order.order, &key).and_then(|text| serde_json::from_str::<Value>(text).ok());
            if known.as_ref() != Some(&reference) {
                changes.insert(key, reference.to_string().into());
            }
        }
        if changes.is_empty() {
            return None;
        }
        Some(Command::Patch { key: order.object_key(), patch: json!({"metadata": {"annotations": changes}}) })
    }

    /// Removes copies whose original is gone, or about to go.
    ///
    /// An original that exists but is no longer found from the order keeps its copy until it or the
    /// order goes: a field of the order that is empty for a moment must not cost the tenant
    /// credentials.
    fn retire(&self, order: &Order<'_>, state: &State, facts: &Facts<'_>) -> Result<Option<Vec<Command>>, Stop> {
        let inventory = state.inventory();
        for entry in inventory.iter().filter(|entry| entry.identifier == self.identifier && entry.cleanup) {
            let source = facts.get(&entry.original(order.key), Evidence::Heard)?;
            let is_going = source.as_ref().is_none_or(|source| self.origin == Side::Kcp && object::is_deleting(source));
            if !is_going {
                continue;
            }
            match teardown::remove(order.plan, entry, order.key, state, facts)? {
                Removal::Act(commands) => return Ok(Some(commands)),
                Removal::Wait => {}
                Removal::Done => {
                    let rest: Vec<_> = inventory.iter().filter(|other| *other != entry).cloned().collect();
                    let mut edits = vec![Edit::inventory(&rest)];
                    edits.extend(Edit::forget_related(&entry.original(order.key)));
                    return Ok(Some(save(state, &edits)));
                }
            }
        }
        Ok(None)
    }
}

/// The write that makes the edits, if there are any.
pub(super) fn save(state: &State, edits: &[Edit]) -> Vec<Command> {
    if edits.is_empty() { Vec::new() } else { vec![state.save(edits)] }
}

/// The write that gives `target` the status of `source`; none if it has it, or there is none: no
/// status is no evidence of anything.
pub(super) fn copy_status(source: &Value, target: &Value, key: ObjectKey) -> Option<Command> {
    let status = source.get("status").filter(|status| !status.is_null())?;
    if target.get("status") == Some(status) {
        return None;
    }
    let mut object = target.clone();
    object["status"] = status.clone();
    Some(Command::ReplaceStatus { key, object })
}

/// The inventory with this entry, if it is not there yet.
fn inventory_with(state: &State, entry: &Entry) -> Option<Edit> {
    let mut inventory = state.inventory();
    if inventory.contains(entry) {
        return None;
    }
    inventory
        .retain(|other| (&other.identifier, &other.from, &other.to) != (&entry.identifier, &entry.from, &entry.to));
    inventory.push(entry.clone());
    Some(Edit::inventory(&inventory))
}

/// The mark on the copies made for one entry of one order.
pub(super) fn owner_mark(plan: &Plan, order: &OrderKey, identifier: &str) -> String {
    let namespace = order.namespace.as_deref().unwrap_or_default();
    let ResourceType { group, plural, .. } = plan.remote.as_ref();
    format!("{}/{plural}.{group}/{namespace}/{}/{identifier}", order.cluster, order.name)
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
            namespace: Some(location.namespace.clone()),
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
