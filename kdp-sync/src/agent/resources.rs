//! Follows the PublishedResources, and what their publication depends on.

use std::{
    collections::{BTreeMap, BTreeSet},
    future::Future,
};

use futures::{FutureExt, Stream, StreamExt, stream::select_all};
use kdp_core::reconcile::{Chain, backoff};
use kube::{
    Api, CustomResourceExt, ResourceExt,
    api::{ApiResource, DynamicObject},
    runtime::watcher,
};
use serde_json::Value;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{
    Board,
    definitions::{Definitions, defines},
    export,
    publisher::{Published, Publisher, Refusal},
};
use crate::{
    api::{PublishedResource, SourceResource},
    driver::{Caches, RunningSync},
    lease::Beginnings,
    telemetry::Telemetry,
    watch::{Failed, watch},
    wire,
};

/// Everything an agent has published.
pub(super) struct Resources<'a> {
    publisher: Publisher,
    caches: &'a Caches,
    /// The PublishedResources as last heard of, by name.
    known: BTreeMap<String, Value>,
    definitions: Definitions,
    published: BTreeMap<String, Published>,
    to_publish: BTreeSet<String>,
    /// Those at fault; what one misses may come with another or with a definition.
    refused: BTreeSet<String>,
    /// Failures in a row, and when to try again.
    failed: BTreeMap<String, (u32, Instant)>,
    /// Those of the start that were never published nor refused.
    unhandled: Option<BTreeSet<String>>,
    has_export: bool,
    is_export_changed: bool,
    export_failures: u32,
    export_due: Option<Instant>,
    /// Who has still to be listed for the first time.
    unlisted: BTreeSet<Source>,
    listing: BTreeMap<Source, BTreeSet<String>>,
}

/// What is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Source {
    Resources,
    Definitions,
    Export,
}

type Heard = (Source, Result<watcher::Event<DynamicObject>, Failed>);

impl<'a> Resources<'a> {
    pub(super) fn new(publisher: Publisher, caches: &'a Caches) -> Self {
        let mut unlisted = BTreeSet::from([Source::Resources, Source::Definitions]);
        unlisted.extend(publisher.options.updates_export.then_some(Source::Export));
        Self {
            publisher,
            caches,
            known: BTreeMap::new(),
            definitions: Definitions::default(),
            published: BTreeMap::new(),
            to_publish: BTreeSet::new(),
            refused: BTreeSet::new(),
            failed: BTreeMap::new(),
            unhandled: None,
            has_export: false,
            is_export_changed: false,
            export_failures: 0,
            export_due: None,
            unlisted,
            listing: BTreeMap::new(),
        }
    }

    /// Publishes until the component is stopped.
    pub(super) async fn run(&mut self, board: &Board, shutdown: &CancellationToken) {
        let mut events = std::pin::pin!(self.events());
        let mut leads = Beginnings::new([self.publisher.mandate.leads.clone()]);
        while !shutdown.is_cancelled() {
            tokio::select! {
                event = events.next() => {
                    let Some(event) = event else { return };
                    self.hear(event);
                    // What has come meanwhile is one piece of work.
                    while let Some(Some(event)) = events.next().now_or_never() {
                        self.hear(event);
                    }
                }
                () = self.due() => self.retry_due(),
                _ = leads.next() => self.take_over(),
                () = shutdown.cancelled() => return,
            }
            if self.unlisted.is_empty() {
                let Telemetry { metrics, health } = self.publisher.telemetry.clone();
                metrics.set_published_resources(self.known.len());
                health.busy();
                self.work(shutdown).await;
                health.idle(self.unhandled.iter().flatten());
                board.update(|status| status.has_published = true);
            }
        }
    }

    /// The syncs that are running.
    pub(super) fn into_syncs(self) -> impl Iterator<Item = RunningSync> {
        self.published.into_values().filter_map(|published| published.sync)
    }

