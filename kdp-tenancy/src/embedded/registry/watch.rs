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
    view::View,
};
use crate::{
    embedded::{
        consumers::{Consumer, Sight},
        fanout::Topics,
        http::query::Query,
        key::{ParsedKey, cluster_prefix},
        object,
        status::{Result, StatusError},
    },
    store::{Entry, Event, RangeQuery, Revision, StoreError, Watch},
};

const BOOKMARK_EVERY: Duration = Duration::from_secs(60);
/// A watch ends by itself after this long, so that clients spread over replicas; as Kubernetes.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30 * 60);
/// However long a client asks for; a clock does not count much further.
const LONGEST_TIMEOUT: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// What a watch covers.
#[derive(Clone, Debug)]
pub(crate) enum WatchScope {
    /// One logical cluster.
    One,
    /// The consumers of an export, as far as its provider sees them.
    View(View),
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
    /// What the client is told before the next event is looked at.
    pending: VecDeque<Told>,
    initial_bookmark: Option<Revision>,
    bookmarks: Option<Interval>,
    /// Events up to this revision are known to the client already.
    seen: Revision,
    deadline: Instant,
    shutdown: CancellationToken,
    /// Nothing is in sight any more: the watch ends when the client has been told so.
    is_blind: bool,
    ended: bool,
}

/// One event as the client reads it.
struct Told {
    kind: &'static str,
    entry: Entry,
    revision: Revision,
}

impl Told {
    /// The object keeps the revision it was written at, which a client needs to change it.
    fn added(entry: Entry) -> Self {
        Self { kind: "ADDED", revision: entry.modified, entry }
    }
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
        let (mut pending, mut initial_bookmark) = (VecDeque::new(), None);
        let after = if from_now || query.send_initial_events {
            let all = Query {
                limit: None,
                continue_token: String::new(),
                resource_version: String::new(),
                resource_version_match: String::new(),
                ..query.clone()
            };
            let page = self.list(&coverage, &matcher, &all).await?;
            pending = page.entries.into_iter().map(Told::added).collect();
            initial_bookmark = query.send_initial_events.then_some(page.revision);
            page.revision
        } else {
            asked.unwrap_or_default()
        };
        let events = self.events(&place, &scope, after).await?;
        let is_blind = self.shows_nothing(&scope, &place, after).await?;
        let timeout = query.timeout_seconds.map_or(DEFAULT_TIMEOUT, Duration::from_secs).min(LONGEST_TIMEOUT);
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
            pending,
            initial_bookmark,
            bookmarks,
            seen: after,
            deadline: Instant::now() + timeout,
            shutdown,
            is_blind,
            ended: false,
        };
        Ok(stream::unfold(watch, |mut watch| async move {
            let line = watch.next_line().await?;
            Some((line, watch))
        }))
    }

    /// Whether the consumer of a view grants nothing, neither at the beginning of a watch nor now: consent
    /// may have been taken back since the watch was let in, in a way that its events do not tell.
    async fn shows_nothing(&self, scope: &WatchScope, place: &Place, after: Revision) -> Result<bool> {
        let WatchScope::View(view @ View { consumer: Some(cluster), .. }) = scope else { return Ok(false) };
        self.index.seen(after.min(self.store.revision())).await;
        let then = self.grants_at(cluster, after).await?;
        let now = self.index.grants(cluster);
        Ok([&*then, &*now].into_iter().all(|grants| view.sight(grants, place) == Sight::Nothing))
    }

    /// The events that a watch has to look at.
    async fn events(&self, place: &Place, scope: &WatchScope, after: Revision) -> Result<Watch> {
        let resource = (place.served.resource.group.clone(), place.served.resource.plural.clone());
        let topics = match scope {
            WatchScope::One => return self.events_below(&place.prefix(), after).await,
            // Consent and objects must come in one order, and a single workspace does not write much.
            WatchScope::View(View { consumer: Some(cluster), .. }) => {
                return self.events_below(&cluster_prefix(cluster), after).await;
            }
            WatchScope::View(view) => Topics {
                resource: (!place.is("apis.kcp.io", "apibindings")).then_some(resource),
                bindings_of: Some(view.export.clone()),
            },
            WatchScope::All => Topics { resource: Some(resource), bindings_of: None },
        };
        self.index.seen(after.min(self.store.revision())).await;
        Ok(self.index.fanout.watch(&self.store, &topics, after).await?)
    }

    async fn events_below(&self, prefix: &str, after: Revision) -> Result<Watch> {
        let events = match self.store.watch(prefix, after).await {
            Err(StoreError::Future { newest, .. }) => self.store.watch(prefix, newest).await,
            other => other,
        };
        Ok(events?)
    }
}

