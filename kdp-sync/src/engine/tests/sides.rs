//! A control plane and a service cluster in memory, and an agent that works on them.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use kube::core::SelectorExt;
use serde_json::{Value, json};

use crate::{
    engine::{
        Command, Evidence, Facts, Next, ObjectKey, OrderKey, Part, Place, Plan, Propagation, Query, World, copy,
        decide, merge,
    },
    object::{self, ResourceType},
    wire,
};

/// Objects with the rules of an API server, as far as the engine relies on them.
#[derive(Clone, Debug, Default)]
pub(super) struct Sides {
    objects: BTreeMap<ObjectKey, Arc<Value>>,
    revision: u64,
    propagations: Vec<Propagation>,
    changes: Vec<Changed>,
}

/// What a watch would tell: an object, or that this one is gone.
#[derive(Clone, Debug)]
pub(super) struct Changed {
    pub(super) key: ObjectKey,
    pub(super) object: Arc<Value>,
    pub(super) is_gone: bool,
}

/// A write that was refused.
#[derive(Debug)]
pub(super) struct Refused;

impl Sides {
    pub(super) fn new() -> Self {
        Self::default()
    }

    pub(super) fn revision(&self) -> u64 {
        self.revision
    }

    pub(super) fn propagations(&self) -> &[Propagation] {
        &self.propagations
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = ObjectKey> {
        self.objects.keys().cloned()
    }

    pub(super) fn objects(&self) -> &BTreeMap<ObjectKey, Arc<Value>> {
        &self.objects
    }

    /// What has changed since this was last asked.
    pub(super) fn take_changes(&mut self) -> Vec<Changed> {
        std::mem::take(&mut self.changes)
    }

    pub(super) fn get(&self, key: &ObjectKey) -> Option<Value> {
        self.objects.get(key).map(|object| (**object).clone())
    }

    /// Creates an object, or gives an existing one new content.
    pub(super) fn put(&mut self, key: &ObjectKey, content: Value) {
        if self.objects.contains_key(key) {
            self.change(key, &content);
        } else {
            self.create(key, content).unwrap();
        }
    }

    pub(super) fn change(&mut self, key: &ObjectKey, patch: &Value) {
        let mut object = self.get(key).unwrap();
        merge::apply(&mut object, patch);
        self.store(key, object);
    }

    pub(super) fn delete(&mut self, key: &ObjectKey) {
        if let Some(mut object) = self.get(key) {
            object["metadata"]["deletionTimestamp"] = "now".into();
            self.store(key, object);
        }
    }

    /// Objects that look like the agent's, but are not.
    pub(super) fn add_foreign_objects(&mut self) -> Vec<(ObjectKey, Value)> {
        let things = |name: &str, cluster: &str| {
            let types = ResourceType {
                group: "example.com".into(),
                version: "v1".into(),
                kind: "Thing".into(),
                plural: "things".into(),
            };
            let key = ObjectKey {
                place: Place::Service,
                types: Arc::new(types),
                namespace: Some(cluster.into()),
                name: name.into(),
            };
            (
                key,
                json!({"metadata": {"labels": {wire::CLUSTER_LABEL: "other", wire::NAME_HASH_LABEL: crate::hash::sha1("db")}}}),
            )
        };
        let secret = ObjectKey {
            place: Place::Service,
            types: Arc::new(ResourceType::secrets()),
            namespace: Some("tenant".into()),
            name: "foreign".into(),
        };
        let all = vec![things("foreign", "tenant"), things("foreign", "other"), (secret, json!({"data": {"a": "b"}}))];
        for (key, content) in &all {
            self.put(key, content.clone());
        }
        all.into_iter().map(|(key, _)| (key.clone(), self.get(&key).unwrap())).collect()
    }

    pub(super) fn create(&mut self, key: &ObjectKey, mut object: Value) -> Result<(), Refused> {
        if self.objects.contains_key(key) {
            return Err(Refused);
        }
        object["apiVersion"] = key.types.api_version().into();
        object["kind"] = key.types.kind.clone().into();
        let uid = format!("uid-{}", self.revision);
        let metadata = object::child(&mut object, "metadata");
        metadata.insert("name".into(), key.name.clone().into());
        metadata.insert("uid".into(), uid.into());
        if let Some(namespace) = &key.namespace {
            metadata.insert("namespace".into(), namespace.clone().into());
        }
        self.store(key, object);
        Ok(())
    }

    fn store(&mut self, key: &ObjectKey, mut object: Value) {
        if object::is_deleting(&object) && object::finalizers(&object).is_empty() {
            self.revision += 1;
            self.objects.remove(key);
            self.changes.push(Changed { key: key.clone(), object: Arc::new(object), is_gone: true });
            return;
        }
        if let Some(old) = self.objects.get(key) {
            object["metadata"]["resourceVersion"] = old["metadata"]["resourceVersion"].clone();
            if **old == object {
                return;
            }
        }
        self.revision += 1;
        object["metadata"]["resourceVersion"] = self.revision.to_string().into();
        let object = Arc::new(object);
        self.changes.push(Changed { key: key.clone(), object: object.clone(), is_gone: false });
        self.objects.insert(key.clone(), object);
    }

    /// The object, unless the writer has seen another version of it.
    fn current(&self, key: &ObjectKey, seen: &Value) -> Result<Value, Refused> {
        let object = self.get(key).ok_or(Refused)?;
        let version = object::resource_version(seen);
        if version.is_some() && version != object::resource_version(&object) { Err(Refused) } else { Ok(object) }
    }

    /// Carries out a write, whatever comes of it.
    pub(super) fn attempt(&mut self, command: &Command) {
        // Refused or not, nobody hears of it.
        let _ = self.carry_out(command);
    }

    pub(super) fn carry_out(&mut self, command: &Command) -> Result<(), Refused> {
        match command {
            Command::EnsureNamespace { .. } | Command::Tell { .. } => {}
            Command::Create { key, object } => self.create(key, object.clone())?,
            Command::Patch { key, patch } => {
                let mut object = self.current(key, patch)?;
                merge::apply(&mut object, patch);
                self.store(key, object);
            }
            Command::Replace { key, object } => {
                let status = self.current(key, object)?["status"].take();
                let mut object = object.clone();
                object["status"] = status;
                self.store(key, object);
            }
            Command::ReplaceStatus { key, object } => {
                let mut now = self.current(key, object)?;
                now["status"] = object["status"].clone();
                self.store(key, now);
            }
            Command::Delete { key, uid, version, propagation } => {
                let Some(object) = self.get(key) else { return Ok(()) };
                if version.as_deref().is_some_and(|version| Some(version) != object::resource_version(&object)) {
                    return Err(Refused);
                }
                if uid.as_deref().is_some_and(|uid| Some(uid) != object::uid(&object)) {
                    return Err(Refused);
                }
                self.propagations.push(*propagation);
                self.delete(key);
            }
        }
        Ok(())
    }
}

/// What somebody who knows these objects answers.
pub(super) fn answer(objects: &BTreeMap<ObjectKey, Arc<Value>>, plan: &Plan, query: &Query) -> Vec<Arc<Value>> {
    match query {
        Query::Object(key) => objects.get(key).cloned().into_iter().collect(),
        Query::List(list) => objects
            .iter()
            .filter(|(key, object)| {
                key.place == list.place
                    && key.types == list.types
                    && (list.namespace.is_none() || key.namespace == list.namespace)
                    && list.selector.matches(&object::labels(object))
            })
            .map(|(_, object)| object.clone())
            .collect(),
        Query::Copies(order) => {
            let is_copy = |(key, object): &(&ObjectKey, &Arc<Value>)| {
                key.place == Place::Service && key.types == plan.local && copy::belongs_to(object, order)
            };
            objects.iter().filter(is_copy).map(|(_, object)| object.clone()).collect()
        }
    }
}

/// An agent for one order, that knows only what it has heard, read or written.
#[derive(Debug)]
pub(super) struct Agent {
    plan: Plan,
    order: OrderKey,
    heard: Sides,
}

/// How a pass ended.
pub(super) struct Passed {
    /// Whether it wrote or failed.
    pub(super) is_busy: bool,
    /// The write that would have been next.
    pub(super) cut_off: Option<Command>,
}

struct Known<'a> {
    plan: &'a Plan,
    heard: &'a Sides,
    seen: &'a [(Query, Vec<Arc<Value>>)],
}

