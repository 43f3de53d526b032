//! Takes out of answers what differs between two runs of the same requests in the same world.
//!
//! Each of these is random or taken from a clock, so it cannot be equal; all else must be:
//! - UIDs, names of logical clusters, identity keys, and hashes of those: each is replaced by the
//!   number of its first appearance, so that being the same thing twice is still compared.
//! - The random end of generated names.
//! - Times, ages in tables, and the order of managed fields, which is by time.
//! - resourceVersions: one counter serves all workspaces. Each is replaced by how many of the
//!   tenant's own observed writes it is not older than.
//! - The value of an audit id: one is drawn for each request.

use std::{
    collections::{BTreeSet, HashMap},
    sync::LazyLock,
};

use regex::{Captures, Regex};
use serde_json::{Map, Value};

use super::world::{Answer, Observation, Observed};

/// Headers with a value that is drawn for each request.
const RANDOM_HEADERS: [&str; 1] = ["audit-id"];
/// Documents about kinds: there is nothing random in them, so they are compared as they are.
const DOCUMENTS: [&str; 5] = ["APIVersions", "APIGroup", "APIGroupList", "APIGroupDiscoveryList", "APIResourceList"];

static RANDOM: LazyLock<Regex> = LazyLock::new(|| {
    let patterns = [
        "(?<uid>[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})",
        r"(?<hash>\b[0-9a-f]{64}\b|\b[0-9A-Za-z]{36,39}\b)",
        r"(?<key>\b[0-9A-Za-z+/]{86}==)",
        r"(?<time>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z)",
        r"(?<generated>\bgen-\d+-[a-z0-9]{5}\b)",
        r"(?<cluster>\b[a-z0-9]{16}\b)",
    ];
    Regex::new(&patterns.join("|")).unwrap()
});
static REVISION_IN_TEXT: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(esource version: |current: |ResourceVersion in (?:precondition|object meta): )(\d+)").unwrap()
});

/// What becomes of resourceVersions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Revisions {
    /// They are all the same.
    Hidden,
    /// They say what they say about the tenant's own writes.
    Ranked,
}

/// An observation as it is compared.
#[derive(Debug)]
pub(super) struct Normalized {
    pub(super) step: usize,
    pub(super) text: String,
}

/// What the tenant observed, without what must differ.
pub(super) fn normalized(observed: &Observed, revisions: Revisions) -> Vec<Normalized> {
    let clusters = observed.clusters.iter().cloned().collect();
    let mut normalizer = Normalizer { clusters, ..Normalizer::default() };
    for observation in &observed.observations {
        observation.answer.json().for_each(|value| normalizer.learn(value));
    }
    if revisions == Revisions::Ranked {
        normalizer.ranks = Some(normalizer.writes.iter().copied().collect());
    }
    observed.observations.iter().map(|o| Normalized { step: o.step, text: normalizer.observation(o) }).collect()
}

#[derive(Debug, Default)]
struct Normalizer {
    writes: BTreeSet<u64>,
    clusters: BTreeSet<String>,
    ranks: Option<Vec<u64>>,
    numbers: HashMap<String, usize>,
}

impl Normalizer {
    /// Collects the revisions of objects and the names of logical clusters.
    fn learn(&mut self, value: &Value) {
        match value {
            Value::Object(fields) => {
                if fields.contains_key("uid")
                    && let Some(Ok(revision)) = fields.get("resourceVersion").and_then(Value::as_str).map(str::parse)
                {
                    self.writes.insert(revision);
                }
                for (key, value) in fields {
                    match value {
                        Value::String(text) if matches!(&**key, "cluster" | "kcp.io/cluster") => {
                            self.clusters.insert(text.clone());
                        }
                        _ => self.learn(value),
                    }
                }
            }
            Value::Array(items) => items.iter().for_each(|item| self.learn(item)),
            _ => {}
        }
    }

