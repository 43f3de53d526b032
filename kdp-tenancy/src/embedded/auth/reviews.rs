//! The kinds that answer questions about identities and rights. None of them is ever stored.
//!
//! Each function takes the object a client posted and gives the object it gets back: the same, with
//! its status filled in.

#[cfg(test)]
mod tests;

use k8s_openapi::{
    api::{
        authentication::v1::{SelfSubjectReview, SelfSubjectReviewStatus, TokenReview, TokenReviewStatus, UserInfo},
        authorization::v1::{
            LocalSubjectAccessReview, NonResourceAttributes, NonResourceRule, ResourceAttributes as WireAttributes,
            ResourceRule, SelfSubjectAccessReview, SelfSubjectRulesReview, SubjectAccessReview,
            SubjectAccessReviewSpec, SubjectAccessReviewStatus, SubjectRulesReviewStatus,
        },
    },
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use kdp_core::Identity;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use super::{Attributes, Authenticator, Decision, ResourceAttributes, TokenAuthenticator, rbac::Rule};
use crate::embedded::status::{FieldError, Result, StatusError};

const AUTHORIZATION: &str = "authorization.k8s.io";

/// Answers a SelfSubjectReview: who am I?
///
/// # Errors
/// 400 when the object is malformed.
pub fn self_subject_review(body: &Value, identity: &Identity) -> Result<Value> {
    let mut review: SelfSubjectReview = decode(body, "SelfSubjectReview")?;
    review.status = Some(SelfSubjectReviewStatus { user_info: Some(user_info(identity)) });
    encode(&review)
}

/// Answers a SelfSubjectAccessReview: may I do this?
///
/// # Errors
/// 400 when the object is malformed, 422 when it asks no question, or two.
pub fn self_subject_access_review(
    body: &Value,
    identity: &Identity,
    decide: impl Fn(&Identity, &Attributes<'_>) -> Decision,
) -> Result<Value> {
    const KIND: &str = "SelfSubjectAccessReview";
    let mut review: SelfSubjectAccessReview = decode(body, KIND)?;
    let spec = &review.spec;
    let (question, mut errors) = question(spec.resource_attributes.as_ref(), spec.non_resource_attributes.as_ref());
    errors.extend(metadata_error(&review.metadata));
    let status = answer(KIND, question, errors, |attributes| decide(identity, attributes))?;
    review.status = Some(status);
    encode(&review)
}

/// Answers a SubjectAccessReview: may they do this?
///
/// # Errors
/// 400 when the object is malformed, 422 when it asks no question, two, or about nobody.
pub fn subject_access_review(body: &Value, decide: impl Fn(&Identity, &Attributes<'_>) -> Decision) -> Result<Value> {
    const KIND: &str = "SubjectAccessReview";
    let mut review: SubjectAccessReview = decode(body, KIND)?;
    let errors = metadata_error(&review.metadata).into_iter().collect();
    let status = answer_about(KIND, &review.spec, errors, decide)?;
    review.status = Some(status);
    encode(&review)
}

/// Answers a LocalSubjectAccessReview that was posted to `namespace`: may they do this there?
///
/// # Errors
/// 400 when the object is malformed or is meant for another namespace, 422 when it asks no
/// question, one about another namespace, or about nobody.
pub fn local_subject_access_review(
    body: &Value,
    namespace: &str,
    decide: impl Fn(&Identity, &Attributes<'_>) -> Decision,
) -> Result<Value> {
    const KIND: &str = "LocalSubjectAccessReview";
    let mut review: LocalSubjectAccessReview = decode(body, KIND)?;
    let own_namespace = review.metadata.namespace.take().unwrap_or_default();
    if !own_namespace.is_empty() && own_namespace != namespace {
        return Err(StatusError::bad_request(
            "the namespace of the provided object does not match the namespace sent on the request",
        ));
    }
    let mut errors = Vec::new();
    if let Some(error) = metadata_error(&review.metadata) {
        errors.push(FieldError { detail: "must be empty except for namespace".into(), ..error });
    }
    if let Some(attributes) = &review.spec.resource_attributes
        && attributes.namespace.as_deref().unwrap_or_default() != namespace
    {
        let value = attributes.namespace.clone().unwrap_or_default();
        errors.push(FieldError::invalid("spec.resourceAttributes.namespace", value, "must match metadata.namespace"));
    }
    if let Some(attributes) = &review.spec.non_resource_attributes {
        let value = json!(attributes);
        errors.push(FieldError::invalid("spec.nonResourceAttributes", value, "disallowed on this kind of request"));
    }
    let status = answer_about(KIND, &review.spec, errors, decide)?;
    review.metadata.namespace = Some(namespace.to_owned());
    review.status = Some(status);
    encode(&review)
}

/// Answers a SelfSubjectRulesReview: what may I do in this namespace?
///
/// `rules_for` gives the rules of an identity in a namespace, and what is wrong with the rest.
///
/// # Errors
/// 400 when the object is malformed or names no namespace.
pub fn self_subject_rules_review(
    body: &Value,
    identity: &Identity,
    rules_for: impl Fn(&Identity, &str) -> (Vec<Rule>, Vec<String>),
) -> Result<Value> {
    let mut review: SelfSubjectRulesReview = decode(body, "SelfSubjectRulesReview")?;
    let namespace = review.spec.namespace.as_deref().unwrap_or_default();
    if namespace.is_empty() {
        return Err(StatusError::bad_request("no namespace on request"));
    }
    let (rules, problems) = rules_for(identity, namespace);
    let mut status = SubjectRulesReviewStatus::default();
    for rule in rules {
        if !rule.resources.is_empty() {
            status.resource_rules.push(ResourceRule {
                verbs: rule.verbs.clone(),
                api_groups: Some(rule.api_groups),
                resources: Some(rule.resources),
                resource_names: Some(rule.resource_names).filter(|names| !names.is_empty()),
            });
        }
        if !rule.non_resource_urls.is_empty() {
            let paths = Some(rule.non_resource_urls);
            status.non_resource_rules.push(NonResourceRule { verbs: rule.verbs, non_resource_urls: paths });
        }
    }
    status.evaluation_error = (!problems.is_empty()).then(|| problems.join(", "));
    review.status = Some(status);
    encode(&review)
}

/// Answers a TokenReview: whose token is this? Cancel-safe.
///
/// `workspace` knows the tokens that only the workspace of the review accepts.
///
/// # Errors
/// 400 when the object is malformed or holds no token. That a token is not valid is an answer, not
/// an error.
pub async fn token_review(
    body: &Value,
    authenticator: &Authenticator,
    workspace: Option<&dyn TokenAuthenticator>,
) -> Result<Value> {
    let mut review: TokenReview = decode(body, "TokenReview")?;
    let token = review.spec.token.as_str();
    if token.is_empty() {
        return Err(StatusError::bad_request("token is required for TokenReview in authentication"));
    }
    let audiences = review.spec.audiences.as_deref().unwrap_or_default();
    review.status = Some(match authenticator.authenticate_token_with(token, audiences, workspace).await {
        Ok(found) => TokenReviewStatus {
            authenticated: Some(true),
            user: Some(user_info(&found.identity)),
            audiences: Some(found.audiences),
            ..TokenReviewStatus::default()
        },
        Err(error) => TokenReviewStatus { error: Some(error.to_string()), ..TokenReviewStatus::default() },
    });
    encode(&review)
}

/// What a review asks; `None`, with errors, when that is not one question.
fn question<'a>(
    resource: Option<&'a WireAttributes>,
    path: Option<&'a NonResourceAttributes>,
) -> (Option<Attributes<'a>>, Vec<FieldError>) {
    fn text(value: &Option<String>) -> &str {
        value.as_deref().unwrap_or_default()
    }
    match (resource, path) {
        (Some(resource), None) => {
            let attributes = Attributes::Resource(ResourceAttributes {
                verb: text(&resource.verb),
                group: text(&resource.group),
                resource: text(&resource.resource),
                subresource: text(&resource.subresource),
                name: text(&resource.name),
                namespace: text(&resource.namespace),
            });
            (Some(attributes), Vec::new())
        }
        (None, Some(path)) => (Some(Attributes::Path { verb: text(&path.verb), path: text(&path.path) }), Vec::new()),
        (Some(_), Some(path)) => {
            let detail = "cannot be specified in combination with resourceAttributes";
            (None, vec![FieldError::invalid("spec.nonResourceAttributes", json!(path), detail)])
        }
        (None, None) => {
            let detail = "exactly one of nonResourceAttributes or resourceAttributes must be specified";
            (None, vec![FieldError::invalid("spec.resourceAttributes", Value::Null, detail)])
        }
    }
}

fn answer(
    kind: &str,
    question: Option<Attributes<'_>>,
    errors: Vec<FieldError>,
    decide: impl FnOnce(&Attributes<'_>) -> Decision,
) -> Result<SubjectAccessReviewStatus> {
    let (Some(attributes), []) = (question, &errors[..]) else {
        return Err(StatusError::invalid(AUTHORIZATION, kind, "", errors));
    };
    let (allowed, reason) = match decide(&attributes) {
        Decision::Allow(reason) => (true, reason),
        Decision::NoOpinion(reason) => (false, reason),
    };
    let reason = (!reason.is_empty()).then_some(reason);
    Ok(SubjectAccessReviewStatus { allowed, reason, ..SubjectAccessReviewStatus::default() })
}

fn answer_about(
    kind: &str,
    spec: &SubjectAccessReviewSpec,
    mut errors: Vec<FieldError>,
    decide: impl Fn(&Identity, &Attributes<'_>) -> Decision,
) -> Result<SubjectAccessReviewStatus> {
    let (question, faults) = question(spec.resource_attributes.as_ref(), spec.non_resource_attributes.as_ref());
    errors.extend(faults);
    let identity = Identity {
        username: spec.user.clone().unwrap_or_default(),
        uid: spec.uid.clone(),
        groups: spec.groups.clone().unwrap_or_default(),
        extra: spec.extra.clone().unwrap_or_default(),
    };
    if identity.username.is_empty() && identity.groups.is_empty() {
        errors.push(FieldError::invalid("spec.user", "", "at least one of user or group must be specified"));
    }
    answer(kind, question, errors, |attributes| decide(&identity, attributes))
}

/// Reviews are not objects with a name; only what servers fill in by themselves may be there.
fn metadata_error(metadata: &ObjectMeta) -> Option<FieldError> {
    let rest = ObjectMeta { managed_fields: None, ..metadata.clone() };
    (rest != ObjectMeta::default()).then(|| FieldError::invalid("metadata", json!(rest), "must be empty"))
}

fn user_info(identity: &Identity) -> UserInfo {
    UserInfo {
        username: Some(identity.username.clone()),
        uid: identity.uid.clone(),
        groups: Some(identity.groups.clone()).filter(|groups| !groups.is_empty()),
        extra: Some(identity.extra.clone()).filter(|extra| !extra.is_empty()),
    }
}

fn decode<T: DeserializeOwned>(body: &Value, kind: &str) -> Result<T> {
    T::deserialize(body).map_err(|error| {
        StatusError::bad_request(format!("{kind} in version \"v1\" cannot be handled as a {kind}: {error}"))
    })
}

fn encode<T: Serialize>(review: &T) -> Result<Value> {
    serde_json::to_value(review).map_err(StatusError::internal)
}
