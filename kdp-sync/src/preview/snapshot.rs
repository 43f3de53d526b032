//! Both sides in memory, to try decisions on.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    ops::Bound,
    sync::Arc,
};

use kube::core::SelectorExt;
use serde_json::{Value, json};

use super::{Action, Cause, Change, ObjectName, changes, diff::is_gone};
use crate::{
    api::Side,
    engine::{Command, Evidence, ListQuery, ObjectKey, OrderKey, Place, Query, World, apply_merge_patch, identity},
    object::{self, ResourceType},
    wire,
};

/// The objects of one published resource on both sides: as they were read, with what was tried since.
#[derive(Debug)]
pub(crate) struct Snapshot {
    /// The kind of the copies.
    copies: Arc<ResourceType>,
    objects: BTreeMap<ObjectKey, Arc<Value>>,
    by_identity: HashMap<Identity, BTreeSet<ObjectKey>>,
    /// The kinds of which every object is here.
    complete: BTreeSet<(Side, Arc<ResourceType>)>,
    /// What was asked for by itself.
    looked: Vec<Query>,
    /// Objects as they were read, if anything was tried on them.
    before: BTreeMap<ObjectKey, Option<Arc<Value>>>,
}

type Identity = Vec<(&'static str, String)>;

impl Snapshot {
    /// Nothing yet, for copies of this kind.
    pub(crate) fn new(copies: Arc<ResourceType>) -> Self {
        Self {
            copies,
            objects: BTreeMap::new(),
            by_identity: HashMap::new(),
            complete: BTreeSet::new(),
            looked: Vec::new(),
            before: BTreeMap::new(),
        }
    }

    /// Takes in every object of a kind.
    pub(crate) fn take_all(&mut self, side: Side, types: &Arc<ResourceType>, objects: Vec<(ObjectKey, Value)>) {
        self.take(objects);
        self.complete.insert((side, types.clone()));
    }

    /// Takes in objects.
    pub(crate) fn take(&mut self, objects: Vec<(ObjectKey, Value)>) {
        for (key, object) in objects {
            self.put(key, object);
        }
    }

    /// Takes in what was read to answer a question.
    pub(crate) fn remember(&mut self, query: Query, found: Vec<(ObjectKey, Value)>) {
        for (key, object) in found {
            // What was tried on an object goes on.
            if !self.before.contains_key(&key) {
                self.put(key, object);
            }
        }
        self.looked.push(query);
    }

    /// The objects of a kind on one side.
    pub(crate) fn of_kind<'a>(
        &'a self,
        side: Side,
        types: &'a ResourceType,
    ) -> impl Iterator<Item = (&'a ObjectKey, &'a Arc<Value>)> {
        self.objects.iter().filter(move |(key, _)| side_of(&key.place) == side && *key.types == *types)
    }

    /// Whether it is known that there is such an object, or that there is not.
    pub(crate) fn knows(&self, key: &ObjectKey) -> bool {
        self.answer(&Query::Object(key.clone()), Evidence::Seen).is_some()
    }

    /// Carries out a write.
    ///
    /// # Errors
    /// Why an API server would refuse it.
    pub(crate) fn carry_out(&mut self, command: &Command) -> Result<(), String> {
        match command {
            Command::Tell { .. } => {}
            Command::EnsureNamespace { place, name } => {
                let key = namespace_key(place, name);
                if !self.objects.contains_key(&key) {
                    self.write(&key, Some(json!({"metadata": {"name": name}})));
                }
            }
            Command::Create { key, object } => {
                if self.objects.contains_key(key) {
                    return Err(format!("there is already a {key}"));
                }
                let mut object = object.clone();
                object::child(&mut object, "metadata").insert("uid".into(), "new".into());
                self.write(key, Some(object));
            }
            Command::Patch { key, patch } => {
                let mut object = self.existing(key)?;
                apply_merge_patch(&mut object, patch);
                self.write(key, Some(object));
            }
            Command::Replace { key, object } => {
                let mut object = object.clone();
                match self.existing(key)?.get("status") {
                    Some(status) => object["status"] = status.clone(),
                    None => drop(object.as_object_mut().map(|map| map.remove("status"))),
                }
                self.write(key, Some(object));
            }
            Command::ReplaceStatus { key, object } => {
                let mut now = self.existing(key)?;
                now["status"] = object["status"].clone();
                self.write(key, Some(now));
            }
            Command::Delete { key, .. } => {
                let mut object = self.existing(key)?;
                object["metadata"]["deletionTimestamp"] = "now".into();
                self.write(key, Some(object));
            }
        }
        Ok(())
    }

    /// What was tried since this was last asked, an entry for each object.
    pub(crate) fn changes(&mut self, cause: &Cause) -> Vec<Change> {
        let tried = std::mem::take(&mut self.before);
        let change = |(key, before): (ObjectKey, Option<Arc<Value>>)| {
            let (before, after) = (before.as_deref(), self.objects.get(&key).map(|after| &**after));
            let action = match (before, after) {
                (None, None) => return None,
                (None, Some(_)) => Action::Create,
                (Some(before), after) if is_gone(after) && !object::is_deleting(before) => Action::Delete,
                (Some(_), None) => Action::Delete,
                (Some(_), Some(_)) => Action::Update,
            };
            let fields = if action == Action::Delete { Vec::new() } else { changes(before, after) };
            let is_nothing = action == Action::Update && fields.is_empty();
            (!is_nothing).then(|| Change { cause: cause.clone(), action, object: ObjectName::from(&key), fields })
        };
        tried.into_iter().filter_map(change).collect()
    }

    fn existing(&self, key: &ObjectKey) -> Result<Value, String> {
        self.objects.get(key).map(|object| (**object).clone()).ok_or_else(|| format!("there is no {key}"))
    }

    fn write(&mut self, key: &ObjectKey, object: Option<Value>) {
        self.before.entry(key.clone()).or_insert_with(|| self.objects.get(key).cloned());
        // An API server forgets what is deleted once nobody holds it.
        match object.filter(|object| !(object::is_deleting(object) && object::finalizers(object).is_empty())) {
            Some(object) => self.put(key.clone(), object),
            None => self.remove(key),
        }
    }

    fn put(&mut self, key: ObjectKey, mut object: Value) {
        self.remove(&key);
        object["apiVersion"] = key.types.api_version().into();
        object["kind"] = key.types.kind.clone().into();
        object::child(&mut object, "metadata").remove("managedFields");
        if *key.types == *self.copies && key.place == Place::Service {
            self.by_identity.entry(identity_of(&object)).or_default().insert(key.clone());
        }
        self.objects.insert(key, Arc::new(object));
    }

    fn remove(&mut self, key: &ObjectKey) {
        if let Some(object) = self.objects.remove(key)
            && let Some(keys) = self.by_identity.get_mut(&identity_of(&object))
        {
            keys.remove(key);
        }
    }

    fn is_complete(&self, place: &Place, types: &Arc<ResourceType>) -> bool {
        self.complete.contains(&(side_of(place), types.clone()))
    }

    fn list(&self, query: &ListQuery) -> Vec<Arc<Value>> {
        let ListQuery { place, types, namespace, selector } = query;
        let from =
            ObjectKey { place: place.clone(), types: types.clone(), namespace: namespace.clone(), name: String::new() };
        self.objects
            .range((Bound::Included(from), Bound::Unbounded))
            .take_while(|(key, _)| key.place == *place && key.types == *types)
            .filter(|(key, _)| namespace.is_none() || key.namespace == *namespace)
            .filter(|(_, object)| selector.matches(&object::labels(object)))
            .map(|(_, object)| object.clone())
            .collect()
    }

    fn copies(&self, order: &OrderKey) -> Vec<Arc<Value>> {
        let identity: Identity = identity(order).into_iter().collect();
        self.by_identity.get(&identity).into_iter().flatten().map(|key| self.objects[key].clone()).collect()
    }
}

