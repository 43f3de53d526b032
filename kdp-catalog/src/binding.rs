//! Binds a service into a tenant's workspace, and takes it out again.

use std::{fmt, pin::pin, time::Duration};

use futures::StreamExt;
use kdp_core::{
    Error, ErrorKind,
    api::apis::{
        APIBinding, APIBindingSpec, AcceptablePermissionClaim, BindingReference, BoundResource, ClaimSelector,
        ExportReference, PermissionClaim,
    },
    condition::Condition,
};
use kube::{
    Api, ResourceExt,
    api::{ApiResource, DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams},
    runtime::watcher::watch_object,
};
use serde_json::json;

use crate::CatalogEntry;

const DEADLINE: Duration = Duration::from_secs(30);
/// Objects of one kind that are named when a binding is still in use.
const NAMED_OBJECTS: u32 = 20;

/// What a tenant says of the rights a service asks for in its workspace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClaimPolicy {
    /// The service gets every right it asks for.
    AcceptAll,
    /// The service gets none; parts of it, such as delivered credentials, may not work.
    RejectAll,
}

/// Binds `entry` into the workspace behind `tenant` and returns once its kinds can be used.
///
/// A binding of the same export that is already there is kept; only its answers to the claims are
/// brought in line with `claims`. Calling it again is harmless, also after a call that was dropped.
///
/// # Errors
/// `Forbidden` when the caller may not create APIBindings in its workspace or may not bind the
/// export; `Unavailable` when the binding is not complete within 30 s, naming the condition that
/// does not hold.
pub async fn bind(tenant: &kube::Client, entry: &CatalogEntry, claims: ClaimPolicy) -> Result<APIBinding, Error> {
    let api: Api<APIBinding> = Api::all(tenant.clone());
    let failed = |error| Error::from_kube("bind", &entry.name, error);
    let bindings = list(tenant).await?;
    let binding = match entry.binding_among(&bindings) {
        Some(binding) => match answered(&binding.spec.permission_claims, &entry.claims, claims) {
            Some(answers) => {
                let patch = json!({
                    "metadata": {"resourceVersion": binding.metadata.resource_version},
                    "spec": {"permissionClaims": answers},
                });
                api.patch(&binding.name_any(), &PatchParams::default(), &Patch::Merge(patch)).await.map_err(failed)?
            }
            None => binding.clone(),
        },
        None => {
            let new = new_binding(entry, claims, &bindings);
            match api.create(&PostParams::default(), &new).await {
                Ok(binding) => binding,
                // Somebody else is binding at this moment.
                Err(kube::Error::Api(status)) if status.is_already_exists() => {
                    let other = api.get(&new.name_any()).await.map_err(failed)?;
                    if !entry.export.is_bound_by(&other) {
                        let message = format!("the name {} was just taken by another binding", other.name_any());
                        return Err(Error::new(ErrorKind::Stale, "bind", &entry.name, message));
                    }
                    other
                }
                Err(error) => return Err(failed(error)),
            }
        }
    };
    wait_until_bound(api, entry, binding).await
}

/// The bindings of a workspace.
pub(crate) async fn list(tenant: &kube::Client) -> Result<Vec<APIBinding>, Error> {
    let list = Api::<APIBinding>::all(tenant.clone()).list(&ListParams::default()).await;
    list.map(|list| list.items).map_err(|error| Error::from_kube("list", "apibindings", error))
}

pub(crate) fn is_bound(binding: &APIBinding) -> bool {
    binding.metadata.deletion_timestamp.is_none()
        && binding.status.as_ref().is_some_and(|status| status.phase == "Bound")
}

fn new_binding(entry: &CatalogEntry, claims: ClaimPolicy, others: &[APIBinding]) -> APIBinding {
    let export = &entry.export;
    let taken = others.iter().any(|other| other.name_any() == export.name);
    // An export of the same name from another provider has the short name already.
    let name = if taken {
        format!("{}.{}", export.name, export.workspace.as_str().replace(':', "."))
    } else {
        export.name.clone()
    };
    let reference = ExportReference { path: export.workspace.to_string(), name: export.name.clone() };
    APIBinding::new(
        &name,
        APIBindingSpec {
            reference: BindingReference { export: reference },
            permission_claims: entry.claims.iter().map(|claim| answer(claim, claims)).collect(),
        },
    )
}

