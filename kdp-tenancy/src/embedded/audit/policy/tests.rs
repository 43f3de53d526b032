use super::*;

const POLICY: &str = r#"
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
omitManagedFields: true
rules:
- level: None
  users: [quiet]
- level: RequestResponse
  userGroups: [watched]
  verbs: [delete]
- level: Metadata
  resources:
  - group: ""
    resources: [secrets, "*/status", "pods/*"]
  - group: apps
- level: Request
  namespaces: [""]
  resources:
  - group: example.com
    resources: ["*"]
    resourceNames: [one]
  omitManagedFields: false
  omitStages: [ResponseStarted]
- level: None
  nonResourceURLs: [/version, "/open*"]
- level: RequestResponse
"#;

fn resource<'a>(verb: &'a str, group: &'a str, path: &'a str, namespace: &'a str) -> Attributes<'a> {
    let (resource, name) = path.split_once(' ').unwrap_or((path, ""));
    let (resource, subresource) = resource.split_once('/').unwrap_or((resource, ""));
    Attributes::Resource(ResourceAttributes { verb, group, resource, subresource, name, namespace })
}

fn user(name: &str, group: &str) -> Identity {
    Identity { username: name.into(), groups: vec![group.into()], ..Identity::default() }
}

#[test]
fn the_first_rule_that_matches_decides() {
    let policy = Policy::from_yaml(POLICY).unwrap();
    let path = |path| Attributes::Path { verb: "get", path };
    for (name, group, attributes, expected) in [
        ("quiet", "g", resource("get", "", "secrets", "a"), Level::None),
        ("u", "watched", resource("delete", "", "secrets", "a"), Level::RequestResponse),
        ("u", "watched", resource("get", "", "secrets", "a"), Level::Metadata),
        ("u", "g", resource("get", "", "configmaps", "a"), Level::RequestResponse),
        ("u", "g", resource("update", "", "configmaps/status", "a"), Level::Metadata),
        ("u", "g", resource("get", "", "pods/log", "a"), Level::Metadata),
        ("u", "g", resource("get", "", "secrets/other", "a"), Level::RequestResponse),
        ("u", "g", resource("get", "apps", "anything", "a"), Level::Metadata),
        ("u", "g", resource("get", "example.com", "things one", ""), Level::Request),
        ("u", "g", resource("get", "example.com", "things two", ""), Level::RequestResponse),
        ("u", "g", resource("get", "example.com", "things one", "a"), Level::RequestResponse),
        ("u", "g", path("/version"), Level::None),
        ("u", "g", path("/version/"), Level::RequestResponse),
        ("u", "g", path("/openapi/v3"), Level::None),
    ] {
        let user = user(name, group);
        let rating = policy.rate(&Subject { user: &user, attributes });
        assert_eq!(rating.level, expected, "{name} {group} {attributes:?}");
    }
}

#[test]
fn stages_add_up_and_the_rule_decides_about_managed_fields() {
    let policy = Policy::from_yaml(POLICY).unwrap();
    let user = user("u", "g");
    let rate = |attributes| policy.rate(&Subject { user: &user, attributes });
    let own = rate(resource("get", "example.com", "things one", ""));
    assert_eq!(own.omit_stages, [Stage::RequestReceived, Stage::ResponseStarted]);
    assert!(!own.omit_managed_fields);
    assert!(rate(resource("get", "", "secrets", "a")).omit_managed_fields);
}

#[test]
fn no_rule_means_no_event() {
    let rating =
        Policy::new(Vec::new()).rate(&Subject { user: &user("u", "g"), attributes: resource("get", "", "x", "") });
    assert_eq!(rating.level, Level::None);
}

#[test]
fn credentials_are_never_kept_above_metadata() {
    let policy = Policy::new(vec![PolicyRule { level: Level::RequestResponse, ..PolicyRule::default() }]);
    for (group, path) in [("authentication.k8s.io", "tokenreviews"), ("", "serviceaccounts/token x")] {
        let rating = policy.rate(&Subject { user: &user("u", "g"), attributes: resource("create", group, path, "a") });
        assert_eq!(rating.level, Level::Metadata, "{path}");
    }
}

#[test]
fn by_default_only_metadata_is_kept_and_health_and_discovery_are_not() {
    let user = user("u", "g");
    let level = |attributes| Policy::default().rate(&Subject { user: &user, attributes }).level;
    for path in ["secrets", "configmaps", "namespaces", "serviceaccounts/token"] {
        for verb in ["get", "list", "create", "update", "patch"] {
            assert_eq!(level(resource(verb, "", path, "a")), Level::Metadata, "{verb} {path}");
        }
    }
    for (path, expected) in [("/healthz", Level::None), ("/apis/apps", Level::None), ("/secret", Level::Metadata)] {
        assert_eq!(level(Attributes::Path { verb: "get", path }), expected, "{path}");
    }
}

#[test]
fn what_is_no_policy_is_refused() {
    for text in
        ["kind: Policy\nrules: []", "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules: [{level: All}]", "rules: 1"]
    {
        assert!(Policy::from_yaml(text).is_err(), "{text}");
    }
    let unknown = "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules: [{level: Request, user: [a]}]";
    assert!(Policy::from_yaml(unknown).is_err(), "a misspelt field must not widen a rule");
}
