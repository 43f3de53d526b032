use proptest::prelude::*;
use serde_json::json;

use super::*;

fn names(composed: &BTreeSet<Composed>) -> Vec<String> {
    let name = |one: &Composed| format!("{} {}/{}", one.kind, one.namespace.as_deref().unwrap_or("-"), one.name);
    composed.iter().map(name).collect()
}

#[test]
fn references_are_read_where_each_generation_has_them() {
    let check = |shape, object: Value, expected: &[&str]| {
        assert_eq!(names(&composed_by(&object, shape)), expected, "{shape:?} {object}");
    };
    let bucket = json!({"apiVersion": "s3/v1", "kind": "Bucket", "name": "b"});
    let elsewhere = json!({"apiVersion": "v1", "kind": "Secret", "name": "s", "namespace": "other"});
    let namespaced = json!({"metadata": {"namespace": "a"}, "spec": {"crossplane": {"resourceRefs": [bucket]}}});
    check(Shape::Namespaced, namespaced, &["Bucket a/b"]);
    let cluster = json!({"metadata": {}, "spec": {"crossplane": {"resourceRefs": [bucket, elsewhere]}}});
    check(Shape::Cluster, cluster, &["Bucket -/b", "Secret other/s"]);
    let legacy = json!({"metadata": {}, "spec": {"resourceRefs": [bucket]}});
    check(Shape::LegacyCluster, legacy, &["Bucket -/b"]);
    let composite = json!({"apiVersion": "e/v1", "kind": "XStore", "name": "x"});
    let claim = json!({"metadata": {"namespace": "a"}, "spec": {"resourceRef": composite}});
    check(Shape::Claim, claim, &["XStore -/x"]);
    // A parameter of that name is no reference of Crossplane's in v2.
    let spoofed = json!({"metadata": {"namespace": "a"}, "spec": {"resourceRefs": [elsewhere], "crossplane": {}}});
    check(Shape::Namespaced, spoofed, &[]);
    check(Shape::Namespaced, json!({"spec": {"crossplane": {"resourceRefs": [{"kind": "Bucket"}, 1, null]}}}), &[]);
}

#[test]
fn a_record_of_something_else_is_refused() {
    let id = OrderId::new("0a1b", "default", "app");
    let check = |sealed: Teardown| {
        let place = sealed_place(&sealed, "buckets.example.org");
        assert_eq!(place.unwrap_err().kind(), ErrorKind::Invalid);
    };
    check(Teardown::new(&id).with_item("stores.example.org", "all/kdp-0a1b"));
    let garbled = Teardown::new(&id).with_data(json!({"composed": 1}));
    assert_eq!(Memory::sealed(Some(&garbled)).unwrap_err().kind(), ErrorKind::Invalid);
    assert_eq!(Memory::sealed(None).unwrap(), Memory::default());
}

proptest! {
    #[test]
    fn a_record_reads_back_as_it_was_sealed(
        uid in prop::option::of("[a-f0-9]{8}"),
        composed in prop::collection::btree_set(("[a-z]{1,4}/v1", "[A-Z][a-z]{1,4}", prop::option::of("[a-z]{1,4}"), "[a-z]{1,4}"), 0..5),
    ) {
        let composed = composed
            .into_iter()
            .map(|(api_version, kind, namespace, name)| Composed { api_version, kind, namespace, name })
            .collect();
        let memory = Memory { cluster: uid.clone(), uid, composed };
        let id = OrderId::new("0a1b", "default", "app");
        let place = Place { namespace: Some("all".into()), name: "kdp-0a1b".into() };
        let sealed = memory.seal("buckets.example.org".into(), &place, &id);
        prop_assert_eq!(Memory::sealed(Some(&sealed)).unwrap(), memory);
        prop_assert_eq!(sealed_place(&sealed, "buckets.example.org").unwrap(), Some(place));
    }
}