fn answer(claim: &PermissionClaim, policy: ClaimPolicy) -> AcceptablePermissionClaim {
    let state = match policy {
        ClaimPolicy::AcceptAll => "Accepted",
        ClaimPolicy::RejectAll => "Rejected",
    };
    AcceptablePermissionClaim {
        group: claim.group.clone(),
        resource: claim.resource.clone(),
        verbs: claim.verbs.clone(),
        identity_hash: claim.identity_hash.clone(),
        selector: ClaimSelector { match_all: true, ..ClaimSelector::default() },
        state: state.into(),
    }
}

/// The answers of a binding brought in line with `policy`; `None` when they are already.
///
/// Answers to claims the export does not make are kept, and so is the selector of an answer, which
/// is immutable.
fn answered(
    old: &[AcceptablePermissionClaim],
    claims: &[PermissionClaim],
    policy: ClaimPolicy,
) -> Option<Vec<AcceptablePermissionClaim>> {
    let mut answers = old.to_vec();
    for claim in claims {
        let new = answer(claim, policy);
        let is_same = |a: &&mut AcceptablePermissionClaim| {
            (&a.group, &a.resource, &a.identity_hash) == (&new.group, &new.resource, &new.identity_hash)
        };
        match answers.iter_mut().find(is_same) {
            Some(answer) => *answer = AcceptablePermissionClaim { selector: answer.selector.clone(), ..new },
            None => answers.push(new),
        }
    }
    (answers != old).then_some(answers)
}

async fn wait_until_bound(
    api: Api<APIBinding>,
    entry: &CatalogEntry,
    mut seen: APIBinding,
) -> Result<APIBinding, Error> {
    let unavailable = |message: String| Error::new(ErrorKind::Unavailable, "bind", &entry.name, message);
    let name = seen.name_any();
    let wait = async {
        let mut changes = pin!(watch_object(api, &name));
        loop {
            if is_bound(&seen) {
                return Ok(seen.clone());
            }
            if seen.metadata.deletion_timestamp.is_some() {
                return Err(unavailable("its binding is being deleted; bind again when it is gone".into()));
            }
            match changes.next().await {
                Some(Ok(Some(binding))) => seen = binding,
                Some(Ok(None)) => return Err(unavailable("its binding was deleted while it was waited for".into())),
                Some(Err(error)) => return Err(unavailable("its binding cannot be watched".into()).with_source(error)),
                None => return Err(unavailable("the watch on its binding ended".into())),
            }
        }
    };
    match tokio::time::timeout(DEADLINE, wait).await {
        Ok(result) => result,
        Err(_) => Err(unavailable(format!("not complete after {DEADLINE:?}: {}", obstacle(&seen)))),
    }
}

/// The condition that keeps a binding from being complete, in words.
fn obstacle(binding: &APIBinding) -> String {
    let conditions = binding.status.as_ref().map_or(&[][..], |status| &status.conditions);
    let failing = |severity: &str| {
        conditions
            .iter()
            .find(|c| c.status == "False" && c.type_ != "Ready" && (severity.is_empty() || c.severity == severity))
    };
    let summary = || conditions.iter().find(|c| !c.is_true());
    match failing("Error").or_else(|| failing("")).or_else(summary) {
        Some(Condition { type_, status, reason, message, .. }) => {
            format!("condition {type_} is {status} ({reason}): {message}")
        }
        None => "no condition says why".into(),
    }
}

/// What [`unbind`] does when objects of the bound kinds are left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WhenInUse {
    /// Changes nothing and names them.
    Refuse,
    /// Deletes them with the binding; what they stand for is released.
    DeleteObjects,
}

/// What became of a binding.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unbound {
    /// The binding is gone, or was never there.
    Gone,
    /// Nothing was changed because these objects are left.
    InUse(Vec<Remaining>),
    /// The binding goes once these objects have gone; they are being deleted.
    Draining(Vec<Remaining>),
}

/// Objects of one bound kind.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Remaining {
    /// API group.
    pub group: String,
    /// Plural resource name.
    pub resource: String,
    /// The first twenty, as `namespace/name`, or `name` for kinds without a namespace.
    pub objects: Vec<String>,
    /// Whether there are more than those named.
    pub more: bool,
}

