use std::sync::Arc;

use kdp_core::{
    SharedControlPlane,
    testing::{FakeResponse, FakeServer},
};
use serde_json::json;

use super::*;

fn structural(engine_default: &str) -> Value {
    json!({
        "type": "object",
        "properties": {"spec": {
            "type": "object", "required": ["storage"],
            "properties": {
                "engine": {"type": "string", "default": engine_default},
                "storage": {"type": "string", "pattern": "^[0-9]+Gi$", "description": "How much."},
            },
        }},
        "x-kubernetes-group-version-kind": [{"group": "db.example.com", "version": "v1", "kind": "Database"}],
    })
}

/// A provider whose schema says `provider`, and a workspace that serves one which says `workspace`.
fn server(is_bound: bool, may_get: bool) -> FakeServer {
    FakeServer::new(move |request| {
        let service = json!({
            "apiVersion": "core.kdp.k8c.io/v1alpha1", "kind": "Service",
            "metadata": {"name": "db.example.com", "annotations": {"kcp.io/cluster": "abc"}},
            "spec": {"apiGroup": "db.example.com", "catalogMetadata": {"title": "Databases", "description": "SQL"}},
        });
        let export = json!({
            "apiVersion": "apis.kcp.io/v1alpha2", "kind": "APIExport", "metadata": {"name": "db.example.com"},
            "spec": {"resources": [{"name": "databases", "group": "db.example.com", "schema": "v1.databases.db.example.com"}]},
        });
        let schema = json!({
            "apiVersion": "apis.kcp.io/v1alpha1", "kind": "APIResourceSchema",
            "metadata": {"name": "v1.databases.db.example.com"},
            "spec": {
                "group": "db.example.com", "scope": "Namespaced", "names": {"plural": "databases", "kind": "Database"},
                "versions": [
                    {"name": "v1beta1", "served": true, "storage": false, "schema": {}},
                    {"name": "v1", "served": true, "storage": true, "schema": structural("provider"),
                     "additionalPrinterColumns": [{"name": "Engine", "type": "string", "jsonPath": ".spec.engine"}]},
                ],
            },
        });
        match request.path.strip_prefix("/clusters/root:p").unwrap_or(&request.path) {
            "/apis/authorization.k8s.io/v1/subjectaccessreviews" => {
                let mut review = request.body.clone();
                review["status"] = json!({"allowed": review["spec"]["resourceAttributes"]["verb"] != "get" || may_get});
                FakeResponse::ok(&review)
            }
            "/apis/core.kdp.k8c.io/v1alpha1/services" => FakeResponse::list(&[service]),
            "/apis/core.kdp.k8c.io/v1alpha1/services/db.example.com" => FakeResponse::ok(&service),
            "/apis/apis.kcp.io/v1alpha2/apiexports" => FakeResponse::list(&[export]),
            "/apis/apis.kcp.io/v1alpha2/apiexports/db.example.com" => FakeResponse::ok(&export),
            "/apis/apis.kcp.io/v1alpha1/apiresourceschemas" => FakeResponse::list(&[schema]),
            "/apis/apis.kcp.io/v1alpha1/apiresourceschemas/v1.databases.db.example.com" => FakeResponse::ok(&schema),
            "/apis/apis.kcp.io/v1alpha2/apibindings" if !is_bound => FakeResponse::list(&[]),
            "/apis/apis.kcp.io/v1alpha2/apibindings" => FakeResponse::list(&[json!({
                "apiVersion": "apis.kcp.io/v1alpha2", "kind": "APIBinding", "metadata": {"name": "mine"},
                "spec": {"reference": {"export": {"path": "root:p", "name": "db.example.com"}}},
                "status": {"phase": "Bound", "boundResources": [
                    {"group": "db.example.com", "resource": "databases", "schema": {"name": "v1.databases.db.example.com"}},
                ]},
            })]),
            "/apis" => FakeResponse::ok(&json!({
                "kind": "APIGroupList", "apiVersion": "v1",
                "groups": [{"name": "db.example.com", "versions": [{"groupVersion": "db.example.com/v1", "version": "v1"}]}],
            })),
            "/apis/db.example.com/v1" => FakeResponse::ok(&json!({
                "kind": "APIResourceList", "groupVersion": "db.example.com/v1",
                "resources": [{"name": "databases", "singularName": "", "namespaced": true, "kind": "Database", "verbs": ["list"]}],
            })),
            "/openapi/v3/apis/db.example.com/v1" => {
                FakeResponse::ok(&json!({"components": {"schemas": {"Database": structural("workspace")}}}))
            }
            "/apis/db.example.com/v1/databases" => FakeResponse::ok(&json!({
                "kind": "Table", "apiVersion": "meta.k8s.io/v1", "rows": [],
                "columnDefinitions": [{"name": "Name", "type": "string", "priority": 0}, {"name": "Age", "type": "date", "priority": 0}],
            })),
            _ => FakeResponse::not_found(),
        }
    })
}

