use std::time::Duration;

use tokio::time::timeout;

use super::*;

const AT_ONCE: Duration = Duration::from_millis(20);

fn free(slots: &Slots) -> u32 {
    slots.memory().free
}

#[tokio::test(start_paused = true)]
async fn operations_wait_for_memory_and_get_it_in_turn() {
    let slots = Slots::new(Weight::mib(10), Weight::mib(10));
    let first = slots.acquire("a", Weight::mib(8)).await;
    let order = Arc::new(Mutex::new(Vec::new()));
    let mut tasks = tokio::task::JoinSet::new();
    for (lane, weight) in [("a", 6), ("a", 6), ("b", 6)] {
        let (slots, order) = (slots.clone(), order.clone());
        tasks.spawn(async move {
            let slot = slots.acquire(lane, Weight::mib(weight)).await;
            order.lock().unwrap().push(lane);
            tokio::time::sleep(Duration::from_secs(1)).await;
            drop(slot);
        });
        tokio::task::yield_now().await;
    }
    drop(first);
    while tasks.join_next().await.is_some() {}
    assert_eq!(*order.lock().unwrap(), ["a", "b", "a"]);
    assert_eq!(free(&slots), 10);
}

#[tokio::test(start_paused = true)]
async fn what_weighs_more_than_there_is_runs_alone() {
    let slots = Slots::new(Weight::mib(4), Weight::mib(4));
    let heavy = slots.acquire("a", Weight::mib(700)).await;
    assert!(timeout(AT_ONCE, slots.acquire("b", Weight::LIGHT)).await.is_err());
    drop(heavy);
    slots.acquire("b", Weight::LIGHT).await;
}

#[tokio::test(start_paused = true)]
async fn a_heavy_operation_is_not_passed_by() {
    let slots = Slots::new(Weight::mib(4), Weight::mib(4));
    let light = slots.acquire("a", Weight::mib(1)).await;
    let mut heavy = std::pin::pin!(slots.acquire("b", Weight::mib(4)));
    assert!(timeout(AT_ONCE, &mut heavy).await.is_err());
    assert!(timeout(AT_ONCE, slots.acquire("a", Weight::mib(1))).await.is_err());
    drop(light);
    timeout(AT_ONCE, heavy).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn who_stops_waiting_takes_nothing_even_at_the_last_moment() {
    let slots = Slots::new(Weight::mib(4), Weight::mib(4));
    let all = slots.acquire("a", Weight::mib(4)).await;
    let abandoned = slots.request("b", Weight::mib(4));
    drop(abandoned);
    let late = slots.request("b", Weight::mib(4));
    drop(all);
    assert_eq!(free(&slots), 0, "it was granted");
    drop(late);
    assert_eq!(free(&slots), 4);
    slots.acquire("a", Weight::mib(4)).await;
}

#[tokio::test(start_paused = true)]
async fn a_lane_that_has_its_share_waits_and_holds_nobody_up() {
    let slots = Slots::new(Weight::mib(10), Weight::mib(6));
    let first = slots.acquire("a", Weight::mib(4)).await;
    let mut second = std::pin::pin!(slots.acquire("a", Weight::mib(4)));
    assert!(timeout(AT_ONCE, &mut second).await.is_err(), "it would have more than its share");
    let other = timeout(AT_ONCE, slots.acquire("b", Weight::mib(6))).await.expect("there is memory for others");
    drop(first);
    drop(timeout(AT_ONCE, second).await.expect("it has nothing by now"));
    drop(other);
    let heavy = timeout(AT_ONCE, slots.acquire("a", Weight::mib(9))).await.expect("one may always run");
    drop(heavy);
    assert_eq!((free(&slots), slots.memory().taken.len()), (10, 0));
}
