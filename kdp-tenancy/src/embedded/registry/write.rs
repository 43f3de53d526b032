//! Create, update, patch and apply.

use jiff::Timestamp;
use serde_json::Value;

use super::{
    Caller, Extra, Place, Registry, Saved, check_path_name,
    rules::{
        admit, bump_generation, check_fields, check_same_object, check_schema, check_type, drop_claim_labels,
        has_generation, invalid, keep_other_part, modified, name_rule, revision_of, seconds, settle_name,
        settle_namespace, validate,
    },
};
use crate::{
    embedded::{
        auth::is_unbounded,
        decode::Decoded,
        http::{negotiate::BodyType, query::Query},
        index::Index,
        kinds,
        managed_fields::{self, Manager},
        meta,
        object::{self, metadata_mut, str_at},
        patch,
        status::{FieldError, ResourceRef, Result, StatusError},
        surface::Origin,
    },
    store::{Change, Entry, Revision, Transaction},
};

/// How often a write is tried again when somebody else was faster.
const ATTEMPTS: usize = 8;

/// A write as it was asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Write<'a> {
    pub(crate) place: &'a Place,
    pub(crate) part: Part,
    pub(crate) query: &'a Query,
    pub(crate) caller: &'a Caller,
}

/// What part of an object a write is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Main,
    Status,
    /// `finalize` of a namespace.
    Finalize,
}

impl Part {
    fn subresource(self) -> Option<&'static str> {
        match self {
            Self::Main => None,
            Self::Status => Some("status"),
            Self::Finalize => Some("finalize"),
        }
    }
}

/// Whether the managed fields of an object are still to be worked out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ownership {
    /// The changes belong to the caller.
    Track,
    /// Server-side apply has settled it.
    Settled,
}

impl Registry {
    /// Creates an object.
    pub(crate) async fn create(&self, write: Write<'_>, body: Decoded) -> Result<Saved> {
        let mut object = body.value;
        let warnings = write.admit(None, &mut object, body.duplicates)?;
        self.create_admitted(write, object, warnings, Ownership::Track).await
    }

    async fn create_admitted(
        &self,
        write: Write<'_>,
        mut object: Value,
        warnings: Vec<String>,
        ownership: Ownership,
    ) -> Result<Saved> {
        if !str_at(&object, &["metadata", "resourceVersion"]).is_empty() {
            return Err(StatusError::bad_request("resourceVersion should not be set on objects to be created"));
        }
        let base = str_at(&object, &["metadata", "generateName"]).to_owned();
        let generate = str_at(&object, &["metadata", "name"]).is_empty() && !base.is_empty();
        for _ in 1..ATTEMPTS {
            if generate {
                metadata_mut(&mut object).insert("name".into(), meta::generate_name(&base).into());
            }
            match self.try_create(write, object.clone(), &warnings, ownership).await {
                Ok(Some(saved)) => return Ok(saved),
                Ok(None) => {}
                Err(error) if generate && error.reason() == "AlreadyExists" => {}
                Err(error) => return Err(error),
            }
        }
        Err(StatusError::too_many_requests("the place of the object keeps changing; try again", 1))
    }

