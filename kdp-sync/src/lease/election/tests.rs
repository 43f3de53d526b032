//! Single steps, and a simulation of candidates with clocks of their own on a bad network.

use proptest::prelude::*;

use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn options(identity: &str) -> LeaseOptions {
    LeaseOptions { identity: identity.into(), ..LeaseOptions::new("") }
}

fn held_by(holder: &str, renewed: i64) -> Seen {
    let renewed = Some(Timestamp::from_second(renewed).unwrap());
    let record = Record { holder: holder.into(), duration: 15 * SECOND, renewed, ..Record::default() };
    Seen { record, version: renewed.unwrap().to_string() }
}

fn bids(election: &Election, now: Duration) -> bool {
    election.bid(now, Timestamp::UNIX_EPOCH).is_some()
}

#[test]
fn a_lease_runs_out_when_it_did_not_change_for_as_long_as_it_says() {
    let mut election = Election::new(&options("me"));
    // The times in it are of no interest: this one is long past.
    election.observe(Some(held_by("other", 0)), 100 * SECOND);
    assert!(!bids(&election, 114 * SECOND));
    election.observe(Some(held_by("other", 0)), 114 * SECOND);
    assert!(bids(&election, 115 * SECOND));
    election.observe(Some(held_by("other", 2)), 114 * SECOND);
    assert!(!bids(&election, 128 * SECOND));
    assert_eq!(election.holder(128 * SECOND), Some("other"));
    assert_eq!(election.holder(129 * SECOND), None);
}

#[test]
fn a_lease_that_nobody_holds_is_taken_at_once() {
    let mut election = Election::new(&options("me"));
    assert!(
        matches!(election.bid(SECOND, Timestamp::UNIX_EPOCH), Some(Bid::Create(record)) if record.transitions == 0)
    );
    let mut left = held_by("", 0);
    left.record.transitions = 4;
    election.observe(Some(left), SECOND);
    let Some(Bid::Update(record, version)) = election.bid(SECOND, Timestamp::UNIX_EPOCH) else { panic!("no bid") };
    assert_eq!((record.holder.as_str(), record.transitions), ("me", 5));
    assert_eq!(version, held_by("", 0).version);
}

#[test]
fn a_renewal_keeps_when_and_how_often_the_lease_was_got() {
    let mut election = Election::new(&options("me"));
    let mut mine = held_by("me", 5);
    (mine.record.acquired, mine.record.transitions) = (mine.record.renewed, 2);
    election.won(mine.clone(), SECOND, 2 * SECOND);
    let Some(Bid::Update(record, _)) = election.bid(3 * SECOND, Timestamp::from_second(9).unwrap()) else {
        panic!("no bid")
    };
    assert_eq!(record.acquired, mine.record.acquired);
    assert_eq!((record.transitions, record.renewed), (2, Some(Timestamp::from_second(9).unwrap())));
    let term = election.term().unwrap();
    assert_eq!((term.begins_until, term.works_until), (11 * SECOND, 13 * SECOND + SECOND / 2));
}

#[test]
fn who_sees_another_holder_stops_at_once_and_who_resigns_is_free_for_all() {
    let mut election = Election::new(&options("me"));
    election.won(held_by("me", 1), SECOND, SECOND);
    let Some(Bid::Update(left, _)) = election.resign(Timestamp::UNIX_EPOCH) else { panic!("no bid") };
    assert_eq!((left.holder.as_str(), left.duration), ("", SECOND));
    assert_eq!(election.term(), None);
    election.won(held_by("me", 1), SECOND, SECOND);
    election.observe(Some(held_by("other", 1)), 2 * SECOND);
    assert_eq!(election.term(), None);
    assert_eq!(election.resign(Timestamp::UNIX_EPOCH), None);
}

/// What a candidate may be told to do, and how the network treats it.
#[derive(Clone, Debug)]
struct Step {
    candidate: usize,
    /// How long after the last step it begins.
    after: Duration,
    to_server: Duration,
    from_server: Duration,
    /// Whether the request, or its answer, gets lost.
    is_lost: (bool, bool),
    resigns: bool,
}

/// A candidate whose clock starts anywhere and is up to a tenth fast or slow.
struct Node {
    election: Election,
    offset: Duration,
    rate: f64,
    /// The request it waits for, and until when; an answer to another one is not heard.
    waits: Option<(usize, Duration)>,
}

impl Node {
    fn clock(&self, time: Duration) -> Duration {
        self.offset + time.mul_f64(self.rate)
    }

    fn works(&self, time: Duration) -> bool {
        self.election.term().is_some_and(|term| self.clock(time) < term.works_until)
    }
}

/// The API server, and what is under way to and from it.
#[derive(Default)]
struct Server {
    lease: Option<Seen>,
    versions: u64,
}

impl Server {
    fn write(&mut self, bid: Bid) -> Option<Seen> {
        let record = match (bid, &self.lease) {
            (Bid::Create(record), None) => record,
            (Bid::Update(record, version), Some(held)) if held.version == version => record,
            _ => return None,
        };
        self.versions += 1;
        let seen = Seen { record, version: self.versions.to_string() };
        self.lease = Some(seen.clone());
        Some(seen)
    }
}

/// What happens at the server or at a candidate, later.
enum Happening {
    Arrives { request: usize, bid: Option<Bid>, sent: Duration, step: Step },
    Answers { request: usize, candidate: usize, answer: Answer, sent: Duration },
}

enum Answer {
    Read(Option<Seen>),
    Written(Option<Seen>),
}

struct Sim {
    nodes: Vec<Node>,
    server: Server,
    /// In the order of their times; the number keeps them apart.
    later: std::collections::BTreeMap<(Duration, usize), Happening>,
    count: usize,
    worked: usize,
}

