//! Exports and bindings in `v1alpha1`, which clients still speak.

use serde_json::{Value, json};

use super::stage::{APIS, Stage, answer};

const V1: &str = "/apis/apis.kcp.io/v1alpha1";

#[tokio::test]
async fn discovery_prefers_the_new_version_and_serves_both() {
    let stage = Stage::new().await;
    let group = stage.at("root:a").get("/apis/apis.kcp.io").await.done();
    assert_eq!(group["preferredVersion"]["version"], "v1alpha2");
    let names = |list: &Value| -> Vec<String> {
        let resources = list["resources"].as_array().unwrap().iter();
        resources.map(|r| r["name"].as_str().unwrap().to_owned()).filter(|name| !name.contains('/')).collect()
    };
    let mut old = names(&stage.at("root:a").get(V1).await.done());
    old.sort();
    assert_eq!(old, ["apibindings", "apiexportendpointslices", "apiexports", "apiresourceschemas"]);
}

#[tokio::test]
async fn an_export_is_written_in_one_version_and_read_in_the_other() {
    let stage = Stage::new().await;
    let provider = stage.at("root:provider");
    let export = json!({"apiVersion": "apis.kcp.io/v1alpha1", "kind": "APIExport", "metadata": {"name": "e"}, "spec": {
        "latestResourceSchemas": ["v1.widgets.w.example.com"], "maximalPermissionPolicy": {"local": {}},
        "permissionClaims": [{"group": "", "resource": "secrets", "all": true}, {"group": "", "resource": "configmaps", "resourceSelector": [{"name": "one"}]}],
    }});
    let mut dry = export.clone();
    dry["metadata"]["name"] = "dry".into();
    let dry = provider.post(&format!("{V1}/apiexports?dryRun=All"), dry).await.done();
    assert_eq!(
        (&dry["apiVersion"], &dry["spec"]["latestResourceSchemas"]),
        (&export["apiVersion"], &export["spec"]["latestResourceSchemas"])
    );
    let made = provider.post(&format!("{V1}/apiexports"), export.clone()).await.done();
    let read = provider.get(&format!("{V1}/apiexports/e")).await.done();
    assert_eq!(made, read);
    for field in ["latestResourceSchemas", "permissionClaims", "maximalPermissionPolicy"] {
        assert_eq!(read["spec"][field], export["spec"][field], "{field}");
    }
    let new = provider.get(&format!("{APIS}/apiexports/e")).await.done();
    assert_eq!(
        new["spec"]["resources"],
        json!([{
            "group": "w.example.com", "name": "widgets", "schema": "v1.widgets.w.example.com", "storage": {"crd": {}},
        }])
    );
    assert_eq!(
        new["spec"]["permissionClaims"],
        json!([
            {"group": "", "resource": "secrets", "verbs": ["*"]}, {"group": "", "resource": "configmaps", "verbs": ["*"]},
        ])
    );
    assert_eq!(new["spec"]["maximalPermissionPolicy"], json!({"local": {}}));
    assert_eq!(new["status"], read["status"]);
    let list = provider.get(&format!("{V1}/apiexports")).await.done();
    assert_eq!(list["items"], json!([read]));

    // What only the new version can say survives a change in the old one.
    let verbs = json!({"spec": {"permissionClaims": [{"group": "", "resource": "secrets", "verbs": ["get"]}]}});
    provider.merge(&format!("{APIS}/apiexports/e"), verbs).await.done();
    let schemas = json!({"spec": {"latestResourceSchemas": ["v2.widgets.w.example.com"]}});
    let patched = provider.merge(&format!("{V1}/apiexports/e"), schemas).await.done();
    assert_eq!(patched["spec"]["latestResourceSchemas"], json!(["v2.widgets.w.example.com"]));
    let new = provider.get(&format!("{APIS}/apiexports/e")).await.done();
    assert_eq!(new["spec"]["permissionClaims"][0]["verbs"], json!(["get"]));
    assert_eq!(new["spec"]["resources"][0]["schema"], "v2.widgets.w.example.com");
    assert_eq!(new["metadata"]["generation"], 3);

    let mut whole = provider.get(&format!("{V1}/apiexports/e")).await.done();
    assert_eq!(provider.put(&format!("{V1}/apiexports/e"), &whole).await.done(), whole, "nothing was changed");
    whole["spec"]["latestResourceSchemas"] = json!(["nodots"]);
    let refused = provider.put(&format!("{V1}/apiexports/e"), &whole).await;
    assert_eq!(refused.0, 422);
    assert!(refused.1.to_string().contains("spec.latestResourceSchemas[0]"), "{}", refused.1);
    let headers = [("accept", "application/json;as=Table;v=v1;g=meta.k8s.io,application/json")];
    let table = provider.send("GET", &format!("{V1}/apiexports"), &headers, &Value::Null).await.done();
    assert_eq!(table["rows"][0]["object"]["metadata"]["name"], "e");
    let mut watch = provider.watch(&format!("{V1}/apiexports?watch=true&resourceVersion=0")).await;
    let event = watch.object().await;
    assert_eq!(event["object"]["spec"]["latestResourceSchemas"], json!(["v2.widgets.w.example.com"]));
    assert_eq!(event["object"]["apiVersion"], "apis.kcp.io/v1alpha1");
}

