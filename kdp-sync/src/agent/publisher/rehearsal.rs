//! What publishing would write.

use std::collections::BTreeMap;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kdp_core::{Error, ErrorKind, api::apis::APIResourceSchema};
use kube::{Api, Resource, ResourceExt};
use serde_json::{Value, json};

use super::{Published, Publisher, Refusal, wanted_export};
use crate::{
    agent::{definition::own_definition, definitions::Definitions, export},
    api::Side,
    driver::in_time,
    engine::{Plan, apply_merge_patch},
    preview::{Action, Cause, Change, ObjectName, changes},
    publish::{new_export, update_export},
    wire,
};

impl Publisher {
    /// What publishing a resource would write, and how its orders would be synced, if they would be.
    pub(in crate::agent) async fn rehearse(
        &self,
        name: &str,
        resource: &Value,
        definitions: &Definitions,
        published: &mut BTreeMap<String, Published>,
    ) -> Result<(Vec<Change>, Option<Plan>), Refusal> {
        let prepared = self.prepare(resource, definitions, published).await?;
        let cause = Cause::of_resource(name);
        let named = resource["status"]["resourceSchemaName"].as_str().unwrap_or_default();
        let (mut written, schema) = if self.options.publishes_schemas {
            let (schema_name, written) = match &prepared.definition {
                Some(definition) => (definition.name_any(), self.rehearse_definition(&cause, definition).await?),
                None => {
                    let name = prepared.schema.metadata.name.clone().unwrap_or_default();
                    (name, self.rehearse_schema(&cause, &prepared.schema).await?)
                }
            };
            let mut written: Vec<_> = written.into_iter().collect();
            if named != schema_name {
                written.push(self.names_schema(&cause, name, named, &schema_name));
            }
            (written, schema_name)
        } else if named.is_empty() {
            return Err(Refusal::Waits);
        } else {
            (Vec::new(), named.to_owned())
        };
        written.sort_by(|a, b| a.object.cmp(&b.object));
        let (now, plan) = prepared.into_published(schema);
        let is_synchronized = now.spec.is_synchronized() && self.options.syncs;
        published.insert(name.to_owned(), now);
        Ok((written, is_synchronized.then_some(plan)))
    }

    /// What bringing the export up to date would write.
    pub(in crate::agent) async fn rehearse_export(
        &self,
        published: &BTreeMap<String, Published>,
    ) -> Result<Option<Change>, Error> {
        if !self.options.updates_export || published.is_empty() {
            return Ok(None);
        }
        let name = &self.options.export;
        let found = in_time("get APIExport", name, export::api(self.provider.clone()).get_opt(name)).await?;
        let before = found.map(serde_json::to_value).transpose().map_err(|error| {
            Error::new(ErrorKind::Internal, "read APIExport", name, "it is no object").with_source(error)
        })?;
        if before.is_none() && !self.options.creates_export {
            let message = "it does not exist in the provider's workspace; create it first";
            return Err(Error::new(ErrorKind::NotFound, "update APIExport", name, message));
        }
        let mut after = before.clone().unwrap_or_else(|| new_export(name));
        match update_export(&after, &wanted_export(published), &self.options.name) {
            Some(patch) => apply_merge_patch(&mut after, &patch),
            None if before.is_some() => return Ok(None),
            None => {}
        }
        Ok(Some(Change {
            cause: Cause::of_all(),
            action: if before.is_some() { Action::Update } else { Action::Create },
            object: self.object("apis.kcp.io/v1alpha2", "APIExport", name),
            fields: changes(before.as_ref(), Some(&after)),
        }))
    }

    async fn rehearse_schema(&self, cause: &Cause, schema: &APIResourceSchema) -> Result<Option<Change>, Error> {
        let name = schema.metadata.name.clone().unwrap_or_default();
        let unreadable = |error| {
            Error::new(ErrorKind::Internal, "write APIResourceSchema", &name, "it is no object").with_source(error)
        };
        let api: Api<APIResourceSchema> = Api::all(self.provider.clone());
        let before = in_time("get APIResourceSchema", &name, api.get_opt(&name)).await?;
        let before = before.map(serde_json::to_value).transpose().map_err(unreadable)?;
        let after = match &before {
            None => serde_json::to_value(schema).map_err(unreadable)?,
            Some(before) => {
                let mut after = before.clone();
                let mark = json!({wire::AGENT_NAME: self.options.name});
                apply_merge_patch(&mut after, &json!({"metadata": {"labels": mark, "annotations": mark}}));
                after
            }
        };
        let fields = changes(before.as_ref(), Some(&after));
        let action = if before.is_some() { Action::Update } else { Action::Create };
        let object = self.object(&APIResourceSchema::api_version(&()), "APIResourceSchema", &name);
        Ok((!fields.is_empty()).then(|| Change { cause: cause.clone(), action, object, fields }))
    }

    async fn rehearse_definition(
        &self,
        cause: &Cause,
        definition: &CustomResourceDefinition,
    ) -> Result<Option<Change>, Refusal> {
        let name = definition.name_any();
        let unreadable = |error| {
            let message = "it is no object";
            Error::new(ErrorKind::Internal, "write CustomResourceDefinition", &name, message).with_source(error)
        };
        let before = own_definition(&self.provider, &name, &self.options.name).await?;
        let before = before.map(serde_json::to_value).transpose().map_err(unreadable)?;
        let mut after = before.clone().unwrap_or_else(|| json!({}));
        apply_merge_patch(&mut after, &serde_json::to_value(definition).map_err(unreadable)?);
        let fields = changes(before.as_ref(), Some(&after));
        let action = if before.is_some() { Action::Update } else { Action::Create };
        let object = self.object("apiextensions.k8s.io/v1", "CustomResourceDefinition", &name);
        Ok((!fields.is_empty()).then(|| Change { cause: cause.clone(), action, object, fields }))
    }

    /// The status of a PublishedResource that names another schema, or none.
    fn names_schema(&self, cause: &Cause, resource: &str, before: &str, after: &str) -> Change {
        let status = |name: &str| json!({"status": {"resourceSchemaName": name}});
        let before = (!before.is_empty()).then(|| status(before));
        let object = ObjectName {
            side: Side::Service,
            workspace: None,
            ..self.object("syncagent.kcp.io/v1alpha1", "PublishedResource", resource)
        };
        let fields = changes(before.as_ref(), Some(&status(after)));
        Change { cause: cause.clone(), action: Action::Update, object, fields }
    }

    /// An object in the provider's workspace.
    fn object(&self, api_version: &str, kind: &str, name: &str) -> ObjectName {
        ObjectName {
            side: Side::Kcp,
            workspace: Some(self.options.provider.to_string()),
            api_version: api_version.to_owned(),
            kind: kind.to_owned(),
            namespace: None,
            name: name.to_owned(),
        }
    }
}
