//! A claim covers the objects it selects, and no way leads around that.

use serde_json::{Value, json};

use super::stage::{APIS, SECRETS, Stage, answer, secret};

fn mine() -> Value {
    json!({"matchLabels": {"mine": "yes"}})
}

/// A consumer with one Secret that is claimed and one that is not.
async fn stage() -> Stage {
    let stage = Stage::new().await;
    stage.claim("secrets", json!(["*"])).await;
    let a = stage.at("root:a");
    a.post(SECRETS, secret("hidden", json!({"mine": "no"}))).await.done();
    a.post(SECRETS, secret("shown", json!({"mine": "yes"}))).await.done();
    stage.accept("root:a", mine()).await;
    stage
}

#[tokio::test]
async fn no_read_shows_an_object_that_is_not_selected() {
    let stage = stage().await;
    let (inside, everywhere) = (stage.inside_a(), stage.everywhere());
    for query in [
        "",
        "?limit=1",
        "?labelSelector=mine%3Dno",
        "?labelSelector=mine!%3Dyes",
        "?fieldSelector=metadata.name%3Dhidden",
        "?fieldSelector=type%3DOpaque",
        "?resourceVersion=0",
    ] {
        for (party, path) in [(&inside, SECRETS), (&inside, "/api/v1/secrets"), (&everywhere, "/api/v1/secrets")] {
            let list = party.get(&format!("{path}{query}")).await.done();
            assert!(!list.to_string().contains("hidden"), "{path}{query}: {list}");
        }
    }
    for shape in ["Table", "PartialObjectMetadataList"] {
        let accept = format!("application/json;as={shape};v=v1;g=meta.k8s.io,application/json");
        let headers = [("accept", &*accept)];
        let list = inside.send("GET", SECRETS, &headers, &Value::Null).await.done();
        assert!(!list.to_string().contains("hidden") && list.to_string().contains("shown"), "{accept}: {list}");
        let one = inside.send("GET", &format!("{SECRETS}/hidden"), &headers, &Value::Null).await;
        assert_eq!(one.0, 404, "{accept}");
    }
    assert_eq!(inside.names(SECRETS).await, ["shown"]);
    assert_eq!(everywhere.names("/api/v1/secrets").await, ["shown"]);
    assert_eq!(inside.get(&format!("{SECRETS}/shown")).await.0, 200);
    let (hidden, absent) =
        (inside.get(&format!("{SECRETS}/hidden")).await, inside.get(&format!("{SECRETS}/absent")).await);
    assert_eq!((hidden.0, hidden.1.to_string().replace("hidden", "absent")), (absent.0, absent.1.to_string()));
}

#[tokio::test]
async fn no_write_reaches_an_object_that_is_not_selected() {
    let stage = stage().await;
    let (inside, a) = (stage.inside_a(), stage.at("root:a"));
    let path = format!("{SECRETS}/hidden");
    let before = a.get(&path).await.done();
    let mut taken = before.clone();
    taken["metadata"]["labels"] = json!({"mine": "yes"});
    assert_eq!(inside.put(&path, &taken).await.0, 404);
    assert_eq!(inside.merge(&path, json!({"metadata": {"labels": {"mine": "yes"}}})).await.0, 404);
    let json_patch = json!([{"op": "add", "path": "/metadata/labels/mine", "value": "yes"}]);
    let headers = [("content-type", "application/json-patch+json")];
    assert_eq!(inside.send("PATCH", &path, &headers, &json_patch).await.0, 404);
    let strategic = [("content-type", "application/strategic-merge-patch+json")];
    assert_eq!(inside.send("PATCH", &path, &strategic, &json!({"metadata": {"labels": {"mine": "yes"}}})).await.0, 404);
    let applied = inside.apply(&path, secret("hidden", json!({"mine": "yes"}))).await;
    assert!(matches!(applied.0, 404 | 409), "{applied:?}");
    assert_eq!(inside.delete(&path).await.0, 404);
    assert_eq!(inside.delete(&format!("{path}?dryRun=All")).await.0, 404);
    assert_eq!(inside.delete(&format!("{SECRETS}?labelSelector=mine%3Dno")).await.done()["items"], json!([]));
    assert_eq!(inside.post(SECRETS, secret("hidden", json!({}))).await.0, 409);
    assert_eq!(a.get(&path).await.done(), before);
    let deleted = inside.delete(SECRETS).await.done();
    assert_eq!(deleted["items"].as_array().unwrap().len(), 1);
    assert_eq!(a.names(SECRETS).await, ["hidden"]);
}

