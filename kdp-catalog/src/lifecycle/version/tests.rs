use super::*;
use crate::lifecycle::Deprecation;

const DAY: &str = "2026-03-01T00:00:00Z";

fn version(text: &str) -> Version {
    text.parse().unwrap()
}

fn offer() -> Offer {
    let mut releases: Vec<Release> =
        ["1.0.0", "1.1.0", "1.2.0", "2.0.0", "2.1.0-rc.1", "2.1.0-rc.2"].map(|it| Release::new(version(it))).into();
    let deprecation =
        Deprecation { since: DAY.parse().unwrap(), message: String::new(), replacement: None, retire_at: None };
    let mut past = deprecation.clone();
    past.retire_at = Some(DAY.parse().unwrap());
    releases.push(Release { version: version("1.3.0"), state: ReleaseState::Deprecated(deprecation.clone()) });
    releases.push(Release { version: version("3.0.0"), state: ReleaseState::Deprecated(deprecation) });
    releases.push(Release { version: version("4.0.0"), state: ReleaseState::Deprecated(past) });
    releases.push(Release { version: version("9.0.0"), state: ReleaseState::Retired { since: DAY.parse().unwrap() } });
    let channel = |name: &str, pre_releases, releases: &[&str]| Channel {
        name: name.into(),
        releases: releases.iter().map(|it| version(it)).collect(),
        pre_releases,
    };
    let channels = [
        channel("stable", false, &["1.1.0", "1.2.0", "2.1.0-rc.1", "9.0.0"]),
        channel("candidate", true, &["1.2.0", "2.1.0-rc.1"]),
        channel("recalled", false, &["2.0.0", "1.2.0"]),
    ];
    Offer::new("Service databases", &releases, &channels, DAY.parse().unwrap())
}

fn choose(spec: &RequirementSpec, current: Option<&str>) -> Result<Choice, LifecycleError> {
    let requirement = Requirement::parse("Database orders", "spec.release", spec).unwrap();
    offer().choose("spec.release", &requirement, current.map(version).as_ref())
}

fn range(text: &str) -> RequirementSpec {
    RequirementSpec::Range(text.into())
}

fn channel(text: &str) -> RequirementSpec {
    RequirementSpec::Channel(text.into())
}

fn exact(text: &str) -> RequirementSpec {
    RequirementSpec::Version(text.into())
}

fn install(text: &str) -> Choice {
    Choice::Install(version(text))
}

#[test]
fn new_instances_get_the_newest_that_fits() {
    assert_eq!(choose(&range("^1"), None), Ok(install("1.2.0")), "1.3.0 is deprecated");
    assert_eq!(choose(&range("*"), None), Ok(install("2.0.0")), "pre-releases were not asked for");
    assert_eq!(choose(&range(">=2.1.0-rc.1"), None), Ok(install("2.1.0-rc.2")), "3.0.0 is deprecated");
    assert_eq!(choose(&range("=2.1.0-rc.1"), None), Ok(install("2.1.0-rc.1")));
    assert_eq!(choose(&range("^3"), None), Ok(install("3.0.0")), "a deprecated one is better than none");
    assert_eq!(choose(&channel("stable"), None), Ok(install("1.2.0")));
    assert_eq!(choose(&channel("candidate"), None), Ok(install("2.1.0-rc.1")));
    assert_eq!(choose(&exact("v2.1.0-rc.2"), None), Ok(install("2.1.0-rc.2")));
}

#[test]
fn nobody_is_led_back() {
    let keep = |text: &str| Ok(Choice::Keep(version(text)));
    assert_eq!(choose(&range("^1"), Some("1.3.0")), keep("1.3.0"));
    assert_eq!(choose(&range("^1"), Some("1.9.0")), keep("1.9.0"));
    assert_eq!(choose(&channel("recalled"), Some("2.0.0")), keep("2.0.0"));
    let held = Choice::HeldBack { current: version("2.0.0"), wanted: version("1.2.0") };
    assert_eq!(held.version(), &version("2.0.0"));
    assert_eq!(choose(&channel("stable"), Some("2.0.0")), Ok(held.clone()));
    assert_eq!(choose(&exact("1.2.0"), Some("2.0.0")), Ok(held));
    let upgrade = Choice::Upgrade { from: version("1.0.0"), to: version("1.2.0") };
    assert_eq!(choose(&channel("stable"), Some("1.0.0")), Ok(upgrade));
}

#[test]
fn what_cannot_be_met_is_said_with_object_and_field() {
    let say = |spec, current| choose(&spec, current).unwrap_err().to_string();
    let gone = "Service databases: spec.release: no release that can be ordered meets ";
    assert_eq!(say(exact("9.0.0"), None), format!("{gone}version 9.0.0"));
    assert_eq!(say(exact("4.0.0"), Some("1.0.0")), format!("{gone}version 4.0.0"));
    assert_eq!(say(range("^7"), None), format!("{gone}range ^7"));
    assert_eq!(choose(&exact("9.0.0"), Some("9.0.0")), Ok(Choice::Keep(version("9.0.0"))));
    assert_eq!(say(channel("beta"), None), "Service databases: spec.release: there is no channel \"beta\"");
    let parse = |spec| Requirement::parse("Database orders", "spec.release", &spec).unwrap_err().to_string();
    assert!(
        parse(exact("1.2")).starts_with("Database orders: spec.release.version: \"1.2\" is not a semantic version")
    );
    assert!(parse(range("~>1")).starts_with("Database orders: spec.release.range: \"~>1\" is not a range"));
    assert_eq!(parse(channel(" ")), "Database orders: spec.release.channel: is empty");
}

#[test]
fn a_requirement_is_an_object_of_one_field() {
    let json = serde_json::to_string(&channel("stable")).unwrap();
    assert_eq!(json, r#"{"channel":"stable"}"#);
    assert_eq!(serde_json::from_str::<RequirementSpec>(r#"{"range":">=1, <2"}"#).unwrap(), range(">=1, <2"));
}
