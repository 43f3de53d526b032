//! The state last synced, in the existing agent's Secret for each order.

use std::sync::Arc;

use base64::{Engine, prelude::BASE64_STANDARD};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Map, Value, json};

use super::{
    Command, Evidence, Facts, ObjectKey, OrderKey, Place, Stop, copy,
    history::{History, Noted},
    plan::{Plan, RelatedType},
};
use crate::{api::Side, hash, object, object::ResourceType, wire};

/// How the names of the Secrets begin.
pub(crate) const STATE_PREFIX: &str = "obj-state-";

/// Key of the data that lists the related objects of an order.
const INVENTORY: &str = "inventory";

/// Key of the data that says which order it is about, of all that have had its name.
const ORDER: &str = "order";

/// Key of the data with the highest number given to a content for the order; absent if that is at
/// most zero. It outlives what it was given to, so that no number is ever given twice.
const HIGHEST: &str = "highest-revision";

/// Key of the data that says who has written here, and so may have made something for the order.
const WRITERS: &str = "writers";

/// Key of the data with the UID of an order that has ended.
const ENDED: &str = "ended";

/// What the data of a Secret may take, in bytes: an API server's limit of 1 MiB, less some room.
const MOST_BYTES: usize = 1_000_000;

/// What is remembered of an order.
#[derive(Clone, Debug)]
pub(super) struct State {
    key: ObjectKey,
    order: OrderKey,
    labels: Map<String, Value>,
    uid: Option<String>,
    secret: Option<Arc<Value>>,
    /// Whoever is about to write into it.
    instance: String,
    inventory: Vec<Entry>,
    /// Whether another agent remembers something of the order in the same place.
    pub(super) is_anothers: bool,
}

/// A related object that this order has caused a copy of.
///
/// It says all that is needed to remove the copy, so that teardown needs neither the order's
/// fields nor the published resource as they were.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Entry {
    pub(super) identifier: String,
    pub(super) origin: Side,
    pub(super) types: RelatedType,
    pub(super) from: Location,
    pub(super) to: Location,
    pub(super) cleanup: bool,
}

/// A place on one side; the namespace is empty for kinds that are in none.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Location {
    pub(super) namespace: String,
    pub(super) name: String,
}

/// A change of what is remembered.
#[derive(Clone, Debug)]
pub(super) struct Edit {
    key: String,
    value: Option<Vec<u8>>,
}

impl State {
    /// What is remembered of the order with this UID.
    pub(super) fn load(plan: &Plan, order: &OrderKey, uid: Option<&str>, facts: &Facts<'_>) -> Result<Self, Stop> {
        let key = secret_key(&plan.state_namespace, &plan.remote, order);
        let mut labels: Map<_, _> =
            copy::identity(order).into_iter().map(|(key, value)| (key.to_owned(), value.into())).collect();
        labels.insert(wire::STATE_LABEL.into(), "true".into());
        if plan.has_own_finalizer {
            labels.insert(wire::AGENT_NAME.into(), plan.agent.clone().into());
        }
        let secret = facts.get(&key, Evidence::Heard)?;
        let agent = secret.as_deref().and_then(|secret| object::label(secret, wire::AGENT_NAME));
        let is_anothers = plan.has_own_finalizer && agent.is_some_and(|agent| agent != plan.agent);
        let secret = secret.filter(|_| !is_anothers);
        let inventory = secret.as_deref().and_then(|secret| data_of(secret, INVENTORY));
        let inventory = inventory.and_then(|data| serde_json::from_slice(&data).ok()).unwrap_or_default();
        let (uid, instance) = (uid.map(Into::into), facts.instance().to_owned());
        Ok(Self { key, order: order.clone(), labels, uid, secret, instance, inventory, is_anothers })
    }

    pub(super) fn exists(&self) -> bool {
        self.secret.is_some()
    }

    /// What the copy of the order may have been made from.
    pub(super) fn of_order(&self, order: &OrderKey) -> History {
        self.history(order_data_key(order), None)
    }

    /// What the copy of a related object may have been made from.
    pub(super) fn of_related(&self, from: &ObjectKey, entry: &Entry) -> History {
        self.history(related_data_key(from, entry), self.legacy_related(from))
    }

