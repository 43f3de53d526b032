//! What an identity may do with a service, as RBAC in the provider's workspace says.

use k8s_openapi::api::authorization::v1::{ResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec};
use kdp_core::{Error, Identity};
use kube::{Api, api::PostParams};

/// How much of a service may be seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Visibility {
    Hidden,
    NameAndLabels,
    Full,
}

/// The answers of the provider's workspace about one identity and one service.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Access {
    /// Verb `get` on the Service.
    pub(crate) get: bool,
    /// Verb `catalog` on the Service.
    pub(crate) catalog: bool,
    /// Verb `bind` on the APIExport of the same name.
    pub(crate) bind: bool,
}

impl Access {
    /// Asks as the platform, with `system`, what `who` may do with the service `name`.
    pub(crate) async fn ask(system: &kube::Client, who: &Identity, name: &str) -> Result<Self, Error> {
        let services = ("core.kdp.k8c.io", "services");
        let exports = ("apis.kcp.io", "apiexports");
        let (get, catalog, bind) = futures::try_join!(
            is_allowed(system, who, "get", services, name),
            is_allowed(system, who, "catalog", services, name),
            is_allowed(system, who, "bind", exports, name),
        )?;
        Ok(Self { get, catalog, bind })
    }

    pub(crate) fn visibility(self) -> Visibility {
        match self {
            Self { get: true, .. } => Visibility::Full,
            Self { catalog: true, .. } => Visibility::NameAndLabels,
            // The right to bind alone does not show that the service exists.
            Self { .. } => Visibility::Hidden,
        }
    }
}

async fn is_allowed(
    system: &kube::Client,
    who: &Identity,
    verb: &str,
    (group, resource): (&str, &str),
    name: &str,
) -> Result<bool, Error> {
    let review = SubjectAccessReview {
        spec: SubjectAccessReviewSpec {
            user: Some(who.username.clone()),
            uid: who.uid.clone(),
            groups: Some(who.groups.clone()),
            extra: Some(who.extra.clone()),
            resource_attributes: Some(ResourceAttributes {
                verb: Some(verb.into()),
                group: Some(group.into()),
                resource: Some(resource.into()),
                name: Some(name.into()),
                ..ResourceAttributes::default()
            }),
            ..SubjectAccessReviewSpec::default()
        },
        ..SubjectAccessReview::default()
    };
    let answer = Api::<SubjectAccessReview>::all(system.clone())
        .create(&PostParams::default(), &review)
        .await
        .map_err(|error| Error::from_kube("review access to", format!("{resource} {name}"), error))?;
    Ok(answer.status.is_some_and(|status| status.allowed))
}

#[cfg(test)]
mod tests;
