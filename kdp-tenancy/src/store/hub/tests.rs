use super::*;
use crate::store::{Revision, WatchError};

fn event(key: &str, revision: u64) -> Event {
    Event { key: key.into(), entry: None, previous: None, revision: Revision(revision) }
}

fn keys(watch: &mut Watch) -> Vec<String> {
    std::iter::from_fn(|| watch.try_next()).map(|event| event.unwrap().key.to_string()).collect()
}

impl Hub {
    fn len(&self) -> usize {
        self.watchers.lock().by_prefix.values().map(Vec::len).sum()
    }
}

#[test]
fn a_key_has_the_prefixes_at_its_slashes() {
    fn check(key: &str, expected: &[&str]) {
        assert_eq!(prefixes(key).collect::<Vec<_>>(), expected, "{key:?}");
    }
    check("", &[""]);
    check("a", &[""]);
    check("a/b", &["", "a/"]);
    check("a/b/c", &["", "a/", "a/b/"]);
    check("a//b/", &["", "a/", "a//", "a//b/"]);
    check("ä/ö", &["", "ä/"]);
}

#[test]
fn an_event_reaches_the_watches_of_its_prefixes_only() {
    let hub = Arc::new(Hub::default());
    let mut watches = ["", "a/", "a/b/", "ab/", "b/"].map(|prefix| hub.watch(prefix, Vec::new()));
    hub.publish(vec![event("a/b/c", 2), event("ab/c", 3), event("a/c", 4)]);
    let seen = watches.each_mut().map(keys);
    assert_eq!(
        seen,
        [vec!["a/b/c", "ab/c", "a/c"], vec!["a/b/c", "a/c"], vec!["a/b/c"], vec!["ab/c"], Vec::<&str>::new()]
    );
}

#[test]
fn all_watches_share_one_event() {
    let hub = Arc::new(Hub::default());
    let mut watches = ["", "a/", "a/"].map(|prefix| hub.watch(prefix, Vec::new()));
    hub.publish(vec![event("a/b", 2)]);
    let [first, second, third] = watches.each_mut().map(|watch| watch.try_next().unwrap().unwrap());
    assert!(Arc::ptr_eq(&first, &second) && Arc::ptr_eq(&second, &third));
}

#[test]
fn a_dropped_watch_leaves_nothing_behind() {
    let hub = Arc::new(Hub::default());
    let kept = hub.watch("a/", Vec::new());
    for prefix in ["a/", "b/"] {
        drop(hub.watch(prefix, Vec::new()));
    }
    assert_eq!(hub.len(), 1);
    drop(kept);
    assert!(hub.watchers.lock().by_prefix.is_empty());
}

#[test]
fn a_slow_reader_is_cut_off_and_the_others_go_on() {
    let hub = Arc::new(Hub::default());
    let mut slow = hub.watch("a/", Vec::new());
    let mut fast = hub.watch("a/", Vec::new());
    for revision in 0..=CAPACITY as u64 {
        hub.publish(vec![event("a/b", revision)]);
        assert_eq!(keys(&mut fast).len(), 1);
    }
    assert_eq!(hub.len(), 1);
    for _ in 0..CAPACITY {
        assert!(slow.try_next().unwrap().is_ok());
    }
    assert_eq!(slow.try_next(), Some(Err(WatchError::Lagged)));
}

#[tokio::test]
async fn closing_ends_every_watch() {
    let hub = Arc::new(Hub::default());
    let mut watch = hub.watch("", vec![Arc::new(event("a", 2))]);
    hub.close();
    assert!(watch.next().await.unwrap().is_ok(), "what was there is still read");
    assert_eq!(watch.next().await, None);
}
