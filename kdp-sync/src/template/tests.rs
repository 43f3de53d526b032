mod bounds;
mod claims;
mod vectors;

use proptest::prelude::*;
use serde_json::json;

use super::*;

fn object() -> serde_json::Value {
    json!({
        "metadata": {"name": "objname", "namespace": "objnamespace", "labels": {"a/b": "c"}},
        "spec": {"count": 3, "ratio": 0.5, "list": ["x", "y"], "empty": ""},
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
fn digests_match_the_published_vectors() {
    check("{{ sha3short .Object.metadata.namespace }}", "2928c2aa0e510f017f07");
    check("{{ .Object.metadata.name | sha3short }}", "73d08a1ba188f1340dae");
    check("{{ sha3short .Object.metadata.name 8 }}", "73d08a1b");
    check("{{ shortHash \"default\" }}", "7505d64a54e061b7acd5");
}

#[test]
fn whatever_is_not_understood_is_refused_when_parsed() {
    let check = |text: &str, dialect, message: &str| {
        let error = Template::parse(text, dialect).expect_err(text).to_string();
        assert!(error.contains(message), "{text}: {error}");
    };
    for (text, message) in [
        ("{{ env \"HOME\" }}", "\"env\" is refused: it would show the agent's surroundings"),
        ("{{ if false }}{{ getHostByName \"a\" }}{{ end }}", "refused"),
        ("{{ define \"a\" }}{{ expandenv \"$HOME\" }}{{ end }}", "refused"),
        ("{{ randAlpha 3 }}", "\"randAlpha\" is refused: it gives another result each time"),
        ("{{ now | date \"2006\" }}", "refused"),
        ("{{ print (uuidv4) }}", "refused"),
        ("{{ derivePassword 1 \"long\" \"a\" \"b\" \"c\" }}", "refused"),
        ("{{ nonsense }}", "not defined"),
        ("{{ if true }}", "not closed"),
        ("{{ $x }}", "undefined variable"),
        ("{{ .a", "not closed"),
        ("{{ 1+2i }}", "not a number"),
    ] {
        check(text, Dialect::Text, message);
    }
    check("{{ sha3short \"a\" }}", Dialect::Html, "not defined in mutation templates");
    check("<b>{{ 1 }}</b>", Dialect::Html, "markup");
}

#[test]
fn errors_of_rendering_name_the_cause() {
    fails("{{ .Nothing }}", "only .Object, .ClusterName");
    fails("{{ .ClusterName.x }}", "string has no field");
    fails("{{ upper .Object.spec.missing }}", "upper: needs a string, not a missing value");
    fails("{{ trunc .Object.spec.count \"a\" }}", "trunc: needs a int, not a int64");
    fails("{{ . }}", "no value here");
    fails("{{ trunc 1 \"é\" }}", "would cut a character");
    fails("{{ b64dec \"/w==\" }}", "not UTF-8");
}

#[test]
fn objects_of_the_scope_cannot_be_changed() {
    fails("{{ set .Object \"a\" 1 }}", "cannot be changed");
    fails("{{ unset .Object.metadata \"name\" }}", "cannot be changed");
    fails("{{ merge .Object (dict \"a\" 1) }}", "cannot be changed");
    check("{{ $c := deepCopy .Object.metadata }}{{ $_ := set $c \"name\" \"b\" }}{{ $c.name }}", "b");
}

fn any_json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<f64>().prop_map(Into::into),
        "\\PC{0,8}".prop_map(Into::into),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Into::into),
            proptest::collection::btree_map("[abx]", inner, 0..4)
                .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
        ]
    })
}

/// Function names with a few arguments, so that most of what is made parses.
fn any_call() -> impl Strategy<Value = String> {
    let names: Vec<_> = functions::names().collect();
    let arg = prop_oneof![
        Just(".Object".to_owned()),
        Just(".Object.a".to_owned()),
        Just(".Object.a.b".to_owned()),
        Just("(list .Object.a 1 \"é\")".to_owned()),
        Just("(dict \"a\" .Object.b)".to_owned()),
        Just("nil".to_owned()),
        any::<i32>().prop_map(|int| int.to_string()),
        Just("-9223372036854775808".to_owned()),
        Just("1e300".to_owned()),
        "[-%a0.*+é{}$\\[\\]()|^~v1-9:/@?#&]{0,8}".prop_map(|text| format!("{:?}", text)),
    ];
    (proptest::sample::select(names), proptest::collection::vec(arg, 0..5))
        .prop_map(|(name, args)| format!("{{{{ {name} {} }}}}", args.join(" ")))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn parsing_and_rendering_never_panic(text in "(\\{\\{-? ?|-?\\}\\}|\\.Object\\.spec|if |else|end|with |range |define \"a\"|template \"a\" |break|lower|printf|index|\\$x|:=|=|\\||\\(|\\)|,|'a'|\"[a%d]*\"|[0-9]{1,3}| |\\PC){0,24}") {
        let _ = render(&text, Dialect::Text);
        let _ = render(&text, Dialect::Html);
    }

    #[test]
    fn no_function_panics_on_any_data(text in any_call(), object in any_json()) {
        for dialect in [Dialect::Text, Dialect::Html] {
            let scope = Scope::default().with_json("Object", &object).with_text("ClusterName", "abc");
            if let Ok(template) = Template::parse(&text, dialect) {
                let _ = template.render(&scope);
            }
        }
    }
}
