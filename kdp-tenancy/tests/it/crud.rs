//! Create, read, change and delete.

use std::sync::Arc;

use futures::StreamExt;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Secret};
use kdp_tenancy::{
    Embedded, EmbeddedOptions,
    embedded::pki::Pki,
    store::{History, MemoryStore},
};
use kube::{
    Api, ResourceExt,
    api::{DeleteParams, ListParams, Patch, PatchParams, PostParams, VersionMatch, WatchEvent, WatchParams},
};
use serde_json::json;

use crate::support::{dynamic, names, object, refusal, system};

fn config_map(name: &str, value: &str) -> ConfigMap {
    serde_json::from_value(json!({"metadata": {"name": name, "labels": {"value": value}}, "data": {"key": value}}))
        .unwrap()
}

#[tokio::test]
async fn an_object_is_created_read_changed_and_deleted() {
    let control_plane = Embedded::in_memory().await.unwrap();
    let api: Api<ConfigMap> = Api::namespaced(system(&control_plane, "root"), "default");
    let created = api.create(&PostParams::default(), &config_map("a", "1")).await.unwrap();
    assert_eq!(created.annotations()["kcp.io/cluster"], "root");
    assert!(created.uid().is_some() && created.creation_timestamp().is_some());
    assert_eq!(refusal(api.create(&PostParams::default(), &config_map("a", "2")).await), (409, "AlreadyExists".into()));

    let mut changed = created.clone();
    changed.data = Some([("key".to_owned(), "2".to_owned())].into());
    let replaced = api.replace("a", &PostParams::default(), &changed).await.unwrap();
    assert_ne!(replaced.resource_version(), created.resource_version());
    assert_eq!(refusal(api.replace("a", &PostParams::default(), &changed).await), (409, "Conflict".into()));

    let patch = json!({"data": {"other": "3"}});
    let patched = api.patch("a", &PatchParams::default(), &Patch::Merge(&patch)).await.unwrap();
    assert_eq!(patched.data.unwrap().len(), 2);
    let same = api.patch("a", &PatchParams::default(), &Patch::Merge(&patch)).await.unwrap();
    assert_eq!(same.resource_version(), patched.metadata.resource_version, "a change of nothing is no write");

    api.delete("a", &DeleteParams::default()).await.unwrap();
    assert_eq!(refusal(api.get("a").await), (404, "NotFound".into()));
}

#[tokio::test]
async fn a_list_comes_in_pages_of_one_snapshot() {
    let control_plane = Embedded::in_memory().await.unwrap();
    let api: Api<ConfigMap> = Api::namespaced(system(&control_plane, "root"), "default");
    for i in 0..7 {
        api.create(&PostParams::default(), &config_map(&format!("c{i}"), "1")).await.unwrap();
    }
    let first = api.list(&ListParams::default().limit(3)).await.unwrap();
    assert_eq!((names(&first.items).len(), first.metadata.remaining_item_count), (3, Some(5)));
    api.delete("c5", &DeleteParams::default()).await.unwrap();
    let token = first.metadata.continue_.unwrap();
    let rest = api.list(&ListParams::default().continue_token(&token)).await.unwrap();
    assert_eq!(
        names(&rest.items),
        ["c3", "c4", "c5", "c6", "kube-root-ca.crt"],
        "the second page is of the first one's snapshot"
    );
    let none = api.list(&ListParams::default().labels("value in (2,3)")).await.unwrap();
    assert!(none.items.is_empty());
    let one = api.list(&ListParams::default().fields("metadata.name=c2")).await.unwrap();
    assert_eq!(names(&one.items), ["c2"]);
}

#[tokio::test]
async fn a_watch_tells_every_change_once() {
    let control_plane = Embedded::in_memory().await.unwrap();
    let api: Api<ConfigMap> = Api::namespaced(system(&control_plane, "root"), "default");
    let start = api.create(&PostParams::default(), &config_map("a", "1")).await.unwrap();
    let watch = WatchParams::default().labels("value=1").timeout(5);
    let mut events = api.watch(&watch, &start.resource_version().unwrap()).await.unwrap().boxed();
    api.create(&PostParams::default(), &config_map("b", "1")).await.unwrap();
    api.create(&PostParams::default(), &config_map("c", "2")).await.unwrap();
    let relabel = json!({"metadata": {"labels": {"value": "2"}}});
    api.patch("b", &PatchParams::default(), &Patch::Merge(&relabel)).await.unwrap();
    api.delete("a", &DeleteParams::default()).await.unwrap();
    let mut seen = Vec::new();
    while seen.len() < 3 {
        seen.push(match events.next().await.unwrap().unwrap() {
            WatchEvent::Added(o) => format!("added {}", o.name_any()),
            WatchEvent::Modified(o) => format!("modified {}", o.name_any()),
            WatchEvent::Deleted(o) => format!("deleted {}", o.name_any()),
            other => panic!("{other:?}"),
        });
    }
    assert_eq!(seen, ["added b", "deleted b", "deleted a"]);
}

