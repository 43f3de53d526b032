use kdp_core::api::tenancy::{WorkspaceTypeReference, WorkspaceTypeSelector, WorkspaceTypeSpec};
use proptest::prelude::*;
use serde_json::json;

use super::{Lineage, Type, lineage::has_circle, refusal, validate};

fn type_(name: &str, spec: serde_json::Value) -> Type {
    let spec: WorkspaceTypeSpec = serde_json::from_value(spec).unwrap();
    Type { cluster: "root".parse().unwrap(), path: "root".parse().unwrap(), name: name.into(), spec }
}

fn selector(names: &[&str]) -> serde_json::Value {
    let reference = |name: &&str| WorkspaceTypeReference { name: (*name).into(), path: Some("root".into()) };
    let types = names.iter().map(reference).collect();
    serde_json::to_value(WorkspaceTypeSelector { none: false, types }).unwrap()
}

fn allowed(parent: Vec<Type>, child: Vec<Type>) -> bool {
    refusal(&Lineage::of(parent), &Lineage::of(child), |reference| reference.path.as_deref()?.parse().ok()).is_none()
}

#[test]
fn a_limit_is_met_by_a_type_and_by_what_extends_it() {
    let plain = |name: &str| type_(name, json!({}));
    let below = |limit: serde_json::Value| type_("child", json!({"limitAllowedParents": limit}));
    let above = |limit: serde_json::Value| type_("parent", json!({"limitAllowedChildren": limit}));
    assert!(allowed(vec![plain("a")], vec![plain("b")]));
    assert!(allowed(vec![plain("a")], vec![below(selector(&["a"]))]));
    assert!(!allowed(vec![plain("b")], vec![below(selector(&["a"]))]));
    assert!(allowed(vec![plain("a"), plain("b")], vec![below(selector(&["a"]))]));
    assert!(!allowed(vec![plain("a")], vec![below(json!({"none": true}))]));
    assert!(allowed(vec![above(selector(&["b", "c"]))], vec![plain("c")]));
    assert!(!allowed(vec![above(selector(&["b"]))], vec![plain("c")]));
    assert!(!allowed(vec![above(json!({"none": true}))], vec![plain("c")]));
    // The limits of what is extended hold too.
    assert!(!allowed(vec![plain("b")], vec![below(selector(&["a"])), plain("c")]));
}

#[test]
fn a_type_of_the_same_name_elsewhere_is_another_type() {
    let mut elsewhere = type_("a", json!({}));
    elsewhere.cluster = "x".parse().unwrap();
    let child = type_("child", json!({"limitAllowedParents": selector(&["a"])}));
    assert!(!allowed(vec![elsewhere], vec![child]));
}

#[test]
fn a_type_says_where_others_are_and_takes_no_reserved_name() {
    let check = |cluster: &str, type_: serde_json::Value, expected: &[&str]| {
        let errors = validate(&cluster.parse().unwrap(), &type_);
        let fields: Vec<_> = errors.iter().map(|error| error.field.as_str()).collect();
        assert_eq!(fields, expected, "{type_}");
    };
    check("a", json!({"metadata": {"name": "x"}}), &[]);
    check("a", json!({"metadata": {"name": "any"}}), &["metadata.name"]);
    check("a", json!({"metadata": {"name": "system"}}), &["metadata.name"]);
    check("a", json!({"metadata": {"name": "root"}}), &["metadata.name"]);
    check("root", json!({"metadata": {"name": "root"}}), &[]);
    check(
        "a",
        json!({"metadata": {"name": "x"}, "spec": {
            "defaultChildWorkspaceType": {"name": "y"},
            "limitAllowedParents": {"types": [{"name": "y", "path": "root"}, {"name": "z"}]},
        }}),
        &["spec.defaultChildWorkspaceType.path", "spec.limitAllowedParents.types[1].path"],
    );
}

#[test]
fn circles_are_found() {
    assert!(!has_circle(&[vec![]]));
    assert!(has_circle(&[vec![0]]));
    assert!(has_circle(&[vec![1], vec![2], vec![1]]));
    assert!(!has_circle(&[vec![1, 2], vec![3], vec![3], vec![]]));
}

proptest! {
    #[test]
    fn what_only_extends_later_ones_has_no_circle(edges in proptest::collection::vec((0usize..20, 0usize..20), 0..60)) {
        let mut extends = vec![Vec::new(); 20];
        for (a, b) in edges {
            if a < b {
                extends[a].push(b);
            }
        }
        prop_assert!(!has_circle(&extends));
        extends[19].push(0);
        let mut reached = vec![0];
        while let Some(next) = reached.iter().flat_map(|i| &extends[*i]).find(|i| !reached.contains(i)) {
            reached.push(*next);
        }
        prop_assert_eq!(has_circle(&extends), reached.contains(&19));
    }
}

#[test]
fn what_is_looked_up_for_others_is_bounded() {
    for (list, item, most) in [
        ("authenticationConfigurations", json!({"name": "a"}), 16),
        ("defaultAPIBindings", json!({"path": "root", "export": "e"}), 256),
    ] {
        let faults = |count| {
            let type_ = json!({"metadata": {"name": "a"}, "spec": {list: vec![item.clone(); count]}});
            validate(&"root".parse().unwrap(), &type_).len()
        };
        assert_eq!((faults(most), faults(most + 1)), (0, 1), "{list}");
    }
    let with = vec![json!({"name": "a"}); 33];
    let type_ = json!({"metadata": {"name": "a"}, "spec": {"extend": {"with": with}}});
    let faults = validate(&"root".parse().unwrap(), &type_);
    assert_eq!(faults.iter().map(|fault| &*fault.field).collect::<Vec<_>>(), ["spec.extend.with"]);
}
