use super::*;

fn words(from: &'static [&'static str]) -> impl Strategy<Value = Vec<String>> {
    vec(select(from).prop_map(str::to_owned), 1..3)
}

fn rule() -> impl Strategy<Value = Rule> {
    let verbs = || words(&["get", "list", "*"]);
    let resources = words(&["pods", "pods/log", "pods/scale", "*/scale", "services", "*"]);
    let names = prop_oneof![Just(Vec::new()), words(&["a", "b"])];
    let resource_rule = (verbs(), words(&["", "apps", "*"]), resources, names).prop_map(
        |(verbs, api_groups, resources, resource_names)| Rule {
            verbs,
            api_groups,
            resources,
            resource_names,
            ..Rule::default()
        },
    );
    let path_rule = (verbs(), words(&["/", "/api", "/api*", "/api/*", "/api/v1", "*"]))
        .prop_map(|(verbs, non_resource_urls)| Rule { verbs, non_resource_urls, ..Rule::default() });
    prop_oneof![3 => resource_rule, 1 => path_rule]
}

fn rules() -> impl Strategy<Value = Vec<Rule>> {
    vec(rule(), 0..4)
}

fn asked() -> impl Strategy<Value = Attributes<'static>> {
    let verb = || select(&["get", "list", "delete"][..]);
    let resource = (
        verb(),
        select(&["", "apps"][..]),
        select(&["pods", "services"][..]),
        select(&["", "log", "scale"][..]),
        select(&["", "a", "b", "c"][..]),
        select(&["", "one", "two"][..]),
    )
        .prop_map(|(verb, group, resource, subresource, name, namespace)| {
            Attributes::Resource(ResourceAttributes { verb, group, resource, subresource, name, namespace })
        });
    let path = (verb(), select(&["/", "/api", "/api/v1", "/apiary"][..]))
        .prop_map(|(verb, path)| Attributes::Path { verb, path });
    prop_oneof![3 => resource, 1 => path]
}

fn object() -> impl Strategy<Value = Value> {
    let name = || select(&["r1", "r2", "view", "cluster-admin"][..]);
    let namespace = || select(&["one", "two"][..]);
    let subjects = || {
        let subject = select(&[("User", "u"), ("Group", "g"), ("User", "other"), ("ServiceAccount", "u")][..]);
        vec(subject, 0..3).prop_map(|subjects| {
            Value::from_iter(subjects.into_iter().map(|(kind, name)| json!({ "kind": kind, "name": name })))
        })
    };
    let wire = |rules: Vec<Rule>| {
        Value::from_iter(rules.into_iter().map(|rule| {
            json!({
                "verbs": rule.verbs, "apiGroups": rule.api_groups, "resources": rule.resources,
                "resourceNames": rule.resource_names, "nonResourceURLs": rule.non_resource_urls,
            })
        }))
    };
    prop_oneof![
        (name(), rules()).prop_map(move |(name, rules)| cluster_role(name, json!({}), wire(rules))),
        (name(), namespace(), rules()).prop_map(move |(name, namespace, rules)| json!({
            "kind": "Role", "metadata": { "name": name, "namespace": namespace }, "rules": wire(rules),
        })),
        (name(), subjects()).prop_map(|(role, subjects)| bind(
            "ClusterRoleBinding",
            None,
            "ClusterRole",
            role,
            subjects
        )),
        (name(), namespace(), select(&["Role", "ClusterRole"][..]), subjects())
            .prop_map(|(role, namespace, kind, subjects)| bind("RoleBinding", Some(namespace), kind, role, subjects)),
    ]
}

proptest! {
    #[test]
    fn covers_is_reflexive(rules in rules()) {
        prop_assert!(covers(&rules, &rules));
    }

    #[test]
    fn covers_is_transitive(a in rules(), b in rules(), c in rules()) {
        // Random rules seldom cover each other, so each set takes in the next with some of its own.
        let b = [b, c.clone()].concat();
        let a = [a, b.clone()].concat();
        prop_assert!(covers(&a, &b) && covers(&b, &c) && covers(&a, &c));
    }

    #[test]
    fn covers_is_transitive_for_single_rules(a in rule(), b in rule(), c in rule()) {
        let (a, b, c) = ([a], [b], [c]);
        prop_assert!(!(covers(&a, &b) && covers(&b, &c)) || covers(&a, &c));
    }

    #[test]
    fn what_is_covered_allows_nothing_more(a in rules(), b in rules(), asked in asked()) {
        let allows = |rules: &[Rule]| rules.iter().any(|rule| rule.allows(&asked));
        if covers(&a, &b) && allows(&b) {
            prop_assert!(allows(&a));
        }
    }

    #[test]
    fn what_is_uncovered_makes_up_the_difference(a in rules(), b in rules()) {
        let together = [a.clone(), uncovered(&a, &b)].concat();
        prop_assert!(covers(&together, &b));
    }

    #[test]
    fn adding_a_binding_never_removes_a_right(
        objects in vec(object(), 0..8), added in vec(object(), 1..3), asked in asked(),
    ) {
        let identity = user("u", &["g"]);
        let is_binding = |object: &&Value| object["kind"].as_str().unwrap().ends_with("Binding");
        // Names differ, so that what is added replaces nothing.
        let renamed = added.iter().filter(is_binding).cloned().map(|mut object| {
            object["metadata"]["name"] = "added".into();
            object
        });
        let more: Vec<Value> = objects.iter().cloned().chain(renamed).collect();
        let before = Policy::from_objects(&objects).decide(&identity, &asked);
        let after = Policy::from_objects(&more).decide(&identity, &asked);
        prop_assert!(!before.is_allowed() || after.is_allowed());
    }

    #[test]
    fn the_rules_of_an_identity_and_the_decision_agree(objects in vec(object(), 0..10), asked in asked()) {
        let identity = user("u", &["g"]);
        let policy = Policy::from_objects(&objects);
        let (rules, _) = policy.rules_for(&identity, asked.namespace());
        let allowed = rules.iter().any(|rule| rule.allows(&asked));
        prop_assert_eq!(policy.decide(&identity, &asked).is_allowed(), allowed);
    }
}
