use super::*;

#[track_caller]
fn check(pattern: &str, text: &str, expected: Option<&str>) {
    let regex = compile(pattern).unwrap();
    assert_eq!(regex.find(text).map(|found| found.as_str()), expected, "{pattern}");
}

#[test]
fn classes_know_ascii_only() {
    check(r"\d+", "٣4", Some("4"));
    check(r"\w+", "é_a", Some("_a"));
    check(r"[\w-]+", "éa-b", Some("a-b"));
    check(r"[^\D]", "a1", Some("1"));
    check(r"\S", "\u{a0}", Some("\u{a0}"));
    check(r"\bb", "éb", Some("b"));
}

#[test]
fn signs_that_are_no_operators_stand_for_themselves() {
    check("a{", "a{", Some("a{"));
    check("a{,2}", "a{,2}", Some("a{,2}"));
    check("a{1,2}", "aaa", Some("aa"));
    check("[[&&a]", "&", Some("&"));
    check("[]a]+", "]a", Some("]a"));
    check("[[:alpha:]]+", "ab1", Some("ab"));
    check(r"\Qa.b\E.", "a.bc", Some("a.bc"));
    check(r"\<a", "<a", Some("<a"));
}

#[test]
fn too_large_a_pattern_is_refused() {
    assert!(compile("((a{1000}){1000}){1000}").is_err());
    assert!(compile("(").is_err());
    assert!(compile("\\").is_err());
}
