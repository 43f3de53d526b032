//! Every store against one that keeps a copy of everything at each revision.

use std::collections::BTreeMap;

use proptest::{collection::vec, prelude::*};

use super::*;

/// What a store may be asked to do.
#[derive(Clone, Debug)]
enum Step {
    Commit(Vec<Condition>, Vec<(usize, Option<u8>)>),
    /// At a revision so far before the newest, with a start, a limit and a prefix.
    Range {
        back: u64,
        prefix: usize,
        start: Bound<usize>,
        limit: Option<usize>,
    },
    Watch {
        back: u64,
        prefix: usize,
    },
    Compact {
        back: u64,
    },
    Reopen,
}

/// A key, and what is said about it.
#[derive(Clone, Debug)]
enum Condition {
    True(usize),
    Absent(usize),
    Modified(usize, u64),
}

const KEYS: [&str; 8] = ["", "a", "a/", "a/1", "a/1/x", "a/2", "ab/1", "b/1"];
const PREFIXES: [&str; 4] = ["", "a/", "a/1/", "ab/"];

fn step() -> impl Strategy<Value = Step> {
    let key = 0..KEYS.len();
    let condition = prop_oneof![
        6 => key.clone().prop_map(Condition::True),
        1 => key.clone().prop_map(Condition::Absent),
        1 => (key.clone(), 0..20u64).prop_map(|(key, revision)| Condition::Modified(key, revision)),
    ];
    let start = prop_oneof![
        Just(Bound::Unbounded),
        key.clone().prop_map(Bound::Included),
        key.clone().prop_map(Bound::Excluded),
    ];
    let back = prop_oneof![4 => 0..6u64, 1 => 0..40u64];
    let change = (key, prop_oneof![2 => any::<u8>().prop_map(Some), 1 => Just(None)]);
    prop_oneof![
        10 => (vec(condition, 0..3), vec(change, 0..4)).prop_map(|(conditions, changes)| Step::Commit(conditions, changes)),
        4 => (back.clone(), 0..PREFIXES.len(), start, proptest::option::of(0..5usize))
            .prop_map(|(back, prefix, start, limit)| Step::Range { back, prefix, start, limit }),
        3 => (back.clone(), 0..PREFIXES.len()).prop_map(|(back, prefix)| Step::Watch { back, prefix }),
        1 => back.prop_map(|back| Step::Compact { back }),
        1 => Just(Step::Reopen),
    ]
}

type State = BTreeMap<&'static str, Entry>;

/// The states of all revisions, and the changes that led to them.
struct Model {
    states: Vec<State>,
    events: Vec<Event>,
    /// The oldest revision that must be kept.
    oldest: Revision,
}

impl Model {
    /// Revisions 0, which is never kept, and 1.
    fn new() -> Self {
        Self { states: vec![State::new(); 2], events: Vec::new(), oldest: Revision(1) }
    }

    fn newest(&self) -> Revision {
        Revision(self.states.len() as u64 - 1)
    }

    fn back(&self, back: u64) -> Revision {
        Revision(self.newest().0.saturating_sub(back))
    }

    fn at(&self, revision: Revision) -> &State {
        &self.states[revision.0 as usize]
    }

    fn commit(&mut self, transaction: &Transaction) -> Outcome {
        let before = self.at(self.newest());
        let found: Vec<_> = transaction.conditions.iter().map(|(key, _)| before.get(&**key).cloned()).collect();
        let modified = found.iter().map(|entry| entry.as_ref().map(|entry| entry.modified));
        if !modified.eq(transaction.conditions.iter().map(|(_, wanted)| *wanted)) {
            return Outcome::Refused(found);
        }
        let revision = Revision(self.newest().0 + 1);
        let (mut after, mut events) = (before.clone(), Vec::new());
        for change in &transaction.changes {
            let key = KEYS.into_iter().find(|key| *key == change.key()).unwrap();
            let previous = after.remove(key);
            let entry = match change {
                Change::Put(_, value) => Some(Entry {
                    key: key.into(),
                    value: value.clone(),
                    created: previous.as_ref().map_or(revision, |entry| entry.created),
                    modified: revision,
                }),
                Change::Delete(_) => None,
            };
            if let Some(entry) = &entry {
                after.insert(key, entry.clone());
            }
            if entry.is_some() || previous.is_some() {
                events.push(Event { key: key.into(), entry, previous, revision });
            }
        }
        if events.is_empty() {
            return Outcome::Committed(self.newest());
        }
        self.states.push(after);
        self.events.extend(events);
        Outcome::Committed(revision)
    }

