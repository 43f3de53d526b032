//! Names that become free, schemas nobody uses, and where a provider finds its consumers.

use http::Request;
use serde_json::{Value, json};

use super::stage::{APIS, Stage};
use crate::support::{eventually, user};

const CRDS: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
const SLICES: &str = "/apis/apis.kcp.io/v1alpha1/apiexportendpointslices";

fn condition(object: &Value, type_: &str) -> (String, String) {
    let conditions = object["status"]["conditions"].as_array().unwrap();
    let found = conditions.iter().find(|condition| condition["type"] == *type_).unwrap();
    let text = |field: &str| found[field].as_str().unwrap_or_default().to_owned();
    (text("status"), text("reason"))
}

#[tokio::test]
async fn whoever_lost_a_name_gets_it_once_it_is_free() {
    let stage = Stage::new().await;
    stage.widgets("root:provider", "first", "example.com").await;
    let a = stage.at("root:a");
    let crd = crate::crud::widget_crd();
    let name = crd["metadata"]["name"].as_str().unwrap().to_owned();
    a.post(CRDS, crd.clone()).await.done();
    let bound = stage.bind("root:a", "first", json!([])).await;
    assert_eq!(condition(&bound, "InitialBindingCompleted"), ("False".into(), "NamingConflicts".into()));
    a.delete(&format!("{CRDS}/{name}")).await.done();
    let binding = format!("{APIS}/apibindings/first");
    eventually(async || a.get(&binding).await.done()["status"]["phase"] == "Bound").await;

    let lost = a.post(CRDS, crd).await.done();
    assert_eq!(condition(&lost, "Established").0, "False");
    a.delete(&binding).await.done();
    eventually(async || condition(&a.get(&format!("{CRDS}/{name}")).await.done(), "Established").0 == "True").await;
}

#[tokio::test]
async fn the_copy_of_a_schema_goes_with_its_last_binding() {
    let stage = Stage::new().await;
    stage.widgets("root:provider", "first", "w.example.com").await;
    let stored = async || stage.stored_below("system:bound-crds/").await;
    assert_eq!(stored().await, 0);
    for path in ["root:a", "root:b"] {
        stage.bind(path, "first", json!([])).await;
        assert_eq!(stored().await, 2, "the copy and its mark");
    }
    let binding = format!("{APIS}/apibindings/first");
    stage.at("root:a").delete(&binding).await.done();
    eventually(async || stage.at("root:a").get(&binding).await.0 == 404).await;
    assert_eq!(stored().await, 2);
    stage.at("root:b").delete(&binding).await.done();
    eventually(async || stored().await == 0).await;
    let again = stage.bind("root:a", "first", json!([])).await;
    assert_eq!(again["status"]["phase"], "Bound");
}

#[tokio::test]
async fn what_is_not_supported_is_refused_and_named() {
    let stage = Stage::new().await;
    let provider = stage.at("root:provider");
    let export = json!({"apiVersion": "apis.kcp.io/v1alpha2", "kind": "APIExport", "metadata": {"name": "e"}, "spec": {"resources": [
        {"name": "w", "group": "x.org", "schema": "v1.w.x.org", "storage": {"virtual": {"identityHash": "h", "reference": {"kind": "K", "name": "n"}}}},
    ]}});
    let refused = provider.post(&format!("{APIS}/apiexports"), export).await;
    assert_eq!(refused.0, 422);
    assert!(refused.1.to_string().contains("spec.resources[0].storage.virtual"), "{}", refused.1);
    let slice = json!({"apiVersion": "apis.kcp.io/v1alpha1", "kind": "APIExportEndpointSlice", "metadata": {"name": "s"},
        "spec": {"export": {"name": "e"}, "partition": "p"}});
    let refused = provider.post(SLICES, slice).await;
    assert_eq!(refused.0, 422);
    assert!(refused.1.to_string().contains("spec.partition"), "{}", refused.1);
}

