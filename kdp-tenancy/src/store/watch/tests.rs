use super::*;
use crate::store::Revision;

fn event(revision: u64) -> Arc<Event> {
    Arc::new(Event { key: "k".into(), entry: None, previous: None, revision: Revision(revision) })
}

async fn revisions(mut watch: Watch) -> (Vec<u64>, Option<WatchError>) {
    let mut seen = Vec::new();
    while let Some(next) = watch.next().await {
        match next {
            Ok(event) => seen.push(event.revision.0),
            Err(error) => {
                assert!(watch.next().await.is_none(), "nothing follows an error");
                return (seen, Some(error));
            }
        }
    }
    (seen, None)
}

#[tokio::test]
async fn replay_comes_first_and_may_exceed_the_capacity() {
    let (mut sender, watch) = Watch::channel((1..=5).map(event).collect(), 2);
    assert!(sender.send(event(6)));
    assert!(sender.send(event(7)));
    drop(sender);
    assert_eq!(revisions(watch).await, ((1..=7).collect(), None));
}

#[tokio::test]
async fn a_slow_reader_gets_what_was_queued_then_one_error_then_the_end() {
    let (mut sender, watch) = Watch::channel(Vec::new(), 2);
    assert!(sender.send(event(1)) && sender.send(event(2)));
    assert!(!sender.send(event(3)), "the third has no room");
    assert!(!sender.send(event(4)), "a watch that was cut off stays so");
    assert_eq!(revisions(watch).await, (vec![1, 2], Some(WatchError::Lagged)));
}

#[test]
fn try_next_tells_the_error_once_and_never_blocks() {
    let (mut sender, mut watch) = Watch::channel(vec![event(1)], 1);
    assert_eq!(watch.try_next(), Some(Ok(event(1))));
    assert_eq!(watch.try_next(), None);
    sender.send(event(2));
    sender.send(event(3));
    assert_eq!(watch.try_next(), Some(Ok(event(2))));
    assert_eq!(watch.try_next(), Some(Err(WatchError::Lagged)));
    assert_eq!(watch.try_next(), None);
}

#[test]
fn the_guard_goes_with_the_watch() {
    let guard = Arc::new(());
    let (mut sender, watch) = Watch::channel(Vec::new(), 1);
    let watch = watch.with_guard(Arc::clone(&guard));
    assert_eq!(Arc::strong_count(&guard), 2);
    drop(watch);
    assert_eq!(Arc::strong_count(&guard), 1);
    assert!(!sender.send(event(1)), "nobody reads");
}
