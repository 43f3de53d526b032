use proptest::prelude::*;

use super::*;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn deprecated(message: &str, replacement: Option<&str>, retire_at: Option<&str>) -> Release {
    Release {
        version: "1.2.0".parse().unwrap(),
        state: ReleaseState::Deprecated(Deprecation {
            since: at("2026-03-01T23:59:59Z"),
            message: message.into(),
            replacement: replacement.map(Into::into),
            retire_at: retire_at.map(at),
        }),
    }
}

#[test]
fn users_of_a_deprecated_release_are_told() {
    let check = |release: Release, expected: &str| assert_eq!(release.warning("Database").as_deref(), Some(expected));
    check(deprecated("", None, None), "Database 1.2.0 is deprecated since 2026-03-01");
    check(
        deprecated("", Some("2.0.0"), Some("2026-12-31T12:00:00Z")),
        "Database 1.2.0 is deprecated since 2026-03-01; use 2.0.0; it is retired on 2026-12-31",
    );
    check(
        deprecated("a \"bad\"\r\n disk\\format é", None, None),
        "Database 1.2.0 is deprecated since 2026-03-01: a 'bad' disk/format ?",
    );
    assert_eq!(Release::new("1.2.0".parse().unwrap()).warning("Database"), None);
    let header = deprecated("", None, None).warning_header("Database").unwrap();
    assert_eq!(header, "299 - \"Database 1.2.0 is deprecated since 2026-03-01\"");
}

#[test]
fn a_long_message_does_not_push_out_the_dates() {
    let mut release = deprecated(&"m".repeat(900), Some(&"r".repeat(900)), Some("2026-12-31T12:00:00Z"));
    release.version.pre = semver::Prerelease::new(&"p".repeat(900)).unwrap();
    let text = release.warning(&"K".repeat(900)).unwrap();
    assert!(text.contains("since 2026-03-01; use rr") && text.contains("; it is retired on 2026-12-31"), "{text}");
    assert!(text.len() <= WARNING_BYTES && text.ends_with("m..."), "{text}");
}

#[test]
fn nothing_new_is_made_of_what_goes_away() {
    let release = deprecated("", None, Some("2026-12-31T00:00:00Z"));
    release.orderable("Service databases", "spec.release", at("2026-12-30T23:59:59Z")).unwrap();
    let error = release.orderable("Service databases", "spec.release", at("2026-12-31T00:00:00Z")).unwrap_err();
    let expected = "Service databases: spec.release: 1.2.0 cannot be ordered: its last day was 2026-12-31";
    assert_eq!(error.to_string(), expected);
}

#[test]
fn a_release_is_not_retired_under_living_instances() {
    let release = deprecated("", None, None);
    let now = at("2027-01-01T00:00:00Z");
    let names: Vec<String> = (0..23).rev().map(|i| format!("order-{i:02}")).collect();
    let error = release.retire("Service databases", names.iter().map(String::as_str), now).unwrap_err().to_string();
    assert!(error.starts_with("Service databases: 1.2.0 cannot be retired: still used by order-00, order-01, "));
    assert!(error.ends_with(", order-19 and 3 more"), "{error}");
    let retired = release.retire("Service databases", [], now).unwrap();
    assert_eq!(retired.state, ReleaseState::Retired { since: now });
    assert_eq!(retired.retire("Service databases", ["late"], at("2028-01-01T00:00:00Z")), Ok(retired.clone()));
    assert_eq!(retired.warning("Database").unwrap(), "Database 1.2.0 is retired since 2027-01-01");
}

#[test]
fn a_release_is_one_flat_object() {
    let json = serde_json::to_value(deprecated("old", None, None)).unwrap();
    let expected = serde_json::json!({
        "version": "1.2.0", "state": "Deprecated", "since": "2026-03-01T23:59:59Z", "message": "old",
    });
    assert_eq!(json, expected);
    assert_eq!(serde_json::from_value::<Release>(json).unwrap(), deprecated("old", None, None));
}

proptest! {
    #[test]
    fn a_warning_fits_into_a_header(kind in any::<String>(), message in any::<String>(), use_it in any::<String>()) {
        let text = deprecated(&message, Some(&use_it), Some("2026-12-31T00:00:00Z")).warning(&kind).unwrap();
        prop_assert!(text.len() <= WARNING_BYTES);
        prop_assert!(text.bytes().all(|byte| (b' '..=b'~').contains(&byte) && byte != b'"' && byte != b'\\'));
    }
}
