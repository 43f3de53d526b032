use proptest::prelude::*;

use super::*;

fn user(username: &str, uid: &str, groups: &[&str]) -> Identity {
    Identity {
        username: username.into(),
        uid: (!uid.is_empty()).then(|| uid.into()),
        groups: groups.iter().map(|group| (*group).into()).collect(),
        ..Identity::default()
    }
}

#[test]
fn a_file_in_kubernetes_format_is_read() {
    let check = |text: &str, token: &str, expected: Option<Identity>| {
        assert_eq!(StaticTokens::from_csv(text).unwrap().find(token), expected.as_ref(), "{text:?}");
    };
    check("t,alice,7", "t", Some(user("alice", "7", &[])));
    check("t,alice,7\n", "t", Some(user("alice", "7", &[])));
    check("t,alice,\r\nu,bob,8,devs\r\n", "t", Some(user("alice", "", &[])));
    check("t,alice,7,\"a, b,\"\r\n\r\nu,bob,8", "t", Some(user("alice", "7", &["a", "b"])));
    check("\n\nt,alice,7,\"a\",ignored", "t", Some(user("alice", "7", &["a"])));
    check("\"t\"\"x\",alice,7", "t\"x", Some(user("alice", "7", &[])));
    check("t,alice,7\nt,bob,8", "t", Some(user("bob", "8", &[])));
    check("t,alice,7", "alice", None);
    check("", "", None);
}

#[test]
fn a_fault_is_reported_by_its_line_and_without_the_token() {
    let check = |text: &str, line: usize, problem: &str| {
        let error = StaticTokens::from_csv(text).unwrap_err();
        assert_eq!((error.line(), error.problem), (line, problem), "{text:?}");
        assert!(!error.to_string().contains("hunter2"), "{error}");
    };
    check("hunter2", 1, "expected at least the columns token, user and uid");
    check("t,alice,7\n\nhunter2,bob", 3, "expected at least the columns token, user and uid");
    check(",alice,7", 1, "the token is empty");
    check("hunter2,,7", 1, "the user is empty");
    check("t,alice,7\n\"hunter2,bob,8", 2, "a quote is not closed");
    check("hunter2\",bob,8", 1, "a quote stands in a field that does not begin with one");
    check("\"hunter2\"x,bob,8", 1, "a closing quote is followed by something else than a comma");
    check("\"a\nb\",c,1\nhunter2", 3, "expected at least the columns token, user and uid");
}

proptest! {
    #[test]
    fn parsing_never_panics(text in "[a\",\r\n ]{0,40}") {
        let _ = StaticTokens::from_csv(&text);
    }

    #[test]
    fn every_record_that_is_written_is_read_back(
        records in proptest::collection::btree_map(".{1,12}", (".{1,12}", "[a-z0-9]{0,4}", proptest::collection::vec("[a-z:]{1,6}", 0..4)), 0..6),
    ) {
        let quote = |field: &str| format!("\"{}\"", field.replace('"', "\"\""));
        let text: String = records.iter().map(|(token, (name, uid, groups))| {
            format!("{},{},{uid},{}\n", quote(token), quote(name), quote(&groups.join(",")))
        }).collect();
        let tokens = StaticTokens::from_csv(&text).unwrap();
        for (token, (name, uid, groups)) in &records {
            let groups: Vec<&str> = groups.iter().map(String::as_str).collect();
            prop_assert_eq!(tokens.find(token), Some(&user(name, uid, &groups)));
        }
    }
}
