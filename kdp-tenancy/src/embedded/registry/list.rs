//! Lists: from one snapshot, in pages, by selectors.

use std::ops::Bound;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use kdp_core::LogicalClusterName;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Place, Registry, standing, view::View};
use crate::{
    embedded::{
        consumers::Sight,
        http::query::Query,
        json_path::JsonPath,
        object,
        selector::{FieldSelector, LabelSelector},
        status::{Result, StatusError},
    },
    store::{Entry, RangePage, RangeQuery, Revision},
};

/// How many entries are read at once when a selector decides which of them count.
const CHUNK: usize = 512;

/// What a list or a watch covers: one place, or the same resource in several logical clusters.
#[derive(Clone, Debug)]
pub(crate) struct Coverage<'a> {
    pub(crate) place: &'a Place,
    /// `None`: just the cluster of the place.
    pub(crate) clusters: Option<Vec<LogicalClusterName>>,
    /// Through whose eyes it is seen; this decides on the clusters then.
    pub(crate) view: Option<View>,
}

/// Part of a list.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) entries: Vec<Entry>,
    pub(crate) revision: Revision,
    pub(crate) continue_token: Option<String>,
    pub(crate) remaining: Option<usize>,
}

/// Which objects a request is about.
#[derive(Clone, Debug)]
pub(crate) struct Matcher {
    labels: LabelSelector,
    fields: FieldSelector,
    /// The JSON path of each field in `fields` beyond name and namespace.
    paths: Vec<(String, JsonPath)>,
    /// Only the object of this name.
    name: Option<String>,
}

impl Matcher {
    /// The matcher of a request for a resource.
    pub(crate) fn new(place: &Place, query: &Query) -> Result<Self> {
        let labels = LabelSelector::parse(&query.label_selector)?;
        let fields = FieldSelector::parse(&query.field_selector)?;
        let mut paths = Vec::new();
        for field in fields.fields() {
            if matches!(field, "metadata.name" | "metadata.namespace") {
                continue;
            }
            let known =
                place.served.resource.selectable_fields.iter().any(|path| path.trim_start_matches('.') == field);
            if !known {
                return Err(StatusError::bad_request(format!("field label not supported: {field}")));
            }
            let path = format!(".{field}")
                .parse()
                .map_err(|e| StatusError::bad_request(format!("invalid field selector {field:?}: {e}")))?;
            paths.push((field.to_owned(), path));
        }
        Ok(Self { labels, fields, paths, name: None })
    }

    /// The same, but only for the object `name`, which is all that a path with a name is about.
    pub(crate) fn named(mut self, name: Option<String>) -> Self {
        self.name = name;
        self
    }

    pub(crate) fn is_everything(&self) -> bool {
        self.labels.is_everything() && self.fields.is_everything() && self.name.is_none()
    }

    /// Whether a stored object matches.
    pub(crate) fn matches(&self, entry: &Entry) -> Result<bool> {
        if self.is_everything() {
            return Ok(true);
        }
        if let Some(name) = &self.name
            && super::super::key::ParsedKey::parse(&entry.key).is_none_or(|key| key.name != name)
        {
            return Ok(false);
        }
        if self.paths.is_empty() {
            let header = object::header(entry)?;
            let namespace = super::super::key::ParsedKey::parse(&entry.key).and_then(|key| key.namespace);
            return Ok(self.labels.matches(&header.metadata.labels)
                && self.fields.matches_fields(|field| match field {
                    "metadata.name" => Some(header.metadata.name.clone()),
                    _ => namespace.map(Into::into),
                }));
        }
        let object = object::decode(entry)?;
        let metadata = &object["metadata"];
        let none = serde_json::Map::new();
        Ok(self.labels.matches(metadata["labels"].as_object().unwrap_or(&none))
            && self.fields.matches_fields(|field| self.field(&object, field)))
    }

    fn field(&self, object: &Value, field: &str) -> Option<String> {
        let metadata = &object["metadata"];
        match field {
            "metadata.name" => metadata["name"].as_str().map(Into::into),
            "metadata.namespace" => metadata["namespace"].as_str().map(Into::into),
            _ => {
                let (_, path) = self.paths.iter().find(|(name, _)| name == field)?;
                path.first(object).map(|value| value.as_str().map_or_else(|| value.to_string(), Into::into))
            }
        }
    }
}

/// Where a list goes on. It holds only the part of a key below the place of the request, so a
/// token cannot lead anywhere else.
#[derive(Debug, Serialize, Deserialize)]
struct Continue {
    #[serde(rename = "v")]
    version: String,
    #[serde(rename = "rv")]
    revision: u64,
    /// The cluster to go on in, when the list covers several.
    #[serde(rename = "c", default, skip_serializing_if = "Option::is_none")]
    cluster: Option<String>,
    start: String,
}

const CONTINUE_VERSION: &str = "meta.k8s.io/v1";

impl Continue {
    fn parse(token: &str) -> Result<Self> {
        let invalid = || StatusError::bad_request("continue key is not valid: it must be what the server sent");
        let json = URL_SAFE_NO_PAD.decode(token).map_err(|_| invalid())?;
        let parsed: Self = serde_json::from_slice(&json).map_err(|_| invalid())?;
        if parsed.version == CONTINUE_VERSION { Ok(parsed) } else { Err(invalid()) }
    }

    fn encode(&self) -> String {
        URL_SAFE_NO_PAD.encode(serde_json::to_vec(self).unwrap_or_default())
    }
}

