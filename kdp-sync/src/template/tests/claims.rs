//! What the isolation rules ask of a template: which fields it may read, and what its output tells.

use super::super::*;

#[track_caller]
fn reads(text: &str, expected: &[&str]) {
    let template = Template::parse(text, Dialect::Text).unwrap();
    let mut found: Vec<_> = template.reads().iter().map(|path| path.join(".")).collect();
    found.sort();
    assert_eq!(found, expected, "{text}");
}

#[test]
fn no_construct_hides_what_is_read() {
    reads("{{ .Object.spec.a }}", &["Object.spec.a"]);
    reads("{{ with .Object.spec }}{{ .a }}{{ $.Object.b }}{{ end }}", &["Object.b", "Object.spec"]);
    reads("{{ range .Object.spec.l }}{{ .x }}{{ else }}{{ .Object.z }}{{ end }}", &["Object.spec.l", "Object.z"]);
    reads("{{ range $k, $v := .Object.a }}{{ $v.b }}{{ end }}", &["Object.a"]);
    reads("{{ if .Object.a }}x{{ else if .Object.b }}y{{ end }}", &["Object.a", "Object.b"]);
    reads("{{ $x := .Object.a }}{{ $y := $x.b }}{{ $y }}", &["Object.a"]);
    reads("{{ $x := . }}{{ $x.Object.a }}", &[""]);
    reads("{{ $x := $ }}{{ $x.Object.a }}", &[""]);
    reads("{{ with . }}{{ .Object.a }}{{ end }}", &[""]);
    reads("{{ with $ }}{{ .Object.a }}{{ end }}", &[""]);
    reads("{{ index .Object \"spec\" \"a\" }}", &["Object"]);
    reads("{{ get (dict \"a\" .Object.spec) \"a\" }}", &["Object.spec"]);
    reads("{{ (index (list .) 0).Object.spec }}", &[""]);
    reads("{{ (dict \"a\" $).a.Object.spec }}", &[""]);
    reads("{{ (.Object).spec.a }}", &["Object"]);
    reads("{{ dig \"spec\" \"a\" \"\" .Object }}", &["Object"]);
    reads("{{ .Object.a | default .Object.b | trunc (len .Object.c) }}", &["Object.a", "Object.b", "Object.c"]);
    reads(
        "{{ define \"t\" }}{{ .Object.a }}{{ $.Object.b }}{{ end }}{{ template \"t\" . }}",
        &["Object.a", "Object.b"],
    );
    reads("{{ define \"t\" }}{{ .a }}{{ $.b }}{{ end }}{{ template \"t\" .Object.x }}", &["Object.x"]);
    reads("{{ define \"t\" }}{{ .Object.a }}{{ end }}{{ template \"t\" }}{{ template \"t\" $ }}", &["Object.a"]);
    reads(
        "{{ define \"t\" }}{{ .Object.a }}{{ end }}{{ template \"t\" (print .Object.x) }}{{ template \"t\" . }}",
        &["Object.a", "Object.x"],
    );
    reads("{{ define \"t\" }}{{ .Object.a }}{{ template \"t\" . }}{{ end }}{{ template \"t\" (.) }}", &[""]);
    reads("{{ define \"t\" }}{{ .Object.a }}{{ template \"t\" . }}{{ end }}{{ template \"t\" . }}", &["Object.a"]);
    reads(
        "{{ with .Object.x }}{{ template \"t\" $ }}{{ end }}{{ define \"t\" }}{{ .Object.a }}{{ end }}",
        &["Object.a", "Object.x"],
    );
    reads("{{ block \"b\" .Object.x }}{{ .a }}{{ end }}", &["Object.x"]);
    reads("{{ $d := dict }}{{ $_ := set $d \"k\" .Object.a }}{{ $d.k }}", &["Object.a"]);
    reads(
        "{{ with $x := .Object.a }}{{ with .b }}{{ $x.c }}{{ $.Object.d }}{{ end }}{{ end }}",
        &["Object.a", "Object.d"],
    );
}

