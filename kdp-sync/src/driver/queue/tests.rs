use std::collections::HashSet;

use proptest::{
    collection::vec,
    prelude::{Strategy, any, prop_oneof, proptest},
};

use super::*;

const SHARE: usize = 3;

fn order(cluster: &str, name: &str) -> OrderKey {
    OrderKey { cluster: cluster.parse().unwrap(), namespace: None, name: name.into() }
}

async fn next(queue: &Queue) -> Option<String> {
    tokio::time::timeout(Duration::from_millis(5), queue.ready()).await.ok()?;
    queue.take().map(|order| order.to_string())
}

#[tokio::test]
async fn workspaces_take_turns() {
    let queue = Queue::new(SHARE);
    for name in ["1", "2", "3"] {
        queue.push(order("a", name));
    }
    queue.push(order("b", "1"));
    let mut seen = Vec::new();
    while let Some(next) = next(&queue).await {
        seen.push(next);
    }
    assert_eq!(seen, ["a|/1", "b|/1", "a|/2", "a|/3"]);
}

#[tokio::test]
async fn a_workspace_has_no_more_than_its_share_of_passes_at_a_time() {
    let queue = Queue::new(2);
    for name in ["1", "2", "3"] {
        queue.push(order("a", name));
    }
    assert!(next(&queue).await.is_some());
    assert!(next(&queue).await.is_some());
    assert_eq!(next(&queue).await, None);
    queue.push(order("b", "1"));
    assert_eq!(next(&queue).await.unwrap(), "b|/1");
    queue.done(&order("a", "2"), Ended::Settled);
    assert_eq!(next(&queue).await.unwrap(), "a|/3");
}

#[tokio::test(start_paused = true)]
async fn an_order_that_is_to_be_looked_at_again_waits_and_hears_of_changes_meanwhile() {
    let (queue, wait) = (Queue::new(SHARE), Ended::Waiting(Duration::from_secs(60)));
    queue.push(order("a", "1"));
    for _ in 0..20 {
        assert!(next(&queue).await.is_some());
        assert!(queue.done(&order("a", "1"), wait).is_some());
        assert_eq!(next(&queue).await, None);
        // However often something changes: it has not failed.
        queue.push(order("a", "1"));
    }
    assert!(next(&queue).await.is_some());
    queue.done(&order("a", "1"), wait);
    tokio::time::advance(Duration::from_secs(59)).await;
    assert_eq!(next(&queue).await, None);
    tokio::time::advance(Duration::from_secs(2)).await;
    assert!(next(&queue).await.is_some());
    queue.done(&order("a", "1"), Ended::Settled);
    assert_eq!(next(&queue).await, None);
}

#[tokio::test]
async fn an_order_never_runs_twice_at_a_time_and_no_change_is_lost() {
    let queue = Queue::new(SHARE);
    queue.push(order("a", "1"));
    queue.push(order("a", "1"));
    assert!(next(&queue).await.is_some());
    queue.push(order("a", "1"));
    assert_eq!(next(&queue).await, None);
    queue.done(&order("a", "1"), Ended::Settled);
    assert!(next(&queue).await.is_some());
    queue.done(&order("a", "1"), Ended::Settled);
    assert_eq!(next(&queue).await, None);
}

#[tokio::test]
async fn a_failed_order_comes_back_after_its_delay_or_at_once_when_something_changed() {
    let queue = Queue::new(SHARE);
    queue.push(order("a", "1"));
    assert!(next(&queue).await.is_some());
    queue.done(&order("a", "1"), Ended::Failed(Duration::from_millis(20)));
    assert_eq!(next(&queue).await, None);
    queue.ready().await;
    assert_eq!(queue.take(), Some(order("a", "1")));
    queue.done(&order("a", "1"), Ended::Failed(Duration::from_secs(60)));
    queue.push(order("a", "1"));
    assert!(next(&queue).await.is_some());
    queue.done(&order("a", "1"), Ended::Settled);
    assert_eq!(next(&queue).await, None);
}

#[derive(Clone, Debug)]
enum Step {
    Push(u8, u8),
    Take,
    /// Ends the pass at this place among those that run.
    Done(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    vec(
        prop_oneof![
            (0..4_u8, 0..6_u8).prop_map(|(workspace, name)| Step::Push(workspace, name)),
            proptest::prelude::Just(Step::Take),
            any::<usize>().prop_map(Step::Done),
        ],
        0..200,
    )
}

/// A queue, and by the side of it what was pushed and is not yet taken.
struct Model {
    queue: Queue,
    owed: HashSet<OrderKey>,
    running: Vec<OrderKey>,
    /// How many others were taken while a workspace waited and had room.
    passed_over: HashMap<LogicalClusterName, HashSet<LogicalClusterName>>,
}

impl Model {
    fn step(&mut self, step: &Step) {
        match step {
            Step::Push(workspace, name) => {
                let order = order(&format!("w{workspace}"), &name.to_string());
                self.owed.insert(order.clone());
                self.queue.push(order);
            }
            Step::Take => {
                let taken = self.queue.take();
                let can_run = |order: &&OrderKey| !self.running.contains(order) && self.running_of(order) < SHARE;
                let waiting: HashSet<_> = self.owed.iter().filter(can_run).map(|order| order.cluster.clone()).collect();
                let Some(taken) = taken else {
                    assert!(waiting.is_empty(), "something waits, but nothing is given");
                    return;
                };
                assert!(waiting.contains(&taken.cluster) && self.owed.remove(&taken));
                self.passed_over.retain(|workspace, _| waiting.contains(workspace));
                self.passed_over.remove(&taken.cluster);
                for workspace in waiting.into_iter().filter(|workspace| *workspace != taken.cluster) {
                    let first_time = self.passed_over.entry(workspace).or_default().insert(taken.cluster.clone());
                    assert!(first_time, "a workspace had two turns while another waited for one");
                }
                self.running.push(taken);
            }
            Step::Done(_) if self.running.is_empty() => {}
            Step::Done(at) => {
                let order = self.running.swap_remove(at % self.running.len());
                self.queue.done(&order, Ended::Settled);
            }
        }
    }

