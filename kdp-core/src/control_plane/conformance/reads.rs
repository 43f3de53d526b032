//! Lists and watches.

use futures::StreamExt;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{
    Api, ResourceExt,
    api::{DeleteParams, ListParams, Patch, PatchParams, PostParams, WatchEvent, WatchParams},
};
use serde_json::json;

use super::{
    ensure,
    stand::{self, Outcome, Stand, from, soon},
};

/// Five ConfigMaps in a new workspace.
async fn five(stand: &Stand<'_>) -> Outcome<Api<ConfigMap>> {
    let maps: Api<ConfigMap> = Api::default_namespaced(stand.system(&stand.place().await?)?);
    for number in 0..5 {
        let parity = if number % 2 == 0 { "even" } else { "odd" };
        let map = json!({"metadata": {"name": format!("m{number}"), "labels": {"suite": "kdp", "parity": parity}}});
        maps.create(&PostParams::default(), &from(map)?).await?;
    }
    Ok(maps)
}

fn ours() -> ListParams {
    // A control plane may put ConfigMaps of its own into a namespace.
    ListParams::default().labels("suite=kdp")
}

fn names(maps: &[ConfigMap]) -> Vec<String> {
    maps.iter().map(ResourceExt::name_any).collect()
}

pub(super) async fn a_list_comes_in_pages_of_one_snapshot(stand: &Stand<'_>) -> Outcome {
    let maps = five(stand).await?;
    let first = maps.list(&ours().limit(2)).await?;
    let Some(token) = first.metadata.continue_.clone() else {
        return Err("the first of several pages has no continue token".to_owned().into());
    };
    maps.delete("m2", &DeleteParams::default()).await?;
    let second = maps.list(&ours().limit(2).continue_token(&token)).await?;
    let token = second.metadata.continue_.clone().unwrap_or_default();
    let third = maps.list(&ours().limit(2).continue_token(&token)).await?;
    let all: Vec<_> = [&first.items, &second.items, &third.items].into_iter().flat_map(|page| names(page)).collect();
    ensure!(all == ["m0", "m1", "m2", "m3", "m4"], "the pages hold {all:?}");
    ensure!(third.metadata.continue_.unwrap_or_default().is_empty(), "the last page has a continue token");
    Ok(())
}

pub(super) async fn lists_are_narrowed_by_labels_and_fields(stand: &Stand<'_>) -> Outcome {
    let maps = five(stand).await?;
    for (params, expected) in [
        (ours().labels("suite=kdp,parity=odd"), &["m1", "m3"][..]),
        (ours().labels("suite=kdp,parity!=odd"), &["m0", "m2", "m4"]),
        (ours().labels("suite,parity in (odd, none)"), &["m1", "m3"]),
        (ours().fields("metadata.name=m4"), &["m4"]),
        (ours().labels("suite=other"), &[]),
    ] {
        let found = names(&maps.list(&params).await?.items);
        ensure!(found == expected, "{:?} and {:?} find {found:?}", params.label_selector, params.field_selector);
    }
    Ok(())
}

pub(super) async fn a_watch_resumes_without_gap_or_duplicate(stand: &Stand<'_>) -> Outcome {
    let maps = five(stand).await?;
    let start = maps.list(&ours()).await?.metadata.resource_version.unwrap_or_default();
    let new: ConfigMap = from(json!({"metadata": {"name": "m5", "labels": {"suite": "kdp"}}}))?;
    maps.create(&PostParams::default(), &new).await?;
    let change = json!({"data": {"a": "1"}});
    let changed = maps.patch("m5", &PatchParams::default(), &Patch::Merge(&change)).await?;
    maps.delete("m5", &DeleteParams::default()).await?;
    let all = events(&maps, &start, 3).await?;
    ensure!(all == ["added m5", "modified m5", "deleted m5"], "the watch sees {all:?}");
    let rest = events(&maps, &changed.resource_version().unwrap_or_default(), 1).await?;
    ensure!(rest == ["deleted m5"], "the resumed watch sees {rest:?}");
    Ok(())
}

/// The first `count` events after `revision`.
async fn events(maps: &Api<ConfigMap>, revision: &str, count: usize) -> Outcome<Vec<String>> {
    let watch = WatchParams::default().labels("suite=kdp").timeout(60);
    let mut events = maps.watch(&watch, revision).await?.boxed();
    let mut seen = Vec::new();
    while seen.len() < count {
        match soon("the next event", events.next()).await? {
            Some(Ok(WatchEvent::Added(map))) => seen.push(format!("added {}", map.name_any())),
            Some(Ok(WatchEvent::Modified(map))) => seen.push(format!("modified {}", map.name_any())),
            Some(Ok(WatchEvent::Deleted(map))) => seen.push(format!("deleted {}", map.name_any())),
            Some(Ok(WatchEvent::Bookmark(_))) => {}
            other => return Err(format!("after {seen:?} the watch brings {other:?}").into()),
        }
    }
    Ok(seen)
}
