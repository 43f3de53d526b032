//! Watches: the events of a place, as clients read them.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use bytes::{BufMut, Bytes, BytesMut};
use futures::{Stream, stream};
use kdp_core::LogicalClusterName;
use serde_json::{Value, json};
use tokio::time::{Instant, Interval, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use super::{
    Place, Registry,
    list::{Coverage, Matcher, parse_revision},
};
use crate::{
    embedded::{
        consumers::Consumer,
        facts,
        http::query::Query,
        key::ParsedKey,
        object,
        status::{Result, StatusError},
        surface::ExportId,
    },
    store::{Entry, Event, Revision, StoreError, Watch},
};

const BOOKMARK_EVERY: Duration = Duration::from_secs(60);
/// A watch ends by itself after this long, so that clients spread over replicas; as Kubernetes.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30 * 60);

/// What a watch covers.
#[derive(Clone, Debug)]
pub(crate) enum WatchScope {
    /// One logical cluster.
    One,
    /// Every logical cluster that binds the export.
    Export(ExportId),
    /// Every logical cluster.
    All,
}

/// Writes the object of an event.
pub(crate) type Render = Arc<dyn Fn(&Entry, Revision) -> Result<Bytes> + Send + Sync>;

/// An open watch.
pub(crate) struct WatchStream {
    registry: Registry,
    place: Place,
    scope: WatchScope,
    matcher: Matcher,
    render: Render,
    events: Watch,
    initial: VecDeque<Entry>,
    initial_bookmark: Option<Revision>,
    bookmarks: Option<Interval>,
    /// Events up to this revision are known to the client already.
    seen: Revision,
    deadline: Instant,
    shutdown: CancellationToken,
    ended: bool,
}

impl Registry {
    /// Opens a watch; each item of the stream is one line of the answer.
    ///
    /// # Errors
    /// `Expired` when the revision asked for is no longer kept.
    pub(crate) async fn watch(
        &self,
        coverage: Coverage<'_>,
        scope: WatchScope,
        matcher: Matcher,
        query: &Query,
        render: Render,
        shutdown: CancellationToken,
    ) -> Result<impl Stream<Item = Bytes> + Send + use<>> {
        let place = coverage.place.clone();
        let asked = parse_revision(&query.resource_version)?;
        let from_now = asked.is_none_or(|revision| revision == Revision(0));
        let (mut initial, mut initial_bookmark) = (VecDeque::new(), None);
        let after = if from_now || query.send_initial_events {
            let all = Query {
                limit: None,
                continue_token: String::new(),
                resource_version: String::new(),
                resource_version_match: String::new(),
                ..query.clone()
            };
            let page = self.list(&coverage, &matcher, &all).await?;
            initial = page.entries.into();
            initial_bookmark = query.send_initial_events.then_some(page.revision);
            page.revision
        } else {
            asked.unwrap_or_default()
        };
        let prefix = match scope {
            WatchScope::One => place.prefix(),
            WatchScope::Export(_) | WatchScope::All => String::new(),
        };
        let events = match self.store.watch(&prefix, after).await {
            Err(StoreError::Future { newest, .. }) => self.store.watch(&prefix, newest).await,
            other => other,
        }?;
        let timeout = query.timeout_seconds.map_or(DEFAULT_TIMEOUT, Duration::from_secs);
        let bookmarks = query.allow_watch_bookmarks.then(|| {
            let mut interval = tokio::time::interval_at(Instant::now() + BOOKMARK_EVERY, BOOKMARK_EVERY);
            interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
            interval
        });
        let watch = WatchStream {
            registry: self.clone(),
            place,
            scope,
            matcher,
            render,
            events,
            initial,
            initial_bookmark,
            bookmarks,
            seen: after,
            deadline: Instant::now() + timeout,
            shutdown,
            ended: false,
        };
        Ok(stream::unfold(watch, |mut watch| async move {
            let line = watch.next_line().await?;
            Some((line, watch))
        }))
    }
}

impl WatchStream {
    async fn next_line(&mut self) -> Option<Bytes> {
        if self.ended {
            return None;
        }
        if self.initial.is_empty()
            && let Some(revision) = self.initial_bookmark.take()
        {
            return Some(self.bookmark(revision, true));
        }
        loop {
            if let Some(entry) = self.initial.pop_front() {
                return Some(self.event_line("ADDED", &entry, entry.modified));
            }
            let tick = async {
                match &mut self.bookmarks {
                    Some(bookmarks) => {
                        bookmarks.tick().await;
                    }
                    None => std::future::pending().await,
                }
            };
            let event = tokio::select! {
                biased;
                () = self.shutdown.cancelled() => return None,
                event = self.events.next() => event,
                () = tick => {
                    let revision = self.registry.store.revision();
                    match self.events.try_next() {
                        Some(event) => Some(event),
                        None => return Some(self.bookmark(revision, false)),
                    }
                }
                () = tokio::time::sleep_until(self.deadline) => {
                    self.ended = true;
                    return None;
                }
            };
            match event {
                Some(Ok(event)) => {
                    if let Err(error) = self.widen(&event).await {
                        self.ended = true;
                        return Some(error_line(&error));
                    }
                    if let Some(line) = self.line(&event) {
                        return Some(line);
                    }
                }
                Some(Err(error)) => {
                    self.ended = true;
                    return Some(error_line(&StatusError::expired(error.to_string())));
                }
                None => return None,
            }
        }
    }

    /// Takes in what is in a workspace whose binding has just let the export reach it: claimed
    /// objects may have been there before.
    async fn widen(&mut self, event: &Event) -> Result<()> {
        let Some(cluster) = self.newly_reached(event)?.or_else(|| self.resumed(event)) else { return Ok(()) };
        // What happens in the workspace from here on is judged with the binding in force.
        self.registry.index.seen(event.revision).await;
        let place = Place { cluster, ..self.place.clone() };
        let query = Query {
            resource_version: event.revision.to_string(),
            resource_version_match: "Exact".into(),
            ..Query::default()
        };
        let page = self.registry.list(&Coverage { place: &place, clusters: None }, &self.matcher, &query).await?;
        self.initial.extend(page.entries);
        Ok(())
    }

    /// The workspace in which this event lets the export reach the watched resource.
    fn newly_reached(&self, event: &Event) -> Result<Option<LogicalClusterName>> {
        let (WatchScope::Export(export), Some(key)) = (&self.scope, ParsedKey::parse(&event.key)) else {
            return Ok(None);
        };
        let resource = &self.place.served.resource;
        let is_always_reached = (&*resource.group, &*resource.plural) == ("apis.kcp.io", "apibindings");
        if is_always_reached || event.revision <= self.seen || !key.is("apis.kcp.io", "apibindings") {
            return Ok(None);
        }
        let reaches = |entry: &Option<Entry>| -> Result<bool> {
            let Some(entry) = entry else { return Ok(false) };
            let consumer = Consumer::of(&object::decode_plain(entry)?);
            Ok(consumer.is_some_and(|consumer| consumer.reaches(export, &resource.group, &resource.plural)))
        };
        let is_new = !reaches(&event.previous)? && reaches(&event.entry)?;
        Ok(is_new.then(|| key.cluster.parse().ok()).flatten())
    }

    /// The workspace that this event opens again; while it was suspended its objects were left out.
    fn resumed(&self, event: &Event) -> Option<LogicalClusterName> {
        let key = ParsedKey::parse(&event.key).filter(|key| key.is("core.kcp.io", "logicalclusters"))?;
        let is_resumed =
            facts::keeps_providers_out(event.previous.as_ref()) && !facts::keeps_providers_out(event.entry.as_ref());
        if event.revision <= self.seen || !is_resumed || self.place.is("core.kcp.io", "logicalclusters") {
            return None;
        }
        let cluster = key.cluster.parse().ok()?;
        let resource = &self.place.served.resource;
        let is_covered = match &self.scope {
            WatchScope::One => false,
            WatchScope::All => true,
            WatchScope::Export(export) => {
                let index = &self.registry.index;
                index.reached_at(export, &cluster, &resource.group, &resource.plural, event.revision)
                    || (self.place.is("apis.kcp.io", "apibindings") && index.consumers(export).contains(&cluster))
            }
        };
        is_covered.then_some(cluster)
    }

    /// Whether the object is in a workspace that is suspended. That one is gone is told all the same:
    /// nobody would tell it later.
    fn is_suspended(&self, event: &Event, cluster: &str) -> bool {
        let facts = self.registry.index.facts();
        event.entry.is_some()
            && !self.place.is("core.kcp.io", "logicalclusters")
            && cluster.parse().is_ok_and(|cluster| facts.is_suspended(&cluster))
    }

    /// The line for an event; `None` when the client does not see it.
    fn line(&mut self, event: &Event) -> Option<Bytes> {
        if event.revision <= self.seen || !self.covers(event) {
            return None;
        }
        let matches = |entry: &Option<Entry>| entry.as_ref().map_or(Ok(false), |entry| self.matcher.matches(entry));
        let (before, now) = match (matches(&event.previous), matches(&event.entry)) {
            (Ok(before), Ok(now)) => (before, now),
            (Err(error), _) | (_, Err(error)) => return Some(error_line(&error)),
        };
        match (before, now, &event.previous, &event.entry) {
            (false, true, _, Some(entry)) => Some(self.event_line("ADDED", entry, event.revision)),
            (true, true, _, Some(entry)) => Some(self.event_line("MODIFIED", entry, event.revision)),
            (true, false, Some(previous), _) => Some(self.event_line("DELETED", previous, event.revision)),
            _ => None,
        }
    }

    fn covers(&self, event: &Event) -> bool {
        if matches!(self.scope, WatchScope::One) {
            return true;
        }
        let Some(key) = ParsedKey::parse(&event.key) else { return false };
        let resource = &self.place.served.resource;
        if !key.is(&resource.group, &resource.plural) || key.cluster.starts_with("system:") {
            return false;
        }
        if self.place.namespace.is_some() && key.namespace != self.place.namespace.as_deref() {
            return false;
        }
        if self.is_suspended(event, key.cluster) {
            return false;
        }
        match &self.scope {
            WatchScope::One | WatchScope::All => true,
            WatchScope::Export(export) => key.cluster.parse().is_ok_and(|cluster| {
                let index = &self.registry.index;
                index.reached_at(export, &cluster, &resource.group, &resource.plural, event.revision)
            }),
        }
    }

    fn event_line(&self, kind: &str, entry: &Entry, revision: Revision) -> Bytes {
        match (self.render)(entry, revision) {
            Ok(object) => {
                let mut line = BytesMut::with_capacity(object.len() + 40);
                line.put_slice(b"{\"type\":\"");
                line.put_slice(kind.as_bytes());
                line.put_slice(b"\",\"object\":");
                line.put_slice(&object);
                line.put_slice(b"}\n");
                line.freeze()
            }
            Err(error) => error_line(&error),
        }
    }

    fn bookmark(&self, revision: Revision, initial_events_end: bool) -> Bytes {
        let mut metadata = json!({"resourceVersion": revision.to_string()});
        if initial_events_end {
            metadata["annotations"] = json!({"k8s.io/initial-events-end": "true"});
        }
        let resource = &self.place.served.resource;
        line(&json!({"type": "BOOKMARK", "object": {
            "kind": resource.kind, "apiVersion": self.place.api_version, "metadata": metadata,
        }}))
    }
}

fn error_line(error: &StatusError) -> Bytes {
    line(&json!({"type": "ERROR", "object": error.to_value()}))
}

fn line(value: &Value) -> Bytes {
    let mut text = value.to_string();
    text.push('\n');
    text.into()
}

/// The JSON of an entry as it is stored, at the revision of the event.
pub(crate) fn render_stored(entry: &Entry, revision: Revision) -> Bytes {
    let mut out = BytesMut::new();
    object::write_json_at(&mut out, &entry.value, revision);
    out.freeze()
}