    fn events(&self) -> impl Stream<Item = Heard> + use<> {
        let options = &self.publisher.options;
        let service = self.publisher.service();
        let all = watcher::Config::default;
        let these = watcher::Config { label_selector: options.published_resources.clone(), ..all() };
        let resources = watch(service, |client| Api::all_with(client, &PublishedResource::api_resource()), these);
        let definitions = watch(service, |client| Api::all_with(client, &definition_resource()), all());
        let only_ours = all().fields(&format!("metadata.name={}", options.export));
        let export = options.updates_export.then(|| watch(&self.publisher.provider, export::api, only_ours));
        let sources = [(Source::Resources, Some(resources)), (Source::Definitions, Some(definitions))];
        let sources = sources.into_iter().chain([(Source::Export, export)]);
        select_all(sources.filter_map(|(source, events)| Some(events?.map(move |event| (source, event)))))
    }

    fn hear(&mut self, (source, event): Heard) {
        use watcher::Event;
        match event {
            Err(Failed { error, pause, .. }) => tracing::warn!(?source, %error, ?pause, "watch.failed"),
            Ok(Event::Init) => {
                self.listing.insert(source, BTreeSet::new());
            }
            Ok(Event::InitApply(object)) => {
                if let Some(names) = self.listing.get_mut(&source) {
                    names.insert(object.name_any());
                }
                self.put(source, object);
            }
            Ok(Event::Apply(object)) => self.put(source, object),
            Ok(Event::Delete(object)) => self.remove(source, &object.name_any()),
            Ok(Event::InitDone) => {
                let listed = self.listing.remove(&source).unwrap_or_default();
                self.remove_unlisted(source, &listed);
                self.unlisted.remove(&source);
            }
        }
    }

    fn put(&mut self, source: Source, mut object: DynamicObject) {
        let name = object.name_any();
        object.metadata.managed_fields = None;
        let object = match serde_json::to_value(object) {
            Ok(object) => object,
            Err(error) => return tracing::error!(?source, name, %error, "watch.unreadable"),
        };
        match source {
            Source::Resources => {
                let is_same = self.known.get(&name).is_some_and(|known| self.asks_the_same(&name, known, &object));
                self.known.insert(name.clone(), typed(object));
                if !is_same {
                    self.to_publish.insert(name);
                }
            }
            Source::Definitions => {
                self.publish_those_of(&object);
                self.to_publish.append(&mut self.refused);
                self.definitions.put(name, object);
            }
            Source::Export => {
                if !std::mem::replace(&mut self.has_export, true) {
                    // This is what others may have failed for.
                    self.to_publish.extend(std::mem::take(&mut self.failed).into_keys());
                }
                self.is_export_changed = true;
            }
        }
    }

    /// Whether nothing has changed that publishing depends on.
    fn asks_the_same(&self, name: &str, before: &Value, after: &Value) -> bool {
        let asked = |resource: &Value| -> BTreeMap<String, Value> {
            let annotations = resource["metadata"]["annotations"].as_object().into_iter().flatten();
            let asking = annotations.filter(|(key, _)| key.starts_with(wire::POLICY_PREFIX));
            asking.map(|(key, value)| (key.clone(), value.clone())).collect()
        };
        let schema = |resource: &Value| resource["status"]["resourceSchemaName"].as_str().map(ToOwned::to_owned);
        let published = self.published.get(name).map(|published| published.schema.clone());
        let is_named_the_same = schema(after) == schema(before) || schema(after) == published;
        before["spec"] == after["spec"] && asked(before) == asked(after) && is_named_the_same
    }

    fn remove(&mut self, source: Source, name: &str) {
        match source {
            Source::Resources => {
                self.known.remove(name);
                self.to_publish.insert(name.to_owned());
            }
            Source::Definitions => {
                if let Some(definition) = self.definitions.remove(name) {
                    self.publish_those_of(&definition);
                }
            }
            Source::Export => {
                self.has_export = false;
                self.is_export_changed = true;
            }
        }
    }

    fn remove_unlisted(&mut self, source: Source, listed: &BTreeSet<String>) {
        match source {
            Source::Resources => {
                let lost: Vec<_> = self.known.keys().filter(|name| !listed.contains(*name)).cloned().collect();
                for name in lost {
                    self.remove(source, &name);
                }
            }
            Source::Definitions => {
                for definition in self.definitions.retain(|name| listed.contains(name)) {
                    self.publish_those_of(&definition);
                }
            }
            Source::Export if listed.is_empty() => self.has_export = false,
            Source::Export => {}
        }
    }

    /// Publishes everything that the former leader may have left undone.
    fn take_over(&mut self) {
        self.to_publish.extend(self.known.keys().cloned());
        self.is_export_changed = true;
    }