    fn history(&self, key: String, legacy: Option<Value>) -> History {
        let highest = self.data(HIGHEST).and_then(|data| std::str::from_utf8(&data).ok()?.parse().ok());
        if self.is_stale() {
            return History::new(key, None, Vec::new(), Some(highest.unwrap_or(0)));
        }
        let Numbers { last, attempts } = self.json(&numbers_key(&key)).unwrap_or_default();
        let last = self.json(&key).or(legacy).map(|content| Noted { number: last, content });
        History::new(key, last, attempts, highest)
    }

    /// Whether it is about an earlier order of the same name. What was made for that one is still
    /// to be removed at the end, but no change is a change since then.
    fn is_stale(&self) -> bool {
        let known: Option<Order> = self.json(ORDER);
        known.is_some_and(|known| self.uid.as_ref().is_some_and(|uid| *uid != known.uid))
    }

    /// Whether the existing agent has synced this related object.
    pub(super) fn has_legacy_related(&self, from: &ObjectKey) -> bool {
        self.legacy_related(from).is_some()
    }

    /// The existing agent's key does not tell kinds apart, so the kind is compared.
    fn legacy_related(&self, from: &ObjectKey) -> Option<Value> {
        self.json(&legacy_data_key(from)).filter(|last: &Value| last["kind"] == from.types.kind.as_str())
    }

    pub(super) fn inventory(&self) -> &[Entry] {
        &self.inventory
    }

    /// The write that makes the edits, if there are any.
    ///
    /// # Errors
    /// As [`save`](Self::save).
    pub(super) fn note(&self, edits: &[Edit]) -> Result<Option<Command>, Stop> {
        if edits.is_empty() { Ok(None) } else { self.save(edits).map(Some) }
    }

    /// The write that makes the edits.
    ///
    /// # Errors
    /// When there is more to remember than fits into a Secret.
    pub(super) fn save(&self, edits: &[Edit]) -> Result<Command, Stop> {
        let encoded = |value: &[u8]| Value::from(BASE64_STANDARD.encode(value));
        let mut data = Map::new();
        if self.is_stale() {
            let is_kept = |key: &&String| [INVENTORY, HIGHEST, WRITERS].contains(&key.as_str());
            data.extend(self.known_keys().filter(|key| !is_kept(key)).map(|key| (key.clone(), Value::Null)));
        }
        for edit in edits {
            data.insert(edit.key.clone(), edit.value.as_deref().map_or(Value::Null, encoded));
        }
        if let Some(uid) = &self.uid
            && self.json::<Order>(ORDER).is_none_or(|known| known.uid != *uid)
        {
            let OrderKey { namespace, name, .. } = self.order.clone();
            let order = Order { uid: uid.clone(), namespace, name };
            data.insert(ORDER.into(), encoded(&serde_json::to_vec(&order).expect("texts serialize")));
        }
        let mut writers = self.writers().unwrap_or_default();
        if !writers.contains(&self.instance) {
            // Whether there was another one is all that is ever asked.
            writers.truncate(1);
            writers.push(self.instance.clone());
            data.insert(WRITERS.into(), encoded(&serde_json::to_vec(&writers).expect("texts serialize")));
        }
        self.check_size(&data)?;
        if let Some(secret) = &self.secret {
            // Made from what was read: what another agent has noted since must not be lost.
            let mut patch = json!({"data": data});
            if let Some(version) = object::resource_version(secret) {
                patch["metadata"] = json!({"resourceVersion": version});
            }
            return Ok(Command::Patch { key: self.key.clone(), patch });
        }
        data.retain(|_, value| !value.is_null());
        let object = json!({
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": self.key.name, "namespace": self.key.namespace, "labels": self.labels},
            "data": data,
        });
        Ok(Command::Create { key: self.key.clone(), object })
    }

    fn check_size(&self, edits: &Map<String, Value>) -> Result<(), Stop> {
        let unchanged = self.known_keys().filter(|key| !edits.contains_key(*key)).map(|key| self.encoded(key));
        let encoded: usize = unchanged.chain(edits.values().map(Value::as_str)).flatten().map(str::len).sum();
        if encoded / 4 * 3 > MOST_BYTES {
            return Err(Stop::Refused("more has to be remembered of it than a Secret can hold"));
        }
        Ok(())
    }