impl fmt::Display for Remaining {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let more = if self.more { " and more" } else { "" };
        write!(f, "{}.{} {}{more}", self.resource, self.group, self.objects.join(", "))
    }
}

/// Takes the APIBinding `binding` out of the workspace behind `tenant`, and its kinds with it.
///
/// Objects created between the check and the deletion are deleted with the binding. Calling it
/// again is harmless.
///
/// # Errors
/// As the API server answers; `Unavailable` when the binding is still there after 30 s although no
/// object is left.
pub async fn unbind(tenant: &kube::Client, binding: &str, when_in_use: WhenInUse) -> Result<Unbound, Error> {
    let api: Api<APIBinding> = Api::all(tenant.clone());
    let failed = |error| Error::from_kube("unbind", binding, error);
    let Some(found) = api.get_opt(binding).await.map_err(failed)? else { return Ok(Unbound::Gone) };
    let bound = found.status.map(|status| status.bound_resources).unwrap_or_default();
    if when_in_use == WhenInUse::Refuse {
        let remaining = remaining(tenant, &bound).await?;
        if !remaining.is_empty() {
            return Ok(Unbound::InUse(remaining));
        }
    }
    match api.delete(binding, &DeleteParams::default()).await {
        Ok(_) => {}
        Err(kube::Error::Api(status)) if status.is_not_found() => return Ok(Unbound::Gone),
        Err(error) => return Err(failed(error)),
    }
    if is_gone_in_time(api, binding).await? {
        return Ok(Unbound::Gone);
    }
    match remaining(tenant, &bound).await? {
        remaining if remaining.is_empty() => Err(Error::new(
            ErrorKind::Unavailable,
            "unbind",
            binding,
            format!("it is still being deleted after {DEADLINE:?}, although no object is left"),
        )),
        remaining => Ok(Unbound::Draining(remaining)),
    }
}

async fn is_gone_in_time(api: Api<APIBinding>, binding: &str) -> Result<bool, Error> {
    let mut changes = pin!(watch_object(api, binding));
    let gone = async {
        while let Some(change) = changes.next().await {
            let cannot_watch = "it cannot be watched";
            let failed = |error| Error::new(ErrorKind::Unavailable, "unbind", binding, cannot_watch).with_source(error);
            if change.map_err(failed)?.is_none() {
                return Ok(());
            }
        }
        Err(Error::new(ErrorKind::Unavailable, "unbind", binding, "the watch on it ended"))
    };
    match tokio::time::timeout(DEADLINE, gone).await {
        Ok(result) => result.map(|()| true),
        Err(_) => Ok(false),
    }
}

async fn remaining(tenant: &kube::Client, bound: &[BoundResource]) -> Result<Vec<Remaining>, Error> {
    let mut found = Vec::new();
    for BoundResource { group, resource, .. } in bound {
        let failed = |error| Error::from_kube("list", format!("{resource}.{group}"), error);
        let Some(served) = served(tenant, group, resource).await.map_err(failed)? else { continue };
        let api: Api<DynamicObject> = Api::all_with(tenant.clone(), &served);
        let list = api.list_metadata(&ListParams::default().limit(NAMED_OBJECTS)).await.map_err(failed)?;
        if !list.items.is_empty() {
            let full_name = |object: &kube::core::PartialObjectMeta<DynamicObject>| match object.namespace() {
                Some(namespace) => format!("{namespace}/{}", object.name_any()),
                None => object.name_any(),
            };
            found.push(Remaining {
                group: group.clone(),
                resource: resource.clone(),
                objects: list.items.iter().map(full_name).collect(),
                more: list.metadata.continue_.is_some_and(|token| !token.is_empty()),
            });
        }
    }
    Ok(found)
}

/// How the workspace serves a bound resource; `None` when it no longer does, so that nothing is left of it.
async fn served(tenant: &kube::Client, group: &str, resource: &str) -> Result<Option<ApiResource>, kube::Error> {
    match kube::discovery::group(tenant, group).await {
        Ok(group) => {
            let mut resources = group.resources_by_stability().into_iter();
            Ok(resources.find(|(served, _)| served.plural == resource).map(|(served, _)| served))
        }
        Err(kube::Error::Discovery(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests;
