//! Two clusters made of maps, an operator on one of them, and an agent that can be stopped after
//! any write.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use kube::core::SelectorExt;
use serde_json::{Value, json};

use crate::{
    api::{PublishedResourceSpec, Scope},
    engine::{
        Command, Evidence, Facts, FoundKind, Kinds, Next, ObjectKey, OrderKey, Part, Place, Plan, PlanOptions, Problem,
        Propagation, Query, World, copy, decide, merge, needed_kinds, state,
    },
    object::{self, ResourceType},
    publish::Projection,
};

const OPERATOR: &str = "example.com/operator";

pub(super) fn resource() -> ResourceType {
    ResourceType {
        group: "example.com".into(),
        version: "v1".into(),
        kind: "Database".into(),
        plural: "databases".into(),
    }
}

/// The plan of a published `Database` with these further fields.
pub(super) fn plan(fields: &Value) -> Plan {
    let mut spec = json!({"resource": {"apiGroup": "example.com", "kind": "Database"}});
    spec.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    let spec: PublishedResourceSpec = serde_json::from_value(spec).unwrap();
    let projection = Projection {
        spec: Value::Null,
        generation: 1,
        local: resource(),
        local_scope: Scope::Namespaced,
        remote: resource(),
        remote_scope: Scope::Namespaced,
        has_status: true,
    };
    let kind = |plural: &str| if plural == "secrets" { "Secret".to_owned() } else { "ConfigMap".to_owned() };
    let found = |plural: &str| FoundKind { kind: kind(plural), scope: Scope::Namespaced };
    let kinds: Kinds = needed_kinds(&spec).into_iter().map(|needed| (needed.clone(), found(&needed.plural))).collect();
    let options = PlanOptions { agent: "agent".into(), state_namespace: "agent-system".into() };
    Plan::compile(&spec, &projection, &kinds, &options).unwrap()
}

pub(super) fn order(cluster: &str, name: &str) -> OrderKey {
    OrderKey { cluster: cluster.parse().unwrap(), namespace: Some("default".into()), name: name.into() }
}

fn key(place: Place, types: ResourceType, namespace: &str, name: &str) -> ObjectKey {
    ObjectKey { place, types: Arc::new(types), namespace: Some(namespace.into()), name: name.into() }
}

fn tenant(cluster: &str) -> Place {
    Place::Workspace(cluster.parse().unwrap())
}

pub(super) fn tenant_secret_key(cluster: &str, name: &str) -> ObjectKey {
    key(tenant(cluster), ResourceType::secrets(), "default", name)
}

fn config_maps() -> ResourceType {
    ResourceType::core("ConfigMap", "configmaps")
}

pub(super) fn tenant_config_key(cluster: &str, name: &str) -> ObjectKey {
    key(tenant(cluster), config_maps(), "default", name)
}

pub(super) fn service_config_key(namespace: &str, name: &str) -> ObjectKey {
    key(Place::Service, config_maps(), namespace, name)
}

pub(super) struct Sim {
    plan: Plan,
    pub(super) objects: BTreeMap<ObjectKey, Value>,
    version: u64,
    pub(super) writes: usize,
    /// The agent stops after this many more writes, once.
    pub(super) stop_after: Option<usize>,
    pub(super) problems: Vec<Problem>,
    pub(super) operator_is_paused: bool,
    pub(super) deleted_with: Vec<Propagation>,
}

struct Stopped;

impl Sim {
    pub(super) fn new(plan: Plan) -> Self {
        Self {
            plan,
            objects: BTreeMap::new(),
            version: 0,
            writes: 0,
            stop_after: None,
            problems: Vec::new(),
            operator_is_paused: false,
            deleted_with: Vec::new(),
        }
    }

    // What tenants and the service owner do.

    fn order_key(&self, cluster: &str, name: &str) -> ObjectKey {
        self.plan.order_object(&order(cluster, name))
    }

    pub(super) fn apply_order(&mut self, cluster: &str, name: &str, spec: Value) {
        let key = self.order_key(cluster, name);
        if self.objects.contains_key(&key) {
            return self.edit(&key, |order| order["spec"] = spec);
        }
        let metadata = json!({"name": name, "namespace": "default", "annotations": {"kcp.io/cluster": cluster}});
        self.create(
            key,
            json!({"apiVersion": "example.com/v1", "kind": "Database", "metadata": metadata, "spec": spec}),
        );
    }

    pub(super) fn edit_order(&mut self, cluster: &str, name: &str, edit: impl FnOnce(&mut Value)) {
        self.edit(&self.order_key(cluster, name), edit);
    }

    pub(super) fn delete_order(&mut self, cluster: &str, name: &str) {
        self.delete(&self.order_key(cluster, name));
    }