    fn known_keys(&self) -> impl Iterator<Item = &String> {
        let data = self.secret.as_ref().and_then(|secret| secret["data"].as_object());
        data.into_iter().flat_map(Map::keys)
    }

    fn writers(&self) -> Option<Vec<String>> {
        self.json(WRITERS)
    }

    /// Whether whoever asks has said here that it may make something for the order.
    pub(super) fn is_noted(&self) -> bool {
        !self.is_stale() && self.writers().is_some_and(|writers| writers.contains(&self.instance))
    }

    /// Whether nobody but whoever asks has made anything for the order.
    pub(super) fn is_own(&self) -> bool {
        self.writers().is_some_and(|writers| writers == [self.instance.as_str()])
    }

    /// Whether all that was made for the order is gone, as far as was known at that time.
    pub(super) fn is_ended(&self) -> bool {
        let ended = self.data(ENDED);
        ended.is_some_and(|ended| self.uid.as_ref().is_none_or(|uid| uid.as_bytes() == ended))
    }

    /// The write with which the order ends; none if nothing is remembered of it, or it has ended.
    ///
    /// Nobody but whoever asks has made anything: then all is forgotten. Otherwise something may
    /// still arrive that another one has sent, so it is remembered for a while what to take away.
    pub(super) fn end(&self, must_stay: bool) -> Result<Option<Command>, Stop> {
        if !self.exists() || self.is_ended() {
            return Ok(None);
        }
        if !must_stay && self.is_own() {
            return Ok(self.delete());
        }
        let uid = self.uid.clone().unwrap_or_default().into_bytes();
        self.save(&[Edit { key: ENDED.into(), value: Some(uid) }]).map(Some)
    }

    /// Forgets everything about the order, unless there is something that whoever asks does not know.
    pub(super) fn delete(&self) -> Option<Command> {
        let secret = self.secret.as_ref()?;
        Some(Command::Delete {
            key: self.key.clone(),
            uid: object::uid(secret).map(Into::into),
            version: object::resource_version(secret).map(Into::into),
            propagation: super::Propagation::Background,
        })
    }

    fn json<T: DeserializeOwned>(&self, key: &str) -> Option<T> {
        serde_json::from_slice(&self.data(key)?).ok()
    }

    fn data(&self, key: &str) -> Option<Vec<u8>> {
        data_of(self.secret.as_deref()?, key)
    }

    fn encoded(&self, key: &str) -> Option<&str> {
        self.secret.as_ref()?["data"][key].as_str()
    }

    /// What is to be forgotten with a related object that no other entry has copied to the same
    /// place.
    pub(super) fn forget_related(&self, from: &ObjectKey, entry: &Entry) -> Vec<Edit> {
        let key = related_data_key(from, entry);
        let mut edits = vec![Edit::object(&key, None), Edit::history(&key, 0, &[])];
        if self.data(HIGHEST).is_none() {
            edits.push(Edit::highest(0));
        }
        if self.has_legacy_related(from) {
            edits.push(Edit::object(&legacy_data_key(from), None));
        }
        edits
    }
}

fn data_of(secret: &Value, key: &str) -> Option<Vec<u8>> {
    BASE64_STANDARD.decode(secret["data"][key].as_str()?).ok()
}

impl Edit {
    pub(super) fn object(key: &str, stripped: Option<&Value>) -> Self {
        Self { key: key.into(), value: stripped.map(|stripped| stripped.to_string().into_bytes()) }
    }

    /// The number of the content last noted as an object, and the attempts since.
    pub(super) fn history(key: &str, last: u64, attempts: &[&Noted]) -> Self {
        let json = serde_json::to_vec(&json!({"last": last, "attempts": attempts})).expect("JSON values serialize");
        let is_told_by_nothing = last == 0 && attempts.is_empty();
        Self { key: numbers_key(key), value: (!is_told_by_nothing).then_some(json) }
    }

    pub(super) fn highest(number: u64) -> Self {
        Self { key: HIGHEST.into(), value: Some(number.to_string().into_bytes()) }
    }

    pub(super) fn inventory(entries: &[Entry]) -> Self {
        let json = serde_json::to_vec(entries).expect("entries are strings and booleans only");
        Self { key: INVENTORY.into(), value: Some(json) }
    }
}