#[tokio::test]
async fn apply_owns_what_it_applies() {
    let control_plane = Embedded::in_memory().await.unwrap();
    let api: Api<ConfigMap> = Api::namespaced(system(&control_plane, "root"), "default");
    let applied = |value: &str| {
        Patch::Apply(
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"key": value}}),
        )
    };
    api.patch("a", &PatchParams::apply("one"), &applied("1")).await.unwrap();
    assert_eq!(refusal(api.patch("a", &PatchParams::apply("two"), &applied("2")).await), (409, "Conflict".into()));
    let forced = api.patch("a", &PatchParams::apply("two").force(), &applied("2")).await.unwrap();
    assert_eq!(forced.data.unwrap()["key"], "2");
    let managers: Vec<_> = forced.metadata.managed_fields.unwrap().into_iter().filter_map(|m| m.manager).collect();
    assert_eq!(managers, ["two"]);
}

#[tokio::test]
async fn finalizers_hold_an_object_and_a_namespace_takes_its_content_along() {
    let control_plane = Embedded::in_memory().await.unwrap();
    let client = system(&control_plane, "root");
    let namespaces: Api<Namespace> = Api::all(client.clone());
    let namespace: Namespace = serde_json::from_value(json!({"metadata": {"name": "n"}})).unwrap();
    namespaces.create(&PostParams::default(), &namespace).await.unwrap();
    let secrets: Api<Secret> = Api::namespaced(client, "n");
    let secret = json!({"metadata": {"name": "s", "finalizers": ["example.com/hold"]}, "stringData": {"k": "v"}});
    secrets.create(&PostParams::default(), &serde_json::from_value(secret).unwrap()).await.unwrap();
    let held = namespaces.delete("n", &DeleteParams::default()).await.unwrap().left().unwrap();
    assert_eq!(held.status.unwrap().phase.as_deref(), Some("Terminating"));
    let late = json!({"metadata": {"name": "late"}});
    assert_eq!(refusal(secrets.create(&PostParams::default(), &serde_json::from_value(late).unwrap()).await).0, 403);
    let mut events = namespaces.watch(&WatchParams::default().timeout(10), "0").await.unwrap().boxed();
    let release = json!({"metadata": {"finalizers": null}});
    secrets.patch("s", &PatchParams::default(), &Patch::Merge(&release)).await.unwrap();
    loop {
        if let WatchEvent::Deleted(gone) = events.next().await.unwrap().unwrap() {
            assert_eq!(gone.name_any(), "n");
            break;
        }
    }
    assert_eq!(refusal(secrets.get("s").await), (404, "NotFound".into()));
}

#[tokio::test]
async fn a_custom_resource_is_defaulted_pruned_and_validated() {
    let control_plane = Embedded::in_memory().await.unwrap();
    let client = system(&control_plane, "root");
    let crds = dynamic(
        client.clone(),
        "",
        "apiextensions.k8s.io",
        "v1",
        "CustomResourceDefinition",
        "customresourcedefinitions",
    );
    crds.create(&PostParams::default(), &object(widget_crd())).await.unwrap();
    let widgets = dynamic(client.clone(), "default", "example.com", "v1", "Widget", "widgets");
    let widget = |spec: serde_json::Value| {
        object(json!({"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": "w"}, "spec": spec}))
    };
    let created = widgets.create(&PostParams::default(), &widget(json!({"size": 1, "unknown": true}))).await.unwrap();
    assert_eq!(created.data["spec"], json!({"size": 1, "color": "blue"}));
    assert_eq!(created.metadata.generation, Some(1));
    assert_eq!(
        refusal(widgets.create(&PostParams::default(), &widget(json!({"size": "big"}))).await),
        (422, "Invalid".into())
    );
    let shrink = json!({"spec": {"size": 0}});
    let refused = widgets.patch("w", &PatchParams::default(), &Patch::Merge(&shrink)).await.unwrap_err().to_string();
    assert!(refused.contains("size may not shrink"), "{refused}");

    let status = json!({"status": {"ready": true}, "spec": {"size": 9}});
    let updated = widgets.patch_status("w", &PatchParams::default(), &Patch::Merge(&status)).await.unwrap();
    assert_eq!(updated.data["spec"]["size"], 1, "a write of the status leaves the spec alone");
    assert_eq!((updated.metadata.generation, &updated.data["status"]), (Some(1), &json!({"ready": true})));

    crds.delete("widgets.example.com", &DeleteParams::default()).await.unwrap();
    let mut events = crds.watch(&WatchParams::default().timeout(10), "0").await.unwrap().boxed();
    while crds.get_opt("widgets.example.com").await.unwrap().is_some() {
        events.next().await.unwrap().unwrap();
    }
    assert_eq!(refusal(widgets.get("w").await), (404, "NotFound".into()));
}

