use super::*;

const CREATED: &str = "2026-11-01T00:00:00Z";

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn verdict(spec: &LifetimeSpec, now: &str) -> Verdict {
    Lifetime::parse("Database orders", "spec.lifetime", spec, at(CREATED)).unwrap().verdict(at(now))
}

fn keep(until: &str, warn: Option<&str>, next_look: &str) -> Verdict {
    Verdict::Keep { until: Some(at(until)), warn: warn.map(Into::into), next_look: Some(at(next_look)) }
}

#[test]
fn without_an_end_it_lives_on() {
    let for_ever = Verdict::Keep { until: None, warn: None, next_look: None };
    assert_eq!(verdict(&LifetimeSpec::default(), "2099-01-01T00:00:00Z"), for_ever);
}

#[test]
fn people_are_warned_before_the_end() {
    let spec = LifetimeSpec { ttl: Some("30d".into()), ..LifetimeSpec::default() };
    let (warned, end) = ("2026-11-30T00:00:00Z", "2026-12-01T00:00:00Z");
    assert_eq!(verdict(&spec, CREATED), keep(end, None, warned));
    let warning = "will be deleted at 2026-12-01T00:00:00Z: its time to live is over then";
    assert_eq!(verdict(&spec, warned), keep(end, Some(warning), end));
    assert_eq!(verdict(&spec, end), Verdict::Expire { since: at(end), reason: EndReason::TimeToLive });
    // A short life is not warned about all the time.
    let spec = LifetimeSpec { ttl: Some("10h".into()), ..LifetimeSpec::default() };
    assert_eq!(verdict(&spec, CREATED), keep("2026-11-01T10:00:00Z", None, "2026-11-01T09:00:00Z"));
    let spec = LifetimeSpec { warn_before: Some("4h".into()), ..spec };
    assert_eq!(verdict(&spec, CREATED), keep("2026-11-01T10:00:00Z", None, "2026-11-01T06:00:00Z"));
}

#[test]
fn the_first_of_several_ends_counts() {
    let spec = LifetimeSpec {
        ttl: Some("30d".into()),
        expires: Some(at("2026-11-20T00:00:00Z")),
        lease: Some("7d".into()),
        ..LifetimeSpec::default()
    };
    let end = |since: &str, reason| Verdict::Expire { since: at(since), reason };
    let late = "2027-01-01T00:00:00Z";
    assert_eq!(verdict(&spec, late), end("2026-11-08T00:00:00Z", EndReason::LeaseLapsed));
    let spec = LifetimeSpec { renewed: Some(at("2026-11-19T00:00:00Z")), ..spec };
    assert_eq!(verdict(&spec, late), end("2026-11-20T00:00:00Z", EndReason::Expired));
    let spec = LifetimeSpec { expires: None, ttl: None, ..spec };
    let Verdict::Keep { warn: Some(warn), .. } = verdict(&spec, "2026-11-25T23:00:00Z") else { panic!("no warning") };
    assert!(warn.ends_with("its lease lapses then unless it is renewed"), "{warn}");
    // A renewal older than the object itself is not one.
    let spec = LifetimeSpec { renewed: Some(at("2025-01-01T00:00:00Z")), ..spec };
    assert_eq!(verdict(&spec, late), end("2026-11-08T00:00:00Z", EndReason::LeaseLapsed));
}

#[test]
fn what_is_protected_is_held() {
    let spec = LifetimeSpec { ttl: Some("1h".into()), protected: true, ..LifetimeSpec::default() };
    let held = Verdict::Held { due: at("2026-11-01T01:00:00Z"), reason: EndReason::TimeToLive };
    assert_eq!(verdict(&spec, "2027-01-01T00:00:00Z"), held);
}

#[test]
fn annotations_say_the_same() {
    let read = |annotations: &[(&str, &str)]| {
        let annotations = annotations.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Lifetime::of_annotations("Database orders", &annotations, at(CREATED))
    };
    let lifetime = read(&[(TTL_ANNOTATION, "72h"), (PROTECTED_ANNOTATION, "false"), ("other", "x")]).unwrap();
    let end = Verdict::Expire { since: at("2026-11-04T00:00:00Z"), reason: EndReason::TimeToLive };
    assert_eq!(lifetime.verdict(at("2026-11-04T00:00:00Z")), end);
    let say = |name, value| read(&[(name, value)]).unwrap_err().to_string();
    let place = "Database orders: metadata.annotations[catalog.kdp.k8c.io";
    assert_eq!(say(PROTECTED_ANNOTATION, "yes"), format!("{place}/protected]: \"yes\" is neither true nor false"));
    assert_eq!(say(TTL_ANNOTATION, "0h"), format!("{place}/ttl]: is zero"));
    assert_eq!(
        say(TTL_ANNOTATION, "x"),
        format!("{place}/ttl]: \"x\" is not a length of time such as 90m, 36h or 30d")
    );
    assert_eq!(say(RENEWED_ANNOTATION, CREATED), format!("{place}/lease-renewed]: is there, but no lease"));
    assert!(say(EXPIRES_ANNOTATION, "soon").starts_with(&format!("{place}/expires]: \"soon\" is not a time")));
}
