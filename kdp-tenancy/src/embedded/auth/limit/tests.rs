use serde_json::json;

use super::*;

/// A limit whose workspace grants `widgets` to these users and groups.
fn limit(subjects: &[(&str, &str)]) -> Limit {
    let subjects: Vec<_> = subjects.iter().map(|(kind, name)| json!({"kind": kind, "name": name})).collect();
    let policy = Policy::from_objects(&[
        json!({"kind": "ClusterRole", "metadata": {"name": "r"},
            "rules": [{"apiGroups": ["example.com"], "resources": ["widgets"], "verbs": ["get"]}]}),
        json!({"kind": "ClusterRoleBinding", "metadata": {"name": "b"}, "roleRef": {"kind": "ClusterRole", "name": "r"},
            "subjects": subjects}),
    ]);
    let cluster = "provider".parse().unwrap();
    Limit { group: "example.com".into(), resource: "widgets".into(), cluster, policy: Arc::new(policy) }
}

const GET: ResourceAttributes<'static> = ResourceAttributes {
    verb: "get",
    group: "example.com",
    resource: "widgets",
    subresource: "",
    name: "",
    namespace: "",
};

fn user(name: &str, groups: &[&str], extra: &[(&str, &str)]) -> Identity {
    Identity {
        username: name.into(),
        uid: None,
        groups: groups.iter().map(|group| (*group).to_owned()).collect(),
        extra: extra.iter().map(|(key, value)| ((*key).to_owned(), vec![(*value).to_owned()])).collect(),
    }
}

#[test]
fn a_limit_is_about_a_resource_in_every_subresource_and_name() {
    let limit = limit(&[]);
    assert!(limit.concerns(&Attributes::Resource(GET)));
    assert!(limit.concerns(&Attributes::Resource(ResourceAttributes { subresource: "status", name: "w", ..GET })));
    assert!(!limit.concerns(&Attributes::Resource(ResourceAttributes { group: "other.com", ..GET })));
    assert!(!limit.concerns(&Attributes::Path { verb: "get", path: "/apis" }));
}

#[test]
fn users_of_consumers_have_names_of_their_own_at_the_export() {
    const SCOPES: &str = "authentication.kcp.io/scopes";
    const HOME: &str = "authentication.kcp.io/cluster-name";
    let robot = "system:serviceaccount:default:robot";
    let check = |subject: (&str, &str), identity: Identity, expected: bool| {
        let allowed = limit(&[subject]).allows(&identity, &Attributes::Resource(GET));
        assert_eq!(allowed, expected, "{subject:?} {identity:?}");
    };
    check(("User", "apis.kcp.io:binding:alice"), user("alice", &[], &[]), true);
    check(("User", "alice"), user("alice", &[], &[]), false);
    check(("Group", "apis.kcp.io:binding:devs"), user("alice", &["devs"], &[]), true);
    check(("Group", "devs"), user("alice", &["devs"], &[]), false);
    // Made up in the consumer's workspace: such a name counts as nobody's.
    check(("User", "apis.kcp.io:binding:alice"), user("alice", &[], &[(SCOPES, "cluster:consumer")]), false);
    let everybody = ("Group", "apis.kcp.io:binding:system:authenticated");
    check(everybody, user("alice", &["system:authenticated"], &[(SCOPES, "cluster:consumer")]), true);
    check(everybody, user("system:anonymous", &["system:unauthenticated"], &[]), false);
    let full = ("User", "apis.kcp.io:binding:system:kcp:serviceaccount:consumer:default:robot");
    check(full, user(robot, &[], &[(HOME, "consumer")]), true);
    check(full, user(robot, &[], &[(HOME, "other")]), false);
    check(full, user(robot, &[], &[]), false);
}
