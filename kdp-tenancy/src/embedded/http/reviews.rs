//! Kinds that are answered, not stored.

use kdp_core::Identity;
use serde_json::Value;

use super::Call;
use crate::embedded::{
    auth::{Attributes, WorkspaceAuthorizer, reviews},
    registry::Place,
    status::{Result, StatusError},
};

/// Whether the resource is a review.
pub(super) fn is_review(place: &Place) -> bool {
    matches!(&*place.served.resource.group, "authentication.k8s.io" | "authorization.k8s.io")
}

/// The review with its answer.
pub(super) async fn answer(call: &Call<'_>, place: &Place, review: &Value) -> Result<Value> {
    let policy = call.server.registry.index.policy(&place.cluster).await?;
    let authorizer = WorkspaceAuthorizer::new(&place.cluster, policy.as_deref());
    let decide = |identity: &Identity, attributes: &Attributes<'_>| authorizer.decide(identity, attributes);
    match &*place.served.resource.kind {
        "SelfSubjectReview" => reviews::self_subject_review(review, &call.identity),
        "SelfSubjectAccessReview" => reviews::self_subject_access_review(review, &call.identity, decide),
        "SubjectAccessReview" => reviews::subject_access_review(review, decide),
        "LocalSubjectAccessReview" => {
            let namespace = place.namespace.as_deref().unwrap_or_default();
            reviews::local_subject_access_review(review, namespace, decide)
        }
        "SelfSubjectRulesReview" => {
            reviews::self_subject_rules_review(review, &call.identity, |identity, namespace| {
                authorizer.rules_for(identity, namespace)
            })
        }
        "TokenReview" => reviews::token_review(review, &call.server.authenticator).await,
        _ => Err(StatusError::page_not_found()),
    }
}
