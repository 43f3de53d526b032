//! What tenants and the service owner do, and what they may expect.

use std::collections::{BTreeMap, VecDeque};

use kdp_sync::wire;
use kube::{
    Api, ResourceExt,
    api::{DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams},
};
use rand::{Rng, rngs::StdRng};
use serde_json::{Value, json};

use super::wanted::Copy;
use crate::support::{World, databases, dynamic, object, secrets};

pub(super) const WORKSPACES: [&str; 2] = ["root:a", "root:b"];
const NAMES: [&str; 3] = ["db", "web", "api"];
const CONFIGS: [&str; 2] = ["gold", "tin"];
const FOREIGN: &str = "foreign";
/// Things that are told when something goes wrong.
const DIARY: usize = 120;

/// An order by the numbers of its workspace and its name.
type Id = (usize, usize);

pub(super) struct People<'a> {
    world: &'a World,
    clusters: Vec<String>,
    orders: BTreeMap<Id, Copy>,
    foreign: Vec<DynamicObject>,
    diary: VecDeque<String>,
}

impl<'a> People<'a> {
    /// The workspaces' people, and somebody with a database and a Secret among the copies.
    pub(super) async fn new(world: &'a World) -> Self {
        let mut clusters = Vec::new();
        for path in WORKSPACES {
            clusters.push(world.cluster(path).await);
        }
        let mut people = Self { world, clusters, orders: BTreeMap::new(), foreign: Vec::new(), diary: VecDeque::new() };
        let namespace = object(json!({
            "apiVersion": "v1", "kind": "Namespace", "metadata": {"name": people.clusters[0]},
        }));
        let namespaces = dynamic(world.service(), None, "v1", "Namespace", "namespaces");
        let _ = namespaces.create(&PostParams::default(), &namespace).await;
        let labels = json!({wire::CLUSTER_LABEL: "other", wire::AGENT_NAME: "agent"});
        let metadata = json!({"name": FOREIGN, "labels": labels});
        let database = json!({
            "apiVersion": "example.com/v1", "kind": "Database", "metadata": metadata, "spec": {"size": 7},
        });
        let copies = databases(world.service(), Some(&people.clusters[0]));
        people.foreign.push(copies.create(&PostParams::default(), &object(database)).await.unwrap());
        // The tenant's own Secret has the name that credentials would have.
        let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "api-credentials"}});
        let own = secrets(world.workspace(WORKSPACES[1]), "default");
        people.foreign.push(own.create(&PostParams::default(), &object(secret)).await.unwrap());
        people
    }

    pub(super) fn diary(&self) -> String {
        self.diary.iter().map(|line| format!("{line}\n")).collect()
    }

    fn note(&mut self, line: String) {
        if self.diary.len() == DIARY {
            self.diary.pop_front();
        }
        self.diary.push_back(line);
    }

    fn orders_in(&self, workspace: usize) -> Api<DynamicObject> {
        self.world.orders(WORKSPACES[workspace])
    }

    fn configs_in(&self, workspace: usize) -> Api<DynamicObject> {
        let client = self.world.workspace(WORKSPACES[workspace]);
        dynamic(client, Some("default"), "v1", "ConfigMap", "configmaps")
    }

    fn delivered_in(&self, workspace: usize) -> Api<DynamicObject> {
        secrets(self.world.workspace(WORKSPACES[workspace]), "default")
    }

    fn originals_of(&self, workspace: usize) -> Api<DynamicObject> {
        secrets(self.world.service(), &self.clusters[workspace])
    }

    async fn copy(&self, (workspace, name): Id) -> Option<DynamicObject> {
        let copies = databases(self.world.service(), Some(&self.clusters[workspace]));
        let copies = copies.list(&ListParams::default()).await.unwrap();
        let is_copy =
            |copy: &DynamicObject| copy.annotations().get(wire::NAME_ANNOTATION).is_some_and(|of| of == NAMES[name]);
        copies.items.into_iter().find(is_copy)
    }

    /// Somebody does something.
    pub(super) async fn act(&mut self, rng: &mut StdRng) {
        let id = (rng.random_range(0..WORKSPACES.len()), rng.random_range(0..NAMES.len()));
        let value: u8 = rng.random_range(0..5);
        let config = CONFIGS[rng.random_range(0..CONFIGS.len())];
        let what = rng.random_range(0..30);
        self.note(format!("{what}: {} {} {config} {value}", WORKSPACES[id.0], NAMES[id.1]));
        match what {
            0..9 => self.write_order(id, "/spec/size", some(value).into()).await,
            9..12 => self.write_order(id, "/spec/tier", if value == 0 { Value::Null } else { config.into() }).await,
            12..14 => self.write_order(id, "/metadata/labels/team", some(value).map(|v| v.to_string()).into()).await,
            14 => delete(&self.orders_in(id.0), NAMES[id.1]).await,
            15..18 => {
                let api = self.configs_in(id.0);
                let data = json!({"data": {"value": value.to_string()}});
                put(&api, "ConfigMap", config, data).await;
            }
            18 => delete(&self.configs_in(id.0), config).await,
            19..22 => self.change_copy(id, "/metadata/labels/team", value.to_string().into()).await,
            22 => self.change_copy(id, "/spec/secretName", value.to_string().into()).await,
            23 => {
                if let Some(copy) = self.copy(id).await {
                    delete(&databases(self.world.service(), copy.namespace().as_deref()), &copy.name_any()).await;
                    self.orders.entry(id).or_default().lose();
                }
            }
            24..26 => {
                if let Some(mut copy) = self.copy(id).await {
                    copy.data["status"] = json!({"phase": value.to_string()});
                    let api = databases(self.world.service(), copy.namespace().as_deref());
                    // The agent may have been quicker.
                    let _ = api.replace_status(&copy.name_any(), &PostParams::default(), &copy).await;
                }
            }
            26..28 => {
                if let Some(copy) = self.copy(id).await {
                    let name = format!("{}-credentials", copy.name_any());
                    put(
                        &self.originals_of(id.0),
                        "Secret",
                        &name,
                        json!({"stringData": {"password": value.to_string()}}),
                    )
                    .await;
                }
            }
            28 => {
                if let Some(copy) = self.copy(id).await {
                    delete(&self.originals_of(id.0), &format!("{}-credentials", copy.name_any())).await;
                }
            }
            _ if !Self::is_taken(id) => delete(&self.delivered_in(id.0), &format!("{}-credentials", NAMES[id.1])).await,
            _ => {}
        }
    }

    /// Whether the name of the credentials is that of the tenant's own Secret.
    fn is_taken(id: Id) -> bool {
        (WORKSPACES[id.0], NAMES[id.1]) == ("root:b", "api")
    }

    async fn write_order(&mut self, id: Id, pointer: &'static str, value: Value) {
        let api = self.orders_in(id.0);
        let Some(order) = api.get_opt(NAMES[id.1]).await.unwrap() else {
            let mut order = json!({
                "apiVersion": "example.com/v1", "kind": "Database", "metadata": {"name": NAMES[id.1]}, "spec": {},
            });
            json_patch_into(&mut order, pointer, &value);
            api.create(&PostParams::default(), &object(order)).await.unwrap();
            let copy = self.orders.entry(id).or_default();
            copy.begin();
            copy.say(pointer, value);
            return;
        };
        if order.metadata.deletion_timestamp.is_none() {
            let patched = change(&api, NAMES[id.1], &merge_patch(pointer, &value)).await;
            if patched {
                self.orders.entry(id).or_default().say(pointer, value);
            }
        }
    }

    async fn change_copy(&mut self, id: Id, pointer: &'static str, value: Value) {
        let Some(copy) = self.copy(id).await else { return };
        let api = databases(self.world.service(), copy.namespace().as_deref());
        if change(&api, &copy.name_any(), &merge_patch(pointer, &value)).await {
            self.orders.entry(id).or_default().put(pointer, value);
        }
    }

    pub(super) async fn delete_all(&mut self) {
        for workspace in 0..WORKSPACES.len() {
            for name in NAMES {
                delete(&self.orders_in(workspace), name).await;
            }
        }
    }

    /// Compares both sides with what was done.
    pub(super) async fn check(&self) -> Result<(), String> {
        for foreign in &self.foreign {
            let api = if foreign.name_any() == FOREIGN {
                databases(self.world.service(), foreign.namespace().as_deref())
            } else {
                self.delivered_in(1)
            };
            let now = api.get_opt(&foreign.name_any()).await.unwrap();
            if now.as_ref().and_then(ResourceExt::resource_version) != foreign.resource_version() {
                return Err(format!("{} of somebody else was touched: {now:?}", foreign.name_any()));
            }
        }
        for (workspace, path) in WORKSPACES.iter().enumerate() {
            for (name, text) in NAMES.iter().enumerate() {
                let id = (workspace, name);
                let place = |fault| format!("{path}/{text}: {fault}");
                self.check_order(id).await.map_err(place)?;
            }
            for config in CONFIGS {
                let place = |fault| format!("{path}/{config}: {fault}");
                self.check_config(workspace, config).await.map_err(place)?;
            }
        }
        Ok(())
    }

    async fn check_order(&self, id: Id) -> Result<(), String> {
        let order = self.orders_in(id.0).get_opt(NAMES[id.1]).await.unwrap();
        let copy = self.copy(id).await;
        let name = format!("{}-credentials", NAMES[id.1]);
        let delivered = if Self::is_taken(id) { None } else { self.delivered_in(id.0).get_opt(&name).await.unwrap() };
        let Some(order) = order else {
            if copy.is_none() && delivered.is_none() {
                return Ok(());
            }
            return Err(format!("it is gone, but not its copy {copy:?} or credentials {delivered:?}"));
        };
        if order.metadata.deletion_timestamp.is_some() {
            return Err("its deletion does not end".into());
        }
        let copy = copy.ok_or("it has no copy")?;
        let (order, copy) = (value(&order), value(&copy));
        if let Some(wanted) = self.orders.get(&id) {
            wanted.check_source(&order)?;
            wanted.check_copy(&copy)?;
        }
        // A copy that is made anew has no status, which is no evidence of anything.
        if !copy["status"].is_null() && copy["status"] != order["status"] {
            return Err(format!("its status is {}, and its copy's {}", order["status"], copy["status"]));
        }
        let original = format!("{}-credentials", copy["metadata"]["name"].as_str().unwrap());
        let original = self.originals_of(id.0).get_opt(&original).await.unwrap();
        let data = |secret: &Option<DynamicObject>| secret.as_ref().map(|secret| secret.data["data"].clone());
        if !Self::is_taken(id) && data(&original) != data(&delivered) {
            return Err(format!("the credentials are {original:?}, and delivered are {delivered:?}"));
        }
        Ok(())
    }

    async fn check_config(&self, workspace: usize, name: &str) -> Result<(), String> {
        let source = self.configs_in(workspace).get_opt(name).await.unwrap();
        let copies = dynamic(self.world.service(), Some(&self.clusters[workspace]), "v1", "ConfigMap", "configmaps");
        let copy = copies.get_opt(name).await.unwrap();
        let mut is_needed = false;
        let mut has_orders = false;
        for order in self.orders_in(workspace).list(&ListParams::default()).await.unwrap().items {
            has_orders = true;
            is_needed |= order.data["spec"]["tier"] == name;
        }
        match (source, copy) {
            (None, Some(_)) => Err("its copy is left without it".into()),
            (Some(source), _) if source.metadata.deletion_timestamp.is_some() => {
                Err("its deletion does not end".into())
            }
            (Some(_), None) if is_needed => Err("it has no copy".into()),
            (Some(source), Some(copy)) if is_needed && source.data["data"] != copy.data["data"] => {
                Err(format!("it says {}, and its copy {}", source.data["data"], copy.data["data"]))
            }
            (Some(source), copy) if !has_orders && (copy.is_some() || !source.finalizers().is_empty()) => {
                Err("it is held though there is no order".into())
            }
            _ => Ok(()),
        }
    }

    /// Both sides agree on what they say from now on.
    pub(super) async fn agree(&mut self) {
        let ids: Vec<_> = self.orders.keys().copied().collect();
        for id in ids {
            if let Some(copy) = self.copy(id).await {
                self.orders.entry(id).or_default().agree(&value(&copy));
            }
        }
    }

    pub(super) async fn check_nothing_is_left(&self) -> Result<(), String> {
        let states = secrets(self.world.service(), "kdp-sync").list(&ListParams::default()).await.unwrap();
        let copies = self.world.copies().list(&ListParams::default()).await.unwrap();
        let left: Vec<_> = states.items.iter().chain(&copies.items).map(ResourceExt::name_any).collect();
        if left == [FOREIGN] { Ok(()) } else { Err(format!("there is left {left:?}")) }
    }
}