    /// `None` when what the object depends on changed meanwhile.
    async fn try_create(
        &self,
        write: Write<'_>,
        mut object: Value,
        warnings: &[String],
        ownership: Ownership,
    ) -> Result<Option<Saved>> {
        let place = write.place;
        let resource = &place.served.resource;
        let mut extra = self.living_place(place).await?;
        let stored = place.stored();
        if resource.subresource("status").is_some() && write.part == Part::Main {
            object.as_object_mut().map(|fields| fields.remove("status"));
        }
        let now = Timestamp::now();
        let metadata = metadata_mut(&mut object);
        for key in ["deletionTimestamp", "deletionGracePeriodSeconds", "selfLink", "generation"] {
            metadata.remove(key);
        }
        metadata.insert("uid".into(), uuid::Uuid::new_v4().to_string().into());
        metadata.insert("creationTimestamp".into(), seconds(now).into());
        if has_generation(place) {
            metadata.insert("generation".into(), 1.into());
        }
        place.served.schema.apply_defaults(&mut object);
        let name = str_at(&object, &["metadata", "name"]).to_owned();
        admit(place, &name, &mut object)?;
        let errors = meta::validate(&object["metadata"], resource.namespaced, name_rule(place));
        if !errors.is_empty() {
            return Err(invalid(place, &name, errors));
        }
        if ownership == Ownership::Track {
            managed_fields::track_update(None, &mut object, &resource.schema, &write.manager(now));
        }
        if let Some(stored) = &stored {
            check_schema(place, &name, &object, None)?;
            place.stored_form(&name, &mut object)?;
            stored.served.schema.apply_defaults(&mut object);
        }
        let stored = stored.as_ref().unwrap_or(place);
        extra.is_charged = !is_unbounded(&write.caller.identity);
        kinds::prepare_create(self, stored, write.caller, &mut object, &mut extra).await?;
        validate(stored, &name, &object, None)?;
        let key = place.key(&name);
        if self.store.get(&key).await?.is_some() {
            return Err(StatusError::already_exists(place.reference(), &name));
        }
        if write.query.dry_run {
            return write.answer(object, None, true, warnings).map(Some);
        }
        match self.put(place, key, None, object.clone(), extra).await? {
            Some(revision) => write.answer(object, Some(revision), true, warnings).map(Some),
            None => Ok(None),
        }
    }

    /// Replaces an object.
    pub(crate) async fn update(&self, write: Write<'_>, name: &str, body: Decoded) -> Result<Saved> {
        check_path_name(name)?;
        let mut object = body.value;
        let warnings = write.admit(Some(name), &mut object, body.duplicates)?;
        if revision_of(&object)?.is_none() && write.place.served.origin != Origin::Builtin {
            let error = FieldError::invalid("metadata.resourceVersion", 0, "must be specified for an update");
            return Err(invalid(write.place, name, vec![error]));
        }
        for _ in 0..ATTEMPTS {
            let old = self.get(write.place, name).await?;
            let replaced = self.replace(write, &old, object.clone(), &warnings, Ownership::Track).await?;
            if let Some(saved) = replaced {
                return Ok(saved);
            }
        }
        Err(modified(write.place, name))
    }

    /// Patches an object; server-side apply also creates it.
    pub(crate) async fn patch(&self, write: Write<'_>, name: &str, kind: BodyType, body: Decoded) -> Result<Saved> {
        check_path_name(name)?;
        for _ in 0..ATTEMPTS {
            let Some(old) = self.seen(write.place, name).await? else {
                if kind == BodyType::ApplyPatch && write.part == Part::Main && write.place.may_create {
                    match self.create_by_apply(write, name, &body).await {
                        Err(error) if error.reason() == "AlreadyExists" => continue,
                        result => return result,
                    }
                }
                return Err(StatusError::not_found(write.place.reference(), name));
            };
            let current = write.place.served_form(object::decode_plain(&old)?);
            let (new, warnings, ownership) = write.patched(name, kind, &body, &current)?;
            if let Some(saved) = self.replace(write, &old, new, &warnings, ownership).await? {
                return Ok(saved);
            }
        }
        Err(modified(write.place, name))
    }

    async fn create_by_apply(&self, write: Write<'_>, name: &str, body: &Decoded) -> Result<Saved> {
        let (object, warnings) = write.applied(name, body, None)?;
        self.create_admitted(write, object, warnings, Ownership::Settled).await
    }