pub(crate) fn widget_crd() -> serde_json::Value {
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "widgets.example.com"},
        "spec": {
            "group": "example.com", "scope": "Namespaced",
            "names": {"plural": "widgets", "kind": "Widget"},
            "versions": [{
                "name": "v1", "served": true, "storage": true, "subresources": {"status": {}},
                "schema": {"openAPIV3Schema": {"type": "object", "properties": {
                    "spec": {"type": "object", "required": ["size"], "properties": {
                        "size": {"type": "integer", "x-kubernetes-validations": [{"rule": "self >= oldSelf", "message": "size may not shrink"}]},
                        "color": {"type": "string", "default": "blue"},
                    }},
                    "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
                }}},
            }],
        },
    })
}

#[tokio::test]
async fn a_collection_is_deleted_by_its_selector() {
    let control_plane = Embedded::in_memory().await.unwrap();
    let api: Api<ConfigMap> = Api::namespaced(system(&control_plane, "root"), "default");
    for (name, value) in [("a", "1"), ("b", "2"), ("c", "1")] {
        api.create(&PostParams::default(), &config_map(name, value)).await.unwrap();
    }
    api.delete_collection(&DeleteParams::default(), &ListParams::default().labels("value=1")).await.unwrap();
    assert_eq!(names(&api.list(&ListParams::default()).await.unwrap().items), ["b", "kube-root-ca.crt"]);
}

#[tokio::test]
async fn a_watch_list_ends_its_initial_events_with_a_bookmark() {
    let control_plane = Embedded::in_memory().await.unwrap();
    let api: Api<ConfigMap> = Api::namespaced(system(&control_plane, "root"), "default");
    for name in ["a", "b"] {
        api.create(&PostParams::default(), &config_map(name, "1")).await.unwrap();
    }
    let watch = WatchParams::default().initial_events().timeout(5);
    let mut events = api.watch(&watch, "").await.unwrap().boxed();
    let mut seen = Vec::new();
    loop {
        match events.next().await.unwrap().unwrap() {
            WatchEvent::Added(object) => seen.push(object.name_any()),
            WatchEvent::Bookmark(bookmark) => {
                assert_eq!(bookmark.metadata.annotations["k8s.io/initial-events-end"], "true");
                break;
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(seen, ["a", "b", "kube-root-ca.crt"]);
}

#[tokio::test]
async fn a_revision_that_is_no_longer_kept_is_gone() {
    let history = History::default().with_revisions(4);
    let store = Arc::new(MemoryStore::with_history(history));
    let control_plane = Embedded::start(store, Pki::ephemeral().unwrap(), EmbeddedOptions::new()).await.unwrap();
    let api: Api<ConfigMap> = Api::namespaced(system(&control_plane, "root"), "default");
    let first = api.create(&PostParams::default(), &config_map("a", "1")).await.unwrap().resource_version().unwrap();
    for i in 0..20 {
        api.create(&PostParams::default(), &config_map(&format!("c{i}"), "1")).await.unwrap();
    }
    let Err(error) = api.watch(&WatchParams::default(), &first).await.map(drop) else { panic!("the watch began") };
    assert_eq!(refusal::<()>(Err(error)), (410, "Expired".into()));
    let exact = ListParams::default().at(&first).matching(VersionMatch::Exact);
    assert_eq!(refusal(api.list(&exact).await), (410, "Expired".into()));
}

#[tokio::test]
async fn a_secret_said_again_in_plain_words_is_not_written_again() {
    let control_plane = Embedded::in_memory().await.unwrap();
    let api: Api<Secret> = Api::namespaced(system(&control_plane, "root"), "default");
    let said = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "stringData": {"k": "v"}});
    let secret: Secret = serde_json::from_value(said.clone()).unwrap();
    api.create(&PostParams::default(), &secret).await.unwrap();
    let put = async || api.replace("s", &PostParams::default(), &secret).await.unwrap().resource_version();
    let apply = async || {
        let params = PatchParams::apply("applier").force();
        api.patch("s", &params, &Patch::Apply(&said)).await.unwrap().resource_version()
    };
    let next_second = async || {
        // Managed fields have times in seconds.
        let second = jiff::Timestamp::now().as_second();
        crate::support::eventually(async || jiff::Timestamp::now().as_second() > second).await;
    };
    let first = put().await;
    next_second().await;
    assert_eq!(put().await, first);
    let first = apply().await;
    next_second().await;
    assert_eq!(apply().await, first);
}