    fn observation(&mut self, observation: &Observation) -> String {
        let headers: Vec<String> = observation
            .headers
            .iter()
            .map(|(name, value)| format!("{name}: {}", if RANDOM_HEADERS.contains(&&**name) { "?" } else { value }))
            .collect();
        let body = match &observation.answer {
            Answer::Text(text) => text.clone(),
            Answer::Json { text, value } => match value["kind"].as_str() {
                Some(kind) if !DOCUMENTS.contains(&kind) => self.value(value).to_string(),
                _ => text.clone(),
            },
            Answer::Events(watches) => {
                let mut lines = String::new();
                for events in watches {
                    lines.push_str("watch\n");
                    events.iter().for_each(|event| lines.push_str(&format!("{}\n", self.value(event))));
                }
                lines
            }
        };
        format!("{}\n{}\n{body}", observation.code, headers.join("\n"))
    }

    fn value(&mut self, value: &Value) -> Value {
        match value {
            Value::String(text) => self.text(text).into(),
            Value::Array(items) => items.iter().map(|item| self.value(item)).collect(),
            Value::Object(fields) if fields.contains_key("columnDefinitions") => self.table(fields),
            Value::Object(fields) => self.fields(fields),
            other => other.clone(),
        }
    }

    fn fields(&mut self, fields: &Map<String, Value>) -> Value {
        let normalized = fields.iter().map(|(key, value)| {
            let value = match (&**key, value) {
                ("resourceVersion", Value::String(text)) => self.revision(text).into(),
                ("continue", Value::String(token)) => self.continue_token(token),
                ("managedFields", Value::Array(entries)) => {
                    let mut entries: Vec<_> = entries.iter().map(|entry| self.value(entry)).collect();
                    entries.sort_by_key(Value::to_string);
                    entries.into()
                }
                (_, value) => self.value(value),
            };
            (self.text(key), value)
        });
        Value::Object(normalized.collect())
    }

    /// The cells of a table without ages, which are how long ago something was.
    fn table(&mut self, table: &Map<String, Value>) -> Value {
        let columns = table["columnDefinitions"].as_array().into_iter().flatten();
        let ages: Vec<usize> = columns.enumerate().filter(|(_, c)| c["name"] == "Age").map(|(i, _)| i).collect();
        let mut table = table.clone();
        for row in table.get_mut("rows").and_then(Value::as_array_mut).into_iter().flatten() {
            ages.iter().for_each(|age| row["cells"][age] = "age".into());
        }
        self.fields(&table)
    }

    fn revision(&self, text: &str) -> String {
        let Ok(revision) = text.parse::<u64>() else { return text.to_owned() };
        match &self.ranks {
            None => "revision".to_owned(),
            Some(ranks) => format!("revision {}", ranks.partition_point(|write| *write <= revision)),
        }
    }

    /// What a token holds, with its revision as all others.
    fn continue_token(&mut self, token: &str) -> Value {
        use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
        let decoded = URL_SAFE_NO_PAD.decode(token).ok();
        let Some(mut inside) = decoded.and_then(|json| serde_json::from_slice::<Value>(&json).ok()) else {
            return token.into();
        };
        if let Some(revision) = inside.get("rv").map(Value::to_string) {
            inside["rv"] = self.revision(&revision).into();
        }
        self.value(&inside)
    }

    fn text(&mut self, text: &str) -> String {
        // Nothing random is shorter than this.
        if text.len() < 10 {
            return text.to_owned();
        }
        let text = REVISION_IN_TEXT
            .replace_all(text, |found: &Captures<'_>| format!("{}{}", &found[1], self.revision(&found[2])));
        let Self { clusters, numbers, .. } = self;
        RANDOM
            .replace_all(&text, |found: &Captures<'_>| {
                if let Some(generated) = found.name("generated") {
                    let end = generated.as_str().rfind('-').unwrap_or_default();
                    return format!("{}-?", &generated.as_str()[..end]);
                }
                if found.name("time").is_some() {
                    return "time".to_owned();
                }
                let word = &found[0];
                if found.name("cluster").is_some() && !clusters.contains(word) {
                    return word.to_owned();
                }
                let next = numbers.len();
                format!("#{}", numbers.entry(word.to_owned()).or_insert(next))
            })
            .into_owned()
    }
}
