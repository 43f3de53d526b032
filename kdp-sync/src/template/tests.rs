use proptest::prelude::*;
use serde_json::json;

use super::*;

fn object() -> serde_json::Value {
    json!({
        "metadata": {"name": "objname", "namespace": "objnamespace", "labels": {"a/b": "c"}},
        "spec": {"count": 3, "big": 12345678.0, "ratio": 0.5, "on": true, "list": ["x", "y"], "empty": ""},
    })
}

fn render(text: &str, dialect: Dialect) -> Result<String, TemplateError> {
    let object = object();
    let scope = Scope::default().with_json("Object", &object).with_text("ClusterName", "abc");
    Template::parse(text, dialect)?.render(&scope)
}

#[track_caller]
fn check(text: &str, expected: &str) {
    assert_eq!(render(text, Dialect::Text).as_deref(), Ok(expected), "{text}");
}

#[track_caller]
fn fails(text: &str, message: &str) {
    let error = render(text, Dialect::Text).expect_err(text).to_string();
    assert!(error.contains(message), "{text}: {error}");
}

#[test]
fn fields_and_pipelines_print_as_in_go() {
    check("{{ .ClusterName }}-{{ .Object.metadata.name }}", "abc-objname");
    check("{{.Object.metadata.name | upper | printf \"%s-%s\" \"x\" | trunc 5}}", "x-OBJ");
}

#[test]
fn values_print_as_in_go() {
    check("{{ .Object.spec.count }} {{ .Object.spec.ratio }} {{ .Object.spec.on }}", "3 0.5 true");
    check("{{ .Object.spec.big }}", "1.2345678e+07");
    check("{{ .Object.spec.list }}", "[x y]");
    check("{{ .Object.metadata.labels }}", "map[a/b:c]");
    check("{{ .Object.spec.missing }}", "<no value>");
}

#[test]
fn digests_match_the_published_vectors() {
    check("{{ sha3short .Object.metadata.namespace }}", "2928c2aa0e510f017f07");
    check("{{ .Object.metadata.name | sha3short }}", "73d08a1ba188f1340dae");
    check("{{ sha3short .Object.metadata.name 8 }}", "73d08a1b");
    check("{{ sha3short .Object.metadata.name 99 | len }}", "64");
    check("{{ sha3sum .Object.metadata.name | len }}", "64");
    check("{{ shortHash \"default\" }}", "7505d64a54e061b7acd5");
    fails("{{ .Object.metadata.name | sha3short 8 }}", "needs an int");
    fails("{{ sha3short .Object.metadata.name 0 }}", "positive");
    fails("{{ sha3short .Object.spec.missing }}", "needs a string, not a missing value");
}

#[test]
fn functions_do_what_their_names_say() {
    check("{{ lower \"ABC\" }} {{ trim \"  a \" }} {{ trunc 2 \"abcd\" }} {{ trunc -2 \"abcd\" }}", "abc a ab cd");
    check("{{ replace \"-\" \"_\" \"a-b\" }}", "a_b");
    check("{{ default \"d\" .Object.spec.empty }} {{ default \"d\" .Object.metadata.name }}", "d objname");
    check("{{ .Object.spec.missing | default \"d\" }}", "d");
    check("{{ quote .Object.metadata.name }} {{ squote 1 }}", "\"objname\" '1'");
    check("{{ index .Object.metadata.labels \"a/b\" }} {{ index .Object.spec.list 1 }}", "c y");
    check("{{ printf \"%s-%03d-%v-%q%%\" .ClusterName .Object.spec.count true \"q\" }}", "abc-003-true-\"q\"%");
    check("{{ join \",\" .Object.spec.list }} {{ len .Object.spec.list }}", "x,y 2");
    check("{{ (index .Object.metadata.labels \"a/b\") | printf \"%-3s|\" }}", "c  |");
    check("{{ toJson .Object.spec.list }}", "[\"x\",\"y\"]");
    check("{{ b64enc \"a\" | b64dec }} {{ ternary 1 2 true }}", "a 1");
}

