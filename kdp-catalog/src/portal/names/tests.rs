use proptest::prelude::*;

use super::*;

fn names(subjects: &[(&str, &str)]) -> Vec<String> {
    assign(subjects.iter().map(|(key, name)| ((*key).to_owned(), (*name).to_owned()))).into_values().collect()
}

#[test]
fn a_good_name_that_nobody_else_wants_is_kept() {
    assert_eq!(names(&[("k", "v1.postgreses.db.example.com")]), ["v1.postgreses.db.example.com"]);
    assert_eq!(names(&[("k", "Postgres")]), ["postgres"]);
}

#[test]
fn those_who_want_the_same_name_all_get_a_hash() {
    let both = names(&[("a", "db"), ("b", "DB")]);
    assert!(both.iter().all(|name| name.starts_with("db-") && name.len() == 13), "{both:?}");
    assert_ne!(both[0], both[1]);
}

#[test]
fn what_is_lost_shows_as_a_hash() {
    let name = &names(&[("k", "Müller & Söhne")])[0];
    assert!(name.starts_with("m-ller-s-hne-"), "{name}");
    assert!(names(&[("k", "!!!")])[0].starts_with("x-"));
    assert_eq!(names(&[("k", &"a".repeat(64))])[0].len(), NAME_MAX);
}

#[test]
fn a_name_that_looks_like_one_with_a_hash_is_no_clash() {
    let hashed = names(&[("a", "!")]).remove(0);
    let both = names(&[("a", "!"), ("b", &hashed)]);
    assert_eq!(both[1], hashed);
    assert_ne!(both[0], hashed);
}

#[test]
fn only_addresses_of_the_web_become_links() {
    for good in ["https://a.example/x?y#z", "http://[::1]:80/", "https://127.0.0.1:6443"] {
        assert!(is_web_url(good), "{good}");
    }
    for bad in
        ["javascript:alert(1)", "https://", "https:///x", "https://a b", "https://u@h/", "https://a/${{x}}", "/a"]
    {
        assert!(!is_web_url(bad), "{bad}");
    }
}

#[test]
fn texts_lose_what_deceives() {
    assert_eq!(readable(" a\u{202e}b\u{0}\r\nc\u{feff} "), "ab\nc");
}

proptest! {
    #[test]
    fn names_are_valid_and_unique(subjects in proptest::collection::btree_map(".{0,80}", ".{0,90}", 0..30)) {
        let names = assign(subjects.clone());
        prop_assert_eq!(names.len(), subjects.len());
        let mut seen: Vec<_> = names.values().map(|name| name.to_lowercase()).collect();
        seen.sort();
        seen.dedup();
        prop_assert_eq!(seen.len(), names.len());
        prop_assert!(names.values().all(|name| is_name(name)), "{:?}", names);
    }

    #[test]
    fn names_clash_often_and_are_still_unique(subjects in proptest::collection::btree_map("[a-c]{0,3}", "[aA.é-]{0,3}", 0..30)) {
        let names = assign(subjects.clone());
        let mut seen: Vec<_> = names.values().collect();
        seen.sort();
        seen.dedup();
        prop_assert_eq!(seen.len(), subjects.len());
        prop_assert_eq!(assign(subjects.into_iter().rev()), names);
    }

    #[test]
    fn labels_and_tags_are_valid(text in ".{0,90}") {
        prop_assert!(is_name(&label_value(&text)));
        if let Some(tag) = tag(&text) {
            prop_assert!(tag.len() <= NAME_MAX && tag.split('-').all(|word| !word.is_empty()));
        }
    }
}
