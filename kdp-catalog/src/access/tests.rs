use kdp_core::testing::{FakeResponse, FakeServer};
use serde_json::json;

use super::*;

#[test]
fn get_shows_all_catalog_shows_the_name_and_bind_alone_shows_nothing() {
    let check = |get, catalog, bind, expected| {
        assert_eq!(Access { get, catalog, bind }.visibility(), expected, "get {get}, catalog {catalog}, bind {bind}");
    };
    for bind in [false, true] {
        check(false, false, bind, Visibility::Hidden);
        check(false, true, bind, Visibility::NameAndLabels);
        check(true, false, bind, Visibility::Full);
        check(true, true, bind, Visibility::Full);
    }
}

#[tokio::test]
async fn each_right_is_asked_for_the_caller_with_everything_known_of_it() {
    let server = FakeServer::new(|request| {
        let mut review = request.body.clone();
        review["status"] = json!({"allowed": review["spec"]["resourceAttributes"]["verb"] == "bind"});
        FakeResponse::ok(&review)
    });
    let alice = Identity {
        username: "alice".into(),
        uid: Some("42".into()),
        groups: vec!["dev".into()],
        extra: [("scopes".to_owned(), vec!["a".to_owned()])].into(),
    };
    let access = Access::ask(&server.client(), &alice, "databases").await.unwrap();
    assert_eq!(access, Access { get: false, catalog: false, bind: true });

    let mut asked = Vec::new();
    for request in server.requests() {
        assert_eq!(request.line(), "POST /apis/authorization.k8s.io/v1/subjectaccessreviews");
        let spec = &request.body["spec"];
        assert_eq!(
            (&spec["user"], &spec["uid"], &spec["groups"], &spec["extra"]),
            (&json!("alice"), &json!("42"), &json!(["dev"]), &json!({"scopes": ["a"]}))
        );
        asked.push(spec["resourceAttributes"].clone());
    }
    let services =
        |verb| json!({"group": "core.kdp.k8c.io", "resource": "services", "name": "databases", "verb": verb});
    let bind = json!({"group": "apis.kcp.io", "resource": "apiexports", "name": "databases", "verb": "bind"});
    assert_eq!(asked, [services("get"), services("catalog"), bind]);
}

#[tokio::test]
async fn a_review_that_cannot_be_answered_is_an_error_and_not_a_refusal() {
    let server = FakeServer::new(|_| FakeResponse::status(500, "InternalError", "broken"));
    assert!(Access::ask(&server.client(), &Identity::default(), "databases").await.is_err());
}
