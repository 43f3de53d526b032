use proptest::prelude::*;

use super::*;

fn bucket(name: &str, per_second: u32, burst: u32) -> (Arc<str>, Rate) {
    (name.into(), Rate { per_second, burst })
}

#[test]
fn a_burst_passes_and_then_the_rate_holds() {
    let (mut meters, now) = (Meters::default(), Instant::now());
    let buckets = [bucket("a", 10, 3)];
    for _ in 0..3 {
        assert_eq!(meters.take(&buckets, now), Ok(()));
    }
    assert_eq!(meters.take(&buckets, now), Err(Duration::from_millis(100)));
    assert_eq!(meters.take(&buckets, now + Duration::from_millis(100)), Ok(()));
    assert!(meters.take(&buckets, now + Duration::from_millis(100)).is_err());
}

#[test]
fn a_refusal_takes_nothing_from_any_bucket() {
    let (mut meters, now) = (Meters::default(), Instant::now());
    let (child, parent) = (bucket("child", 1, 1), bucket("parent", 1, 2));
    assert!(meters.take(&[child.clone(), parent.clone()], now).is_ok());
    assert!(meters.take(&[child.clone(), parent.clone()], now).is_err());
    assert!(meters.take(std::slice::from_ref(&parent), now).is_ok());
}

#[test]
fn full_buckets_are_forgotten() {
    let (mut meters, now) = (Meters::default(), Instant::now());
    for i in 0..100 * SWEEP_FROM {
        let later = now + Duration::from_millis(i as u64);
        meters.take(&[bucket(&format!("workspace-{i}"), 1000, 10)], later).unwrap();
        assert!(meters.full_at.len() <= SWEEP_FROM);
    }
}

proptest! {
    #[test]
    fn no_window_lets_more_pass_than_burst_and_rate(
        per_second in 1u32..50, burst in 1u32..20, gaps in proptest::collection::vec(0u64..200, 1..200),
    ) {
        let mut meters = Meters::default();
        let (begun, buckets) = (Instant::now(), [bucket("a", per_second, burst)]);
        let (mut now, mut passed) = (begun, Vec::new());
        for gap in gaps {
            now += Duration::from_millis(gap);
            if meters.take(&buckets, now).is_ok() {
                passed.push(now);
            }
        }
        for (i, from) in passed.iter().enumerate() {
            for (j, to) in passed.iter().enumerate().skip(i) {
                let allowed = f64::from(burst) + (*to - *from).as_secs_f64() * f64::from(per_second);
                prop_assert!((j - i + 1) as f64 <= allowed + 1e-3);
            }
        }
    }
}
