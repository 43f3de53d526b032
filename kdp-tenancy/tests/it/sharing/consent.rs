//! Consent begins and ends at a moment, also for whoever looks at the past.

use serde_json::{Value, json};

use super::stage::{APIS, SECRETS, Stage, answer, secret};

const BINDING: &str = "/apis/apis.kcp.io/v1alpha2/apibindings/claims";

const INITIAL: &str = "resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true";

fn all() -> Value {
    json!({"matchAll": true})
}

#[tokio::test]
async fn the_past_from_before_consent_is_never_seen() {
    let stage = Stage::new().await;
    stage.claim("secrets", json!(["*"])).await;
    let a = stage.at("root:a");
    a.post(SECRETS, secret("old", json!({}))).await.done();
    let before = a.revision(SECRETS).await;
    a.merge(&format!("{SECRETS}/old"), json!({"stringData": {"k": "now"}})).await.done();
    a.post(SECRETS, secret("gone", json!({}))).await.done();
    let between = a.revision(SECRETS).await;
    a.delete(&format!("{SECRETS}/gone")).await.done();
    stage.accept("root:a", all()).await;
    let (inside, everywhere) = (stage.inside_a(), stage.everywhere());
    assert_eq!(everywhere.names("/api/v1/secrets").await, ["old"]);
    for revision in [&before, &between] {
        let exact = format!("resourceVersion={revision}&resourceVersionMatch=Exact");
        let token = forged_token(revision, stage.a.as_str());
        for query in [exact.clone(), format!("{exact}&limit=1"), format!("continue={token}")] {
            assert_eq!(inside.names(&format!("{SECRETS}?{query}")).await, [""; 0], "{query}");
            assert_eq!(everywhere.names(&format!("/api/v1/secrets?{query}")).await, [""; 0], "{query}");
        }
        // A watch from then on begins to tell when the consumer consented, of what there was by then.
        let query = format!("watch=true&resourceVersion={revision}");
        for mut events in [
            inside.watch(&format!("{SECRETS}?{query}")).await,
            everywhere.watch(&format!("/api/v1/secrets?{query}")).await,
        ] {
            let first = events.object().await;
            assert_eq!((&first["type"], &first["object"]["metadata"]["name"]), (&json!("ADDED"), &json!("old")));
            assert_eq!(first["object"]["data"]["k"], "bm93");
            a.merge(&format!("{SECRETS}/old"), json!({"metadata": {"labels": {"at": &revision}}})).await.done();
            assert_eq!(events.next().await, ("MODIFIED".to_owned(), "old".to_owned()));
            a.merge(&format!("{SECRETS}/old"), json!({"metadata": {"labels": {"at": null}}})).await.done();
        }
    }
}

/// What the server gives to a client that goes on with a list, with any revision in it.
fn forged_token(revision: &str, cluster: &str) -> String {
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
    let revision: u64 = revision.parse().unwrap();
    let token = json!({"v": "meta.k8s.io/v1", "rv": revision, "c": cluster, "start": ""});
    URL_SAFE_NO_PAD.encode(token.to_string())
}

#[tokio::test]
async fn what_is_taken_back_disappears_at_once() {
    let stage = Stage::new().await;
    stage.claim("secrets", json!(["*"])).await;
    let a = stage.at("root:a");
    a.post(SECRETS, secret("s", json!({}))).await.done();
    stage.accept("root:a", all()).await;
    let (inside, everywhere) = (stage.inside_a(), stage.everywhere());
    let revision = everywhere.revision("/api/v1/secrets").await;
    let from = format!("watch=true&resourceVersion={revision}");
    // Both tell of what is gone; a watch of this one workspace ends with the consent.
    let mut watches = [everywhere.watch(&format!("/api/v1/secrets?{from}")).await];
    let mut single = inside.watch(&format!("{SECRETS}?{from}")).await;
    let state = |state: &str| {
        let mut answer = answer("secrets", all());
        answer["state"] = state.into();
        json!({"spec": {"permissionClaims": [answer]}})
    };
    let rejected = a.merge(BINDING, state("Rejected")).await.done();
    assert_eq!(rejected["status"]["appliedPermissionClaims"], Value::Null);
    assert_eq!(everywhere.names("/api/v1/secrets").await, [""; 0]);
    assert_eq!(inside.get(SECRETS).await.0, 403);
    assert_eq!(inside.get(&format!("{SECRETS}/s")).await.0, 403);
    let exact = format!("/api/v1/secrets?resourceVersion={revision}&resourceVersionMatch=Exact");
    assert_eq!(everywhere.names(&exact).await, [""; 0], "neither now nor as it was");
    single.expect(&[("DELETED", "s")]).await;
    single.expect_end().await;
    a.merge(&format!("{SECRETS}/s"), json!({"stringData": {"k": "private"}})).await.done();
    a.post(SECRETS, secret("private", json!({}))).await.done();
    a.delete(&format!("{SECRETS}/private")).await.done();
    a.merge(BINDING, state("Accepted")).await.done();
    for watch in &mut watches {
        watch.expect(&[("DELETED", "s"), ("ADDED", "s")]).await;
    }
    let mut single = inside.watch(&format!("{SECRETS}?watch=true&sendInitialEvents=true&{}", INITIAL)).await;
    single.expect(&[("ADDED", "s"), ("BOOKMARK", "")]).await;
    a.delete(BINDING).await.done();
    for watch in watches.iter_mut().chain([&mut single]) {
        watch.expect(&[("DELETED", "s")]).await;
    }
    single.expect_end().await;
    crate::support::eventually(async || a.get(BINDING).await.0 == 404).await;
    assert_eq!(inside.get(SECRETS).await.0, 404);
}