    fn transaction(&self, conditions: Vec<Condition>, changes: Vec<(usize, Option<u8>)>) -> Transaction {
        let conditions = conditions.into_iter().map(|condition| match condition {
            Condition::True(key) => (key, self.at(self.newest()).get(KEYS[key]).map(|entry| entry.modified)),
            Condition::Absent(key) => (key, None),
            Condition::Modified(key, revision) => (key, Some(Revision(revision))),
        });
        let changes: BTreeMap<_, _> = changes.into_iter().collect();
        let changes = changes.into_iter().map(|(key, value)| match value {
            Some(byte) => Change::Put(KEYS[key].to_owned(), Bytes::from(vec![byte; byte.into()])),
            None => Change::Delete(KEYS[key].to_owned()),
        });
        Transaction {
            conditions: conditions.map(|(key, modified)| (KEYS[key].to_owned(), modified)).collect(),
            changes: changes.collect(),
        }
    }
}

/// Takes a store and the model through the steps. `reopen` returns the store to go on with.
async fn check<S: Store>(mut store: S, steps: Vec<Step>, reopen: impl AsyncFn(S) -> S) -> Result<(), TestCaseError> {
    let mut model = Model::new();
    let mut live = store.watch("", Revision(1)).await.unwrap();
    let mut told = 0;
    for step in steps {
        match step {
            Step::Commit(conditions, changes) => {
                let transaction = model.transaction(conditions, changes);
                let expected = model.commit(&transaction);
                prop_assert_eq!(store.commit(transaction).await.unwrap(), expected);
                let news: Vec<_> =
                    std::iter::from_fn(|| live.try_next()).map(|event| (*event.unwrap()).clone()).collect();
                prop_assert_eq!(&news[..], &model.events[told..]);
                told = model.events.len();
            }
            Step::Range { back, prefix, start, limit } => {
                let (revision, prefix, start) = (model.back(back), PREFIXES[prefix], start.map(|key| KEYS[key]));
                let query = RangeQuery {
                    prefix: prefix.to_owned(),
                    start: start.map(str::to_owned),
                    limit,
                    revision: Some(revision).filter(|_| back > 0),
                };
                let found = match store.range(query).await {
                    Err(StoreError::Compacted { asked, .. }) if asked == revision && revision < model.oldest => {
                        continue;
                    }
                    found => found.unwrap(),
                };
                let mut expected = model.at(revision).clone();
                let is_after_start = |key: &str| match start {
                    Bound::Included(start) => key >= start,
                    Bound::Excluded(start) => key > start,
                    Bound::Unbounded => true,
                };
                expected.retain(|key, _| key.starts_with(prefix) && is_after_start(key));
                let limit = limit.unwrap_or(usize::MAX).min(expected.len());
                prop_assert_eq!((found.revision, found.remaining), (revision, expected.len() - limit));
                prop_assert!(found.entries.iter().eq(expected.values().take(limit)));
            }
            Step::Watch { back, prefix } => {
                let (after, prefix) = (model.back(back), PREFIXES[prefix]);
                let mut watch = match store.watch(prefix, after).await {
                    Err(StoreError::Compacted { asked, .. }) if asked == after && after < model.oldest => continue,
                    watch => watch.unwrap(),
                };
                let seen = std::iter::from_fn(|| watch.try_next()).map(|event| (*event.unwrap()).clone());
                let expected =
                    model.events.iter().filter(|event| event.revision > after && event.key.starts_with(prefix));
                prop_assert!(seen.eq(expected.cloned()));
            }
            Step::Compact { back } => {
                let revision = model.back(back);
                store.compact(revision).await.unwrap();
                model.oldest = model.oldest.max(revision);
            }
            Step::Reopen => {
                store = reopen(store).await;
                // How much of its history a store keeps is its own choice then.
                model.oldest = model.newest();
                live = store.watch("", model.newest()).await.unwrap();
            }
        }
        prop_assert_eq!(store.revision(), model.newest());
    }
    Ok(())
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn the_memory_store_does_as_the_model(steps in vec(step(), 0..60)) {
        block_on(check(MemoryStore::new(), steps, async |store| store))?;
    }

    #[test]
    fn a_store_that_keeps_little_does_as_the_model(steps in vec(step(), 0..60), bytes in 0..2000u64) {
        let store = MemoryStore::with_history(History::default().with_bytes(bytes).with_revisions(10));
        // A restart is where the model no longer insists on what came before.
        let steps = steps.into_iter().flat_map(|step| match step {
            Step::Commit(..) => vec![step, Step::Reopen],
            _ => vec![step],
        });
        block_on(check(store, steps.collect(), async |store| store))?;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn the_disk_store_does_as_the_model(steps in vec(step(), 0..60), threshold in prop_oneof![Just(1), 0..10_000u64]) {
        let dir = tempfile::tempdir().unwrap();
        let options = DiskOptions::default().with_snapshot_threshold(threshold).with_durability(Durability::Buffered);
        let open = async || DiskStore::open_with(&dir, options.clone()).await.unwrap();
        block_on(async {
            check(open().await, steps, async |store| {
                store.close().await.unwrap();
                open().await
            })
            .await
        })?;
    }
}
