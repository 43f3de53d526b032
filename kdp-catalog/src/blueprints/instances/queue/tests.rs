use std::time::Duration;

use super::*;

fn key(cluster: &str) -> Key {
    Key { cluster: cluster.parse().unwrap(), namespace: Some("default".into()), name: "x".into() }
}

#[test]
fn an_instance_is_looked_at_by_one_at_a_time_and_again_when_it_has_changed_meanwhile() {
    let (mut queue, now) = (Queue::default(), Instant::now());
    queue.hear(Some(key("a")), now);
    assert_eq!(queue.next(now), Some(key("a")));
    queue.hear(Some(key("a")), now);
    assert_eq!((queue.next(now), queue.due()), (None, None));
    queue.done(key("a"), &Ok(Next::Settled), now);
    assert!(queue.due().is_some_and(|due| due < now + Duration::from_secs(1)));
}

#[test]
fn instances_of_the_same_name_in_two_workspaces_are_two() {
    let (mut queue, now) = (Queue::default(), Instant::now());
    queue.hear(Some(key("a")), now);
    queue.hear(Some(key("b")), now);
    assert_eq!((queue.next(now), queue.next(now)), (Some(key("a")), Some(key("b"))));
    queue.done(key("a"), &Ok(Next::Gone), now);
    queue.done(key("b"), &Ok(Next::Waits), now);
    assert!(queue.due().is_some() && queue.entries.len() == 1);
    queue.forget(Some(key("b")));
    assert!(queue.due().is_none());
}

#[test]
fn what_waits_is_looked_at_less_and_less_often() {
    let (mut queue, now) = (Queue::default(), Instant::now());
    queue.hear(Some(key("a")), now);
    let mut at = now;
    for _ in 0..12 {
        assert_eq!(queue.next(at), Some(key("a")));
        queue.done(key("a"), &Ok(Next::Waits), at);
        at = queue.due().unwrap();
    }
    assert!(at > now + Duration::from_secs(100), "{:?}", at - now);
}