#[tokio::test]
async fn server_side_apply_works_in_the_old_version() {
    let stage = Stage::new().await;
    let provider = stage.at("root:provider");
    let path = format!("{V1}/apiexports/e");
    let apply = |names: Value| json!({"apiVersion": "apis.kcp.io/v1alpha1", "kind": "APIExport", "metadata": {"name": "e"}, "spec": {"latestResourceSchemas": names}});
    provider.apply(&path, apply(json!(["v1.a.x.org", "v1.b.x.org"]))).await.done();
    let again = provider.apply(&path, apply(json!(["v1.a.x.org", "v1.b.x.org"]))).await.done();
    assert_eq!(again["metadata"]["generation"], 1);
    let fewer = provider.apply(&path, apply(json!(["v1.b.x.org"]))).await.done();
    assert_eq!(fewer["spec"]["latestResourceSchemas"], json!(["v1.b.x.org"]));
    let new = provider.get(&format!("{APIS}/apiexports/e")).await.done();
    assert_eq!(new["spec"]["resources"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_binding_in_the_old_version_grants_no_more_than_it_did() {
    let stage = Stage::new().await;
    stage.claim("secrets", json!(["get"])).await;
    let binding = json!({"apiVersion": "apis.kcp.io/v1alpha1", "kind": "APIBinding", "metadata": {"name": "claims"}, "spec": {
        "reference": {"export": {"path": "root:provider", "name": "claims"}},
        "permissionClaims": [{"group": "", "resource": "secrets", "all": true, "state": "Accepted"}],
    }});
    let a = stage.at("root:a");
    let path = format!("{V1}/apibindings/claims");
    let made = a.post(&format!("{V1}/apibindings"), binding.clone()).await.done();
    assert_eq!(made["status"]["phase"], "Bound");
    assert_eq!(
        made["status"]["appliedPermissionClaims"],
        json!([{"group": "", "resource": "secrets", "all": true, "identityHash": ""}])
    );
    let new = || async { a.get(&format!("{APIS}/apibindings/claims")).await.done() };
    assert_eq!(new().await["status"]["appliedPermissionClaims"][0]["verbs"], json!(["get"]));
    // A client that knows only the old version leaves out what it does not know.
    let mut bare = made.clone();
    bare["metadata"] =
        json!({"name": "claims", "resourceVersion": made["metadata"]["resourceVersion"], "labels": {"a": "b"}});
    a.put(&path, &bare).await.done();
    assert_eq!(new().await["status"]["appliedPermissionClaims"][0]["verbs"], json!(["get"]));
    assert_eq!(new().await["metadata"]["labels"]["a"], "b");
    let inside = stage.inside_a();
    assert_eq!(inside.get(super::stage::SECRETS).await.0, 403);

    // A selector cannot be widened by way of the old version.
    let narrow = json!([answer("secrets", json!({"matchLabels": {"x": "y"}}))]);
    stage.bind("root:b", "claims", narrow).await;
    let b = stage.at("root:b");
    let mut old = b.get(&path).await.done();
    old["metadata"].as_object_mut().unwrap().remove("annotations");
    assert_eq!(b.put(&path, &old).await.0, 422);
}
