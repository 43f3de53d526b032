//! The store against a model that copies everything at every revision.

use std::collections::BTreeMap;

use futures::future::join_all;
use proptest::{collection::vec, prelude::*};

use super::*;
use crate::store::Event;

const KEYS: [&str; 6] = ["a", "a/b", "a/b/c", "a0", "b/a", "é/ü"];

#[derive(Clone, Debug)]
enum Step {
    /// Transactions that are all sent before the first is answered, so that they share a batch.
    Commit(Vec<Draft>),
    /// Forgets all but so many revisions.
    Compact(u64),
    /// Closes and opens again.
    Reopen,
    /// Drops and opens again.
    Restart,
}

/// A transaction whose conditions are still to be filled in.
#[derive(Clone, Debug)]
struct Draft {
    conditions: Vec<(usize, Wanted)>,
    changes: BTreeMap<usize, Option<String>>,
}

#[derive(Clone, Copy, Debug)]
enum Wanted {
    Current,
    Absent,
    Revision(u64),
}

fn any_step() -> impl Strategy<Value = Step> {
    let key = || 0..KEYS.len();
    let wanted = prop_oneof![
        6 => Just(Wanted::Current),
        1 => Just(Wanted::Absent),
        1 => (1..9u64).prop_map(Wanted::Revision),
    ];
    let change = (key(), prop::option::weighted(0.7, "[x-z]{0,3}"));
    let draft = (vec((key(), wanted), 0..3), vec(change, 0..4))
        .prop_map(|(conditions, changes)| Draft { conditions, changes: changes.into_iter().collect() });
    prop_oneof![
        8 => vec(draft, 1..5).prop_map(Step::Commit),
        1 => (0..6u64).prop_map(Step::Compact),
        1 => Just(Step::Reopen),
        1 => Just(Step::Restart),
    ]
}

type State = BTreeMap<String, Entry>;

struct Model {
    /// What each revision shows, from 1.
    states: Vec<State>,
    events: Vec<Event>,
}

impl Model {
    fn revision(&self) -> Revision {
        Revision(self.states.len() as u64)
    }

    fn now(&self) -> &State {
        self.states.last().unwrap()
    }

    /// Fills in a draft, makes it, and foretells the outcome.
    fn commit(&mut self, draft: &Draft) -> (Transaction, Outcome) {
        let current = |key: usize| self.now().get(KEYS[key]);
        let condition = |(key, wanted): &(usize, Wanted)| {
            let wanted = match wanted {
                Wanted::Current => current(*key).map(|entry| entry.modified),
                Wanted::Absent => None,
                Wanted::Revision(revision) => Some(Revision(*revision)),
            };
            (KEYS[*key].to_owned(), wanted)
        };
        let changes = draft.changes.iter().map(|(key, value)| match value {
            Some(value) => Change::Put(KEYS[*key].to_owned(), value.clone().into()),
            None => Change::Delete(KEYS[*key].to_owned()),
        });
        let transaction =
            Transaction { conditions: draft.conditions.iter().map(condition).collect(), changes: changes.collect() };
        let found: Vec<_> = transaction.conditions.iter().map(|(key, _)| self.now().get(key).cloned()).collect();
        let holds = transaction
            .conditions
            .iter()
            .zip(&found)
            .all(|((_, wanted), found)| *wanted == found.as_ref().map(|entry| entry.modified));
        if !holds {
            return (transaction, Outcome::Refused(found));
        }
        let revision = Revision(self.revision().0 + 1);
        let mut next = self.now().clone();
        let before = self.events.len();
        for change in &transaction.changes {
            let previous = next.remove(change.key());
            let entry = match change {
                Change::Put(key, value) => Some(Entry {
                    key: key.as_str().into(),
                    value: value.clone(),
                    created: previous.as_ref().map_or(revision, |entry| entry.created),
                    modified: revision,
                }),
                Change::Delete(_) => None,
            };
            if let Some(entry) = &entry {
                next.insert(change.key().to_owned(), entry.clone());
            }
            if entry.is_some() || previous.is_some() {
                self.events.push(Event { key: change.key().into(), entry, previous, revision });
            }
        }
        if self.events.len() > before {
            self.states.push(next);
        }
        (transaction, Outcome::Committed(self.revision()))
    }

    /// Compares every revision, and a watch from it, with what the store says.
    async fn check(&self, store: &dyn Store) {
        assert_eq!(store.revision(), self.revision());
        let query = |revision: u64| RangeQuery { revision: Some(Revision(revision)), ..RangeQuery::prefix("") };
        let Err(StoreError::Compacted { oldest, .. }) = store.range(query(0)).await else { panic!("0 can be read") };
        for revision in 1..=self.revision().0 {
            let range = store.range(query(revision)).await;
            let watch = store.watch("a/", Revision(revision)).await;
            if revision < oldest.0 {
                assert!(matches!(range, Err(StoreError::Compacted { .. })), "{range:?}");
                assert!(matches!(watch, Err(StoreError::Compacted { .. })), "{watch:?}");
                continue;
            }
            let expected: Vec<_> = self.states[revision as usize - 1].values().cloned().collect();
            assert_eq!(range.unwrap().entries, expected, "at revision {revision}");
            let mut watch = watch.unwrap();
            let seen: Vec<_> = std::iter::from_fn(|| watch.try_next()).map(|event| (*event.unwrap()).clone()).collect();
            let expected =
                self.events.iter().filter(|event| event.revision.0 > revision && event.key.starts_with("a/"));
            assert_eq!(seen, expected.cloned().collect::<Vec<_>>(), "after revision {revision}");
        }
    }
}

async fn run(steps: Vec<Step>, options: DiskOptions) {
    let dir = TempDir::new().unwrap();
    let mut model = Model { states: vec![State::new()], events: Vec::new() };
    let mut store = open(dir.path(), &options).await;
    let mut watch = store.watch("", Revision(1)).await.unwrap();
    let mut watched = 0;
    for step in steps {
        match step {
            Step::Commit(drafts) => {
                let (transactions, expected): (Vec<_>, Vec<_>) = drafts.iter().map(|draft| model.commit(draft)).unzip();
                let outcomes = join_all(transactions.into_iter().map(|transaction| store.commit(transaction))).await;
                let outcomes: Vec<_> = outcomes.into_iter().map(Result::unwrap).collect();
                assert_eq!(outcomes, expected);
                let seen: Vec<_> =
                    std::iter::from_fn(|| watch.try_next()).map(|event| (*event.unwrap()).clone()).collect();
                assert_eq!(seen, model.events[watched..]);
                watched = model.events.len();
            }
            Step::Compact(back) => {
                store.compact(Revision(model.revision().0.saturating_sub(back))).await.unwrap();
            }
            Step::Reopen | Step::Restart => {
                if matches!(step, Step::Reopen) {
                    store.close().await.unwrap();
                }
                drop(store);
                store = open(dir.path(), &options).await;
                watch = store.watch("", model.revision()).await.unwrap();
            }
        }
        model.check(&*store).await;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, ..ProptestConfig::default() })]
    #[test]
    fn whatever_happens_it_agrees_with_the_model(
        steps in vec(any_step(), 1..30),
        threshold in prop_oneof![Just(0), Just(300), Just(u64::MAX / 2)],
        revisions in prop_oneof![Just(3), Just(100_000)],
    ) {
        let options = DiskOptions::default()
            .with_snapshot_threshold(threshold)
            .with_history(History::default().with_revisions(revisions))
            .with_durability(Durability::Buffered);
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(run(steps, options));
    }
}