    pub(super) fn edit_copy(&mut self, cluster: &str, name: &str, edit: impl FnOnce(&mut Value)) {
        if let Some(key) = self.copy_key(cluster, name) {
            self.edit(&key, edit);
        }
    }

    pub(super) fn delete_copy(&mut self, cluster: &str, name: &str) {
        if let Some(key) = self.copy_key(cluster, name) {
            self.delete(&key);
        }
    }

    pub(super) fn create(&mut self, key: ObjectKey, mut object: Value) {
        self.version += 1;
        object["metadata"]["uid"] = format!("uid-{}", self.version).into();
        object["metadata"]["resourceVersion"] = self.version.to_string().into();
        assert!(self.objects.insert(key, object).is_none());
    }

    fn edit(&mut self, key: &ObjectKey, edit: impl FnOnce(&mut Value)) {
        let Some(object) = self.objects.get_mut(key) else { return };
        let before = object.clone();
        edit(object);
        if *object != before {
            self.version += 1;
            object["metadata"]["resourceVersion"] = self.version.to_string().into();
        }
        if object::is_deleting(object) && object::finalizers(object).is_empty() {
            self.objects.remove(key);
        }
    }

    pub(super) fn delete(&mut self, key: &ObjectKey) {
        self.edit(key, |object| object["metadata"]["deletionTimestamp"] = "now".into());
    }

    // What is there.

    pub(super) fn order(&self, cluster: &str, name: &str) -> Option<Value> {
        self.objects.get(&self.order_key(cluster, name)).cloned()
    }

    fn copy_key(&self, cluster: &str, name: &str) -> Option<ObjectKey> {
        let order = order(cluster, name);
        let is_copy = |(key, object): &(&ObjectKey, &Value)| {
            key.place == Place::Service && *key.types == resource() && copy::belongs_to(object, &order)
        };
        self.objects.iter().find(is_copy).map(|(key, _)| key.clone())
    }

    pub(super) fn copy(&self, cluster: &str, name: &str) -> Option<Value> {
        self.copy_key(cluster, name).map(|key| self.objects[&key].clone())
    }

    pub(super) fn tenant_secret(&self, cluster: &str, name: &str) -> Option<Value> {
        self.objects.get(&tenant_secret_key(cluster, name)).cloned()
    }

    /// Everything there is but namespaces, which are never deleted.
    pub(super) fn leftovers(&self) -> Vec<String> {
        self.objects.keys().filter(|key| key.types.kind != "Namespace").map(ToString::to_string).collect()
    }

    /// Everything that does not depend on how often something was written.
    pub(super) fn snapshot(&self) -> Value {
        let objects = self.objects.iter().map(|(key, object)| {
            let mut object = object.clone();
            let metadata = object["metadata"].as_object_mut().unwrap();
            metadata.remove("resourceVersion");
            metadata.remove("uid");
            (key.to_string(), object)
        });
        objects.collect()
    }

    // The operator: makes a Secret, reports it, and removes it at the end.

