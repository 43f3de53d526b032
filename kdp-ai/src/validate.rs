//! Judges a manifest by the server that would store it, without storing it.

use kdp_core::{Error, ErrorKind};
use kube::{
    Api,
    api::{ApiResource, DynamicObject, Patch, PatchParams, ValidationDirective},
    core::Status,
    discovery::{ApiCapabilities, Scope},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    KindRef, OrderRef,
    resolve::{Resolution, resolve},
    schema,
};

mod faults;

/// Under which name orders are written; fields of other managers are never taken over.
pub(crate) const FIELD_MANAGER: &str = "kdp-ai";

/// What the server says of a manifest.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct Validation {
    /// What is wrong; nothing when it can be ordered.
    pub faults: Vec<Fault>,
    /// The object as it would be stored, with defaults; without the data of a Secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object: Option<Value>,
}

/// One thing that is wrong with a manifest.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct Fault {
    /// Path of the field, such as `spec.storage`; empty when it is the manifest as a whole.
    pub field: String,
    /// Reason in one CamelCase word: Kubernetes' own, or `UnknownField`, `DuplicateField`, `UnknownKind`.
    pub reason: String,
    /// What is wrong, as a sentence.
    pub message: String,
    /// What to do about it, when that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fix: Option<String>,
}

impl Validation {
    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        self.faults.is_empty()
    }

    fn refused(faults: Vec<Fault>) -> Self {
        Self { faults, object: None }
    }
}

/// Says what would happen if `manifest` were ordered; changes nothing.
///
/// The server runs its whole admission (schema, CEL rules, policies, quota, rights) on a dry run
/// of a server-side apply with strict field validation.
///
/// # Errors
/// When the server cannot judge now, or does not know the caller. Everything that is wrong with
/// the manifest, a missing right included, is a [`Fault`] and no error.
pub async fn validate(client: &kube::Client, manifest: &Value) -> Result<Validation, Error> {
    match target(client, manifest).await? {
        Ok(target) => target.apply(client, manifest, Run::Dry).await,
        Err(faults) => Ok(Validation::refused(faults)),
    }
}

/// Whether an apply is for real.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Run {
    Dry,
    Real,
}

/// Where a manifest would be stored.
pub(crate) struct Target {
    pub(crate) order: OrderRef,
    resource: ApiResource,
    capabilities: ApiCapabilities,
}

/// Finds where `manifest` would be stored, or says why that cannot be told.
pub(crate) async fn target(client: &kube::Client, manifest: &Value) -> Result<Result<Target, Vec<Fault>>, Error> {
    let text = |pointer: &str| manifest.pointer(pointer).and_then(Value::as_str).filter(|text| !text.is_empty());
    let (Some(api_version), Some(kind), Some(name)) = (text("/apiVersion"), text("/kind"), text("/metadata/name"))
    else {
        return Ok(Err(faults::of_missing_identity(manifest)));
    };
    let kind = KindRef { api_version: api_version.into(), kind: kind.into() };
    match resolve(client, &kind).await? {
        Resolution::Unknown(near) => Ok(Err(vec![faults::of_unknown_kind(&kind, &near)])),
        Resolution::Served(resource, capabilities) => {
            let namespaced = capabilities.scope == Scope::Namespaced;
            let namespace = text("/metadata/namespace").unwrap_or_else(|| client.default_namespace());
            let order = OrderRef { kind, namespace: namespaced.then(|| namespace.into()), name: name.into() };
            Ok(Ok(Target { order, resource: *resource, capabilities }))
        }
    }
}

impl Target {
    /// Applies `manifest`, or only tries to; the object of the answer is what is stored then.
    pub(crate) async fn apply(&self, client: &kube::Client, manifest: &Value, run: Run) -> Result<Validation, Error> {
        let params = PatchParams {
            dry_run: run == Run::Dry,
            force: false,
            field_manager: Some(FIELD_MANAGER.into()),
            field_validation: Some(ValidationDirective::Strict),
        };
        match self.api(client).patch(&self.order.name, &params, &Patch::Apply(manifest)).await {
            Ok(object) => Ok(Validation { faults: Vec::new(), object: Some(self.presentable(&object)?) }),
            Err(kube::Error::Api(status)) if is_about_the_manifest(&status) => {
                Ok(Validation::refused(self.explain(client, &status).await))
            }
            Err(error) => Err(Error::from_kube("apply", &self.order, error)),
        }
    }

    pub(crate) fn api(&self, client: &kube::Client) -> Api<DynamicObject> {
        self.order.api(client, &self.resource)
    }

    fn is_secret(&self) -> bool {
        self.resource.group.is_empty() && self.resource.kind == "Secret"
    }

    fn presentable(&self, object: &DynamicObject) -> Result<Value, Error> {
        let mut object = serde_json::to_value(object).map_err(|error| {
            Error::new(ErrorKind::Internal, "read", &self.order, "the answer is no object").with_source(error)
        })?;
        if self.is_secret() {
            // Applying to a Secret answers with everything it holds, not only with what was sent.
            object.as_object_mut().map(|fields| (fields.remove("data"), fields.remove("stringData")));
        }
        if let Some(Value::Object(metadata)) = object.get_mut("metadata") {
            metadata.remove("managedFields");
        }
        Ok(object)
    }

    async fn explain(&self, client: &kube::Client, status: &Status) -> Vec<Fault> {
        let mut faults = faults::of_status(status);
        if self.is_secret() {
            faults.iter_mut().for_each(faults::withhold_value);
        }
        // Advice is better with the schema at hand, and still of use without.
        let schema = match schema::fetch(client, &self.order.kind).await {
            Ok(structural) => {
                let namespaced = self.capabilities.scope == Scope::Namespaced;
                Some(schema::of_manifest(&structural, &self.order.kind, namespaced))
            }
            Err(error) => {
                tracing::debug!(kind = %self.order.kind.kind, %error, "schema.unavailable");
                None
            }
        };
        for fault in &mut faults {
            fault.fix = faults::fix(fault, schema.as_ref());
        }
        faults
    }
}

/// Whether changing the manifest, or being given a right, can help.
fn is_about_the_manifest(status: &Status) -> bool {
    matches!(status.code, 400 | 403 | 404 | 409 | 413 | 422)
}

#[cfg(test)]
mod tests;