/// Zero stands for nothing.
fn some(value: u8) -> Option<u8> {
    (value > 0).then_some(value)
}

fn value(object: &DynamicObject) -> Value {
    serde_json::to_value(object).unwrap()
}

fn merge_patch(pointer: &str, value: &Value) -> Value {
    pointer.rsplit('/').filter(|key| !key.is_empty()).fold(value.clone(), |inner, key| json!({key: inner}))
}

fn json_patch_into(object: &mut Value, pointer: &str, value: &Value) {
    if value.is_null() {
        return;
    }
    let mut at = object;
    for key in pointer.split('/').filter(|key| !key.is_empty()) {
        at = &mut at[key];
    }
    *at = value.clone();
}

/// Whether the object was there to be changed.
async fn change(api: &Api<DynamicObject>, name: &str, patch: &Value) -> bool {
    match api.patch(name, &PatchParams::default(), &Patch::Merge(patch)).await {
        Ok(_) => true,
        Err(kube::Error::Api(status)) if status.code == 404 => false,
        Err(error) => panic!("{name}: {error}"),
    }
}

async fn put(api: &Api<DynamicObject>, kind: &str, name: &str, content: Value) {
    if change(api, name, &content).await {
        return;
    }
    let mut object_ = content;
    object_["apiVersion"] = "v1".into();
    object_["kind"] = kind.into();
    object_["metadata"] = json!({"name": name});
    api.create(&PostParams::default(), &object(object_)).await.unwrap();
}

async fn delete(api: &Api<DynamicObject>, name: &str) {
    match api.delete(name, &DeleteParams::default()).await {
        Ok(_) => {}
        Err(kube::Error::Api(status)) if status.code == 404 => {}
        Err(error) => panic!("{name}: {error}"),
    }
}