#[tokio::test]
async fn a_provider_cannot_keep_a_consumer_from_taking_back_its_consent() {
    let stage = Stage::new().await;
    let claims = json!([{"group": "", "resource": "secrets", "verbs": ["*"]}]);
    stage.export("root:provider", "claims", json!([]), claims).await;
    stage.at("root:a").post(SECRETS, secret("s", json!({}))).await.done();
    stage.accept("root:a", all()).await;
    // The provider makes its export invalid.
    let broken = json!([{"name": "widgets", "group": "x.org", "schema": "v1.widgets.x.org", "storage": {"crd": {}}}]);
    let path = format!("{APIS}/apiexports/claims");
    stage.at("root:provider").merge(&path, json!({"spec": {"resources": broken}})).await.done();
    assert_eq!(stage.everywhere().names("/api/v1/secrets").await, ["s"]);
    let none = json!({"spec": {"permissionClaims": null}});
    stage.at("root:a").merge(BINDING, none).await.done();
    assert_eq!(stage.everywhere().names("/api/v1/secrets").await, [""; 0]);
}

#[tokio::test]
async fn a_claim_that_the_export_drops_is_no_longer_in_force() {
    let stage = Stage::new().await;
    stage.claim("secrets", json!(["*"])).await;
    stage.at("root:a").post(SECRETS, secret("s", json!({}))).await.done();
    stage.accept("root:a", all()).await;
    let path = format!("{APIS}/apiexports/claims");
    let narrow = json!({"spec": {"permissionClaims": [{"group": "", "resource": "secrets", "verbs": ["list"]}]}});
    stage.at("root:provider").merge(&path, narrow).await.done();
    crate::support::eventually(async || stage.inside_a().get(&format!("{SECRETS}/s")).await.0 == 403).await;
    assert_eq!(stage.inside_a().names(SECRETS).await, ["s"]);
}

#[tokio::test]
async fn a_selector_is_immutable_and_conditions_say_what_does_not_fit() {
    let stage = Stage::new().await;
    stage.claim("secrets", json!(["get", "list"])).await;
    let mut answers = json!([answer("secrets", all()), answer("configmaps", all())]);
    answers[0]["verbs"] = json!(["get"]);
    let bound = stage.bind("root:a", "claims", answers.clone()).await;
    let valid = |binding: &Value| {
        let conditions = binding["status"]["conditions"].as_array().unwrap();
        conditions.iter().find(|c| c["type"] == "PermissionClaimsValid").unwrap()["reason"].clone()
    };
    assert_eq!(valid(&bound), "InvalidPermissionClaims");
    assert_eq!(bound["status"]["phase"], "Bound");
    let a = stage.at("root:a");
    let patched = a.merge(BINDING, json!({"spec": {"permissionClaims": [answers[0]]}})).await.done();
    assert_eq!(valid(&patched), "PermissionClaimsMismatch");
    answers[0]["selector"] = json!({"matchLabels": {"a": "b"}});
    assert_eq!(a.merge(BINDING, json!({"spec": {"permissionClaims": [answers[0]]}})).await.0, 422);
    for broken in [json!({}), json!({"matchAll": true, "matchLabels": {"a": "b"}})] {
        let answers = json!({"spec": {"permissionClaims": [answer("secrets", broken)]}});
        assert_eq!(a.merge(BINDING, answers).await.0, 422);
    }
    let mut no_verbs = answer("secrets", all());
    no_verbs["verbs"] = json!([]);
    assert_eq!(a.merge(BINDING, json!({"spec": {"permissionClaims": [no_verbs]}})).await.0, 422);
}

#[tokio::test]
async fn taking_back_consent_needs_no_leave_of_the_provider() {
    let stage = Stage::new().await;
    stage.claim("secrets", json!(["*"])).await;
    stage.at("root:a").post(SECRETS, secret("s", json!({}))).await.done();
    stage.accept("root:a", all()).await;
    let group = "rbac.authorization.k8s.io";
    let admin = json!({"apiVersion": format!("{group}/v1"), "kind": "ClusterRoleBinding", "metadata": {"name": "admin"},
        "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": [{"apiGroup": group, "kind": "User", "name": "alice"}]});
    stage.at("root:a").post(&format!("/apis/{group}/v1/clusterrolebindings"), admin).await.done();
    let alice = stage.as_user("root:a", "alice");
    alice.merge(BINDING, json!({"spec": {"permissionClaims": null}})).await.done();
    assert_eq!(stage.everywhere().names("/api/v1/secrets").await, [""; 0]);
    let forged = json!({"status": {"appliedPermissionClaims": [answer("secrets", all())]}});
    assert_eq!(alice.merge(&format!("{BINDING}/status"), forged).await.0, 403);
}