impl World for Known<'_> {
    fn answer(&self, query: &Query, evidence: Evidence) -> Option<Vec<Arc<Value>>> {
        match evidence {
            Evidence::Heard => Some(answer(&self.heard.objects, self.plan, query)),
            Evidence::Seen => self.seen.iter().find(|(known, _)| known == query).map(|(_, found)| found.clone()),
        }
    }

    fn instance(&self) -> &str {
        "one"
    }

    fn is_in_doubt(&self, _: &OrderKey) -> bool {
        true
    }

    fn is_quiet(&self, _: &OrderKey, _: &str) -> bool {
        true
    }
}

impl Agent {
    pub(super) fn new(plan: Plan) -> Self {
        let order =
            OrderKey { cluster: "tenant".parse().unwrap(), namespace: Some("default".into()), name: "db".into() };
        Self { plan, order, heard: Sides::new() }
    }

    pub(super) fn order_object(&self) -> ObjectKey {
        self.plan.order_object(&self.order)
    }

    pub(super) fn hear(&mut self, sides: &Sides) {
        self.heard = sides.clone();
    }

    /// Works on the order, but writes at most `writes` times.
    pub(super) fn pass(&mut self, sides: &mut Sides, mut writes: usize) -> Passed {
        let mut seen: Vec<(Query, Vec<Arc<Value>>)> = Vec::new();
        let mut failed: BTreeSet<Part> = BTreeSet::new();
        let mut is_busy = false;
        for _ in 0..64 {
            let known = Known { plan: &self.plan, heard: &self.heard, seen: &seen };
            match decide(&self.plan, &self.order, &Facts::new(&known), &failed) {
                Next::Look(_, query) => {
                    let found = answer(&sides.objects, &self.plan, &query);
                    seen.push((query, found));
                }
                Next::Settled(problems) => {
                    return Passed { is_busy: is_busy || !problems.is_empty(), cut_off: None };
                }
                Next::Act(batch) => {
                    is_busy = true;
                    seen.clear();
                    for command in &batch.commands {
                        if writes == 0 {
                            return Passed { is_busy, cut_off: Some(command.clone()) };
                        }
                        writes -= 1;
                        if sides.carry_out(command).is_err() {
                            if batch.part == Part::Primary {
                                return Passed { is_busy, cut_off: None };
                            }
                            failed.insert(batch.part);
                            break;
                        }
                        self.note(sides, command);
                    }
                }
            }
        }
        panic!("a pass that does not end");
    }

    /// Takes in the answer to a write.
    fn note(&mut self, sides: &Sides, command: &Command) {
        let (Command::Create { key, .. }
        | Command::Patch { key, .. }
        | Command::Replace { key, .. }
        | Command::ReplaceStatus { key, .. }
        | Command::Delete { key, .. }) = command
        else {
            return;
        };
        match sides.objects.get(key) {
            Some(object) => self.heard.objects.insert(key.clone(), object.clone()),
            None => self.heard.objects.remove(key),
        };
    }
}
