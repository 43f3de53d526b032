//! Objects in little memory.
//!
//! A tree of JSON values takes five times the memory of its text, so objects are kept as text, and
//! those used last as trees, too.

use std::{
    cmp::Ordering,
    collections::{BTreeMap, HashMap, VecDeque},
    hash::{BuildHasher, RandomState},
    ops::Bound,
    sync::{Arc, Weak},
};

use jiff::Timestamp;
use kube::core::{Selector, SelectorExt};
use serde_json::{Value, json};

use super::cache::Keeps;
use crate::{
    engine::{OrderKey, Place, identity},
    object, wire,
};

/// How many objects are kept as trees.
const RECENT: usize = 256;

/// How many bytes are kept of objects that nobody asked about: enough that orders, which can be
/// worked on only after everything was listed, find what they ask about.
const SPARE: usize = 16 << 20;

/// Place, namespace and name.
pub(super) type Id = (Place, Option<String>, String);

/// What is known.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Answer<T> {
    Known(T),
    /// It has to be read.
    Unread,
}

/// The objects of a cache.
#[derive(Debug)]
pub(super) struct Store {
    keeps: Keeps,
    objects: BTreeMap<Id, Held>,
    /// Who has the labels that name the order of a copy, by their digest.
    copies: Option<HashMap<u64, Vec<Id>>>,
    digests: RandomState,
    /// How often each object, there or not, is asked about.
    asked: HashMap<Id, u32>,
    /// Bytes of objects that nobody asked about.
    spare: usize,
    recent: VecDeque<Arc<Value>>,
    /// Counts full lists.
    epoch: u64,
}

#[derive(Debug)]
struct Held {
    version: Box<str>,
    uid: Box<str>,
    content: Content,
    /// The full list it was last seen in, or written after.
    epoch: u64,
}

#[derive(Debug)]
enum Content {
    Full { json: Box<str>, tree: Weak<Value> },
    Labels(Box<[(Box<str>, Box<str>)]>),
}

impl Store {
    pub(super) fn new(keeps: Keeps, has_copies: bool) -> Self {
        Self {
            keeps,
            objects: BTreeMap::new(),
            copies: has_copies.then(HashMap::new),
            digests: RandomState::new(),
            asked: HashMap::new(),
            spare: 0,
            recent: VecDeque::new(),
            epoch: 0,
        }
    }

    pub(super) fn get(&mut self, id: &Id) -> Answer<Option<Arc<Value>>> {
        match self.objects.get_mut(id).map(|held| held.tree(&mut self.recent)) {
            None => Answer::Known(None),
            Some(None) => Answer::Unread,
            Some(found) => Answer::Known(found),
        }
    }

    pub(super) fn list(
        &mut self,
        place: &Place,
        namespace: Option<&String>,
        selector: &Selector,
    ) -> Answer<Vec<Arc<Value>>> {
        let from = (place.clone(), namespace.cloned(), String::new());
        let objects = self.objects.range_mut((Bound::Included(from), Bound::Unbounded));
        let mut found = Vec::new();
        for ((_, _, _), held) in objects.take_while(|((of_place, of_namespace, _), _)| {
            of_place == place && (namespace.is_none() || of_namespace.as_ref() == namespace)
        }) {
            match held.tree(&mut self.recent) {
                Some(object) if selector.matches(&object::labels(&object)) => found.push(object),
                Some(_) => {}
                None if selector.matches(&held.labels()) => return Answer::Unread,
                None => {}
            }
        }
        Answer::Known(found)
    }

    pub(super) fn copies(&mut self, order: &OrderKey) -> Vec<Arc<Value>> {
        let wanted: Vec<_> = identity(order).into_iter().collect();
        let digest = self.digests.hash_one(&wanted);
        let Some(ids) = self.copies.as_ref().and_then(|copies| copies.get(&digest)) else { return Vec::new() };
        let Self { objects, recent, .. } = self;
        let found = ids.iter().filter_map(|id| objects.get_mut(id)?.tree(recent));
        found.filter(|object| identity_of(object).as_ref() == Some(&wanted)).collect()
    }

