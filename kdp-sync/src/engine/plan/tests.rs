use serde_json::{Value, json};

use super::*;
use crate::publish::project;

fn definition() -> Value {
    json!({
        "metadata": {"generation": 1},
        "spec": {
            "group": "example.com", "scope": "Namespaced",
            "names": {"kind": "Thing", "plural": "things", "singular": "thing", "listKind": "ThingList"},
            "versions": [{"name": "v1", "served": true, "storage": true, "subresources": {"status": {}}}],
        },
    })
}

/// A plan from the fields of a published resource.
pub(in crate::engine) fn plan(fields: &Value) -> Result<Plan, Vec<Diagnostic>> {
    let mut spec = json!({"resource": {"apiGroup": "example.com", "kind": "Thing"}});
    spec.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    let published: PublishedResourceSpec = serde_json::from_value(spec).unwrap();
    let kinds = Side::BOTH
        .into_iter()
        .flat_map(|side| {
            let unknown = |group: &str, plural: &str| UnknownKind {
                side,
                group: group.into(),
                version: "v1".into(),
                plural: plural.into(),
            };
            [
                (unknown("", "secrets"), FoundKind { kind: "Secret".into(), scope: Scope::Namespaced }),
                (unknown("example.com", "tiers"), FoundKind { kind: "Tier".into(), scope: Scope::Cluster }),
            ]
        })
        .collect();
    let options = PlanOptions { agent: "agent".into(), state_namespace: "state".into() };
    Plan::compile(&published, &project(&definition(), &published)?, &kinds, &options)
}

#[expect(clippy::needless_pass_by_value, reason = "json! takes a reference, and the callers read better")]
fn related(object: Value) -> Value {
    json!({"identifier": "a", "origin": "service", "kind": "Secret", "object": object})
}

fn fault(fields: &Value) -> Option<String> {
    plan(fields).err().map(|faults| faults[0].field.clone())
}

#[test]
fn faults_name_their_field() {
    let check = |fields: Value, field: &str| assert_eq!(fault(&fields).as_deref(), Some(field), "{fields}");
    let named = || related(json!({"template": {"template": "x"}}));
    check(json!({"related": [named(), named()]}), "spec.related[1].identifier");
    check(json!({"related": [related(json!({}))]}), "spec.related[0].object");
    check(json!({"related": [related(json!({"reference": {"path": ""}}))]}), "spec.related[0].object.reference.path");
    check(
        json!({"related": [related(json!({"selector": {"rewrite": {}}}))]}),
        "spec.related[0].object.selector.rewrite",
    );
    check(json!({"projection": {"scope": "Cluster"}, "related": [named()]}), "spec.related[0].object.namespace");
    check(
        json!({"projection": {"scope": "Cluster"}, "filter": {"namespace": {"matchLabels": {"a": "b"}}}}),
        "spec.filter.namespace",
    );
    check(
        json!({"related": [{"identifier": "a", "origin": "service", "group": "x.io", "version": "v1", "resource": "xs", "object": {}}]}),
        "spec.related[0].resource",
    );
}