    fn running_of(&self, order: &OrderKey) -> usize {
        self.running.iter().filter(|running| running.cluster == order.cluster).count()
    }
}

proptest! {
    #[test]
    fn every_change_is_worked_on_in_turn_and_within_the_share(steps in steps()) {
        let queue = Queue::new(SHARE);
        let mut model = Model { queue, owed: HashSet::new(), running: Vec::new(), passed_over: HashMap::new() };
        for step in &steps {
            model.step(step);
        }
        while !model.owed.is_empty() || !model.running.is_empty() {
            model.step(&Step::Take);
            model.step(&Step::Done(0));
        }
        let state = model.queue.state.lock();
        assert!(state.turns.is_empty() && state.ready.is_empty() && state.queued.is_empty());
        assert!(state.busy.is_empty() && state.running.is_empty() && state.again.is_empty());
        assert!(state.later.is_empty() && state.due.is_empty() && state.hurried.is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn the_lag_counts_from_when_a_change_was_heard_of_whatever_failed_since() {
    let queue = Queue::new(SHARE);
    let heard = Instant::now();
    queue.push(order("a", "1"));
    queue.ready().await;
    assert_eq!(queue.take(), Some(order("a", "1")));
    assert_eq!(queue.done(&order("a", "1"), Ended::Failed(Duration::from_secs(1))), None);
    queue.ready().await;
    assert_eq!(queue.take(), Some(order("a", "1")));
    assert!(heard.elapsed() >= Duration::from_secs(1));
    assert_eq!(queue.done(&order("a", "1"), Ended::Settled), Some(heard));
}

/// How often an order is worked on in a time if it always fails, waits for a minute each time, and
/// changes this often, also while it is worked on.
async fn tries_in(time: Duration, changes_every: Duration) -> u32 {
    let queue = Queue::new(SHARE);
    let order = order("a", "1");
    queue.push(order.clone());
    let (begun, mut tries) = (Instant::now(), 0);
    while begun.elapsed() < time {
        let ready = tokio::time::timeout(changes_every, queue.ready());
        if ready.await.is_ok() {
            assert_eq!(queue.take(), Some(order.clone()));
            queue.push(order.clone());
            tries += 1;
            queue.done(&order, Ended::Failed(Duration::from_secs(60)));
        }
        queue.push(order.clone());
    }
    tries
}

#[tokio::test(start_paused = true)]
async fn an_order_that_changes_all_the_time_and_fails_is_not_tried_all_the_time() {
    let hour = Duration::from_secs(3600);
    let tries = tries_in(hour, Duration::from_millis(10)).await;
    assert!((280..=620).contains(&tries), "{tries}");
}

#[tokio::test(start_paused = true)]
async fn a_change_while_it_is_worked_on_ends_the_wait_at_once_and_the_next_one_soon() {
    let queue = Queue::new(SHARE);
    let order = order("a", "1");
    let minute = Duration::from_secs(60);
    let run = async |changes: bool| {
        queue.ready().await;
        assert_eq!(queue.take(), Some(order.clone()));
        if changes {
            queue.push(order.clone());
        }
        queue.done(&order, Ended::Failed(minute));
    };
    queue.push(order.clone());
    run(true).await;
    let failed = Instant::now();
    run(true).await;
    assert_eq!(failed.elapsed(), Duration::ZERO);
    run(false).await;
    assert!((1..=100).contains(&failed.elapsed().as_millis()), "{:?}", failed.elapsed());
    let failed = Instant::now();
    run(true).await;
    assert_eq!(failed.elapsed(), minute, "nothing has changed");
    // After a whole wait a change ends the next one at once again.
    let failed = Instant::now();
    run(false).await;
    assert_eq!(failed.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_success_forgets_what_was_in_vain() {
    let queue = Queue::new(SHARE);
    let order = order("a", "1");
    for _ in 0..10 {
        queue.push(order.clone());
        queue.ready().await;
        queue.take();
        queue.push(order.clone());
        queue.done(&order, Ended::Failed(Duration::from_secs(60)));
        let failed = Instant::now();
        queue.ready().await;
        assert_eq!(failed.elapsed(), Duration::ZERO);
        queue.take();
        queue.done(&order, Ended::Settled);
    }
    assert!(queue.state.lock().hurried.is_empty());
}

#[tokio::test]
async fn what_is_unfinished_goes_on_after_the_others() {
    let queue = Queue::new(1);
    queue.push(order("a", "1"));
    queue.push(order("b", "1"));
    assert_eq!(next(&queue).await.unwrap(), "a|/1");
    queue.done(&order("a", "1"), Ended::Unfinished);
    assert_eq!(next(&queue).await.unwrap(), "b|/1");
    assert_eq!(next(&queue).await.unwrap(), "a|/1");
}
