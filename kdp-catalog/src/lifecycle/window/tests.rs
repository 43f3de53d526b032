use proptest::prelude::*;

use super::*;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn weekly(days: &[Day], start: &str, duration: &str, zone: &str) -> WindowSpec {
    WindowSpec {
        days: days.iter().copied().collect(),
        start: start.into(),
        duration: duration.into(),
        time_zone: zone.into(),
    }
}

fn freeze(from: &str, to: &str) -> FreezeSpec {
    FreezeSpec { from: at(from), to: at(to), reason: String::new() }
}

fn windows(windows: Vec<WindowSpec>, freezes: Vec<FreezeSpec>) -> Windows {
    Windows::parse("UpgradePlan p", "spec.maintenance", &MaintenanceSpec { windows, freezes }).unwrap()
}

#[track_caller]
fn check(windows: &Windows, now: &str, expected: &str) {
    assert_eq!(windows.next_opening(at(now)), Some(at(expected)));
    assert_eq!(windows.is_open(at(now)), now == expected);
}

#[test]
fn without_windows_work_may_begin_at_any_time() {
    check(&Windows::default(), "2026-03-01T00:00:00Z", "2026-03-01T00:00:00Z");
    let frozen = windows(vec![], vec![freeze("2026-12-20T00:00:00Z", "2027-01-07T00:00:00Z")]);
    check(&frozen, "2026-12-19T23:59:59Z", "2026-12-19T23:59:59Z");
    check(&frozen, "2026-12-20T00:00:00Z", "2027-01-07T00:00:00Z");
}

#[test]
fn a_window_opens_on_its_days_and_may_last_into_the_next() {
    let nights = windows(vec![weekly(&[Day::Saturday], "22:00", "4h", "UTC")], vec![]);
    check(&nights, "2026-11-25T12:00:00Z", "2026-11-28T22:00:00Z");
    check(&nights, "2026-11-28T22:00:00Z", "2026-11-28T22:00:00Z");
    check(&nights, "2026-11-29T01:59:59Z", "2026-11-29T01:59:59Z");
    check(&nights, "2026-11-29T02:00:00Z", "2026-12-05T22:00:00Z");
    let daily = windows(vec![weekly(&[], "00:00", "24h", "UTC")], vec![]);
    check(&daily, "2026-11-29T23:59:59.999Z", "2026-11-29T23:59:59.999Z");
}

#[test]
fn a_freeze_hides_windows() {
    let nights = weekly(&[Day::Saturday], "22:00", "4h", "UTC");
    let freezes = vec![
        freeze("2026-11-28T00:00:00Z", "2026-11-28T23:00:00Z"),
        freeze("2026-12-05T00:00:00Z", "2026-12-08T00:00:00Z"),
        freeze("2026-12-07T00:00:00Z", "2026-12-20T02:00:00Z"),
    ];
    let windows = windows(vec![nights], freezes);
    check(&windows, "2026-11-25T12:00:00Z", "2026-11-28T23:00:00Z");
    check(&windows, "2026-11-29T03:00:00Z", "2026-12-26T22:00:00Z");
}

#[test]
fn clocks_that_change_move_openings_but_not_lengths() {
    let nights = windows(vec![weekly(&[Day::Sunday], "02:30", "2h", "Europe/Berlin")], vec![]);
    // In winter 02:30 is 01:30 UTC, in summer 00:30 UTC.
    check(&nights, "2026-03-16T00:00:00Z", "2026-03-22T01:30:00Z");
    // 02:30 is skipped on March 29: the window opens at 03:30, which is 01:30 UTC.
    check(&nights, "2026-03-23T00:00:00Z", "2026-03-29T01:30:00Z");
    check(&nights, "2026-03-29T03:29:59Z", "2026-03-29T03:29:59Z");
    check(&nights, "2026-03-29T03:30:00Z", "2026-04-05T00:30:00Z");
    // 02:30 comes twice on October 25: the window opens the first time.
    check(&nights, "2026-10-19T00:00:00Z", "2026-10-25T00:30:00Z");
    check(&nights, "2026-10-25T02:29:59Z", "2026-10-25T02:29:59Z");
    check(&nights, "2026-10-25T02:30:00Z", "2026-11-01T01:30:00Z");
}

#[test]
fn the_day_is_that_of_the_time_zone() {
    let monday = windows(vec![weekly(&[Day::Monday], "06:00", "1h", "Pacific/Auckland")], vec![]);
    check(&monday, "2026-06-14T00:00:00Z", "2026-06-14T18:00:00Z");
    // Samoa had no December 30 in 2011: that was a Friday.
    let friday = windows(vec![weekly(&[Day::Friday], "12:00", "1h", "Pacific/Apia")], vec![]);
    check(&friday, "2011-12-24T00:00:00Z", "2011-12-30T22:00:00Z");
}

#[test]
fn mistakes_are_named() {
    let say = |window: WindowSpec| {
        let spec = MaintenanceSpec { windows: vec![window], freezes: vec![] };
        Windows::parse("UpgradePlan p", "spec.maintenance", &spec).unwrap_err().to_string()
    };
    let place = "UpgradePlan p: spec.maintenance.windows[0].";
    for start in ["24:00", "7:00", "12:60", "+1:00", "noon", ""] {
        let expected = format!("{place}start: {start:?} is not a time of day such as 22:30");
        assert_eq!(say(weekly(&[], start, "1h", "UTC")), expected);
    }
    assert_eq!(
        say(weekly(&[], "12:00", "1h", "Europe/Bern")),
        format!("{place}timeZone: \"Europe/Bern\" is not a known time zone")
    );
    for duration in ["0s", "8d"] {
        let expected = format!("{place}duration: {duration:?} is not between a moment and seven days");
        assert_eq!(say(weekly(&[], "12:00", duration, "UTC")), expected);
    }
    assert!(say(weekly(&[], "12:00", "1 month", "UTC")).contains("has months or years"));
    assert!(say(weekly(&[], "12:00", "-1h", "UTC")).contains("is negative"));
    let spec = MaintenanceSpec {
        windows: vec![],
        freezes: vec![FreezeSpec {
            from: at("2026-01-02T00:00:00Z"),
            to: at("2026-01-01T00:00:00Z"),
            reason: String::new(),
        }],
    };
    let error = Windows::parse("UpgradePlan p", "spec.maintenance", &spec).unwrap_err().to_string();
    assert!(error.starts_with("UpgradePlan p: spec.maintenance.freezes[0].to: "), "{error}");
}

proptest! {
    #[test]
    fn nothing_is_open_before_the_next_opening(
        second in 1_700_000_000_i64..1_800_000_000,
        start in 0_u8..24,
        minutes in 1_u32..10_080,
        day in proptest::option::of(0_usize..7),
        zone in proptest::sample::select(vec!["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"]),
    ) {
        let all = [
            Day::Monday, Day::Tuesday, Day::Wednesday, Day::Thursday, Day::Friday, Day::Saturday, Day::Sunday,
        ];
        let days: Vec<Day> = day.map(|day| all[day]).into_iter().collect();
        let windows = windows(vec![weekly(&days, &format!("{start:02}:00"), &format!("{minutes}m"), zone)], vec![]);
        let now = Timestamp::from_second(second).unwrap();
        let next = windows.next_opening(now).unwrap();
        prop_assert!(next >= now && windows.is_open(next));
        let gap = next.duration_since(now);
        for part in 0..20 {
            let between = now.checked_add(gap * part / 20).unwrap();
            prop_assert!(between >= next || !windows.is_open(between));
        }
    }
}