#[test]
fn what_tenants_choose_needs_a_namespace_of_their_own() {
    let check = |naming: &str, object: Value, is_refused: bool| {
        let fields = json!({"naming": {"namespace": naming}, "related": [related(object.clone())]});
        assert_eq!(fault(&fields).as_deref(), is_refused.then_some("spec.related[0].object"), "{naming:?} {object}");
    };
    let (chosen, given) = (json!({"reference": {"path": "spec.a"}}), json!({"reference": {"path": "status.a"}}));
    for own in ["", "x-$remoteClusterName", "x-{{ .ClusterName }}"] {
        check(own, chosen.clone(), false);
    }
    for shared in ["x", "$remoteNamespace", "{{ .Object.metadata.namespace }}"] {
        check(shared, chosen.clone(), true);
        check(shared, given.clone(), false);
        check(shared, json!({"template": {"template": "{{ .Object.metadata.name }}-a"}}), false);
        check(shared, json!({"template": {"template": "{{ .Object.spec.a }}"}}), true);
        check(shared, json!({"template": {"template": "{{ with .Object.spec }}{{ .a }}{{ end }}"}}), true);
        check(shared, json!({"template": {"template": "{{ $a := .Object.spec.a }}{{ $a }}"}}), true);
        check(shared, json!({"template": {"template": "{{ .ClusterName }}-{{ .Object.spec.a }}"}}), false);
        for laundered in [
            "{{ range .Object.spec.l }}{{ . }}{{ end }}",
            "{{ range $k, $v := .Object.metadata.labels }}{{ $k }}{{ end }}",
            "{{ index .Object \"spec\" \"a\" }}",
            "{{ get (dict \"a\" .Object.spec) \"a\" }}",
            "{{ $x := . }}{{ $x.Object.spec.a }}",
            "{{ define \"n\" }}{{ .Object.spec.a }}{{ end }}{{ template \"n\" . }}",
            "{{ .ClusterName }}{{ .Object.spec.a }}",
            "{{ if false }}{{ .ClusterName }}{{ end }}{{ .Object.spec.a }}",
            "{{ trunc 1 .ClusterName }}-{{ .Object.spec.a }}",
        ] {
            check(shared, json!({"template": {"template": laundered}}), true);
        }
        let labels =
            |text: &str| json!({"selector": {"matchLabels": {"a": text}, "rewrite": {"regex": {"replacement": "b"}}}});
        check(shared, labels("{{ .RemoteObject.metadata.name }}"), true);
        check(shared, labels("{{ .LocalObject.metadata.name }}"), false);
    }
    // The name of the workspace counts where it is set off from the rest.
    for glued in ["$remoteNamespace-$remoteClusterName-$remoteName", "$remoteName$remoteClusterName"] {
        check(glued, chosen.clone(), true);
    }
    check("$remoteClusterName-$remoteNamespace", chosen.clone(), false);
    // In a namespace that tenants choose, what is the same for all orders is anybody's.
    let plain = json!({"selector": {"matchLabels": {"a": "b"}, "rewrite": {"regex": {"replacement": "b"}}}});
    for (object, is_refused) in [(plain, true), (json!({"template": {"template": "fixed"}}), true), (given, false)] {
        check("$remoteNamespace", object.clone(), is_refused);
        check("x-$remoteNamespaceHash", object.clone(), false);
        check("x", object, false);
    }
    // What a query reads is the tenant's, even where it reads the status.
    for query in
        ["spec.users.#.name", "status.#", "status|a", "{status.a,spec.a}", "st*.a", "status.@this", "@this.status.a"]
    {
        check("x", json!({"reference": {"path": query}}), true);
        check("", json!({"reference": {"path": query}}), false);
    }
    // A namespace that only the provider writes may still be the same everywhere.
    let in_namespace =
        |path: &str| json!({"reference": {"path": "spec.a"}, "namespace": {"reference": {"path": path}}});
    check("", in_namespace("status.namespace"), true);
    check("", in_namespace("metadata.namespace"), false);
    check("x", in_namespace("metadata.namespace"), true);
    // Nor is the name of a copy the provider's where tenants choose it.
    let secret = json!({"template": {"template": "{{ .Object.metadata.name }}-a"}});
    let by_path = json!({"reference": {"path": "metadata.name"}});
    for (name, is_refused) in [
        ("$remoteName", true),
        ("a-$remoteNamespace", true),
        ("{{ .Object.spec.a }}", true),
        ("{{ .Object.metadata.uid }}", false),
        ("$remoteNamespaceHash-$remoteNameHash", false),
        ("$remoteClusterName-$remoteName", false),
        ("{{ .ClusterName }}-{{ .Object.metadata.name }}", false),
        ("fixed", false),
    ] {
        for object in [&secret, &by_path] {
            let naming = |namespace: &str| json!({"name": name, "namespace": namespace});
            let fields = |namespace| json!({"naming": naming(namespace), "related": [related(object.clone())]});
            assert_eq!(fault(&fields("x")).is_some(), is_refused, "{name} {object}");
            assert_eq!(fault(&fields("$remoteClusterName")), None, "{name} {object}");
        }
    }
    // A namespace that is given for itself decides alone.
    let with_namespace =
        |template: &str| json!({"reference": {"path": "spec.a"}, "namespace": {"template": {"template": template}}});
    check("", with_namespace("shared"), true);
    check("x", with_namespace("{{ .ClusterName }}"), false);
    check("", with_namespace("{{ .Object.metadata.namespace }}"), false);
    check("", with_namespace("{{ if .Object.metadata.namespace }}shared{{ end }}"), true);
    check("", with_namespace("{{ .ClusterPath }}"), true);
}