    pub(super) fn len(&self) -> usize {
        self.objects.len()
    }

    pub(super) fn copies_len(&self) -> usize {
        self.copies.as_ref().map_or(0, HashMap::len)
    }

    pub(super) fn ids(&self) -> impl Iterator<Item = &Id> {
        self.objects.keys()
    }

    pub(super) fn begin_list(&mut self) {
        self.epoch += 1;
    }

    /// What the last full list did not have.
    pub(super) fn unlisted(&self) -> Vec<Id> {
        let unlisted = self.objects.iter().filter(|(_, held)| held.epoch < self.epoch);
        unlisted.map(|(id, _)| id.clone()).collect()
    }

    /// Takes in an object. Returns what was known of it before, or nothing at all if this is no
    /// news.
    pub(super) fn put(&mut self, id: &Id, object: &Arc<Value>) -> Option<Option<Arc<Value>>> {
        if let Some(held) = self.objects.get_mut(id)
            && !held.is_older_than(object, &mut self.recent)
        {
            held.epoch = self.epoch;
            return None;
        }
        let before = self.take(id);
        self.insert(id, object, false);
        Some(before)
    }

    /// Takes in all of an object of which only a part was known. Returns whether it is that one.
    pub(super) fn complete(&mut self, id: &Id, object: &Value) -> bool {
        let held = self.objects.get_mut(id);
        let is_known = held.is_some_and(|held| !held.is_older_than(object, &mut self.recent));
        let is_part = self.objects.get(id).is_some_and(|held| matches!(held.content, Content::Labels(_)));
        if is_known && is_part {
            self.take(id);
            self.insert(id, &Arc::new(object.clone()), true);
        }
        is_known
    }

    /// Forgets an object, unless it is another one than that of this uid: its name may have been
    /// given to a new one since. Returns what was known of it.
    pub(super) fn remove(&mut self, id: &Id, uid: Option<&str>) -> Option<Arc<Value>> {
        let held = self.objects.get(id)?;
        if uid.is_some_and(|uid| uid != &*held.uid) {
            return None;
        }
        self.take(id)
    }

    pub(super) fn version(&self, id: &Id) -> Option<&str> {
        Some(&self.objects.get(id)?.version)
    }

    /// Forgets an object if it is known in this version. Returns what was known of it.
    pub(super) fn remove_version(&mut self, id: &Id, version: &str) -> Option<Arc<Value>> {
        if self.version(id)? == version { self.take(id) } else { None }
    }

    pub(super) fn ask(&mut self, id: Id) {
        if self.keeps == Keeps::WhatIsAsked {
            let times = self.asked.entry(id).or_insert_with_key(|id| {
                self.spare -= self.objects.get(id).map_or(0, Held::size);
                0
            });
            *times += 1;
        }
    }

    pub(super) fn release(&mut self, id: &Id) {
        let Some(times) = self.asked.get_mut(id) else { return };
        *times -= 1;
        if *times > 0 {
            return;
        }
        self.asked.remove(id);
        let Some(held) = self.objects.get_mut(id) else { return };
        if self.spare + held.size() > SPARE
            && let Some(object) = held.tree(&mut self.recent)
        {
            held.content = Content::labels_of(&object);
        }
        self.spare += held.size();
    }

    fn take(&mut self, id: &Id) -> Option<Arc<Value>> {
        let mut held = self.objects.remove(id)?;
        if self.keeps == Keeps::WhatIsAsked && !self.asked.contains_key(id) {
            self.spare -= held.size();
        }
        let object = held.tree(&mut self.recent).unwrap_or_else(|| Arc::new(held.stub(id)));
        if let (Some(copies), Some(identity)) = (&mut self.copies, identity_of(&object)) {
            let digest = self.digests.hash_one(&identity);
            if let Some(ids) = copies.get_mut(&digest) {
                ids.retain(|other| other != id);
                if ids.is_empty() {
                    copies.remove(&digest);
                }
            }
        }
        Some(object)
    }