    /// Replaces `old` by `new`; `None` when somebody else was faster.
    async fn replace(
        &self,
        write: Write<'_>,
        old: &Entry,
        mut new: Value,
        warnings: &[String],
        ownership: Ownership,
    ) -> Result<Option<Saved>> {
        let place = write.place;
        let before = place.served_form(object::decode_plain(old)?);
        let name = str_at(&before, &["metadata", "name"]).to_owned();
        check_same_object(place, &name, old, &before, &new)?;
        meta::keep_immutable(&mut new["metadata"], &before["metadata"]);
        keep_other_part(place, write.part, &before, &mut new);
        admit(place, &name, &mut new)?;
        metadata_mut(&mut new).insert("resourceVersion".into(), old.modified.to_string().into());
        place.served.schema.apply_defaults(&mut new);
        let mut extra = Extra { is_charged: !is_unbounded(&write.caller.identity), ..Extra::default() };
        if ownership == Ownership::Track {
            let manager = write.manager(Timestamp::now());
            managed_fields::track_update(Some(&before), &mut new, &place.served.resource.schema, &manager);
        }
        let stored = place.stored();
        let (place, before) = match &stored {
            Some(stored) => {
                check_schema(place, &name, &new, Some(&before))?;
                place.stored_form(&name, &mut new)?;
                let before = object::decode_plain(old)?;
                // Again, in what is stored: an annotation that the client dropped takes nothing along.
                keep_other_part(stored, write.part, &before, &mut new);
                stored.served.schema.apply_defaults(&mut new);
                (stored, before)
            }
            None => (place, before),
        };
        kinds::prepare_update(self, place, write.caller, write.part, &before, &mut new, &mut extra).await?;
        bump_generation(place, &before, &mut new);
        validate(place, &name, &new, Some(&before))?;
        if write.query.dry_run {
            return write.answer(new, Some(old.modified), false, warnings).map(Some);
        }
        if extra.changes.is_empty() && managed_fields::is_unchanged(&before, &new) {
            return write.answer(before, Some(old.modified), false, warnings).map(Some);
        }
        let revision = if super::remove::is_released(&new) {
            self.finish_removal(place, old, &new, extra).await?
        } else {
            self.put(place, place.key(&name), Some(old.modified), new.clone(), extra).await?
        };
        match revision {
            Some(revision) => write.answer(new, Some(revision), false, warnings).map(Some),
            None => Ok(None),
        }
    }

    /// Writes one object and `extra`, if everything is still as expected.
    pub(crate) async fn put(
        &self,
        place: &Place,
        key: String,
        expected: Option<Revision>,
        mut object: Value,
        mut extra: Extra,
    ) -> Result<Option<Revision>> {
        object["apiVersion"] = place.storage_api_version().into();
        let stored = object::encode(&place.cluster, object)?;
        extra.conditions.push((key.clone(), expected));
        extra.changes.push(Change::Put(key.clone(), stored));
        let resource = &place.served.resource;
        let indexed = Index::follows(&resource.group, &resource.plural);
        let name = key.rsplit('/').next().unwrap_or_default();
        let reservation = self.reserve(place, name, &extra).await?;
        let written =
            self.commit(Transaction { conditions: extra.conditions, changes: extra.changes }, indexed).await?;
        if let Some(reservation) = reservation {
            reservation.settle(written);
        }
        Ok(written)
    }

    /// Conditions under which something may be created here: the workspace, and the namespace if
    /// there is one, exists and is not being deleted.
    async fn living_place(&self, place: &Place) -> Result<Extra> {
        let holder = match &place.namespace {
            Some(namespace) => self.find(&place.cluster, "", "namespaces", None, namespace).await?,
            None => self.find(&place.cluster, "core.kcp.io", "logicalclusters", None, "cluster").await?,
        };
        let Some((entry, holder)) = holder else {
            return Err(match &place.namespace {
                Some(name) => StatusError::not_found(ResourceRef { group: "", plural: "namespaces" }, name),
                None => StatusError::page_not_found(),
            });
        };
        if !holder["metadata"]["deletionTimestamp"].is_null() {
            let what = match &place.namespace {
                Some(namespace) => format!("namespace {namespace}"),
                None => "the workspace".into(),
            };
            let message = format!("unable to create new content in {what} because it is being terminated");
            return Err(StatusError::forbidden(place.reference(), "", message));
        }
        let mut conditions = vec![(entry.key.to_string(), Some(entry.modified))];
        conditions.extend(self.living_definition(place).await?);
        Ok(Extra { conditions, ..Extra::default() })
    }