impl World for Snapshot {
    /// Everything here was read from the source: it is evidence of every kind.
    fn answer(&self, query: &Query, _: Evidence) -> Option<Vec<Arc<Value>>> {
        let is_looked = || self.looked.contains(query);
        match query {
            Query::Object(key) => match self.objects.get(key) {
                Some(object) => Some(vec![object.clone()]),
                None => {
                    let is_tried = self.before.contains_key(key);
                    (is_tried || self.is_complete(&key.place, &key.types) || is_looked()).then(Vec::new)
                }
            },
            Query::List(list) => (self.is_complete(&list.place, &list.types) || is_looked()).then(|| self.list(list)),
            Query::Copies(order) => {
                (self.is_complete(&Place::Service, &self.copies) || is_looked()).then(|| self.copies(order))
            }
        }
    }

    fn instance(&self) -> &str {
        "preview"
    }

    fn is_in_doubt(&self, _: &OrderKey) -> bool {
        false
    }

    fn is_quiet(&self, _: &OrderKey, _: &str) -> bool {
        true
    }
}

/// A namespace as an object.
pub(crate) fn namespace_key(place: &Place, name: &str) -> ObjectKey {
    let types = Arc::new(ResourceType::namespaces());
    ObjectKey { place: place.clone(), types, namespace: None, name: name.to_owned() }
}

fn side_of(place: &Place) -> Side {
    match place {
        Place::Service => Side::Service,
        Place::Workspace(_) => Side::Kcp,
    }
}

/// The labels that name the order of a copy, as far as they are there.
fn identity_of(object: &Value) -> Identity {
    let labels = wire::IDENTITY_LABELS.iter();
    labels.filter_map(|key| Some((*key, object::label(object, key)?.to_owned()))).collect()
}
