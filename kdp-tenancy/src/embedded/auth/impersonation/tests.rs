use http::HeaderMap;

use super::*;

fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        headers.append(*name, value.parse().unwrap());
    }
    headers
}

fn parsed(pairs: &[(&'static str, &str)]) -> Impersonation {
    Impersonation::parse(&headers(pairs)).unwrap().unwrap()
}

fn cluster() -> LogicalClusterName {
    "abc".parse().unwrap()
}

/// The name under which the identity itself counts in a cluster.
fn own_name(identity: &Identity, cluster: &LogicalClusterName) -> String {
    scope::Callers::of(identity, cluster).iter().next().unwrap().username.clone()
}

#[test]
fn a_request_without_the_headers_impersonates_nobody() {
    assert_eq!(Impersonation::parse(&headers(&[("accept", "*/*")])).unwrap(), None);
}

#[test]
fn every_part_asks_for_a_right_of_its_own() {
    let impersonation = parsed(&[
        ("impersonate-user", "bob"),
        ("impersonate-group", "devs"),
        ("impersonate-group", "ops"),
        ("impersonate-uid", "42"),
        ("impersonate-extra-example.com%2fteam", "red"),
    ]);
    let asked: Vec<(&str, &str, &str, &str)> = impersonation
        .checks()
        .iter()
        .map(|check| match check {
            Attributes::Resource(asked) => {
                assert_eq!(asked.verb, "impersonate");
                (asked.group, asked.resource, asked.subresource, asked.name)
            }
            Attributes::Path { .. } => panic!("a path"),
        })
        .collect();
    let expected = [
        ("", "users", "", "bob"),
        ("", "groups", "", "devs"),
        ("", "groups", "", "ops"),
        ("authentication.k8s.io", "uids", "", "42"),
        ("authentication.k8s.io", "userextras", "example.com/team", "red"),
    ];
    assert_eq!(asked, expected);
}

#[test]
fn a_service_account_is_asked_for_as_one() {
    let impersonation = parsed(&[("impersonate-user", "system:serviceaccount:kube-system:deployer")]);
    let expected = ResourceAttributes {
        verb: "impersonate",
        resource: "serviceaccounts",
        namespace: "kube-system",
        name: "deployer",
        ..ResourceAttributes::default()
    };
    assert_eq!(impersonation.checks(), [Attributes::Resource(expected)]);
}

#[test]
fn what_cannot_be_understood_is_refused() {
    let check = |pairs: &[(&'static str, &str)]| {
        let error = Impersonation::parse(&headers(pairs)).unwrap_err();
        assert_eq!(error.code(), 400, "{pairs:?}");
    };
    check(&[("impersonate-group", "system:masters")]);
    check(&[("impersonate-uid", "1")]);
    check(&[("impersonate-extra-scopes", "all")]);
    check(&[("impersonate-user", ""), ("impersonate-group", "devs")]);
    check(&[("impersonate-user", "bob"), ("impersonate-user", "alice")]);
    check(&[("impersonate-user", "bob"), ("impersonate-extra-a%2", "x")]);
    check(&[("impersonate-user", "bob"), ("impersonate-extra-a%ff", "x")]);
}

#[test]
fn the_impersonated_identity_is_confined_and_has_the_usual_groups() {
    let requestor = Identity { username: "admin".into(), ..Identity::default() };
    let check = |username: &'static str, groups: &[&str]| {
        let identity = parsed(&[("impersonate-user", username)]).into_identity(&requestor, &cluster());
        assert_eq!(identity.groups, groups, "{username}");
        assert_eq!(identity.extra["authentication.kcp.io/scopes"], ["cluster:abc"]);
    };
    check("bob", &["system:authenticated"]);
    check("system:anonymous", &["system:unauthenticated"]);
    check(
        "system:serviceaccount:default:deployer",
        &["system:serviceaccounts", "system:serviceaccounts:default", "system:authenticated"],
    );
}

#[test]
fn a_confined_requestor_cannot_impersonate_its_way_out() {
    let mut requestor = Identity { username: "admin".into(), ..Identity::default() };
    scope::confine(&mut requestor, &"other".parse().unwrap());
    let identity = parsed(&[("impersonate-user", "bob")]).into_identity(&requestor, &cluster());
    assert_eq!(identity.extra["authentication.kcp.io/scopes"], ["cluster:other", "cluster:abc"]);
    assert_eq!(own_name(&identity, &cluster()), "system:anonymous");
}

#[test]
fn a_master_impersonates_without_bounds() {
    let identity = parsed(&[("impersonate-user", "bob")]).into_identity(&Identity::system_masters(), &cluster());
    assert!(identity.extra.is_empty());
}

#[test]
fn a_confined_master_impersonates_within_its_bounds() {
    let mut requestor = Identity::system_masters();
    scope::confine(&mut requestor, &cluster());
    let identity = parsed(&[("impersonate-user", "bob")]).into_identity(&requestor, &cluster());
    assert_eq!(own_name(&identity, &cluster()), "bob");
    assert_eq!(own_name(&identity, &"other".parse().unwrap()), "system:anonymous");
    let escape =
        parsed(&[("impersonate-user", "bob"), ("impersonate-extra-authentication.kcp.io%2fscopes", "cluster:x")]);
    assert!(escape.beyond_workspace(&requestor).is_some());
}
