//! What an installation holds at one moment, as it can be compared and kept.

use std::collections::{BTreeMap, BTreeSet};

use kube::ResourceExt;
use serde_json::{Map, Value, json};
use sha1::{Digest, Sha1};

use super::{
    installation::{IN_PROVIDER, IN_WORKSPACE, Installation, ON_SERVICE_CLUSTER, WORKSPACES},
    object::api,
};

/// Every object of an installation, by place, type, namespace and name.
#[derive(Clone, Debug)]
pub(crate) struct Snapshot {
    objects: BTreeMap<String, Value>,
    /// Names of logical clusters, by workspace.
    pub(crate) clusters: BTreeMap<String, String>,
}

impl Snapshot {
    pub(crate) async fn take(installation: &Installation<'_>) -> Self {
        let mut snapshot = Self { objects: BTreeMap::new(), clusters: BTreeMap::new() };
        snapshot.add(installation, "provider", &IN_PROVIDER).await;
        for workspace in WORKSPACES {
            snapshot.add(installation, workspace, &IN_WORKSPACE).await;
        }
        snapshot.add(installation, "service", &ON_SERVICE_CLUSTER).await;
        for workspace in ["provider"].into_iter().chain(WORKSPACES) {
            snapshot.clusters.insert(workspace.to_owned(), installation.cluster(workspace).await);
        }
        snapshot
    }

    async fn add(&mut self, installation: &Installation<'_>, place: &str, kinds: &[[&str; 3]]) {
        for [api_version, kind, plural] in kinds {
            let api = api(installation.client(place), None, api_version, kind, plural);
            for object in api.list(&Default::default()).await.unwrap() {
                let key = format!(
                    "{place} {api_version} {plural} {} {}",
                    object.namespace().unwrap_or_default(),
                    object.name_any()
                );
                let mut object = serde_json::to_value(object).unwrap();
                object["apiVersion"] = (*api_version).into();
                object["kind"] = (*kind).into();
                object["metadata"].as_object_mut().unwrap().remove("managedFields");
                self.objects.insert(key, object);
            }
        }
    }

    pub(crate) fn in_place(&self, place: &str) -> Vec<Value> {
        let prefix = format!("{place} ");
        self.objects.iter().filter(|(key, _)| key.starts_with(&prefix)).map(|(_, object)| object.clone()).collect()
    }

    pub(crate) fn to_json(&self) -> String {
        serde_json::to_string_pretty(&json!({"clusters": self.clusters, "objects": self.objects})).unwrap()
    }

    pub(crate) fn from_json(text: &str) -> Self {
        let mut value: Value = serde_json::from_str(text).unwrap();
        let mut part = |name: &str| value[name].take();
        Self {
            clusters: serde_json::from_value(part("clusters")).unwrap(),
            objects: serde_json::from_value(part("objects")).unwrap(),
        }
    }
}

/// What is not in both snapshots as the same version of the same object.
pub(crate) fn differences(before: &Snapshot, after: &Snapshot) -> Vec<String> {
    let keys: BTreeSet<_> = before.objects.keys().chain(after.objects.keys()).collect();
    let version = |object: Option<&Value>| object.map(|object| object["metadata"]["resourceVersion"].clone());
    keys.into_iter()
        .filter(|key| version(before.objects.get(*key)) != version(after.objects.get(*key)))
        .map(|key| {
            let show = |object: Option<&Value>| object.map_or_else(|| "none".to_owned(), ToString::to_string);
            format!("{key}\n  before: {}\n  after:  {}", show(before.objects.get(key)), show(after.objects.get(key)))
        })
        .collect()
}

/// Names the data of a state Secret for logical clusters of other names.
pub(crate) fn rekey(secret: &mut Value, clusters: &BTreeMap<String, String>) {
    let data = secret["data"].as_object().cloned().unwrap_or_default();
    let parsed: k8s_openapi::api::core::v1::Secret = serde_json::from_value(json!({"data": data})).unwrap();
    let mut renamed = Map::new();
    for (key, kept) in parsed.data.unwrap_or_default() {
        let text = String::from_utf8(kept.0).unwrap();
        // Namespaces on the service cluster are named after logical clusters.
        let renamed_text = clusters.iter().fold(text.clone(), |text, (then, now)| text.replace(then, now));
        let [object, renamed_object] = [&text, &renamed_text].map(|text| serde_json::from_str::<Value>(text).unwrap());
        // What is of the service cluster has no cluster in its key.
        let places = clusters.iter().map(|(then, now)| (&**then, &**now)).chain([("", "")]);
        let new = places.into_iter().find(|(then, _)| data_key(then, &object) == key);
        let key = new.map_or_else(|| key.clone(), |(_, now)| data_key(now, &renamed_object));
        let value = k8s_openapi::ByteString(renamed_text.into_bytes());
        renamed.insert(key, serde_json::to_value(value).unwrap());
    }
    secret["data"] = renamed.into();
}

/// How the existing agent names the state of an object of a workspace.
fn data_key(cluster: &str, object: &Value) -> String {
    let metadata = &object["metadata"];
    let namespace = metadata["namespace"].as_str().unwrap_or_default();
    let name = metadata["name"].as_str().unwrap_or_default();
    let text = format!(
        "{{\"ClusterName\":\"{cluster}\",\"WorkspacePath\":\"\",\"Namespace\":\"{namespace}\",\"Name\":\"{name}\"}}\n"
    );
    Sha1::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}
