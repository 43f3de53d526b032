//! What the provider of an export sees of the workspaces that bind it.

use std::time::Duration;

use futures::TryStreamExt;
use k8s_openapi::api::core::v1::Secret;
use kdp_core::{
    ControlPlane, Endpoint, Identity,
    api::apis::{APIBinding, APIExport},
};
use kdp_tenancy::Embedded;
use kube::{
    Api, ResourceExt,
    api::{PostParams, WatchEvent, WatchParams},
};
use serde_json::json;

use crate::support::{system, workspace};

#[tokio::test]
async fn a_watch_on_claimed_objects_tells_of_those_that_were_there_before_the_claim_was_accepted() {
    let control_plane = Embedded::in_memory().await.unwrap();
    let provider = workspace(&control_plane, "root", "provider").await.spec.cluster.unwrap();
    workspace(&control_plane, "root", "a").await;
    let export = json!({
        "apiVersion": "apis.kcp.io/v1alpha2", "kind": "APIExport", "metadata": {"name": "e"},
        "spec": {"permissionClaims": [{"group": "", "resource": "secrets", "verbs": ["*"]}]},
    });
    let exports: Api<APIExport> = Api::all(system(&control_plane, "root:provider"));
    exports.create(&PostParams::default(), &serde_json::from_value(export).unwrap()).await.unwrap();
    let secrets: Api<Secret> = Api::namespaced(system(&control_plane, "root:a"), "default");
    let secret = json!({"metadata": {"name": "old"}});
    let old = secrets.create(&PostParams::default(), &serde_json::from_value(secret).unwrap()).await.unwrap();

    let endpoint = Endpoint::ApiExport { cluster: provider.parse().unwrap(), export: "e".into(), consumer: None };
    let all: Api<Secret> = Api::all(control_plane.client(&endpoint, &Identity::system_masters()).unwrap());
    let list = all.list(&Default::default()).await.unwrap();
    assert_eq!(list.items.len(), 0);
    let revision = list.metadata.resource_version.unwrap();
    let mut events = std::pin::pin!(all.watch(&WatchParams::default(), &revision).await.unwrap());

    let binding = json!({
        "apiVersion": "apis.kcp.io/v1alpha2", "kind": "APIBinding", "metadata": {"name": "e"},
        "spec": {
            "reference": {"export": {"path": "root:provider", "name": "e"}},
            "permissionClaims": [{"group": "", "resource": "secrets", "verbs": ["*"], "selector": {"matchAll": true}, "state": "Accepted"}],
        },
    });
    let bindings: Api<APIBinding> = Api::all(system(&control_plane, "root:a"));
    bindings.create(&PostParams::default(), &serde_json::from_value(binding).unwrap()).await.unwrap();
    let next = tokio::time::timeout(Duration::from_secs(10), events.try_next()).await.unwrap().unwrap();
    match next {
        Some(WatchEvent::Added(secret)) => {
            assert_eq!((secret.name_any(), secret.resource_version()), ("old".into(), old.resource_version()));
        }
        other => panic!("not the old Secret: {other:?}"),
    }
}