    fn insert(&mut self, id: &Id, object: &Arc<Value>, is_wanted: bool) {
        if let (Some(copies), Some(identity)) = (&mut self.copies, identity_of(object)) {
            copies.entry(self.digests.hash_one(&identity)).or_default().push(id.clone());
        }
        let json = object.to_string();
        let is_kept = self.keeps == Keeps::Everything || self.asked.contains_key(id);
        let content = if is_kept || is_wanted || self.spare + json.len() <= SPARE {
            remember(&mut self.recent, object.clone());
            Content::Full { json: json.into(), tree: Arc::downgrade(object) }
        } else {
            Content::labels_of(object)
        };
        let held = Held {
            version: object::resource_version(object).unwrap_or_default().into(),
            uid: object::uid(object).unwrap_or_default().into(),
            content,
            epoch: self.epoch,
        };
        if !is_kept {
            self.spare += held.size();
        }
        self.objects.insert(id.clone(), held);
    }
}

impl Held {
    /// All of the object, if it is known.
    fn tree(&mut self, recent: &mut VecDeque<Arc<Value>>) -> Option<Arc<Value>> {
        let Content::Full { json, tree } = &mut self.content else { return None };
        if let Some(object) = tree.upgrade() {
            return Some(object);
        }
        let object: Arc<Value> = Arc::new(serde_json::from_str(json).expect("it was written from a JSON value"));
        *tree = Arc::downgrade(&object);
        remember(recent, object.clone());
        Some(object)
    }

    /// What is left when all of it is not known.
    fn stub(&self, (_, namespace, name): &Id) -> Value {
        json!({"metadata": {"namespace": namespace, "name": name, "uid": self.uid, "labels": self.labels()}})
    }

    fn labels(&self) -> BTreeMap<String, String> {
        let Content::Labels(labels) = &self.content else { return BTreeMap::new() };
        labels.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect()
    }

    /// The bytes that count as spare.
    fn size(&self) -> usize {
        match &self.content {
            Content::Full { json, .. } => json.len(),
            Content::Labels(_) => 0,
        }
    }

    /// Whether the other one is a later version, or a later object of the same name.
    ///
    /// Of two objects the one that was created later counts, whatever their versions: these cannot
    /// be compared when a workspace has moved to another shard or was restored. Times have seconds,
    /// so of objects of the same second the versions decide.
    fn is_older_than(&mut self, new: &Value, recent: &mut VecDeque<Arc<Value>>) -> bool {
        if object::uid(new).unwrap_or_default() != &*self.uid {
            let known = self.tree(recent);
            let times = known.as_ref().and_then(|known| created(known)).zip(created(new));
            match times.map(|(known, new)| new.cmp(&known)) {
                Some(Ordering::Greater) => return true,
                Some(Ordering::Less) => return false,
                Some(Ordering::Equal) | None => {}
            }
        }
        let version = object::resource_version(new).unwrap_or_default();
        match (version.parse::<u64>(), self.version.parse::<u64>()) {
            (Ok(new), Ok(old)) => new > old,
            _ => version != &*self.version,
        }
    }
}

impl Content {
    fn labels_of(object: &Value) -> Self {
        Self::Labels(object::labels(object).into_iter().map(|(key, value)| (key.into(), value.into())).collect())
    }
}

fn created(object: &Value) -> Option<Timestamp> {
    object["metadata"]["creationTimestamp"].as_str()?.parse().ok()
}

fn remember(recent: &mut VecDeque<Arc<Value>>, object: Arc<Value>) {
    if recent.len() >= RECENT {
        recent.pop_front();
    }
    recent.push_back(object);
}

/// The labels that name the order of a copy, as far as they are there.
fn identity_of(object: &Value) -> Option<Vec<(&'static str, String)>> {
    let labels = wire::IDENTITY_LABELS.iter();
    let found: Vec<_> = labels.filter_map(|key| Some((*key, object::label(object, key)?.to_owned()))).collect();
    (!found.is_empty()).then_some(found)
}

#[cfg(test)]
mod tests;
