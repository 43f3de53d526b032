//! Kinds that are answered, not stored.

use kdp_core::Identity;
use serde_json::Value;

use super::Call;
use crate::embedded::{
    auth::{Attributes, localized, reviews},
    registry::Place,
    status::{Result, StatusError},
};

/// Whether the resource is a review.
pub(super) fn is_review(place: &Place) -> bool {
    matches!(&*place.served.resource.group, "authentication.k8s.io" | "authorization.k8s.io")
}

/// The review with its answer.
pub(super) async fn answer(call: &Call<'_>, place: &Place, review: &Value) -> Result<Value> {
    let grounds = call.server.registry.authorizer.all_grounds(&place.cluster).await?;
    let authorizer = grounds.authorizer();
    let decide = |identity: &Identity, attributes: &Attributes<'_>| authorizer.decide(identity, attributes);
    let decide_about = |identity: &Identity, attributes: &Attributes<'_>| {
        authorizer.decide(&localized(identity.clone(), &place.cluster), attributes)
    };
    match &*place.served.resource.kind {
        "SelfSubjectReview" => reviews::self_subject_review(review, &call.identity),
        "SelfSubjectAccessReview" => reviews::self_subject_access_review(review, &call.identity, decide),
        "SubjectAccessReview" => reviews::subject_access_review(review, decide_about),
        "LocalSubjectAccessReview" => {
            let namespace = place.namespace.as_deref().unwrap_or_default();
            reviews::local_subject_access_review(review, namespace, decide_about)
        }
        "SelfSubjectRulesReview" => {
            reviews::self_subject_rules_review(review, &call.identity, |identity, namespace| {
                authorizer.rules_for(identity, namespace)
            })
        }
        "TokenReview" => {
            let workspace = call.server.authenticator_of(place.cluster.clone());
            reviews::token_review(review, &call.server.authenticator, Some(&workspace)).await
        }
        _ => Err(StatusError::page_not_found()),
    }
}
