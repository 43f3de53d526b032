#![allow(clippy::needless_pass_by_value, reason = "tables of `json!` values read better without references")]

use serde_json::json;

use super::*;
use crate::embedded::auth::StaticTokens;

fn identity() -> Identity {
    Identity { username: "alice".into(), groups: vec!["devs".into()], ..Identity::default() }
}

/// Lets alice get pods.
fn decide(identity: &Identity, attributes: &Attributes<'_>) -> Decision {
    match attributes {
        Attributes::Resource(asked)
            if identity.username == "alice" && (asked.verb, asked.resource) == ("get", "pods") =>
        {
            Decision::Allow("because".into())
        }
        _ => Decision::NoOpinion(String::new()),
    }
}

fn review(kind: &str, group: &str, spec: Value) -> Value {
    json!({ "apiVersion": format!("{group}/v1"), "kind": kind, "metadata": {}, "spec": spec })
}

fn access_review(kind: &str, spec: Value) -> Value {
    review(kind, "authorization.k8s.io", spec)
}

#[test]
fn a_subject_learns_who_it_is() {
    let body = json!({ "apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview" });
    let answer = self_subject_review(&body, &identity()).unwrap();
    assert_eq!(answer["status"], json!({ "userInfo": { "username": "alice", "groups": ["devs"] } }));
    assert_eq!((&answer["kind"], &answer["apiVersion"]), (&json!("SelfSubjectReview"), &body["apiVersion"]));
}

#[test]
fn a_subject_learns_what_it_may_do() {
    let check = |spec: Value, expected: Value| {
        let body = access_review("SelfSubjectAccessReview", spec.clone());
        let answer = self_subject_access_review(&body, &identity(), decide).unwrap();
        assert_eq!(answer["status"], expected);
        assert_eq!(answer["spec"], spec);
    };
    check(
        json!({ "resourceAttributes": { "verb": "get", "resource": "pods" } }),
        json!({ "allowed": true, "reason": "because" }),
    );
    check(json!({ "resourceAttributes": { "verb": "list", "resource": "pods" } }), json!({ "allowed": false }));
    check(json!({ "nonResourceAttributes": { "verb": "get", "path": "/x" } }), json!({ "allowed": false }));
}

#[test]
fn others_can_be_asked_about() {
    let pods = json!({ "verb": "get", "resource": "pods" });
    let ask = |user: &str| {
        let body = access_review("SubjectAccessReview", json!({ "user": user, "resourceAttributes": pods }));
        subject_access_review(&body, decide).unwrap()["status"]["allowed"] == true
    };
    assert!(ask("alice"));
    assert!(!ask("bob"));
}

#[test]
fn a_review_that_asks_no_clear_question_is_invalid() {
    let check = |spec: Value, expected: &str| {
        let error = subject_access_review(&access_review("SubjectAccessReview", spec), decide).unwrap_err();
        assert_eq!((error.code(), error.to_string().as_str()), (422, expected));
    };
    let pods = json!({ "verb": "get", "resource": "pods" });
    check(
        json!({ "user": "alice" }),
        "SubjectAccessReview.authorization.k8s.io \"\" is invalid: spec.resourceAttributes: Invalid value: null: \
         exactly one of nonResourceAttributes or resourceAttributes must be specified",
    );
    check(
        json!({ "user": "alice", "resourceAttributes": pods, "nonResourceAttributes": { "path": "/" } }),
        "SubjectAccessReview.authorization.k8s.io \"\" is invalid: spec.nonResourceAttributes: Invalid value: \
         {\"path\":\"/\"}: cannot be specified in combination with resourceAttributes",
    );
    check(
        json!({ "resourceAttributes": pods }),
        "SubjectAccessReview.authorization.k8s.io \"\" is invalid: spec.user: Invalid value: \"\": at least one of \
         user or group must be specified",
    );
    let mut named = access_review("SubjectAccessReview", json!({ "user": "alice", "resourceAttributes": pods }));
    named["metadata"]["name"] = "x".into();
    assert!(subject_access_review(&named, decide).unwrap_err().to_string().ends_with("must be empty"));
}

#[test]
fn what_is_no_review_is_a_bad_request() {
    let check = |body: Value| {
        let error = self_subject_access_review(&body, &identity(), decide).unwrap_err();
        assert_eq!(error.code(), 400, "{body}: {error}");
    };
    check(json!(null));
    check(access_review("SubjectAccessReview", json!({})));
    check(access_review("SelfSubjectAccessReview", json!({ "resourceAttributes": [] })));
}

#[test]
fn a_local_review_is_about_its_own_namespace() {
    let body = |namespace: &str, attributes: Value| {
        let mut body = access_review("LocalSubjectAccessReview", json!({ "user": "alice" }));
        body["metadata"]["namespace"] = namespace.into();
        body["spec"].as_object_mut().unwrap().extend(attributes.as_object().unwrap().clone());
        body
    };
    let check = |body: Value, expected: Result<bool, u16>| {
        let outcome = local_subject_access_review(&body, "team", decide);
        assert_eq!(outcome.map(|answer| answer["status"]["allowed"] == true).map_err(|error| error.code()), expected);
    };
    let pods = |namespace: &str| json!({ "resourceAttributes": { "verb": "get", "resource": "pods", "namespace": namespace } });
    check(body("team", pods("team")), Ok(true));
    check(body("", pods("team")), Ok(true));
    check(body("team", pods("other")), Err(422));
    check(body("team", pods("")), Err(422));
    check(body("other", pods("other")), Err(400));
    check(body("team", json!({ "nonResourceAttributes": { "verb": "get", "path": "/" } })), Err(422));
}

#[test]
fn rules_are_listed_by_resources_and_paths() {
    let rules =
        vec![Rule::resources(&["get"], &[""], &["pods"]).with_names(&["web"]), Rule::paths(&["get"], &["/version"])];
    let rules_for = |_: &Identity, namespace: &str| {
        assert_eq!(namespace, "team");
        (rules.clone(), vec!["role \"x\" not found".to_owned()])
    };
    let body = access_review("SelfSubjectRulesReview", json!({ "namespace": "team" }));
    let answer = self_subject_rules_review(&body, &identity(), rules_for).unwrap();
    let expected = json!({
        "resourceRules": [{ "verbs": ["get"], "apiGroups": [""], "resources": ["pods"], "resourceNames": ["web"] }],
        "nonResourceRules": [{ "verbs": ["get"], "nonResourceURLs": ["/version"] }],
        "incomplete": false,
        "evaluationError": "role \"x\" not found",
    });
    assert_eq!(answer["status"], expected);
    let nowhere = access_review("SelfSubjectRulesReview", json!({}));
    assert_eq!(self_subject_rules_review(&nowhere, &identity(), rules_for).unwrap_err().code(), 400);
}

#[tokio::test]
async fn a_token_is_reviewed() {
    let authenticator = Authenticator::new().with_tokens(StaticTokens::new().with_token("good", identity()));
    let ask = async |spec: Value| {
        token_review(&review("TokenReview", "authentication.k8s.io", spec), &authenticator, None).await
    };
    let answer = ask(json!({ "token": "good", "audiences": ["vault"] })).await.unwrap();
    let expected = json!({
        "authenticated": true,
        "audiences": ["vault"],
        "user": { "username": "alice", "groups": ["devs", "system:authenticated"] },
    });
    assert_eq!(answer["status"], expected);
    let answer = ask(json!({ "token": "bad" })).await.unwrap();
    assert_eq!(answer["status"], json!({ "error": "invalid bearer token" }));
    assert_eq!(ask(json!({ "token": "" })).await.unwrap_err().code(), 400);
}
