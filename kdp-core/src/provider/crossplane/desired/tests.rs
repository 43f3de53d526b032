use proptest::prelude::*;

use super::*;
use crate::provider::crossplane::{Connection, Namespaces, SecretSource, Target};

fn options(shape: Shape) -> CrossplaneOptions {
    CrossplaneOptions::new(
        Target::new("example.org", "v1", "Bucket", "buckets", shape),
        Namespaces::Fixed("all".into()),
    )
}

fn order(spec: Value) -> Order {
    Order::new(OrderId::new("0a1b", "default", "app"), 1, spec)
}

fn made(options: &CrossplaneOptions, spec: Value) -> Value {
    let order = order(spec);
    let place = place(options, &order.id).unwrap();
    object(options, &order, &place, Lease(7)).unwrap()
}

#[test]
fn machine_fields_are_where_each_generation_has_them() {
    let check = |shape, spec: Value, namespace: Value| {
        let options = options(shape)
            .with_composition("small")
            .with_pin(Pin::Revision("small-1".into()))
            .with_connection(Connection::new(SecretSource::Native));
        let made = made(&options, json!({"size": 1}));
        assert_eq!(made["spec"], spec, "{shape:?}");
        assert_eq!(made["metadata"]["namespace"], namespace, "{shape:?}");
        assert_eq!(made["metadata"]["name"], "kdp-0a1b");
        assert_eq!(made["metadata"]["labels"][ORDER_LABEL], "0a1b");
        assert_eq!(lease_of(&made), Lease(7));
    };
    let pinned = json!({
        "compositionRef": {"name": "small"}, "compositionUpdatePolicy": "Manual",
        "compositionRevisionRef": {"name": "small-1"},
    });
    check(Shape::Namespaced, json!({"size": 1, "crossplane": pinned}), json!("all"));
    check(Shape::Cluster, json!({"size": 1, "crossplane": pinned}), Value::Null);
    let mut legacy = pinned;
    legacy["size"] = json!(1);
    legacy["writeConnectionSecretToRef"] = json!({"name": "kdp-0a1b-connection", "namespace": "all"});
    check(Shape::LegacyCluster, legacy.clone(), Value::Null);
    legacy["writeConnectionSecretToRef"] = json!({"name": "kdp-0a1b-connection"});
    legacy["compositeDeletePolicy"] = json!("Foreground");
    check(Shape::Claim, legacy, json!("all"));
}

#[test]
fn without_options_an_order_is_its_parameters() {
    assert_eq!(made(&options(Shape::Namespaced), json!({"size": 1}))["spec"], json!({"size": 1}));
    assert_eq!(made(&options(Shape::Namespaced), Value::Null)["spec"], json!({}));
    let labels = [("channel".to_owned(), "stable".to_owned())].into();
    let made = made(&options(Shape::Namespaced).with_pin(Pin::Labels(labels)), json!({}));
    let selector = &made["spec"]["crossplane"]["compositionRevisionSelector"];
    assert_eq!(*selector, json!({"matchLabels": {"channel": "stable"}}));
}

#[test]
fn a_tenant_sets_no_machine_field_in_any_generation() {
    for field in MACHINE_FIELDS {
        let order = order(json!({"size": 1, field: {"name": "mine"}}));
        let error = parameters(&order).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(error.message().contains(&format!("spec.{field}")), "{}", error.message());
    }
    assert_eq!(parameters(&order(json!([1]))).unwrap_err().kind(), ErrorKind::Invalid);
    assert_eq!(parameters(&order(json!("x"))).unwrap_err().kind(), ErrorKind::Invalid);
}

#[test]
fn only_what_makes_a_name_is_the_uid_of_an_order() {
    let check = |uid: &str, is_right: bool| {
        let id = OrderId::new(uid, "default", "app");
        assert_eq!(check_uid(&id).is_ok(), is_right, "{uid}");
    };
    check("0c0f7a2e-8a3b-4d57-9b1e-0123456789ab", true);
    for wrong in ["", "-a", "a-", "A", "a.b", "a/b", "../a", "a=b,c", "a b", &"a".repeat(LONGEST_UID + 1)] {
        check(wrong, false);
    }
}

#[test]
fn whose_an_object_is_follows_from_its_label_and_from_what_was_known() {
    let id = OrderId::new("0a1b", "default", "app");
    let check = |metadata: Value, known: Option<&str>, expected| {
        assert_eq!(whose(&json!({"metadata": metadata}), &id, known), expected, "{metadata}");
    };
    check(json!({"labels": {ORDER_LABEL: "0a1b"}}), None, Whose::Ours);
    check(json!({"labels": {ORDER_LABEL: "ffff"}}), None, Whose::Foreign);
    check(json!({"labels": {ORDER_LABEL: "ffff"}, "uid": "u"}), Some("u"), Whose::Foreign);
    check(json!({"uid": "u"}), Some("u"), Whose::Ours);
    check(json!({"uid": "v"}), Some("u"), Whose::Foreign);
    check(json!({"uid": "v"}), None, Whose::Unclear);
}

#[test]
fn how_a_claim_of_others_is_deleted_is_left_to_them() {
    let check = |there: Value, expected: Value| {
        let mut desired = made(&options(Shape::Claim), json!({"size": 1}));
        concede(&mut desired, &json!({"spec": there}));
        assert_eq!(desired["spec"]["compositeDeletePolicy"], expected, "{there}");
    };
    check(json!({}), json!("Foreground"));
    check(json!({"compositeDeletePolicy": "Foreground"}), json!("Foreground"));
    check(json!({"compositeDeletePolicy": "Background"}), Value::Null);
}

#[test]
fn places_read_back_as_they_were_written() {
    for place in
        [Place { namespace: None, name: "kdp-a".into() }, Place { namespace: Some("all".into()), name: "kdp-a".into() }]
    {
        assert_eq!(Place::parse(&place.id()), place);
    }
}

proptest! {
    #[test]
    fn what_a_tenant_writes_reaches_nothing_but_parameters(
        fields in prop::collection::btree_map("[a-zA-Z]{1,20}|crossplane|resourceRefs|claimRef|metadata", "\\PC{0,8}", 0..6),
        is_legacy in any::<bool>(),
    ) {
        let options = options(if is_legacy { Shape::Claim } else { Shape::Namespaced });
        let is_refused = fields.keys().any(|name| MACHINE_FIELDS.contains(&name.as_str()));
        let order = order(json!(fields));
        let place = place(&options, &order.id).unwrap();
        let made = object(&options, &order, &place, Lease(1));
        prop_assert_eq!(made.is_err(), is_refused);
        if let Ok(mut made) = made {
            let empty = self::made(&options, json!({}));
            made["metadata"]["annotations"][LEASE] = empty["metadata"]["annotations"][LEASE].clone();
            prop_assert_eq!(&made["metadata"], &empty["metadata"]);
            for (name, value) in fields {
                prop_assert_eq!(&made["spec"][&name], &json!(value));
            }
        }
    }
}
