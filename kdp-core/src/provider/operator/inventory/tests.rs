use proptest::prelude::*;

use super::*;

proptest! {
    #[test]
    fn references_come_back_as_they_were_written(
        group in prop::option::of("[a-z]{1,8}(\\.[a-z]{1,8}){0,2}"), version in "v[1-9](beta[1-9])?", kind in "[A-Z][a-z]{0,8}",
        namespace in prop::option::of("[a-z0-9-]{1,10}"), name in "[a-z0-9.-]{1,20}",
    ) {
        let reference = Reference { group: group.unwrap_or_default(), version, kind, namespace, name };
        let (kind, id) = reference.item();
        let item = InventoryItem { kind, id, epoch: 3 };
        prop_assert_eq!(Reference::parse(&item, &OrderId::new("u", "", "o")).unwrap(), reference);
    }
}

#[test]
fn what_no_operator_provider_has_written_is_refused() {
    for (kind, id) in [
        ("", "a"),
        ("Pod", "a"),
        ("Pod.", "a"),
        (".v1", "a"),
        ("Pod.v1", ""),
        ("Pod.v1", "/a"),
        ("Pod.v1", "a/"),
        ("Pod.v1", "a/b/c"),
    ] {
        let item = InventoryItem { kind: kind.into(), id: id.into(), epoch: 0 };
        let refused = Reference::parse(&item, &OrderId::new("u", "", "o")).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Invalid, "{kind} {id}");
    }
}

#[test]
fn an_object_is_the_same_in_all_versions_of_its_kind() {
    let reference = |version: &str, name: &str| Reference {
        group: "g".into(),
        version: version.into(),
        kind: "K".into(),
        namespace: None,
        name: name.into(),
    };
    assert!(reference("v1", "a").is_same(&reference("v2", "a")));
    assert!(!reference("v1", "a").is_same(&reference("v1", "b")));
    assert_eq!(reference("v1", "a").api_version(), "g/v1");
}
