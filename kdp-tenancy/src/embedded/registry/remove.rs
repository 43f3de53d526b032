//! Deletion: at once, or held by finalizers until they are released.

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use super::{Caller, Extra, Place, Registry, list::Matcher, rules::seconds};
use crate::{
    embedded::{
        index::Index,
        kinds,
        object::{self, finalizers, metadata_mut, str_at},
        status::{Result, StatusError},
    },
    store::{Change, Entry, Revision, Transaction},
};

/// The body of a delete request.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct DeleteOptions {
    pub(crate) preconditions: Preconditions,
    pub(crate) dry_run: Vec<String>,
    pub(crate) propagation_policy: Option<String>,
}

/// What the object must still be to be deleted.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Preconditions {
    pub(crate) uid: Option<String>,
    pub(crate) resource_version: Option<String>,
}

/// What became of a delete request.
#[derive(Debug)]
pub(crate) enum Removed {
    /// It is gone; its last state, and the revision it went at.
    Gone(Value),
    /// Finalizers hold it.
    Held(Value),
}

const ATTEMPTS: usize = 8;

/// Whether an object that is being deleted is held by nothing any more.
pub(crate) fn is_released(object: &Value) -> bool {
    !object["metadata"]["deletionTimestamp"].is_null()
        && finalizers(object).is_empty()
        && object["spec"]["finalizers"].as_array().is_none_or(Vec::is_empty)
}

impl Registry {
    /// Deletes an object.
    pub(crate) async fn delete(
        &self,
        place: &Place,
        name: &str,
        options: &DeleteOptions,
        caller: &Caller,
    ) -> Result<Removed> {
        for _ in 0..ATTEMPTS {
            let old = self.get(place, name).await?;
            if let Some(removed) = self.try_delete(place, &old, options, caller).await? {
                return Ok(removed);
            }
        }
        Err(StatusError::conflict(place.reference(), name, "the object keeps changing; please try again"))
    }

    /// Deletes every object that matches; returns those that did.
    pub(crate) async fn delete_collection(
        &self,
        place: &Place,
        matcher: &Matcher,
        options: &DeleteOptions,
        caller: &Caller,
    ) -> Result<Vec<Value>> {
        let mut deleted = Vec::new();
        for entry in self.all(place, matcher).await? {
            // Not every store waits for anything; others must get to run between two deletions.
            tokio::task::yield_now().await;
            let object = object::decode(&entry)?;
            let mut at = place.clone();
            at.namespace = object["metadata"]["namespace"].as_str().map(Into::into);
            match self.delete(&at, str_at(&object, &["metadata", "name"]), options, caller).await {
                Ok(_) => deleted.push(object),
                Err(error) if error.reason() == "NotFound" => {}
                Err(error) => return Err(error),
            }
        }
        Ok(deleted)
    }

    async fn try_delete(
        &self,
        place: &Place,
        old: &Entry,
        options: &DeleteOptions,
        caller: &Caller,
    ) -> Result<Option<Removed>> {
        let mut object = object::decode_plain(old)?;
        check_preconditions(place, &object, options)?;
        kinds::check_delete(place, caller, &object)?;
        let dry_run = options.dry_run.iter().any(|d| d == "All");
        let held =
            !finalizers(&object).is_empty() || object["spec"]["finalizers"].as_array().is_some_and(|f| !f.is_empty());
        if !held {
            if dry_run {
                return Ok(Some(Removed::Gone(object)));
            }
            let revision = self.finish_removal(place, old, &object, Extra::default()).await?;
            return Ok(revision.map(|_| Removed::Gone(object)));
        }
        if !object["metadata"]["deletionTimestamp"].is_null() {
            return Ok(Some(Removed::Held(object)));
        }
        let metadata = metadata_mut(&mut object);
        metadata.insert("deletionTimestamp".into(), seconds(Timestamp::now()).into());
        metadata.insert("deletionGracePeriodSeconds".into(), 0.into());
        if let Some(generation) = metadata.get("generation").and_then(Value::as_i64) {
            metadata.insert("generation".into(), (generation + 1).into());
        }
        kinds::prepare_deletion(place, &mut object);
        if dry_run {
            return Ok(Some(Removed::Held(object)));
        }
        let key = old.key.to_string();
        let revision = self.put(place, key, Some(old.modified), object.clone(), Extra::default()).await?;
        Ok(revision.map(|revision| {
            metadata_mut(&mut object).insert("resourceVersion".into(), revision.to_string().into());
            Removed::Held(object)
        }))
    }

    /// Removes an object that nothing holds, and what goes with it.
    pub(crate) async fn finish_removal(
        &self,
        place: &Place,
        old: &Entry,
        object: &Value,
        mut extra: Extra,
    ) -> Result<Option<Revision>> {
        kinds::prepare_removal(self, place, object, &mut extra).await?;
        let key = old.key.to_string();
        extra.conditions.push((key.clone(), Some(old.modified)));
        extra.changes.push(Change::Delete(key));
        let resource = &place.served.resource;
        let indexed = Index::follows(&resource.group, &resource.plural);
        self.commit(Transaction { conditions: extra.conditions, changes: extra.changes }, indexed).await
    }
}

fn check_preconditions(place: &Place, object: &Value, options: &DeleteOptions) -> Result<()> {
    let name = str_at(object, &["metadata", "name"]);
    let checks = [
        ("UID", "uid", &options.preconditions.uid),
        ("ResourceVersion", "resourceVersion", &options.preconditions.resource_version),
    ];
    for (word, key, wanted) in checks {
        let is = str_at(object, &["metadata", key]);
        if let Some(wanted) = wanted.as_deref().filter(|wanted| *wanted != is) {
            let message = format!("Precondition failed: {word} in precondition: {wanted}, {word} in object meta: {is}");
            return Err(StatusError::conflict(place.reference(), name, message));
        }
    }
    Ok(())
}
