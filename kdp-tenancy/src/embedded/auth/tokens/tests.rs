use kdp_core::Identity;

use super::*;

fn user(name: &str) -> Identity {
    Identity { username: name.into(), ..Identity::default() }
}

#[test]
fn only_the_exact_token_is_found() {
    let tokens = StaticTokens::new().with_token("alpha", user("a")).with_token("beta", user("b"));
    let check = |token: &str, expected: Option<&str>| {
        assert_eq!(tokens.find(token).map(|found| found.username.as_str()), expected, "{token:?}");
    };
    check("alpha", Some("a"));
    check("beta", Some("b"));
    check("alph", None);
    check("alphaa", None);
    check("ALPHA", None);
    check("", None);
}

#[test]
fn an_empty_list_knows_no_token() {
    assert_eq!(StaticTokens::new().find(""), None);
}

#[test]
fn of_two_equal_tokens_the_later_counts() {
    let tokens = StaticTokens::new().with_token("t", user("old")).with_token("t", user("new"));
    assert_eq!(tokens.find("t"), Some(&user("new")));
}

#[test]
fn debug_output_shows_neither_tokens_nor_digests() {
    let tokens = StaticTokens::new().with_token("hunter2", user("a"));
    assert_eq!(format!("{tokens:?}"), "StaticTokens { count: 1 }");
}