impl Sim {
    fn new(clocks: &[(u64, f64)]) -> Self {
        let node = |(at, (offset, rate)): (usize, &(u64, f64))| Node {
            election: Election::new(&options(&at.to_string())),
            offset: Duration::from_secs(*offset),
            rate: *rate,
            waits: None,
        };
        let nodes = clocks.iter().enumerate().map(node).collect();
        Self { nodes, server: Server::default(), later: Default::default(), count: 0, worked: 0 }
    }

    fn at(&mut self, time: Duration, happening: Happening) {
        self.count += 1;
        self.later.insert((time, self.count), happening);
    }

    /// Lets everything happen that does until `time`.
    fn run_until(&mut self, time: Duration) {
        while let Some(entry) = self.later.first_entry().filter(|entry| entry.key().0 <= time) {
            let ((now, _), happening) = entry.remove_entry();
            self.check(now);
            self.happen(now, happening);
            self.check(now);
        }
        self.check(time);
    }

    fn happen(&mut self, now: Duration, happening: Happening) {
        match happening {
            Happening::Arrives { request, bid, sent, step } => {
                let answer = match bid {
                    Some(bid) => Answer::Written(self.server.write(bid)),
                    None => Answer::Read(self.server.lease.clone()),
                };
                if !step.is_lost.1 {
                    let candidate = step.candidate % self.nodes.len();
                    self.at(now + step.from_server, Happening::Answers { request, candidate, answer, sent });
                }
            }
            Happening::Answers { request, candidate, answer, sent } => {
                let node = &mut self.nodes[candidate];
                if node.waits.is_none_or(|(awaited, until)| awaited != request || now > until) {
                    return;
                }
                node.waits = None;
                let clock = node.clock(now);
                match answer {
                    Answer::Read(seen) => node.election.observe(seen, clock),
                    Answer::Written(Some(seen)) if seen.record.holder.is_empty() => {
                        node.election.observe(Some(seen), clock);
                    }
                    Answer::Written(Some(seen)) => node.election.won(seen, sent, clock),
                    Answer::Written(None) => {}
                }
            }
        }
    }

    /// A candidate does something, if it is not waiting for an answer: it reads, or it writes.
    fn step(&mut self, now: Duration, step: &Step, writes: bool) {
        let candidate = step.candidate % self.nodes.len();
        let node = &mut self.nodes[candidate];
        if node.waits.is_some_and(|(_, until)| now < until) {
            return;
        }
        let (sent, wall) = (node.clock(now), Timestamp::from_second(node.clock(now).as_secs() as i64).unwrap());
        let bid = if step.resigns {
            node.election.resign(wall)
        } else if writes {
            node.election.bid(sent, wall)
        } else {
            None
        };
        if bid.is_none() && writes {
            return;
        }
        // It gives up waiting after five seconds of its own clock.
        let request = self.count;
        self.nodes[candidate].waits = Some((request, now + Duration::from_secs(5).div_f64(self.nodes[candidate].rate)));
        self.count += 1;
        if !step.is_lost.0 {
            self.at(now + step.to_server, Happening::Arrives { request, bid, sent, step: step.clone() });
        }
    }

    fn check(&mut self, now: Duration) {
        let workers: Vec<_> = (0..self.nodes.len()).filter(|at| self.nodes[*at].works(now)).collect();
        assert!(workers.len() <= 1, "{workers:?} work at {now:?}");
        self.worked += workers.len();
    }
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let millis = |range: std::ops::Range<u64>| range.prop_map(Duration::from_millis);
    let step = (
        0..3usize,
        prop_oneof![8 => millis(0..1500), 1 => millis(1500..30_000)],
        prop_oneof![8 => millis(0..300), 1 => millis(300..20_000)],
        prop_oneof![8 => millis(0..300), 1 => millis(300..20_000)],
        (prop::bool::weighted(0.1), prop::bool::weighted(0.15)),
        prop::bool::weighted(0.03),
    );
    let step = step.prop_map(|(candidate, after, to_server, from_server, is_lost, resigns)| Step {
        candidate,
        after,
        to_server,
        from_server,
        is_lost,
        resigns,
    });
    prop::collection::vec(step, 1..300)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn there_are_never_two_who_work(
        clocks in prop::collection::vec((0..100_000u64, 0.95..1.05f64), 2..=3),
        steps in steps(),
    ) {
        let mut sim = Sim::new(&clocks);
        let mut now = Duration::ZERO;
        for (at, step) in steps.iter().enumerate() {
            now += step.after;
            sim.run_until(now);
            sim.step(now, step, at % 2 == 1);
        }
        sim.run_until(now + 100 * SECOND);
    }

    #[test]
    fn once_the_network_is_good_somebody_works_and_goes_on(
        clocks in prop::collection::vec((0..100_000u64, 0.95..1.05f64), 2..=3),
        steps in steps(),
    ) {
        let mut sim = Sim::new(&clocks);
        let mut now = Duration::ZERO;
        for (at, step) in steps.iter().enumerate() {
            now += step.after;
            sim.run_until(now);
            sim.step(now, step, at % 2 == 1);
        }
        // What is under way arrives, and nobody waits any more.
        now += 50 * SECOND;
        sim.run_until(now);
        let good = |candidate| Step {
            candidate, after: SECOND, to_server: SECOND / 20, from_server: SECOND / 20, is_lost: (false, false), resigns: false,
        };
        for round in 0..60 {
            for candidate in 0..clocks.len() {
                for writes in [false, true] {
                    sim.step(now, &good(candidate), writes);
                    now += SECOND / 5;
                    sim.run_until(now);
                }
            }
            prop_assert!(round < 20 || sim.nodes.iter().any(|node| node.works(now)), "nobody works in round {round}");
        }
        prop_assert!(sim.worked > 0);
    }
}
