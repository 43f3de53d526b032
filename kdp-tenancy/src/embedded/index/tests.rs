use std::pin::pin;

use futures::FutureExt;
use serde_json::json;

use super::*;
use crate::{
    embedded::{limits::LimitsOptions, waiting::Topic},
    store::{Change, MemoryStore, Transaction},
};

fn name(name: &str) -> LogicalClusterName {
    name.parse().unwrap()
}

async fn put(store: &SharedStore, cluster: &str, group: &str, plural: &str, object: Value) {
    let key =
        ResourceKey::new(&name(cluster), group, plural).object(None, object["metadata"]["name"].as_str().unwrap());
    let value = object::encode(&name(cluster), object).unwrap();
    let transaction = Transaction { conditions: Vec::new(), changes: vec![Change::Put(key, value)] };
    store.commit(transaction).await.unwrap();
}

/// Makes the workspace `workspace` of the root, suspended or not.
async fn put_workspace(store: &SharedStore, workspace: &str, is_suspended: bool) {
    let cluster = format!("c-{workspace}");
    let annotations = if is_suspended { json!({"core.kcp.io/inactive": "true"}) } else { json!({}) };
    let logical_cluster =
        json!({"metadata": {"name": "cluster", "annotations": annotations}, "status": {"phase": "Ready"}});
    put(store, &cluster, "core.kcp.io", "logicalclusters", logical_cluster).await;
    let object = json!({"metadata": {"name": workspace}, "spec": {"cluster": cluster}});
    put(store, "root", "tenancy.kcp.io", "workspaces", object).await;
}

async fn loaded() -> (SharedStore, Index) {
    let store: SharedStore = Arc::new(MemoryStore::new());
    put(&store, "root", "core.kcp.io", "logicalclusters", json!({"metadata": {"name": "cluster"}})).await;
    put_workspace(&store, "open", false).await;
    put_workspace(&store, "shut", true).await;
    let index = Index::new(store.clone(), Arc::new(Limits::new(LimitsOptions::default())));
    index.load().await.unwrap();
    (store, index)
}

fn at(index: &Index, path: &str) -> Option<LogicalClusterName> {
    index.resolve(&path.parse().unwrap())
}

#[tokio::test]
async fn while_the_index_is_loaded_anew_everything_stays_as_it_was() {
    let (store, index) = loaded().await;
    put_workspace(&store, "later", true).await;
    let used = index.limits.usage(&name("root"));
    let mut load = pin!(index.load_in_pages(1));
    let mut steps = 0;
    while futures::poll!(&mut load).is_pending() {
        steps += 1;
        assert_eq!(at(&index, "root:open"), Some(name("c-open")));
        assert_eq!(at(&index, "root:shut"), Some(name("c-shut")));
        assert!(index.facts().is_suspended(&name("c-shut")), "its gate is never open");
        assert_eq!(index.limits.usage(&name("root")), used);
        assert_eq!(at(&index, "root:later"), None);
    }
    assert!(steps >= 5, "{steps}");
    assert_eq!(at(&index, "root:later"), Some(name("c-later")));
    assert!(index.facts().is_suspended(&name("c-later")));
    assert_eq!(index.limits.usage(&name("root")).objects, used.objects + 2);
    assert_eq!(index.clusters(), [name("c-later"), name("c-open"), name("c-shut"), name("root")]);
}

#[tokio::test]
async fn a_load_whose_revision_is_forgotten_begins_again() {
    let (store, index) = loaded().await;
    let mut load = pin!(index.load_in_pages(1));
    assert!(futures::poll!(&mut load).is_pending());
    put_workspace(&store, "later", false).await;
    store.compact(store.revision()).await.unwrap();
    assert_eq!(load.await.unwrap(), store.revision());
    assert_eq!(at(&index, "root:later"), Some(name("c-later")));
    assert_eq!(index.reached(), store.revision());
}

#[tokio::test]
async fn who_watches_rights_is_told_when_they_may_have_changed_unseen() {
    let (_, index) = loaded().await;
    let mut listener = index.facts().changes().listen([name("c-shut")]);
    index.load().await.unwrap();
    assert!(futures::poll!(pin!(listener.changed())).is_ready());
}

#[tokio::test]
async fn what_a_load_finds_to_do_is_done_afterwards() {
    let (store, index) = loaded().await;
    let deleting = json!({"metadata": {"name": "n", "deletionTimestamp": "2026-01-01T00:00:00Z"}});
    put(&store, "c-open", "", "namespaces", deleting).await;
    let mut load = pin!(index.load_in_pages(1));
    while futures::poll!(&mut load).is_pending() {
        assert!(futures::poll!(pin!(index.queue.next())).is_pending());
    }
    assert!(futures::poll!(pin!(index.queue.next())).is_ready());
}

/// Everything that is to be done, as long as nothing is given back.
fn to_do(index: &Index) -> Vec<Work> {
    std::iter::from_fn(|| index.queue.next().now_or_never()).map(|turn| turn.work).collect()
}

#[tokio::test]
async fn an_export_wakes_only_bindings_that_refer_to_its_workspace() {
    let (store, index) = loaded().await;
    for (binding, path) in [("absolute", "root:open"), ("direct", "c-open"), ("elsewhere", "root:shut"), ("none", "")] {
        let export = json!({"path": path, "name": "e"});
        let object = json!({"metadata": {"name": binding}, "spec": {"reference": {"export": export}}});
        put(&store, "root", "apis.kcp.io", "apibindings", object).await;
    }
    index.load().await.unwrap();
    for work in to_do(&index) {
        index.queue.done(&work);
    }
    let woken = |cluster: &str, export: &str| {
        index.wake(&name(cluster), &Topic::Export(export.into()));
        let mut bindings: Vec<_> = to_do(&index)
            .into_iter()
            .map(|work| {
                index.queue.done(&work);
                let Work::Binding { name, .. } = work else { panic!("{work:?}") };
                name
            })
            .collect();
        bindings.sort();
        bindings
    };
    assert_eq!(woken("c-open", "e"), ["absolute", "direct"]);
    assert_eq!(woken("c-shut", "e"), ["elsewhere"]);
    assert_eq!(woken("root", "e"), ["none"]);
    assert_eq!(woken("c-open", "f"), [""; 0]);
}