#[tokio::test]
async fn what_a_provider_writes_stays_in_its_sight() {
    let stage = stage().await;
    let (inside, a) = (stage.inside_a(), stage.at("root:a"));
    let made = inside.post(SECRETS, secret("new", json!({"x": "y"}))).await.done();
    assert_eq!(made["metadata"]["labels"], json!({"mine": "yes", "x": "y"}));
    let applied = inside.apply(&format!("{SECRETS}/applied"), secret("applied", json!({}))).await.done();
    assert_eq!(applied["metadata"]["labels"], json!({"mine": "yes"}));
    assert_eq!(inside.post(SECRETS, secret("other", json!({"mine": "no"}))).await.0, 403);
    for path in [format!("{SECRETS}/new"), format!("{SECRETS}/shown")] {
        assert_eq!(inside.merge(&path, json!({"metadata": {"labels": {"mine": "no"}}})).await.0, 403);
        let kept = inside.merge(&path, json!({"metadata": {"labels": {"mine": null}}})).await.done();
        assert_eq!(kept["metadata"]["labels"]["mine"], "yes");
    }
    assert_eq!(a.get(&format!("{SECRETS}/other")).await.0, 404);
}

#[tokio::test]
async fn a_watch_tells_of_objects_as_they_come_into_sight_and_go_out_of_it() {
    let stage = stage().await;
    let a = stage.at("root:a");
    let revision = stage.everywhere().revision("/api/v1/secrets").await;
    let mut watches = vec![
        stage.inside_a().watch(&format!("{SECRETS}?watch=true&resourceVersion={revision}")).await,
        stage.everywhere().watch(&format!("/api/v1/secrets?watch=true&resourceVersion={revision}")).await,
        stage.everywhere().watch(&format!("{SECRETS}?watch=true&resourceVersion={revision}")).await,
    ];
    let label = |value: &str| json!({"metadata": {"labels": {"mine": value}}});
    a.merge(&format!("{SECRETS}/hidden"), json!({"stringData": {"k": "changed"}})).await.done();
    a.merge(&format!("{SECRETS}/hidden"), label("yes")).await.done();
    a.merge(&format!("{SECRETS}/hidden"), json!({"stringData": {"k": "again"}})).await.done();
    a.merge(&format!("{SECRETS}/hidden"), label("no")).await.done();
    a.delete(&format!("{SECRETS}/hidden")).await.done();
    a.delete(&format!("{SECRETS}/shown")).await.done();
    for watch in &mut watches {
        watch.expect(&[("ADDED", "hidden"), ("MODIFIED", "hidden"), ("DELETED", "hidden"), ("DELETED", "shown")]).await;
    }
}

#[tokio::test]
async fn a_right_to_patch_is_no_right_to_create() {
    let stage = Stage::new().await;
    stage.claim("secrets", json!(["get", "patch"])).await;
    stage.at("root:a").post(SECRETS, secret("there", json!({}))).await.done();
    stage.accept("root:a", json!({"matchAll": true})).await;
    let inside = stage.inside_a();
    assert_eq!(inside.apply(&format!("{SECRETS}/new"), secret("new", json!({}))).await.0, 404);
    inside.apply(&format!("{SECRETS}/there"), secret("there", json!({"seen": "yes"}))).await.done();
    for (method, path) in
        [("GET", SECRETS), ("DELETE", "/api/v1/namespaces/default/secrets/there"), ("DELETE", SECRETS)]
    {
        assert_eq!(inside.send(method, path, &[], &Value::Null).await.0, 403, "{method} {path}");
    }
    assert_eq!(stage.everywhere().names("/api/v1/secrets").await, [""; 0]);
}