    fn operate(&mut self) {
        let copies: Vec<_> = self
            .objects
            .iter()
            .filter(|(key, _)| !self.operator_is_paused && key.place == Place::Service && *key.types == resource())
            .map(|(key, copy)| (key.clone(), copy.clone()))
            .collect();
        for (key, copy) in copies {
            let cluster = object::label(&copy, crate::wire::CLUSTER_LABEL).unwrap_or_default().to_owned();
            let name = object::annotation(&copy, crate::wire::NAME_ANNOTATION).unwrap_or_default().to_owned();
            let secret_name =
                if key.namespace.as_deref() == Some("shared") { format!("{cluster}-{name}") } else { name.clone() };
            let secret_name = format!("{secret_name}-credentials");
            let secret =
                ObjectKey { types: Arc::new(ResourceType::secrets()), name: secret_name.clone(), ..key.clone() };
            if object::is_deleting(&copy) {
                self.delete(&secret);
                self.edit(&key, |copy| copy["metadata"]["finalizers"] = json!([]));
                continue;
            }
            if !self.objects.contains_key(&secret) {
                let metadata =
                    json!({"name": secret_name, "namespace": key.namespace, "labels": {"of": name, "for": cluster}});
                let data = json!({"cluster": cluster});
                self.create(secret, json!({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": data}));
            }
            self.edit(&key, |copy| {
                copy["metadata"]["finalizers"] = json!([OPERATOR]);
                copy["status"] = json!({"phase": "Ready", "secretName": secret_name, "size": copy["spec"]["size"]});
            });
        }
    }

    // The agent.

    /// Operator and agent take turns until nothing changes.
    pub(super) fn settle(&mut self) {
        for _ in 0..50 {
            let before = self.version;
            let could_stop = self.stop_after.is_some();
            self.operate();
            self.pass();
            if self.version == before && self.stop_after.is_some() == could_stop {
                return;
            }
        }
        panic!("did not settle: {:#?}", self.snapshot());
    }

    /// The agent looks at every order once.
    pub(super) fn pass(&mut self) {
        self.problems.clear();
        let orders: BTreeSet<_> = self
            .objects
            .keys()
            .filter_map(|key| match &key.place {
                Place::Workspace(cluster) if *key.types == resource() => Some(order(cluster.as_str(), &key.name)),
                _ => None,
            })
            .chain(self.objects.values().filter_map(|object| state::order_of_state(&self.plan, object)))
            .collect();
        for order in orders {
            if self.reconcile(&order).is_err() {
                return;
            }
        }
    }

    fn reconcile(&mut self, order: &OrderKey) -> Result<(), Stopped> {
        for _ in 0..50 {
            let facts = Facts::new(self);
            match decide(&self.plan, order, &facts, &BTreeSet::new()) {
                Next::Look(_, query) => panic!("everything is known, but not {query:?}"),
                Next::Settled(problems) => {
                    self.problems.extend(problems);
                    return Ok(());
                }
                Next::Act(batch) => {
                    assert!(!batch.commands.is_empty() && batch.part <= Part::Related(9));
                    for command in batch.commands {
                        self.write(command)?;
                    }
                }
            }
        }
        panic!("decisions do not end: {:#?}", self.snapshot());
    }

    fn write(&mut self, command: Command) -> Result<(), Stopped> {
        if matches!(command, Command::Tell { .. }) {
            return Ok(());
        }
        if self.stop_after == Some(0) {
            self.stop_after = None;
            return Err(Stopped);
        }
        self.stop_after = self.stop_after.map(|left| left - 1);
        self.writes += 1;
        match command {
            Command::Tell { .. } => {}
            Command::EnsureNamespace { place, name } => {
                let key = ObjectKey { place, types: Arc::new(ResourceType::namespaces()), namespace: None, name };
                if !self.objects.contains_key(&key) {
                    let metadata = json!({"name": key.name});
                    self.create(key, json!({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}));
                }
            }
            Command::Create { key, object } => {
                assert_eq!(object["metadata"]["name"], key.name.as_str());
                assert_eq!(object::namespace(&object), key.namespace.as_deref());
                assert!(object.get("status").is_none());
                self.create(key, object);
            }
            Command::Patch { key, patch } => {
                self.check_version(&key, &patch);
                self.edit(&key, |object| merge::apply(object, &patch));
            }
            Command::Replace { key, object } => {
                self.check_version(&key, &object);
                self.edit(&key, |old| *old = object);
            }
            Command::ReplaceStatus { key, object } => {
                self.check_version(&key, &object);
                self.edit(&key, |old| old["status"] = object["status"].clone());
            }
            Command::Delete { key, uid, propagation, .. } => {
                assert_eq!(object::uid(&self.objects[&key]), uid.as_deref());
                self.deleted_with.push(propagation);
                self.delete(&key);
            }
        }
        Ok(())
    }

    fn check_version(&self, key: &ObjectKey, body: &Value) {
        if let Some(version) = object::resource_version(body) {
            assert_eq!(object::resource_version(&self.objects[key]), Some(version), "{key}");
        }
    }
}

impl World for Sim {
    fn answer(&self, query: &Query, _: Evidence) -> Option<Vec<Arc<Value>>> {
        Some(match query {
            Query::Object(key) => self.objects.get(key).cloned().map(Arc::new).into_iter().collect(),
            Query::List(list) => {
                let matches = |(key, object): &(&ObjectKey, &Value)| {
                    (&key.place, &key.types) == (&list.place, &list.types)
                        && (list.namespace.is_none() || key.namespace == list.namespace)
                        && list.selector.matches(&object::labels(object))
                };
                self.objects.iter().filter(matches).map(|(_, object)| Arc::new(object.clone())).collect()
            }
            Query::Copies(order) => self
                .objects
                .iter()
                .filter(|(key, object)| {
                    key.place == Place::Service && *key.types == *self.plan.local && copy::belongs_to(object, order)
                })
                .map(|(_, object)| Arc::new(object.clone()))
                .collect(),
        })
    }

    fn instance(&self) -> &str {
        "one"
    }

    fn is_in_doubt(&self, _: &OrderKey) -> bool {
        false
    }

    fn is_quiet(&self, _: &OrderKey, _: &str) -> bool {
        true
    }
}
