//! Who owns which fields: `metadata.managedFields`, decoded.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::fields::FieldSet;

/// Update entries kept apart; the oldest beyond that are merged.
const MAX_UPDATERS: usize = 10;
/// Name of the entry into which the oldest are merged.
const ANCIENT: &str = "ancient-changes";

/// What tells one entry from another.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Owner {
    pub(super) manager: String,
    pub(super) operation: Operation,
    /// Empty for appliers: they have one set, whatever the version they apply in.
    pub(super) api_version: String,
    /// Empty for the main resource.
    pub(super) subresource: String,
}

/// How an owner came to own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Operation {
    Apply,
    Update,
}

/// What one owner has.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Share {
    pub(super) api_version: String,
    pub(super) time: Option<Timestamp>,
    pub(super) fields: FieldSet,
}

/// The owners of an object's fields, each with its share.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Owners(BTreeMap<Owner, Share>);

impl Operation {
    fn as_str(self) -> &'static str {
        match self {
            Self::Apply => "Apply",
            Self::Update => "Update",
        }
    }
}

impl Owners {
    /// Reads the `metadata.managedFields` of `object`; none when it has none.
    ///
    /// # Errors
    /// In Kubernetes' words, when an entry is malformed.
    pub(super) fn of(object: &Value) -> Result<Self, String> {
        let entries = match object.pointer("/metadata/managedFields") {
            None | Some(Value::Null) => return Ok(Self::default()),
            Some(Value::Array(entries)) => entries,
            Some(other) => return Err(format!("expected a list of managed fields, got {other}")),
        };
        entries.iter().enumerate().map(|(position, entry)| decode(position, entry)).collect::<Result<_, _>>().map(Self)
    }

    /// Writes the `metadata.managedFields` of `object`; no owners, no field.
    pub(super) fn write_to(&self, object: &mut Value) {
        let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) else { return };
        if self.0.is_empty() {
            metadata.remove("managedFields");
            return;
        }
        let seconds = |share: &Share| share.time.map_or(0, Timestamp::as_second);
        let mut entries: Vec<(&Owner, &Share)> = self.0.iter().collect();
        entries.sort_by(|(a, a_share), (b, b_share)| {
            let early = |owner: &Owner, share| (owner.operation, seconds(share));
            early(a, a_share).cmp(&early(b, b_share)).then_with(|| a.cmp(b))
        });
        let entries = entries.into_iter().map(|(owner, share)| encode(owner, share)).collect();
        metadata.insert("managedFields".into(), Value::Array(entries));
    }

    /// The same without the times.
    pub(super) fn timeless(mut self) -> Self {
        self.0.values_mut().for_each(|share| share.time = None);
        self
    }

    /// Whether nobody owns anything.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The owners with their shares.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&Owner, &Share)> {
        self.0.iter()
    }

    /// What `owner` has.
    pub(super) fn get(&self, owner: &Owner) -> Option<&Share> {
        self.0.get(owner)
    }

    /// Changes every owner's fields; who is left with none goes.
    pub(super) fn update_fields(&mut self, mut update: impl FnMut(&Owner, &mut FieldSet)) {
        self.0.retain(|owner, share| {
            update(owner, &mut share.fields);
            !share.fields.is_empty()
        });
    }

    /// Makes `share` what `owner` has; nothing is no entry.
    pub(super) fn set(&mut self, owner: Owner, share: Share) {
        if share.fields.is_empty() {
            self.0.remove(&owner);
        } else {
            self.0.insert(owner, share);
        }
    }

    /// Adds `share` to what `owner` has, as of the share's time.
    pub(super) fn add(&mut self, owner: Owner, share: Share) {
        match self.0.entry(owner) {
            Entry::Vacant(entry) => _ = entry.insert(share),
            Entry::Occupied(mut entry) => {
                let mine = entry.get_mut();
                mine.fields.extend(&share.fields);
                mine.time = share.time;
            }
        }
    }

    /// Merges the oldest Update entries, version by version, until at most ten are left.
    pub(super) fn cap(&mut self) {
        if self.updaters().count() <= MAX_UPDATERS {
            return;
        }
        let mut updaters: Vec<Owner> = self.updaters().cloned().collect();
        updaters.sort_by_key(|owner| self.0.get(owner).and_then(|share| share.time).map_or(0, Timestamp::as_second));

        // The first entry of a version keeps its name until a second one has to join it.
        let mut oldest: BTreeMap<String, Owner> = BTreeMap::new();
        for owner in updaters {
            if self.updaters().count() <= MAX_UPDATERS {
                return;
            }
            let Some(first) = oldest.insert(owner.api_version.clone(), owner.clone()) else { continue };
            let bucket = Owner { manager: ANCIENT.into(), subresource: String::new(), ..owner.clone() };
            for joining in [first, owner] {
                if joining != bucket
                    && let Some(share) = self.0.remove(&joining)
                {
                    self.add(bucket.clone(), share);
                }
            }
            oldest.insert(bucket.api_version.clone(), bucket);
        }
    }

    fn updaters(&self) -> impl Iterator<Item = &Owner> {
        self.0.keys().filter(|owner| owner.operation == Operation::Update)
    }
}

fn decode(position: usize, entry: &Value) -> Result<(Owner, Share), String> {
    let text = |name: &str| entry.get(name).and_then(Value::as_str).unwrap_or_default();
    let operation = match text("operation") {
        "Apply" => Operation::Apply,
        "Update" => Operation::Update,
        _ => return Err("operation must be `Apply` or `Update`".into()),
    };
    let api_version = text("apiVersion");
    if api_version.is_empty() {
        return Err("apiVersion must not be empty".into());
    }
    match text("fieldsType") {
        "FieldsV1" => {}
        "" => return Err(format!("missing fieldsType in managed fields entry {position}")),
        other => return Err(format!("invalid fieldsType {other:?} in managed fields entry {position}")),
    }
    let time = match text("time") {
        "" => None,
        time => {
            Some(time.parse().map_err(|error| format!("invalid time in managed fields entry {position}: {error}"))?)
        }
    };
    let fields = match entry.get("fieldsV1") {
        None | Some(Value::Null) => FieldSet::default(),
        Some(fields) => FieldSet::from_json(fields).map_err(|error| format!("error decoding set: {error}"))?,
    };
    let owner = Owner {
        manager: text("manager").into(),
        operation,
        api_version: if operation == Operation::Apply { String::new() } else { api_version.into() },
        subresource: text("subresource").into(),
    };
    Ok((owner, Share { api_version: api_version.into(), time, fields }))
}

fn encode(owner: &Owner, share: &Share) -> Value {
    let mut entry = Map::new();
    entry.insert("manager".into(), json!(owner.manager));
    entry.insert("operation".into(), json!(owner.operation.as_str()));
    entry.insert("apiVersion".into(), json!(share.api_version));
    if let Some(time) = share.time {
        entry.insert("time".into(), json!(time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()));
    }
    entry.insert("fieldsType".into(), json!("FieldsV1"));
    entry.insert("fieldsV1".into(), share.fields.to_json());
    if !owner.subresource.is_empty() {
        entry.insert("subresource".into(), json!(owner.subresource));
    }
    Value::Object(entry)
}