/// Digest input of Secret names, in the order of sorted map keys.
#[derive(Serialize)]
struct OrderId<'a> {
    #[serde(rename = "apiVersion")]
    api_version: String,
    kind: &'a str,
    name: &'a str,
    namespace: &'a str,
}

pub(super) fn secret_key(namespace: &str, remote: &ResourceType, order: &OrderKey) -> ObjectKey {
    let id = OrderId {
        api_version: remote.api_version(),
        kind: &remote.kind,
        name: &order.name,
        namespace: order.namespace.as_deref().unwrap_or_default(),
    };
    let digest = &hash::sha1_of_json(&id)[..hash::SHORT];
    ObjectKey {
        place: Place::Service,
        types: Arc::new(ResourceType::secrets()),
        namespace: Some(namespace.into()),
        name: format!("{STATE_PREFIX}{}-{digest}", order.cluster),
    }
}

/// Digest input of data keys, in the order of the existing agent's struct.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct DataId<'a> {
    cluster_name: &'a str,
    workspace_path: &'a str,
    namespace: &'a str,
    name: &'a str,
}

fn data_key(cluster: &str, namespace: Option<&str>, name: &str) -> String {
    let namespace = namespace.unwrap_or_default();
    hash::sha1_of_json(&DataId { cluster_name: cluster, workspace_path: "", namespace, name })
}

fn order_data_key(order: &OrderKey) -> String {
    data_key(order.cluster.as_str(), order.namespace.as_deref(), &order.name)
}

fn legacy_data_key(from: &ObjectKey) -> String {
    let cluster = match &from.place {
        Place::Service => "",
        Place::Workspace(cluster) => cluster.as_str(),
    };
    data_key(cluster, from.namespace.as_deref(), &from.name)
}

/// Several entries may copy the same object, each to a place of its own and rewritten in its own
/// way.
fn related_data_key(from: &ObjectKey, entry: &Entry) -> String {
    let ResourceType { group, plural, .. } = from.types.as_ref();
    let copy = hash::sha1_of_json(&[&entry.identifier, group, plural, &entry.to.namespace, &entry.to.name]);
    format!("{}.{}", legacy_data_key(from), &copy[..hash::SHORT])
}

/// An order; the labels of its state say in which workspace it is.
#[derive(Serialize, Deserialize)]
struct Order {
    uid: String,
    namespace: Option<String>,
    name: String,
}

/// The order that a state is about, if it says so and is one of this plan.
pub(crate) fn order_of_state(plan: &Plan, secret: &Value) -> Option<OrderKey> {
    let Order { namespace, name, .. } = serde_json::from_slice(&data_of(secret, ORDER)?).ok()?;
    let order = OrderKey { cluster: object::label(secret, wire::CLUSTER_LABEL)?.parse().ok()?, namespace, name };
    (secret_key(&plan.state_namespace, &plan.remote, &order).name == object::name(secret)).then_some(order)
}

/// The numbers of the contents that a copy may have been made from, and those that are not the last
/// one, which has the key itself, as in the existing agent's state.
#[derive(Default, Deserialize)]
struct Numbers {
    last: u64,
    attempts: Vec<Noted>,
}

fn numbers_key(key: &str) -> String {
    format!("{key}.history")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(cluster: &str, namespace: Option<&str>, name: &str) -> OrderKey {
        OrderKey { cluster: cluster.parse().unwrap(), namespace: namespace.map(Into::into), name: name.into() }
    }

    #[test]
    fn names_match_the_published_vectors() {
        let crontab = ResourceType {
            group: "kcp.example.com".into(),
            version: "v1".into(),
            kind: "CronTab".into(),
            plural: "crontabs".into(),
        };
        let namespaced = order("abc123", Some("default"), "my-crontab");
        assert_eq!(secret_key("ns", &crontab, &namespaced).name, "obj-state-abc123-3d62e88a9631d524a143");
        assert_eq!(order_data_key(&namespaced), "4ada172ece794c6e5d8cc5aa93dfea89c3e93700");
        assert_eq!(
            order_data_key(&order("testcluster", None, "my-test-thing")),
            "a16ba5bed9c69c6ab2bd4e6d9b41b501ba9e5f56"
        );
    }
}