    fn publish_those_of(&mut self, definition: &Value) {
        let is_source = |resource: &Value| {
            let source: Result<SourceResource, _> = serde_json::from_value(resource["spec"]["resource"].clone());
            source.is_ok_and(|source| defines(definition, &source))
        };
        let names = self.known.iter().filter(|(_, resource)| is_source(resource)).map(|(name, _)| name.clone());
        self.to_publish.extend(names);
    }

    /// Completes when something that failed is to be tried again.
    fn due(&self) -> impl Future<Output = ()> + use<> {
        let next = self.failed.values().map(|(_, due)| *due).chain(self.export_due).min();
        async move {
            match next {
                Some(due) => tokio::time::sleep_until(due).await,
                None => std::future::pending().await,
            }
        }
    }

    fn retry_due(&mut self) {
        let now = Instant::now();
        let due = self.failed.iter().filter(|(_, (_, due))| *due <= now).map(|(name, _)| name.clone());
        self.to_publish.extend(due);
        if self.export_due.is_some_and(|due| due <= now) {
            self.is_export_changed = true;
        }
    }

    async fn work(&mut self, shutdown: &CancellationToken) {
        let known = &self.known;
        self.unhandled.get_or_insert_with(|| known.keys().cloned().collect());
        while let Some(name) = self.to_publish.pop_first() {
            if shutdown.is_cancelled() {
                return;
            }
            self.work_on(&name).await;
            if !self.failed.contains_key(&name)
                && let Some(unhandled) = &mut self.unhandled
            {
                unhandled.remove(&name);
            }
        }
        if std::mem::take(&mut self.is_export_changed) && !self.published.is_empty() {
            self.export_due = None;
            match self.publisher.update_export(&self.published).await {
                Ok(()) => self.export_failures = 0,
                Err(error) => {
                    self.export_failures += 1;
                    tracing::warn!(error = %Chain(&error), "export.failed");
                    self.export_due = Some(Instant::now() + backoff(self.export_failures));
                }
            }
        }
    }

    async fn work_on(&mut self, name: &str) {
        let Some(resource) = self.known.get(name) else {
            self.failed.remove(name);
            self.refused.remove(name);
            if let Some(sync) = self.published.remove(name).and_then(|published| published.sync) {
                sync.stop().await;
            }
            self.publisher.telemetry.metrics.forget(name);
            return;
        };
        let is_new = !self.published.contains_key(name);
        let Self { publisher, definitions, published, caches, .. } = self;
        let mut result = publisher.publish(name, resource, definitions, published, caches).await;
        if let Err(error) = publisher.show(name, resource, &result, published).await
            && result.is_ok()
        {
            result = Err(Refusal::Failed(error));
        }
        match result {
            Ok(()) => {
                self.failed.remove(name);
                self.refused.remove(name);
                if is_new {
                    self.to_publish.append(&mut self.refused);
                }
                tracing::info!(name, "resource.published");
            }
            Err(Refusal::Faults(faults)) => {
                self.failed.remove(name);
                self.refused.insert(name.to_owned());
                tracing::warn!(name, ?faults, "resource.refused");
            }
            Err(Refusal::Waits) => {
                self.failed.remove(name);
                self.refused.remove(name);
                tracing::info!(name, "resource.waits");
            }
            Err(Refusal::Failed(error)) => {
                let failures = self.failed.get(name).map_or(0, |(failures, _)| *failures) + 1;
                tracing::warn!(name, error = %Chain(&error), "resource.failed");
                self.failed.insert(name.to_owned(), (failures, Instant::now() + backoff(failures)));
            }
        }
    }
}

/// CustomResourceDefinitions.
pub(super) fn definition_resource() -> ApiResource {
    ApiResource {
        group: "apiextensions.k8s.io".into(),
        version: "v1".into(),
        api_version: "apiextensions.k8s.io/v1".into(),
        kind: "CustomResourceDefinition".into(),
        plural: "customresourcedefinitions".into(),
    }
}

/// Items of lists do not say their kind.
pub(super) fn typed(mut resource: Value) -> Value {
    let ApiResource { api_version, kind, .. } = PublishedResource::api_resource();
    resource["apiVersion"] = api_version.into();
    resource["kind"] = kind.into();
    resource
}
