use proptest::prelude::*;

use super::*;
use crate::store::{Change, MemoryStore, Outcome, Transaction};

fn topics(group: &str, plural: &str) -> Topics {
    Topics { resource: Some((group.into(), plural.into())), bindings_of: None }
}

async fn put(store: &SharedStore, keys: &[&str]) -> Revision {
    let changes = keys.iter().map(|key| Change::Put((*key).into(), "x".into())).collect();
    match store.commit(Transaction { conditions: Vec::new(), changes }).await.unwrap() {
        Outcome::Committed(revision) => revision,
        Outcome::Refused(_) => panic!("without conditions nothing is refused"),
    }
}

/// Everything that waits in a watch, as revision and key.
fn drain(watch: &mut Watch) -> Vec<(u64, String)> {
    std::iter::from_fn(|| watch.try_next())
        .map(|event| event.unwrap())
        .map(|event| (event.revision.0, event.key.to_string()))
        .collect()
}

/// Passes on what waits in a watch of the whole store, at most `count` events of it.
fn follow(fanout: &Fanout, all: &mut Watch, count: usize) {
    for event in std::iter::from_fn(|| all.try_next()).take(count) {
        fanout.publish(&event.unwrap(), Vec::new);
    }
}

#[tokio::test]
async fn a_watch_hears_of_its_resource_in_every_cluster_and_of_nothing_else() {
    let store: SharedStore = Arc::new(MemoryStore::new());
    let fanout = Arc::new(Fanout::default());
    fanout.restart(store.revision());
    let mut all = store.watch("", store.revision()).await.unwrap();
    let mut secrets = fanout.watch(&store, &topics("", "secrets"), store.revision()).await.unwrap();
    for key in ["a/-/secrets/n/x", "a/-/configmaps/n/x", "b/-/secrets/n/y", "b/g/secrets/n/z", "b/-/secretsx/n/z"] {
        put(&store, &[key]).await;
    }
    follow(&fanout, &mut all, usize::MAX);
    let keys: Vec<_> = drain(&mut secrets).into_iter().map(|(_, key)| key).collect();
    assert_eq!(keys, ["a/-/secrets/n/x", "b/-/secrets/n/y"]);
    drop(secrets);
    assert!(fanout.inner.lock().readers.is_empty() && fanout.inner.lock().by_resource.is_empty());
}

#[tokio::test]
async fn bindings_are_told_to_the_exports_of_their_workspace() {
    let store: SharedStore = Arc::new(MemoryStore::new());
    let fanout = Arc::new(Fanout::default());
    fanout.restart(store.revision());
    let mut all = store.watch("", store.revision()).await.unwrap();
    let export = |name: &str| ExportId { cluster: "p".into(), name: name.into() };
    let watch = |name: &str| Topics { resource: Some(("".into(), "secrets".into())), bindings_of: Some(export(name)) };
    let mut one = fanout.watch(&store, &watch("one"), store.revision()).await.unwrap();
    let mut other = fanout.watch(&store, &watch("other"), store.revision()).await.unwrap();
    put(&store, &["a/apis.kcp.io/apibindings/x"]).await;
    fanout.publish(&all.try_next().unwrap().unwrap(), || vec![export("one")]);
    assert_eq!((drain(&mut one).len(), drain(&mut other).len()), (1, 0));
}

#[tokio::test]
async fn a_reader_that_is_too_slow_is_cut_off_and_told_so() {
    let store: SharedStore = Arc::new(MemoryStore::new());
    let fanout = Arc::new(Fanout::default());
    fanout.restart(store.revision());
    let mut all = store.watch("", store.revision()).await.unwrap();
    let mut slow = fanout.watch(&store, &topics("", "secrets"), store.revision()).await.unwrap();
    put(&store, &["a/-/secrets/n/x"]).await;
    let event = all.try_next().unwrap().unwrap();
    for _ in 0..=CAPACITY {
        fanout.publish(&event, Vec::new);
    }
    let events: Vec<_> = std::iter::from_fn(|| slow.try_next()).collect();
    assert_eq!(events.len(), CAPACITY + 1);
    assert!(events.last().unwrap().is_err());
}

proptest! {
    /// However far the fan-out is behind the store, and wherever a watch begins.
    #[test]
    fn a_watch_misses_nothing_and_tells_nothing_twice(
        writes in proptest::collection::vec((1..4_usize, 0..3_usize), 0..12), begin in 0..12_usize, resume in 0..12_u64, behind in 0..8_usize,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let store: SharedStore = Arc::new(MemoryStore::new());
            let fanout = Arc::new(Fanout::default());
            fanout.restart(store.revision());
            let first = store.revision();
            let mut all = store.watch("", first).await.unwrap();
            let mut whole = store.watch("", first).await.unwrap();
            let mut watch = None;
            for (i, (count, kind)) in writes.iter().enumerate() {
                if i == begin {
                    follow(&fanout, &mut all, behind);
                    // As the index does it, a watch begins only behind a whole follow of what is visible.
                    follow(&fanout, &mut all, if behind % 2 == 0 { usize::MAX } else { 0 });
                    let after = Revision((first.0 + resume).min(store.revision().0));
                    watch = Some((after, fanout.watch(&store, &topics("", "secrets"), after).await.unwrap()));
                }
                let keys: Vec<_> = (0..*count)
                    .map(|n| if *kind == 0 { format!("c{n}/-/configmaps/n/x{i}") } else { format!("c{n}/-/secrets/n/x{i}") })
                    .collect();
                put(&store, &keys.iter().map(String::as_str).collect::<Vec<_>>()).await;
            }
            follow(&fanout, &mut all, usize::MAX);
            if let Some((after, mut watch)) = watch {
                let expected: Vec<_> = drain(&mut whole)
                    .into_iter()
                    .filter(|(revision, key)| *revision > after.0 && key.contains("/-/secrets/"))
                    .collect();
                assert_eq!(drain(&mut watch), expected);
            }
        });
    }
}