async fn described(server: &FakeServer, name: &str) -> Result<ServiceDescription, Error> {
    let control_plane: SharedControlPlane = Arc::new(server.clone());
    let catalog = Catalog::new(control_plane, ["root:p".parse().unwrap()]);
    describe(&server.client(), &catalog, &Identity::default(), name).await
}

#[tokio::test]
async fn a_service_that_is_not_bound_is_described_as_the_provider_offers_it() {
    let service = described(&server(false, true), "db.example.com").await.unwrap();
    assert_eq!((service.service.availability, service.description.as_str()), (Availability::Bindable, "SQL"));
    let [kind] = service.kinds.as_slice() else { panic!("one kind was expected") };
    assert_eq!((kind.source, kind.version.as_str(), kind.plural.as_str()), (SchemaSource::Provider, "v1", "databases"));
    assert_eq!(kind.example["spec"], json!({"engine": "provider", "storage": "1Gi"}));
    assert_eq!(
        kind.fields.iter().map(|f| f.path.as_str()).collect::<Vec<_>>(),
        ["spec", "spec.engine", "spec.storage"]
    );
    assert_eq!(kind.columns.as_ref().unwrap()[0].name, "Engine");
}

#[tokio::test]
async fn a_bound_service_is_described_as_the_workspace_serves_it_and_read_as_the_caller() {
    let server = server(true, true);
    let service = described(&server, "db.example.com").await.unwrap();
    assert_eq!(service.service.availability, Availability::Bound);
    let kind = &service.kinds[0];
    assert_eq!(kind.source, SchemaSource::Workspace);
    assert_eq!(kind.example["spec"]["engine"], "workspace");
    assert_eq!(kind.columns.as_ref().unwrap().iter().map(|c| c.name.as_str()).collect::<Vec<_>>(), ["Name", "Age"]);
    let openapi = server.requests().into_iter().find(|request| request.path.starts_with("/openapi")).unwrap();
    assert_eq!(openapi.identity, Identity::default());
}

#[tokio::test]
async fn what_is_bound_is_described_although_the_catalog_shows_only_its_name() {
    let service = described(&server(true, false), "db.example.com").await.unwrap();
    assert_eq!((service.description.as_str(), service.kinds[0].source), ("", SchemaSource::Workspace));
}

#[tokio::test]
async fn a_name_only_service_that_is_not_bound_is_not_described() {
    let error = described(&server(false, false), "db.example.com").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Forbidden);
}

#[tokio::test]
async fn a_binding_can_be_described_by_its_own_name() {
    let service = described(&server(true, true), "mine").await.unwrap();
    assert_eq!((service.service.name.as_str(), service.kinds[0].kind.as_str()), ("mine", "Database"));
}

#[tokio::test]
async fn an_unknown_name_is_answered_with_the_nearest() {
    let error = described(&server(false, true), "db.exampel.com").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert_eq!(error.message(), "there is no such service to be seen; did you mean db.example.com?");
}