#[track_caller]
fn tells(text: &str, expected: bool) {
    assert_eq!(Template::parse(text, Dialect::Text).unwrap().tells("ClusterName"), expected, "{text}");
}

#[test]
fn a_variable_is_told_if_it_is_printed_as_a_whole_and_apart() {
    for text in [
        "{{ .ClusterName }}",
        "{{ $.ClusterName }}",
        "x-{{ .ClusterName }}-y",
        "{{ .ClusterName | lower | quote }}",
        "{{ sha3short .ClusterName }}",
        "{{ sha256sum (print .ClusterName) }}",
        "{{ .ClusterName }}-{{ .Object.spec.a }}",
        "{{ .Object.spec.a }}-{{ .ClusterName }}",
        "{{ $x := .Object.a }}{{ .ClusterName }}-{{ $x }}",
    ] {
        tells(text, true);
    }
}

#[test]
fn no_construct_fakes_that_a_variable_is_told() {
    for text in [
        "x",
        "{{ if false }}{{ .ClusterName }}{{ end }}",
        "{{ if .Object.a }}{{ .ClusterName }}{{ end }}",
        "{{ with .Object.a }}x{{ else }}{{ $.ClusterName }}{{ end }}",
        "{{ range .Object.l }}{{ $.ClusterName }}{{ end }}",
        "{{ range .Object.l }}{{ . }}{{ else }}{{ .ClusterName }}{{ end }}",
        "{{ $x := .ClusterName }}",
        "{{ define \"a\" }}{{ .ClusterName }}{{ end }}",
        "{{ define \"a\" }}{{ .ClusterName }}{{ end }}{{ template \"a\" .Object }}",
        "{{ .ClusterName | trunc 2 }}",
        "{{ trunc 0 .ClusterName }}",
        "{{ substr 0 2 .ClusterName }}",
        "{{ len .ClusterName }}",
        "{{ adler32sum .ClusterName }}",
        "{{ sha3short .ClusterName 2 }}",
        "{{ sha256sum .ClusterName | trunc 4 }}",
        "{{ replace \"a\" \"\" .ClusterName }}",
        "{{ .ClusterName | default \"a\" | first }}",
        "{{ and .ClusterName \"\" }}",
        "{{ default .ClusterName .Object.a }}",
        "{{ coalesce .Object.a .ClusterName }}",
        "{{ ternary .ClusterName \"x\" false }}",
        "{{ printf \"%.0s\" .ClusterName }}",
        "{{ print .ClusterName .Object.a }}",
        "{{ .ClusterName }}{{ .Object.a }}",
        "{{ .Object.a }}{{ .ClusterName }}",
        "{{ .ClusterName }}x{{ .Object.a }}",
        "{{ .Object.a }}-{{ .ClusterName }}-{{ .Object.b }}",
        "{{ .ClusterName }}{{- \" \" -}}{{ .Object.a }}",
        "{{ .Object.ClusterName }}",
        "{{ with .Object }}{{ .ClusterName }}{{ end }}",
        "{{ $x := .Object }}{{ $x.ClusterName }}",
        "{{ b64enc .ClusterName }}/{{ .Object.a }}",
        "{{ .ClusterPath }}",
    ] {
        tells(text, false);
    }
}

#[test]
fn an_output_is_one_field_only_if_nothing_else_varies() {
    let check = |text: &str, expected| {
        let template = Template::parse(text, Dialect::Text).unwrap();
        assert_eq!(template.is_only(&["Object", "metadata", "namespace"]), expected, "{text}");
    };
    check("{{ .Object.metadata.namespace }}", true);
    check("x-{{ .Object.metadata.namespace }}", true);
    check("{{ .Object.metadata.namespace }}-{{ .Object.spec.a }}", false);
    check("{{ if .Object.spec.a }}{{ .Object.metadata.namespace }}{{ end }}", false);
    check("{{ if eq .Object.metadata.namespace .Object.spec.a }}x{{ end }}", false);
    check("{{ trunc 1 .Object.metadata.namespace }}", false);
    check("{{ default .Object.spec.a .Object.metadata.namespace }}", false);
}
