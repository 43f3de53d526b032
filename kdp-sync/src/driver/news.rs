//! Events for tenants, written aside: no order waits for one.

use std::{
    collections::{HashMap, VecDeque},
    hash::{BuildHasher, RandomState},
};

use kdp_core::LogicalClusterName;
use parking_lot::Mutex;
use serde_json::Value;
use tokio::sync::Notify;

/// How many events may wait for one workspace, and in all. What comes then is not told: events
/// are help for people, and what matters is in the status.
const MOST_FOR_ONE: usize = 32;
const MOST: usize = 4096;

/// Events that wait to be written, of all workspaces in turn.
#[derive(Debug, Default)]
pub(super) struct News {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    turns: VecDeque<LogicalClusterName>,
    waiting: HashMap<LogicalClusterName, VecDeque<Waiting>>,
    count: usize,
    digests: RandomState,
}

#[derive(Debug)]
struct Waiting {
    /// Digest of what is said about which object: to compare the events themselves takes too long.
    says: u64,
    event: Value,
}

impl News {
    /// Has an event written in a workspace. One that waits there and says the same is counted up
    /// instead. Returns whether it will be told.
    pub(super) fn push(&self, workspace: &LogicalClusterName, event: Value) -> bool {
        let mut state = self.state.lock();
        let State { turns, waiting, count, digests } = &mut *state;
        let text = |value: &Value| digests.hash_one(value.as_str());
        let says = digests.hash_one([
            text(&event["involvedObject"]["uid"]),
            text(&event["type"]),
            text(&event["reason"]),
            text(&event["message"]),
        ]);
        let is_full = *count >= MOST;
        if !waiting.contains_key(workspace) {
            if is_full {
                return false;
            }
            turns.push_back(workspace.clone());
        }
        let events = waiting.entry(workspace.clone()).or_default();
        if let Some(Waiting { event: same, .. }) = events.iter_mut().find(|other| other.says == says) {
            same["count"] = (same["count"].as_u64().unwrap_or(1) + 1).into();
            same["lastTimestamp"] = event["lastTimestamp"].clone();
            return true;
        }
        if is_full || events.len() >= MOST_FOR_ONE {
            return false;
        }
        events.push_back(Waiting { says, event });
        *count += 1;
        drop(state);
        self.changed.notify_one();
        true
    }

    /// The next event and where it is to be written. Cancel-safe.
    pub(super) async fn next(&self) -> (LogicalClusterName, Value) {
        loop {
            if let Some(next) = self.take() {
                // There may be more, and somebody else to write it.
                self.changed.notify_one();
                return next;
            }
            self.changed.notified().await;
        }
    }

    /// The next event, if one waits.
    pub(super) fn take(&self) -> Option<(LogicalClusterName, Value)> {
        let mut state = self.state.lock();
        let State { turns, waiting, count, .. } = &mut *state;
        let workspace = turns.pop_front()?;
        let events = waiting.get_mut(&workspace)?;
        let Waiting { event, .. } = events.pop_front()?;
        *count -= 1;
        if events.is_empty() {
            waiting.remove(&workspace);
        } else {
            turns.push_back(workspace.clone());
        }
        Some((workspace, event))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn event(uid: usize, reason: &str) -> Value {
        json!({"involvedObject": {"uid": uid.to_string()}, "reason": reason, "count": 1})
    }

    fn taken(news: &News) -> Vec<(String, String, u64)> {
        let next = || {
            let (workspace, event) = news.take()?;
            Some((workspace.to_string(), event["reason"].as_str()?.to_owned(), event["count"].as_u64()?))
        };
        std::iter::from_fn(next).collect()
    }

    #[test]
    fn workspaces_take_turns_and_what_is_said_twice_is_counted() {
        let news = News::default();
        let (a, b) = ("a".parse().unwrap(), "b".parse().unwrap());
        for reason in ["1", "2", "1", "3"] {
            assert!(news.push(&a, event(0, reason)));
        }
        assert!(news.push(&b, event(0, "1")));
        let expected = [("a", "1", 2), ("b", "1", 1), ("a", "2", 1), ("a", "3", 1)];
        assert_eq!(taken(&news), expected.map(|(at, reason, count)| (at.to_owned(), reason.to_owned(), count)));
        let state = news.state.lock();
        assert!(state.count == 0 && state.turns.is_empty() && state.waiting.is_empty());
    }

    #[test]
    fn one_workspace_cannot_keep_another_from_being_told() {
        let news = News::default();
        let (a, b) = ("a".parse().unwrap(), "b".parse().unwrap());
        let told = (0..10 * MOST).filter(|uid| news.push(&a, event(*uid, "1"))).count();
        assert_eq!(told, MOST_FOR_ONE);
        assert!(news.push(&b, event(0, "1")));
    }

    #[test]
    fn what_waits_is_bounded() {
        let news = News::default();
        for workspace in 0..2 * MOST {
            news.push(&format!("w{workspace}").parse().unwrap(), event(0, "1"));
        }
        assert_eq!(news.state.lock().count, MOST);
        assert_eq!(news.state.lock().waiting.len(), MOST);
    }
}