#[tokio::test]
async fn every_slice_of_an_export_tells_where_it_is_served() {
    let stage = Stage::new().await;
    stage.claim("secrets", json!(["*"])).await;
    let slice = |name: &str, path: &str| {
        json!({"apiVersion": "apis.kcp.io/v1alpha1", "kind": "APIExportEndpointSlice", "metadata": {"name": name},
            "spec": {"export": {"path": path, "name": "claims"}}})
    };
    let (provider, b) = (stage.at("root:provider"), stage.at("root:b"));
    let made = provider.post(SLICES, slice("mine", "")).await.done();
    assert_eq!((&made["status"]["endpoints"], condition(&made, "APIExportValid").0), (&json!([]), "True".into()));
    b.post(SLICES, slice("by-path", "root:provider")).await.done();
    b.post(SLICES, slice("by-name", stage.provider.as_str())).await.done();
    let everywhere = async |count: usize| {
        for (party, name) in [(&provider, "claims"), (&provider, "mine"), (&b, "by-path"), (&b, "by-name")] {
            let slice = party.get(&format!("{SLICES}/{name}")).await.done();
            if slice["status"]["endpoints"].as_array().unwrap().len() != count {
                return false;
            }
        }
        true
    };
    stage.accept("root:a", json!({"matchAll": true})).await;
    eventually(async || everywhere(1).await).await;
    stage.at("root:a").delete(&format!("{APIS}/apibindings/claims")).await.done();
    eventually(async || everywhere(0).await).await;
    let moved = json!({"spec": {"export": {"name": "other"}}});
    assert_eq!(b.merge(&format!("{SLICES}/by-path"), moved).await.0, 422);
    provider.delete(&format!("{APIS}/apiexports/claims")).await.done();
    let invalid = async || condition(&b.get(&format!("{SLICES}/by-path")).await.done(), "APIExportValid");
    eventually(async || invalid().await == ("False".into(), "APIExportNotFound".into())).await;
}

#[tokio::test]
async fn a_slice_needs_the_right_to_bind_and_does_not_tell_what_exists() {
    let stage = Stage::new().await;
    stage.claim("secrets", json!(["*"])).await;
    let group = "rbac.authorization.k8s.io";
    let admin = json!({"apiVersion": format!("{group}/v1"), "kind": "ClusterRoleBinding", "metadata": {"name": "admin"},
        "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": [{"apiGroup": group, "kind": "User", "name": "alice"}]});
    stage.at("root:a").post(&format!("/apis/{group}/v1/clusterrolebindings"), admin).await.done();
    let alice = user(&stage.control_plane, "root:a", "alice");
    let refused = async |path: &str, kind: &str| {
        let (plural, spec) = match kind {
            "APIBinding" => {
                ("v1alpha2/apibindings", json!({"reference": {"export": {"path": path, "name": "claims"}}}))
            }
            _ => ("v1alpha1/apiexportendpointslices", json!({"export": {"path": path, "name": "claims"}})),
        };
        let version = plural.split('/').next().unwrap();
        let body = json!({"apiVersion": format!("apis.kcp.io/{version}"), "kind": kind, "metadata": {"name": "x"}, "spec": spec});
        let request = Request::post(format!("/apis/apis.kcp.io/{plural}")).header("content-type", "application/json");
        match alice.request_text(request.body(body.to_string().into_bytes()).unwrap()).await.unwrap_err() {
            kube::Error::Api(status) => (status.code, status.message.replace(path, "PATH")),
            other => panic!("{other}"),
        }
    };
    for kind in ["APIBinding", "APIExportEndpointSlice"] {
        let there = refused("root:provider", kind).await;
        assert_eq!(there.0, 403, "{}", there.1);
        for absent in ["root:nowhere", "root:b", "root:provider:deeper"] {
            assert_eq!(refused(absent, kind).await, there, "{kind} {absent}");
        }
    }
}
