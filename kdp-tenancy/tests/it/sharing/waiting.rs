//! Bindings wait for their own export, wherever it is still missing.

use serde_json::json;

use super::stage::{APIS, Stage};
use crate::support::{eventually, workspace};

#[tokio::test]
async fn a_binding_to_where_nothing_is_yet_is_bound_as_soon_as_there_is() {
    let stage = Stage::new().await;
    let later = workspace(&stage.control_plane, "root", "later").await;
    let relative = format!("{}:below", later.spec.cluster.unwrap());
    for (consumer, path) in [("root:a", "root:later:below"), ("root:b", &relative)] {
        let binding = json!({"apiVersion": "apis.kcp.io/v1alpha2", "kind": "APIBinding", "metadata": {"name": "b"},
            "spec": {"reference": {"export": {"path": path, "name": "things"}}}});
        let made = stage.at(consumer).post(&format!("{APIS}/apibindings"), binding).await.done();
        assert_eq!(made["status"]["phase"], "Binding");
    }
    workspace(&stage.control_plane, "root:later", "below").await;
    stage.widgets("root:later:below", "other", "y.org").await;
    stage.widgets("root:later:below", "things", "x.org").await;
    for consumer in ["root:a", "root:b"] {
        let bound = async || {
            let binding = stage.at(consumer).get(&format!("{APIS}/apibindings/b")).await.done();
            binding["status"]["phase"] == "Bound"
        };
        eventually(bound).await;
    }
}

#[tokio::test]
async fn a_binding_waits_for_its_own_export_when_another_has_the_name() {
    let stage = Stage::new().await;
    let binding = json!({"apiVersion": "apis.kcp.io/v1alpha2", "kind": "APIBinding", "metadata": {"name": "b"},
        "spec": {"reference": {"export": {"path": "root:provider", "name": "things"}}}});
    stage.at("root:a").post(&format!("{APIS}/apibindings"), binding).await.done();
    stage.widgets("root:b", "things", "x.org").await;
    let phase = stage.at("root:a").get(&format!("{APIS}/apibindings/b")).await.done()["status"]["phase"].clone();
    assert_eq!(phase, "Binding");
    stage.widgets("root:provider", "things", "x.org").await;
    let path = format!("{APIS}/apibindings/b");
    eventually(async || stage.at("root:a").get(&path).await.done()["status"]["phase"] == "Bound").await;
}