#[test]
fn branches_take_the_first_that_is_true() {
    check("{{ if eq .ClusterName \"abc\" }}yes{{ else }}no{{ end }}", "yes");
    check("{{ if .Object.spec.empty }}a{{ else if ne 1 1 }}b{{ else if .Object.spec.on }}c{{ else }}d{{ end }}", "c");
    check("{{ with .Object.metadata }}{{ .name }} {{ $.ClusterName }}{{ end }}", "objname abc");
    check("{{ $x := 1 }}{{ if true }}{{ $x = 2 }}{{ $y := 3 }}{{ end }}{{ $x }}", "2");
    check("{{ if and .Object.spec.missing .Object.spec.missing.deeper }}a{{ end }}b", "b");
    check("a {{- /* note */ -}} b {{- \"c\" }} d", "abc d");
    check("{{ eq \"a\" \"b\" \"a\" }}", "true");
}

#[test]
fn whatever_is_not_understood_is_refused_when_parsed() {
    for (text, message) in [
        ("{{ env \"HOME\" }}", "refused"),
        ("{{ randAlpha 3 }}", "refused"),
        ("{{ nonsense }}", "not defined"),
        ("{{ range .Object.spec.list }}{{ end }}", "not supported"),
        ("{{ define \"a\" }}{{ end }}", "not supported"),
        ("{{ if true }}", "not closed"),
        ("{{ end }}", "without"),
        ("{{ else }}", "without"),
        ("{{ $x }}", "undefined variable"),
        ("{{ .a", "not closed"),
        ("{{ }}", "nothing"),
        ("{{ \"a }}", "not closed"),
        ("{{ lower }}", "takes 1"),
        ("{{ lower \"a\" \"b\" }}", "takes 1"),
        ("{{ .a | .b }}", "must be followed"),
        ("{{ .a .b }}", "only a function"),
        ("{{ (lower \"a\" }}", "not closed"),
        ("{{ lower \"a\") }}", "')' without"),
        ("{{ \"\\x41\" }}", "escape"),
    ] {
        let error = Template::parse(text, Dialect::Text).expect_err(text).to_string();
        assert!(error.contains(message), "{text}: {error}");
    }
}

#[test]
fn errors_of_rendering_name_the_cause() {
    fails("{{ .Nothing }}", "only .Object, .ClusterName");
    fails("{{ .Object.spec.missing.deeper }}", "missing value");
    fails("{{ .ClusterName.x }}", "of a string");
    fails("{{ printf \"%d\" \"a\" }}", "does not print");
    fails("{{ eq 1 \"a\" }}", "cannot be compared");
    fails("{{ index .Object.spec.list 7 }}", "out of range");
}

#[test]
fn mutation_templates_are_html() {
    let check = |text, expected| assert_eq!(render(text, Dialect::Html).as_deref(), Ok(expected), "{text}");
    check("{{ \"a&b<c>'\" }} {{ .Object.spec.missing }}", "a&amp;b&lt;c&gt;&#39;");
    check("a & b", "a & b");
    assert!(Template::parse("{{ sha3short \"a\" }}", Dialect::Html).is_err());
    assert!(Template::parse("<b>", Dialect::Html).is_err());
}

#[test]
fn found_values_have_the_methods_of_gjson() {
    let value = json!("41");
    let scope = Scope::default().with("Value", Val::Found(Some(&value)));
    let check = |text, expected: &str| {
        assert_eq!(Template::parse(text, Dialect::Html).unwrap().render(&scope).as_deref(), Ok(expected), "{text}");
    };
    check("{{ .Value }} {{ .Value.String | upper }} {{ .Value.Int }} {{ .Value.Exists }}", "41 41 41 true");
    check("{{ printf \"%s\" .Value.String }}", "41");
}

proptest! {
    #[test]
    fn parsing_and_rendering_never_panic(text in "(\\{\\{-? ?|-?\\}\\}|\\.Object\\.spec|if|else|end|with|lower|printf|index|\\$x|:=|=|\\||\\(|\\)|\"[a%d]*\"|[0-9]{1,3}| |\\PC){0,24}") {
        let _ = render(&text, Dialect::Text);
        let _ = render(&text, Dialect::Html);
    }
}