impl Registry {
    /// One page of a list.
    pub(crate) async fn list(&self, coverage: &Coverage<'_>, matcher: &Matcher, query: &Query) -> Result<Page> {
        let resume = match &*query.continue_token {
            "" => None,
            token => Some(Continue::parse(token)?),
        };
        if resume.is_some() && !matches!(&*query.resource_version, "" | "0") {
            return Err(StatusError::bad_request("specifying resource version is not allowed when using continue"));
        }
        let mut revision = match &resume {
            Some(resume) => Some(Revision(resume.revision)),
            None => self.list_revision(query)?,
        };
        let (mut clusters, several) = match &coverage.view {
            Some(view) => {
                let at = self.view_revision(revision).await;
                revision = Some(at);
                (self.sights(view, coverage.place, at).await?, view.consumer.is_none())
            }
            None => {
                let one = || vec![coverage.place.cluster.clone()];
                let clusters = coverage.clusters.clone().unwrap_or_else(one);
                let seen = clusters.into_iter().map(|cluster| (cluster, Sight::Everything));
                (seen.collect(), coverage.clusters.is_some())
            }
        };
        let mut start = None;
        if let Some(resume) = resume {
            if let Some(cluster) = resume.cluster.filter(|_| several) {
                clusters.retain(|(c, _)| c.as_str() >= cluster.as_str());
                start = clusters.first().filter(|(c, _)| c.as_str() == cluster).map(|_| resume.start);
            } else {
                start = Some(resume.start);
            }
        }
        let mut page =
            Page { entries: Vec::new(), revision: revision.unwrap_or_default(), continue_token: None, remaining: None };
        for (cluster, sight) in clusters {
            let takes_all = matcher.is_everything() && sight == Sight::Everything;
            let place = Place { cluster: cluster.clone(), ..coverage.place.clone() };
            let prefix = place.prefix();
            let mut from =
                start.take().map_or(Bound::Unbounded, |start: String| Bound::Excluded(format!("{prefix}{start}")));
            loop {
                let wanted = query.limit.map(|limit| limit - page.entries.len());
                let limit = if takes_all { wanted } else { wanted.map(|wanted| wanted.max(CHUNK)) };
                let range = RangeQuery { prefix: prefix.clone(), start: from.clone(), limit, revision };
                let read = self.store.range(range).await.map_err(|e| expired_list(e.into()))?;
                revision = Some(read.revision);
                page.revision = read.revision;
                let read_to = read.entries.last().map(|entry| entry.key.clone());
                let mut entries = read.entries;
                if !several {
                    standing::insert(&place, &from, &mut entries, read.remaining);
                }
                let mut entries = entries.into_iter();
                for entry in entries.by_ref() {
                    if !matcher.matches(&entry)? || !sight.shows(&entry)? {
                        continue;
                    }
                    page.entries.push(entry);
                    if query.limit == Some(page.entries.len()) {
                        break;
                    }
                }
                let more = entries.len() + read.remaining;
                if query.limit == Some(page.entries.len()) {
                    if more > 0 || several {
                        page.continue_token = page.entries.last().map(|last| {
                            let start = last.key.strip_prefix(&*prefix).unwrap_or_default().to_owned();
                            let cluster = several.then(|| cluster.to_string());
                            Continue { version: CONTINUE_VERSION.into(), revision: read.revision.0, cluster, start }
                                .encode()
                        });
                        let is_exact = takes_all && !several && read.remaining < RangePage::COUNTED;
                        page.remaining = is_exact.then_some(more);
                    }
                    return Ok(page);
                }
                match read_to {
                    Some(key) if read.remaining > 0 => from = Bound::Excluded(key.to_string()),
                    _ => break,
                }
            }
        }
        if page.revision == Revision(0) {
            page.revision = self.store.revision();
        }
        Ok(page)
    }

    /// Every object that matches, now.
    pub(crate) async fn all(&self, place: &Place, matcher: &Matcher) -> Result<Vec<Entry>> {
        let page = self.store.range(RangeQuery::prefix(place.prefix())).await?;
        let mut entries = page.entries;
        let mut failed = None;
        entries.retain(|entry| {
            matcher.matches(entry).and_then(|matches| Ok(matches && place.sight.shows(entry)?)).unwrap_or_else(
                |error| {
                    failed = Some(error);
                    false
                },
            )
        });
        failed.map_or(Ok(entries), Err)
    }

    /// The revision a list must be read at; `None` for the newest.
    fn list_revision(&self, query: &Query) -> Result<Option<Revision>> {
        let version = parse_revision(&query.resource_version)?;
        match (&*query.resource_version_match, version) {
            ("", None) => Ok(None),
            (_, None) => {
                Err(StatusError::bad_request("resourceVersionMatch is forbidden unless resourceVersion is provided"))
            }
            ("Exact", Some(Revision(0))) => {
                Err(StatusError::bad_request("resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\""))
            }
            ("Exact", Some(revision)) => Ok(Some(revision)),
            ("" | "NotOlderThan", Some(revision)) => {
                let newest = self.store.revision();
                if revision > newest {
                    return Err(crate::store::StoreError::Future { asked: revision, newest }.into());
                }
                Ok(None)
            }
            (other, _) => Err(StatusError::bad_request(format!(
                "resourceVersionMatch {other:?} is not supported: supported values are \"Exact\", \"NotOlderThan\""
            ))),
        }
    }
}

/// A resource version as clients send it; `None` when they send none.
pub(crate) fn parse_revision(text: &str) -> Result<Option<Revision>> {
    if text.is_empty() {
        return Ok(None);
    }
    text.parse().map(|revision| Some(Revision(revision))).map_err(|_| {
        StatusError::bad_request(format!("invalid resourceVersion {text:?}: must be what the server sent"))
    })
}

fn expired_list(error: StatusError) -> StatusError {
    if error.code() == 410 {
        return StatusError::expired(
            "The provided continue parameter is too old to display a consistent list result. \
             You must start a new list without the continue parameter.",
        );
    }
    error
}
