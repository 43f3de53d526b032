//! What the index knows of exports, bindings and endpoint slices.

use std::{collections::BTreeSet, sync::Arc};

use kdp_core::LogicalClusterName;
use serde_json::Value;

use super::{Index, bound_schema_key, decoded};
use crate::{
    embedded::{
        consumers::{Consumer, Grants, Past, bound_export},
        exports::Named,
        key::ParsedKey,
        object::{self, str_at},
        queue::Work,
        status::{Result, StatusError},
        surface::ExportId,
        waiting::{Awaited, Topic},
    },
    store::{Entry, Event, Revision},
};

impl Index {
    pub(super) fn apply_binding(
        &self,
        cluster: &LogicalClusterName,
        key: &ParsedKey<'_>,
        entry: Option<&Entry>,
        previous: Option<&Entry>,
        revision: Revision,
    ) {
        let (binding, previous) = (decoded(entry), decoded(previous));
        let consumer = binding.as_ref().and_then(Consumer::of);
        for schema in self.bindings.write().set(cluster, key.name, consumer, revision) {
            self.queue.add(Work::Schema(schema));
        }
        let bound_to = |binding: &Option<Value>| binding.as_ref().and_then(bound_export);
        let (before, now) = (bound_to(&previous), bound_to(&binding));
        for export in before.iter().chain(now.as_ref().filter(|_| before != now)) {
            self.queue.add(Work::Slices(export.clone()));
        }
        let served =
            |binding: &Option<Value>| binding.as_ref().map(|binding| binding["status"]["boundResources"].clone());
        if previous.is_some() && served(&previous) != served(&binding) {
            self.queue.add(Work::Names(cluster.clone()));
        }
        self.queue_bindings(cluster);
        let work = Work::Binding { cluster: cluster.clone(), name: key.name.into() };
        let awaited = binding.as_ref().filter(|_| now.is_none()).map(|binding| awaited_by(cluster, binding));
        let begins_to_wait = self.waiting.write().set(&work, awaited.into_iter().collect());
        // What it waits for may have come between the look that found it missing and this.
        if begins_to_wait || binding.is_some_and(|binding| !binding["metadata"]["deletionTimestamp"].is_null()) {
            self.queue.add(work);
        }
    }

    /// The exports that the logical cluster of an event binds, or bound before it.
    pub(super) fn exports_around(&self, event: &Event) -> Vec<ExportId> {
        let mut exports: Vec<_> =
            decoded(event.previous.as_ref()).as_ref().and_then(bound_export).into_iter().collect();
        if let Some(cluster) = ParsedKey::parse(&event.key).and_then(|key| key.cluster.parse().ok()) {
            exports.extend(self.grants(&cluster).exports().cloned());
        }
        exports
    }

    /// The logical clusters that bind an export, in order.
    pub(crate) fn consumers(&self, export: &ExportId) -> Vec<LogicalClusterName> {
        self.bindings.read().consumers(export)
    }

    /// Whether any logical cluster binds an export.
    pub(crate) fn has_consumers(&self, export: &ExportId) -> bool {
        self.bindings.read().has_consumers(export)
    }

    /// What the bindings of a logical cluster grant.
    pub(crate) fn grants(&self, cluster: &LogicalClusterName) -> Arc<Grants> {
        self.bindings.read().grants(cluster)
    }

    /// What they granted at `revision`, if the index knows.
    pub(crate) fn grants_at(&self, cluster: &LogicalClusterName, revision: Revision) -> Past {
        self.bindings.read().grants_at(cluster, revision)
    }

    /// The name of the binding through which a logical cluster binds an export.
    pub(crate) fn binding_name(&self, export: &ExportId, cluster: &LogicalClusterName) -> Option<String> {
        self.grants(cluster).binding_to(export).map(Into::into)
    }

    /// The bindings to an export, as logical cluster and name.
    pub(crate) fn bindings_of(&self, export: &ExportId) -> Vec<(LogicalClusterName, String)> {
        self.bindings.read().of(export)
    }

    /// The exports with this identity, in order.
    pub(super) fn exports_with_identity(&self, hash: &str) -> Vec<ExportId> {
        self.exports.read().with_identity(hash)
    }

    /// The endpoint slices that may refer to an export.
    pub(crate) fn slices_of(&self, export: &ExportId) -> BTreeSet<Named> {
        let Ok(cluster) = export.cluster.parse() else { return BTreeSet::new() };
        let path = self.path(&cluster);
        self.exports.read().slices_of(export, &path)
    }

    /// Whether any binding uses the schema with this UID.
    pub(crate) fn uses_schema(&self, uid: &str) -> bool {
        self.bindings.read().uses(uid)
    }

    /// The copy of a schema that a binding uses.
    pub(crate) async fn bound_schema(&self, uid: &str) -> Result<Option<Value>> {
        let entry = self.store.get(&bound_schema_key(uid)).await.map_err(StatusError::from)?;
        entry.as_ref().map(object::decode).transpose()
    }
}

/// The export that an APIBinding in `cluster` refers to.
fn awaited_by(cluster: &LogicalClusterName, binding: &Value) -> Awaited {
    let export = &binding["spec"]["reference"]["export"];
    let path = match str_at(export, &["path"]) {
        "" => cluster.as_str(),
        path => path,
    };
    (path.to_owned(), Topic::Export(str_at(export, &["name"]).to_owned()))
}