#[test]
fn a_field_that_is_rewritten_is_not_the_tenants() {
    let fields = json!({
        "naming": {"namespace": "shared"},
        "mutation": {"spec": [{"template": {"path": "spec.a", "template": "{{ .LocalObject.metadata.uid }}"}}]},
        "related": [related(json!({"reference": {"path": "spec.a"}}))],
    });
    assert_eq!(fault(&fields), None);
    // What is made of the tenant's words is the tenant's.
    for rule in [
        json!({"template": {"path": "spec.a", "template": "{{ .Value.String }}"}}),
        json!({"template": {"path": "spec.a", "template": "x-{{ .LocalObject.metadata.name }}"}}),
        json!({"regex": {"path": "spec.a", "pattern": "^", "replacement": "x-"}}),
        json!({"cel": {"path": "spec.a", "expression": "self.spec.b"}}),
        json!({"template": {"path": "spec.*", "template": "fixed"}}),
    ] {
        let fields = json!({
            "naming": {"namespace": "shared"},
            "mutation": {"spec": [rule]},
            "related": [related(json!({"reference": {"path": "spec.a"}}))],
        });
        assert_eq!(fault(&fields).as_deref(), Some("spec.related[0].object"), "{fields}");
    }
}

#[test]
fn kinds_outside_of_namespaces_need_no_namespace_but_names_that_tenants_do_not_choose() {
    let tier = |template: &str| {
        let object = json!({"template": {"template": template}});
        let tier = json!({
            "identifier": "a", "origin": "service", "group": "example.com", "version": "v1", "resource": "tiers",
            "object": object,
        });
        json!({"projection": {"scope": "Cluster"}, "related": [tier]})
    };
    assert_eq!(fault(&tier("gold")), None);
    assert_eq!(fault(&tier("{{ .Object.spec.tier }}")).as_deref(), Some("spec.related[0].object"));
    assert_eq!(fault(&tier("{{ .ClusterName }}-{{ .Object.spec.tier }}")), None);
}

#[test]
fn objects_are_taken_over_only_where_tenants_cannot_name_each_others() {
    let check = |naming: Value, is_refused: bool| {
        let plan = plan(&json!({"naming": naming})).unwrap();
        let published = json!({"metadata": {"annotations": {wire::CONFLICT_POLICY: "adopt"}}});
        let faults = plan.with_policies(Policies::of(&published).unwrap()).err();
        let expected = is_refused.then_some("metadata.annotations[sync.kdp.k8c.io/conflict-policy]");
        assert_eq!(faults.as_ref().map(|faults| faults[0].field.as_str()), expected, "{naming}");
    };
    check(json!({}), false);
    check(json!({"namespace": "shared"}), true);
    check(json!({"namespace": "$remoteNamespace", "name": "{{ .Object.metadata.name }}"}), true);
    check(json!({"namespace": "shared", "name": "$remoteClusterName-$remoteName"}), false);
    check(json!({"namespace": "{{ .ClusterName }}", "name": "{{ .Object.metadata.name }}"}), false);
}
