use proptest::prelude::*;

use super::*;

fn path(path: &str) -> Vec<Hop> {
    path.split(':').map(|cluster| Hop { cluster: cluster.into(), seats: usize::MAX }).collect()
}

fn limited(path: &str, seats: usize) -> Vec<Hop> {
    let mut hops = self::path(path);
    hops.last_mut().unwrap().seats = seats;
    hops
}

fn queue(seats: usize) -> FairQueue<&'static str> {
    FairQueue::new(seats, (1000, 10_000))
}

/// Who is served, one seat after the other.
fn served(queue: &mut FairQueue<&'static str>) -> Vec<&'static str> {
    std::iter::from_fn(|| queue.admit()).collect()
}

#[test]
fn one_request_of_a_quiet_workspace_passes_a_hundred_of_a_noisy_one() {
    let mut queue = queue(2);
    let noisy: Vec<_> = (0..100).map(|ticket| queue.wait(&path("noisy"), ticket, "noisy").unwrap()).collect();
    assert_eq!(served(&mut queue), ["noisy", "noisy"]);
    queue.wait(&path("quiet"), 100, "quiet").unwrap();
    queue.leave(noisy[0]);
    assert_eq!(served(&mut queue), ["quiet"]);
}

#[test]
fn workspaces_below_a_workspace_share_its_part() {
    let mut queue = queue(4);
    for child in ["org:a", "org:b", "org:c"] {
        queue.wait(&path(child), 0, "org").unwrap();
    }
    for ticket in 0..3 {
        queue.wait(&path("other"), ticket, "other").unwrap();
    }
    let mut served = served(&mut queue);
    served.sort_unstable();
    assert_eq!(served, ["org", "org", "other", "other"]);
}

#[test]
fn a_limit_holds_for_all_below_and_others_take_the_seats() {
    let mut queue = queue(4);
    for (ticket, child) in ["a", "b", "c"].into_iter().enumerate() {
        let hops = [limited("org", 1), path(child)].concat();
        queue.wait(&hops, ticket as u64, "org").unwrap();
    }
    queue.wait(&path("other"), 0, "other").unwrap();
    queue.wait(&path("other"), 1, "other").unwrap();
    let mut served = served(&mut queue);
    served.sort_unstable();
    assert_eq!(served, ["org", "other", "other"]);
}

#[test]
fn whoever_gives_up_loses_the_place_and_nothing_stays() {
    let mut queue = queue(1);
    let first = queue.wait(&path("a"), 0, "first").unwrap();
    let second = queue.wait(&path("a"), 1, "second").unwrap();
    assert_eq!(served(&mut queue), ["first"]);
    assert!(queue.give_up(second, 1));
    assert!(!queue.give_up(first, 0));
    queue.leave(first);
    assert_eq!(served(&mut queue), [] as [&str; 0]);
    assert_eq!((queue.nodes.len(), queue.by_name.len(), queue.waiting), (1, 0, 0));
}

#[test]
fn a_seat_that_is_lent_serves_others_and_counts_for_its_own_limit() {
    let mut queue = queue(1);
    let a = queue.wait(&limited("a", 1), 0, "a").unwrap();
    queue.wait(&limited("a", 1), 1, "a").unwrap();
    let b = queue.wait(&path("b"), 2, "b").unwrap();
    assert_eq!(served(&mut queue), ["a"]);
    queue.lend();
    assert_eq!(served(&mut queue), ["b"]);
    queue.leave_lent(a);
    assert_eq!(served(&mut queue), [] as [&str; 0]);
    queue.leave(b);
    assert_eq!(served(&mut queue), ["a"]);
    queue.leave(a);
    assert_eq!(queue.nodes.len(), 1);
}

#[test]
fn a_full_line_takes_nobody_and_leaves_room_for_others() {
    let mut queue: FairQueue<&str> = FairQueue::new(0, (2, 3));
    assert!(queue.wait(&path("a"), 0, "").is_ok());
    assert!(queue.wait(&path("a"), 1, "").is_ok());
    assert_eq!(queue.wait(&path("a"), 2, ""), Err(Full));
    assert!(queue.wait(&path("b"), 3, "").is_ok());
    assert_eq!(queue.wait(&path("c"), 4, ""), Err(Full));
    assert_eq!(queue.nodes.len(), 5);
}

#[derive(Clone, Debug)]
enum Step {
    Wait(usize),
    Leave(usize),
    GiveUp(usize),
}

const PATHS: [&str; 5] = ["a", "b", "b:x", "b:y", "c:z"];

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (0..PATHS.len()).prop_map(Step::Wait),
        2 => (0usize..100).prop_map(Step::Leave),
        1 => (0usize..100).prop_map(Step::GiveUp),
    ]
}

proptest! {
    #[test]
    fn no_seat_is_free_while_somebody_waits_and_nothing_is_left_behind(
        seats in 1usize..5, steps in proptest::collection::vec(step(), 0..200),
    ) {
        let mut queue: FairQueue<u64> = FairQueue::new(seats, (1000, 1000));
        let (mut waiting, mut seated) = (Vec::<(u64, Line)>::new(), Vec::<(u64, Line)>::new());
        for (ticket, step) in steps.into_iter().enumerate() {
            match step {
                Step::Wait(at) => {
                    let ticket = ticket as u64;
                    waiting.push((ticket, queue.wait(&path(PATHS[at]), ticket, ticket).unwrap()));
                }
                Step::Leave(which) if !seated.is_empty() => {
                    let (_, line) = seated.remove(which % seated.len());
                    queue.leave(line);
                }
                Step::GiveUp(which) if !waiting.is_empty() => {
                    let (ticket, line) = waiting.remove(which % waiting.len());
                    prop_assert!(queue.give_up(line, ticket));
                }
                Step::Leave(_) | Step::GiveUp(_) => {}
            }
            while let Some(ticket) = queue.admit() {
                let at = waiting.iter().position(|(waiting, _)| *waiting == ticket).unwrap();
                seated.push(waiting.remove(at));
            }
            prop_assert!(seated.len() <= seats);
            prop_assert!(seated.len() == seats || waiting.is_empty());
            prop_assert!(queue.nodes.len() <= 1 + 3 * (waiting.len() + seated.len()));
        }
    }

    #[test]
    fn nobody_starves(loads in proptest::collection::vec(1usize..40, PATHS.len()), seats in 1usize..4) {
        let mut queue: FairQueue<usize> = FairQueue::new(seats, (1000, 1000));
        let mut lines = Vec::new();
        for (at, load) in loads.iter().enumerate() {
            for ticket in 0..*load {
                lines.push(queue.wait(&path(PATHS[at]), ticket as u64, at).unwrap());
            }
        }
        let line_of = |at: usize| lines[loads[..at].iter().sum::<usize>()];
        let (mut seated, mut first_served) = (VecDeque::new(), [None; PATHS.len()]);
        for round in 0.. {
            while let Some(at) = queue.admit() {
                first_served[at].get_or_insert(round);
                seated.push_back(at);
            }
            let Some(at) = seated.pop_front() else { break };
            queue.leave(line_of(at));
        }
        // Three workspaces at the top and at most three lines in each: nine turns reach everybody.
        prop_assert!(first_served.iter().all(|round| round.is_some_and(|round| round <= 9)));
        prop_assert_eq!(queue.nodes.len(), 1);
    }
}