    /// What defines the kind here is not being deleted: its objects are removed first, and one
    /// that is created behind their back would stay for ever.
    async fn living_definition(&self, place: &Place) -> Result<Option<(String, Option<Revision>)>> {
        let (group, plural, name) = match &place.served.origin {
            Origin::Builtin => return Ok(None),
            Origin::Crd { .. } => {
                let name = format!("{}.{}", place.served.resource.plural, place.served.resource.group);
                ("apiextensions.k8s.io", "customresourcedefinitions", Some(name))
            }
            Origin::Bound { export, .. } => {
                ("apis.kcp.io", "apibindings", self.index.binding_name(export, &place.cluster))
            }
        };
        let found = match name {
            Some(name) => self.find(&place.cluster, group, plural, None, &name).await?,
            None => None,
        };
        let Some((entry, definition)) = found else { return Err(StatusError::page_not_found()) };
        if definition["metadata"]["deletionTimestamp"].is_null() {
            return Ok(Some((entry.key.to_string(), Some(entry.modified))));
        }
        let message = "create not allowed while the definition of the resource is terminating";
        Err(StatusError::new(405, "MethodNotAllowed", message))
    }
}

impl<'a> Write<'a> {
    /// Checks and settles what the body says of itself, and drops unknown fields. Returns the
    /// warnings for the client.
    fn admit(&self, name: Option<&str>, object: &mut Value, duplicates: Vec<String>) -> Result<Vec<String>> {
        check_type(self.place, object)?;
        let warnings = check_fields(self.place, object, duplicates, self.query.field_validation)?;
        object::strip_cluster_annotation(object);
        drop_claim_labels(object);
        settle_namespace(self.place, object)?;
        settle_name(name, object)?;
        Ok(warnings)
    }

    /// The object after a patch.
    fn patched(
        &self,
        name: &str,
        kind: BodyType,
        body: &Decoded,
        current: &Value,
    ) -> Result<(Value, Vec<String>, Ownership)> {
        let mut new = match kind {
            BodyType::JsonPatch => patch::json_patch(current, &body.value)?,
            BodyType::MergePatch => patch::merge_patch(current, &body.value)?,
            BodyType::StrategicMergePatch if self.place.served.origin == Origin::Builtin => {
                patch::strategic_merge_patch(current, &body.value, &self.place.served.resource.schema)?
            }
            BodyType::ApplyPatch => {
                let (object, warnings) = self.applied(name, body, Some(current))?;
                return Ok((object, warnings, Ownership::Settled));
            }
            BodyType::StrategicMergePatch | BodyType::Json | BodyType::Yaml | BodyType::Protobuf => {
                return Err(StatusError::unsupported_media_type(
                    "application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml",
                ));
            }
        };
        let warnings = self.admit(Some(name), &mut new, body.duplicates.clone())?;
        Ok((new, warnings, Ownership::Track))
    }

    /// The object after a server-side apply.
    fn applied(&self, name: &str, body: &Decoded, live: Option<&Value>) -> Result<(Value, Vec<String>)> {
        if self.query.field_manager.is_empty() {
            let error = FieldError::required("fieldManager", "is required for apply patch");
            return Err(StatusError::invalid("meta.k8s.io", "PatchOptions", "", vec![error]));
        }
        let mut applied = body.value.clone();
        let warnings = self.admit(Some(name), &mut applied, body.duplicates.clone())?;
        let schema = &self.place.served.resource.schema;
        let manager = self.manager(Timestamp::now());
        let mut object = managed_fields::apply(live, &applied, schema, &manager, self.query.force)?;
        if live.is_some() {
            for key in ["resourceVersion", "uid"] {
                if let Some(value) = applied["metadata"].get(key) {
                    metadata_mut(&mut object).insert(key.into(), value.clone());
                }
            }
        }
        Ok((object, warnings))
    }

    fn manager(&self, time: Timestamp) -> Manager<'a> {
        let name = if self.query.field_manager.is_empty() { &self.caller.manager } else { &self.query.field_manager };
        let reset: &[&str] = match self.part {
            Part::Main if self.place.served.resource.subresource("status").is_some() => &["status"],
            Part::Main => &[],
            Part::Status => &["metadata", "spec"],
            Part::Finalize => &["metadata", "status"],
        };
        Manager { name, api_version: &self.place.api_version, subresource: self.part.subresource(), reset, time }
    }

    fn answer(&self, object: Value, revision: Option<Revision>, created: bool, warnings: &[String]) -> Result<Saved> {
        let stored = object::encode(&self.place.cluster, self.place.served_form(object))?;
        Ok(Saved { stored, revision, created, warnings: warnings.to_vec() })
    }
}