#[tokio::test]
async fn marks_of_kcp_on_an_object_are_no_consent() {
    let stage = stage().await;
    let a = stage.at("root:a");
    let label = "claimed.internal.apis.kcp.io/2xNlLRhU8TNeKqeLsCHzSzVPcVcyaCUU1qqbbo";
    let forged = json!({label: "3QVjs6pfBjMpLEVYYhysJnroYGsQGlWm05E4qe", "mine": "no"});
    let made = a.post(SECRETS, secret("forged", forged)).await.done();
    assert_eq!(made["metadata"]["labels"], json!({"mine": "no"}));
    let patched = a.merge(&format!("{SECRETS}/hidden"), json!({"metadata": {"labels": {label: "x"}}})).await.done();
    assert_eq!(patched["metadata"]["labels"], json!({"mine": "no"}));
    let annotations = json!({"metadata": {"annotations": {"kcp.io/cluster": stage.b.as_str()}}});
    let patched = a.merge(&format!("{SECRETS}/shown"), annotations).await.done();
    assert_eq!(patched["metadata"]["annotations"]["kcp.io/cluster"], stage.a.as_str());
    assert_eq!(stage.everywhere().names("/api/v1/secrets").await, ["shown"]);
}

#[tokio::test]
async fn an_identity_opens_only_what_is_bound_under_it() {
    let stage = Stage::new().await;
    let group = "w.example.com";
    let first = stage.widgets("root:provider", "first", group).await;
    // Somebody else offers a resource of the same name, and knows the identity of that one only.
    let other = stage.widgets("root:b", "first", group).await;
    assert_ne!(first, other);
    let claim =
        |identity: &str| json!([{"group": group, "resource": "widgets", "verbs": ["*"], "identityHash": identity}]);
    let accepted = |identity: &str| {
        json!([{"group": group, "resource": "widgets", "verbs": ["*"], "identityHash": identity,
            "selector": {"matchAll": true}, "state": "Accepted"}])
    };
    stage.bind("root:a", "first", json!([])).await;
    let widgets = format!("/apis/{group}/v1/namespaces/default/widgets");
    let widget = json!({"apiVersion": format!("{group}/v1"), "kind": "Widget", "metadata": {"name": "w"}});
    stage.at("root:a").post(&widgets, widget).await.done();
    let all = format!("/apis/{group}/v1/widgets");
    let unknown = "0".repeat(64);
    for (name, identity, opens) in [("right", &first, true), ("other", &other, false), ("unknown", &unknown, false)] {
        stage.export("root:provider", name, json!([]), claim(identity)).await;
        stage.bind("root:a", name, accepted(identity)).await;
        let seen = stage.through(&stage.provider, name, None).get(&all).await;
        let inside = stage.through(&stage.provider, name, Some(&stage.a));
        if opens {
            assert_eq!(seen.done()["items"].as_array().unwrap().len(), 1);
            assert_eq!(inside.names(&widgets).await, ["w"]);
        } else {
            assert!(seen.0 == 404 || seen.1["items"] == json!([]), "{name}: {seen:?}");
            for path in [widgets.clone(), format!("{widgets}/w"), all.clone()] {
                assert!(matches!(inside.get(&path).await.0, 403 | 404), "{name} {path}");
                assert!(matches!(inside.delete(&path).await.0, 403..=405), "{name} {path}");
            }
        }
    }
    let without = json!({"apiVersion": "apis.kcp.io/v1alpha2", "kind": "APIExport", "metadata": {"name": "none"},
        "spec": {"permissionClaims": [{"group": group, "resource": "widgets", "verbs": ["*"]}]}});
    assert_eq!(stage.at("root:provider").post(&format!("{APIS}/apiexports"), without).await.0, 422);

    // The claim is not on whatever comes to the same names later.
    let everywhere = stage.through(&stage.provider, "right", None);
    let revision = everywhere.revision(&all).await;
    let mut events = everywhere.watch(&format!("{all}?watch=true&resourceVersion={revision}")).await;
    let a = stage.at("root:a");
    a.delete(&format!("{APIS}/apibindings/first")).await.done();
    crate::support::eventually(async || a.get(&format!("{APIS}/apibindings/first")).await.0 == 404).await;
    let again = json!({"apiVersion": "apis.kcp.io/v1alpha2", "kind": "APIBinding", "metadata": {"name": "again"},
        "spec": {"reference": {"export": {"path": "root:b", "name": "first"}}}});
    assert_eq!(a.post(&format!("{APIS}/apibindings"), again).await.done()["status"]["phase"], "Bound");
    for name in ["v", "w"] {
        let widget = json!({"apiVersion": format!("{group}/v1"), "kind": "Widget", "metadata": {"name": name}});
        a.post(&widgets, widget).await.done();
    }
    assert_eq!(everywhere.names(&all).await, [""; 0]);
    assert!(matches!(stage.through(&stage.provider, "right", Some(&stage.a)).get(&all).await.0, 403 | 404));
    let past = format!("{all}?resourceVersion={revision}&resourceVersionMatch=Exact");
    assert_eq!(everywhere.names(&past).await, [""; 0]);
    a.delete(&format!("{APIS}/apibindings/again")).await.done();
    crate::support::eventually(async || a.get(&format!("{APIS}/apibindings/again")).await.0 == 404).await;
    stage.bind("root:a", "first", json!([])).await;
    let widget = json!({"apiVersion": format!("{group}/v1"), "kind": "Widget", "metadata": {"name": "last"}});
    a.post(&widgets, widget).await.done();
    events.expect(&[("DELETED", "w"), ("ADDED", "last")]).await;
}

