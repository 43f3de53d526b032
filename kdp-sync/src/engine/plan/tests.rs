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
        .map(|side| {
            let secrets = UnknownKind { side, group: String::new(), version: "v1".into(), plural: "secrets".into() };
            (secrets, "Secret".into())
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
    check(
        json!({"related": [related(json!({"reference": {"path": "a.#"}}))]}),
        "spec.related[0].object.reference.path",
    );
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
}
