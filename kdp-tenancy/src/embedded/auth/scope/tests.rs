use super::*;

fn cluster(name: &str) -> LogicalClusterName {
    name.parse().unwrap()
}

fn user(name: &str, groups: &[&str], extra: &[(&str, &str)]) -> Identity {
    Identity {
        username: name.into(),
        uid: None,
        groups: groups.iter().map(|group| (*group).to_owned()).collect(),
        extra: extra.iter().map(|(key, value)| ((*key).to_owned(), vec![(*value).to_owned()])).collect(),
    }
}

fn names(identity: &Identity, at: &str) -> Vec<String> {
    Callers::of(identity, &cluster(at)).iter().map(|caller| caller.username.clone()).collect()
}

const ROBOT: &str = "system:serviceaccount:default:robot";

#[test]
fn an_identity_counts_as_itself_at_home_and_as_a_stranger_elsewhere() {
    let check = |identity: Identity, at: &str, expected: &[&str]| {
        assert_eq!(names(&identity, at), expected, "{identity:?} at {at}");
    };
    check(user("alice", &[], &[]), "a", &["alice"]);
    check(user("alice", &[], &[(SCOPES, "cluster:a")]), "a", &["alice"]);
    check(user("alice", &[], &[(SCOPES, "cluster:a,cluster:b")]), "b", &["alice"]);
    check(user("alice", &[], &[(SCOPES, "cluster:a")]), "b", &[ANONYMOUS]);
    check(user("alice", &[], &[(SCOPES, "everything")]), "a", &[ANONYMOUS]);
    check(user(ROBOT, &[], &[(HOME, "a")]), "a", &[ROBOT, "system:kcp:serviceaccount:a:default:robot"]);
    check(user(ROBOT, &[], &[(HOME, "a")]), "b", &["system:kcp:serviceaccount:a:default:robot"]);
    check(user(ROBOT, &[], &[]), "a", &[ANONYMOUS]);
}

#[test]
fn a_stranger_is_authenticated_only_if_it_was() {
    let groups = |groups: &[&str]| {
        let identity = user("x", groups, &[(SCOPES, "cluster:a")]);
        Callers::of(&identity, &cluster("b")).iter().next().unwrap().groups.clone()
    };
    assert_eq!(groups(&[AUTHENTICATED, "devs"]), [AUTHENTICATED]);
    assert_eq!(groups(&["devs"]), [UNAUTHENTICATED]);
}

#[test]
fn a_warrant_adds_whoever_it_names_within_its_own_bounds() {
    let check = |warrant: &str, expected: &[&str]| {
        assert_eq!(names(&user("alice", &[], &[(WARRANT, warrant)]), "a"), expected, "{warrant}");
    };
    check(r#"{"user":"bob"}"#, &["alice", "bob"]);
    check(r#"{"user":"bob","extra":{"authentication.kcp.io/scopes":["cluster:b"]}}"#, &["alice", ANONYMOUS]);
    check(
        r#"{"user":"bob","extra":{"authorization.kcp.io/warrant":["{\"user\":\"carol\"}"]}}"#,
        &["alice", "carol", "bob"],
    );
    check(&format!(r#"{{"user":"{ROBOT}"}}"#), &["alice"]);
    check("bob", &["alice"]);
    check("{", &["alice"]);
    check("[]", &["alice"]);
}

#[test]
fn warrants_within_warrants_end_somewhere() {
    let mut warrant = r#"{"user":"last"}"#.to_owned();
    for _ in 0..6 {
        warrant = serde_json::json!({"user": "next", "extra": {WARRANT: [warrant]}}).to_string();
    }
    let found = names(&user("alice", &[], &[(WARRANT, &warrant)]), "a");
    assert!(found.len() <= WARRANT_DEPTH + 1 && !found.contains(&"last".to_owned()), "{found:?}");
}

#[test]
fn nobody_brings_warrants_or_lifecycle_groups_from_outside() {
    let groups = ["system:kcp:initializer:root:a", "system:kcp:terminator:root:a", "devs"];
    let cleaned = from_outside(user("alice", &groups, &[(WARRANT, r#"{"user":"bob"}"#), (SCOPES, "cluster:a")]));
    assert_eq!(cleaned, user("alice", &["devs"], &[(SCOPES, "cluster:a")]));
}