impl WatchStream {
    async fn next_line(&mut self) -> Option<Bytes> {
        if self.ended {
            return None;
        }
        loop {
            if let Some(told) = self.pending.pop_front() {
                return Some(self.event_line(&told));
            }
            if let Some(revision) = self.initial_bookmark.take() {
                return Some(self.bookmark(revision, true));
            }
            if self.is_blind {
                return None;
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
                    let revision = self.reached();
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
            let taken = match event {
                Some(Ok(event)) => self.take(&event).await,
                Some(Err(error)) => Err(StatusError::expired(error.to_string())),
                None => return None,
            };
            if let Err(error) = taken {
                self.ended = true;
                return Some(error_line(&error));
            }
        }
    }

    /// A revision of which every event is in `events` by now.
    fn reached(&self) -> Revision {
        match &self.scope {
            WatchScope::View(View { consumer: None, .. }) | WatchScope::All => self.registry.index.reached(),
            WatchScope::One | WatchScope::View(_) => self.registry.store.revision(),
        }
    }

    /// Works out what the client is told of an event.
    async fn take(&mut self, event: &Event) -> Result<()> {
        let Some(key) = ParsedKey::parse(&event.key).filter(|_| event.revision > self.seen) else { return Ok(()) };
        let view = match &self.scope {
            WatchScope::View(view) => view.clone(),
            WatchScope::All if key.cluster.starts_with("system:") => return Ok(()),
            WatchScope::All | WatchScope::One => return self.tell(event, &Sight::Everything, &Sight::Everything),
        };
        let is_binding = key.is("apis.kcp.io", "apibindings");
        let Ok(cluster) = key.cluster.parse::<LogicalClusterName>() else { return Ok(()) };
        if cluster.is_system() || !(is_binding || self.is_about(&key)) {
            return Ok(());
        }
        self.registry.index.seen(event.revision).await;
        let grants = self.registry.grants_at(&cluster, event.revision).await?;
        let after = view.sight(&grants, &self.place);
        let mut before = after.clone();
        if is_binding {
            let previous = event.previous.as_ref().map(object::decode).transpose()?;
            let grants = grants.with(key.name, previous.as_ref().and_then(Consumer::of));
            before = view.sight(&grants, &self.place);
        }
        self.tell(event, &before, &after)?;
        if before == after {
            return Ok(());
        }
        self.is_blind = view.consumer.is_some() && after == Sight::Nothing;
        self.turn(cluster, event, &before, &after).await
    }

    /// Tells of an event of one object, seen with these sights before and after it.
    fn tell(&mut self, event: &Event, before: &Sight, after: &Sight) -> Result<()> {
        if !ParsedKey::parse(&event.key).is_some_and(|key| self.is_about(&key)) {
            return Ok(());
        }
        let matches = |entry: &Option<Entry>, sight: &Sight| -> Result<bool> {
            let Some(entry) = entry else { return Ok(false) };
            Ok(self.matcher.matches(entry)? && sight.shows(entry)?)
        };
        let (was, is) = (matches(&event.previous, before)?, matches(&event.entry, after)?);
        let (kind, entry) = match (was, is, &event.previous, &event.entry) {
            (false, true, _, Some(entry)) => ("ADDED", entry),
            (true, true, _, Some(entry)) => ("MODIFIED", entry),
            (true, false, Some(previous), _) => ("DELETED", previous),
            _ => return Ok(()),
        };
        self.pending.push_back(Told { kind, entry: entry.clone(), revision: event.revision });
        Ok(())
    }

    /// Tells of the objects that come into sight and of those that go out of it, when a binding changes
    /// what is seen of its workspace.
    async fn turn(&mut self, cluster: LogicalClusterName, event: &Event, before: &Sight, after: &Sight) -> Result<()> {
        let place = Place { cluster, ..self.place.clone() };
        let range = RangeQuery { revision: Some(event.revision), ..RangeQuery::prefix(place.prefix()) };
        for entry in self.registry.store.range(range).await?.entries {
            if entry.key == event.key || !self.matcher.matches(&entry)? {
                continue;
            }
            match (before.shows(&entry)?, after.shows(&entry)?) {
                (false, true) => self.pending.push_back(Told::added(entry)),
                (true, false) => self.pending.push_back(Told { kind: "DELETED", entry, revision: event.revision }),
                _ => {}
            }
        }
        Ok(())
    }

    /// Whether a key is that of an object of the watched resource and namespace.
    fn is_about(&self, key: &ParsedKey<'_>) -> bool {
        let resource = &self.place.served.resource;
        key.is(&resource.group, &resource.plural)
            && (self.place.namespace.is_none() || key.namespace == self.place.namespace.as_deref())
    }

    fn event_line(&self, told: &Told) -> Bytes {
        match (self.render)(&told.entry, told.revision) {
            Ok(object) => {
                let mut line = BytesMut::with_capacity(object.len() + 40);
                line.put_slice(b"{\"type\":\"");
                line.put_slice(told.kind.as_bytes());
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
