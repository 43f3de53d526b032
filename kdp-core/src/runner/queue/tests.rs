use std::time::Duration;

use proptest::prelude::*;

use super::*;

fn key(lane: u8, name: u8) -> Key {
    Key { workspace: None, namespace: format!("lane{lane}"), name: name.to_string(), gone: None }
}

#[test]
fn workspaces_take_turns_however_much_one_of_them_orders() {
    let now = Instant::now();
    let mut queue = Queue::new(100, 100);
    for name in 0..50 {
        queue.push(key(0, name), now);
    }
    queue.push(key(1, 0), now + Duration::from_nanos(1));
    queue.push(key(2, 0), now + Duration::from_nanos(1));
    let begun: Vec<_> = (0..3).filter_map(|_| queue.begin(now + Duration::from_nanos(1))).collect();
    let lanes: Vec<_> = begun.iter().map(Key::lane).collect();
    assert_eq!(lanes, ["lane0", "lane1", "lane2"]);
}

#[test]
fn one_workspace_never_holds_all_places() {
    let now = Instant::now();
    let mut queue = Queue::new(4, 2);
    for name in 0..9 {
        queue.push(key(0, name), now);
    }
    assert_eq!((0..9).filter_map(|_| queue.begin(now)).count(), 2);
    queue.push(key(1, 0), now);
    assert_eq!(queue.begin(now), Some(key(1, 0)));
}

#[test]
fn what_happens_during_the_work_has_it_done_again() {
    let now = Instant::now();
    let mut queue = Queue::new(4, 4);
    queue.push(key(0, 0), now);
    assert_eq!(queue.begin(now), Some(key(0, 0)));
    queue.push(key(0, 0), now);
    assert_eq!(queue.begin(now), None, "nobody else works on it meanwhile");
    queue.end(&key(0, 0), Some(now + Duration::from_secs(60)));
    assert_eq!(queue.begin(now), Some(key(0, 0)));
    queue.end(&key(0, 0), None);
    assert_eq!((queue.begin(now), queue.next_due()), (None, None));
}

#[test]
fn the_earliest_time_asked_for_counts() {
    let now = Instant::now();
    let [soon, late] = [1, 60].map(|s| now + Duration::from_secs(s));
    let mut queue = Queue::new(4, 4);
    for at in [late, soon, late] {
        queue.push(key(0, 0), at);
    }
    assert_eq!(queue.next_due(), Some(soon));
    assert_eq!(queue.begin(now), None);
    assert_eq!(queue.begin(soon), Some(key(0, 0)));
}

proptest! {
    /// Whatever is asked for is begun in the end, never twice at a time and never beyond a limit.
    #[test]
    fn everything_is_begun_within_the_limits(
        steps in prop::collection::vec((0_u8..3, 0_u8..4, 0_u64..3, any::<bool>()), 0..200),
    ) {
        let mut now = Instant::now();
        let mut queue = Queue::new(3, 2);
        let (mut running, mut owed) = (Vec::<Key>::new(), BTreeSet::new());
        for (lane, name, delay, ends) in steps {
            queue.push(key(lane, name), now + Duration::from_millis(delay));
            owed.insert(key(lane, name));
            now += Duration::from_millis(1);
            while let Some(begun) = queue.begin(now) {
                prop_assert!(!running.contains(&begun));
                owed.remove(&begun);
                running.push(begun);
                prop_assert!(running.len() <= 3);
                prop_assert!((0..3).all(|l| running.iter().filter(|k| k.lane() == key(l, 0).lane()).count() <= 2));
            }
            if ends && !running.is_empty() {
                queue.end(&running.remove(0), None);
            }
        }
        for _ in 0..100 {
            now += Duration::from_secs(1);
            running.drain(..).for_each(|key| queue.end(&key, None));
            running.extend(std::iter::from_fn(|| queue.begin(now)));
            owed.retain(|key| !running.contains(key));
        }
        prop_assert!(owed.is_empty() && running.is_empty() && queue.next_due().is_none());
    }
}