#[tokio::test]
async fn bindings_are_always_seen_but_only_those_to_the_export() {
    let stage = Stage::new().await;
    stage.claim("secrets", json!(["*"])).await;
    stage.widgets("root:provider", "first", "w.example.com").await;
    stage.bind("root:a", "claims", json!([])).await;
    stage.bind("root:a", "first", json!([])).await;
    let bindings = format!("{APIS}/apibindings");
    let (inside, everywhere) = (stage.inside_a(), stage.everywhere());
    for path in [bindings.clone(), "/apis/apis.kcp.io/v1alpha1/apibindings".into()] {
        assert_eq!(everywhere.names(&path).await, ["claims"]);
        assert_eq!(inside.names(&path).await, ["claims"]);
        assert_eq!(inside.get(&format!("{path}/claims")).await.0, 200);
        assert_eq!(inside.get(&format!("{path}/first")).await.0, 404);
    }
    assert_eq!(inside.delete(&format!("{bindings}/claims")).await.0, 403);
    assert_eq!(inside.merge(&format!("{bindings}/claims"), json!({"metadata": {"labels": {"a": "b"}}})).await.0, 403);
    assert_eq!(inside.get(&format!("{bindings}/claims/status")).await.0, 403);
    let revision = everywhere.revision(&bindings).await;
    let mut events = everywhere.watch(&format!("{bindings}?watch=true&resourceVersion={revision}")).await;
    stage.bind("root:b", "first", json!([])).await;
    stage.bind("root:b", "claims", json!([])).await;
    events.expect(&[("ADDED", "claims")]).await;
}

#[tokio::test]
async fn kinds_of_kcp_can_be_claimed() {
    let stage = Stage::new().await;
    let claim = json!([{"group": "apis.kcp.io", "resource": "apibindings", "verbs": ["get", "list"]}]);
    stage.export("root:provider", "claims", json!([]), claim).await;
    stage.widgets("root:provider", "first", "w.example.com").await;
    stage.bind("root:a", "first", json!([])).await;
    let mut answer = answer("apibindings", json!({"matchAll": true}));
    answer["group"] = "apis.kcp.io".into();
    stage.bind("root:a", "claims", json!([answer])).await;
    let bindings = format!("{APIS}/apibindings");
    assert_eq!(stage.inside_a().names(&bindings).await, ["claims", "first"]);
    assert_eq!(stage.everywhere().names(&bindings).await, ["claims", "first"]);
    assert_eq!(stage.inside_a().delete(&format!("{bindings}/first")).await.0, 403);
}

#[tokio::test]
async fn a_watch_everywhere_goes_on_where_a_list_ended() {
    let stage = stage().await;
    let path = "/api/v1/secrets";
    for (party, expected) in [(stage.all_workspaces(), vec!["new", "other"]), (stage.everywhere(), vec!["new"])] {
        let revision = party.revision(path).await;
        for (at, name) in [("root:a", "new"), ("root:b", "other")] {
            stage.at(at).post(SECRETS, secret(name, json!({"mine": "yes"}))).await.done();
            stage
                .at(at)
                .post(
                    &SECRETS.replace("secrets", "configmaps"),
                    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}}),
                )
                .await;
        }
        let mut events = party.watch(&format!("{path}?watch=true&resourceVersion={revision}")).await;
        let mut initial = party
            .watch(&format!(
                "{path}?watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true"
            ))
            .await;
        for name in &expected {
            events.expect(&[("ADDED", name)]).await;
        }
        let mut told = Vec::new();
        let bookmark = loop {
            let event = initial.object().await;
            if event["type"] == "BOOKMARK" {
                break event;
            }
            told.push(event["object"]["metadata"]["name"].as_str().unwrap().to_owned());
        };
        assert_eq!(told, party.names(path).await);
        assert_eq!(bookmark["object"]["metadata"]["annotations"]["k8s.io/initial-events-end"], "true");
        for at in ["root:a", "root:b"] {
            stage.at(at).delete(SECRETS).await.done();
        }
        stage.at("root:a").post(SECRETS, secret("shown", json!({"mine": "yes"}))).await.done();
        let next = initial.next().await;
        assert_eq!(next.0, "DELETED");
    }
}

#[tokio::test]
async fn a_claim_on_service_accounts_gives_nobody_their_tokens() {
    let stage = Stage::new().await;
    stage.claim("serviceaccounts", json!(["*"])).await;
    for selector in [json!({"matchAll": true}), mine()] {
        stage.at("root:a").delete(&format!("{APIS}/apibindings/claims")).await;
        crate::support::eventually(async || stage.at("root:a").names(&format!("{APIS}/apibindings")).await.is_empty())
            .await;
        stage.bind("root:a", "claims", json!([answer("serviceaccounts", selector)])).await;
        let request = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}});
        let token = "/api/v1/namespaces/default/serviceaccounts/default/token";
        assert_eq!(stage.inside_a().post(token, request).await.0, 404);
    }
}

#[tokio::test]
async fn a_claim_on_some_secrets_makes_nobody_a_service_account() {
    let stage = stage().await;
    let mut grab = secret("grab", json!({"mine": "yes"}));
    grab["type"] = json!("kubernetes.io/service-account-token");
    grab["metadata"]["annotations"] = json!({"kubernetes.io/service-account.name": "default"});
    let path = format!("{SECRETS}/grab");
    assert_eq!(stage.inside_a().post(SECRETS, grab.clone()).await.0, 403);
    assert_eq!(stage.inside_a().apply(&path, grab.clone()).await.0, 403);
    // The consumer itself may.
    stage.at("root:a").post(SECRETS, grab).await.done();
}
