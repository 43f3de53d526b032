use kdp_core::provider::OrderId;
use serde_json::json;

use super::*;

fn parse(spec: Value) -> Result<Wish, Error> {
    let options = PostgresOptions::new("host=localhost").unwrap().with_limits(100, 1024);
    Wish::parse(&Order::new(OrderId::new("u", "team", "order"), 1, spec), &options)
}

#[test]
fn what_is_not_said_has_a_default() {
    let expected = Wish { connections: 20, quota_mib: None, extensions: BTreeSet::new(), roles: BTreeMap::new() };
    assert_eq!(parse(json!(null)).unwrap(), expected);
    assert_eq!(parse(json!({})).unwrap(), expected);
}

#[test]
fn faults_name_the_field() {
    let check = |spec: Value, part: &str| {
        let error = parse(spec).unwrap_err();
        assert!(error.kind() == ErrorKind::Invalid && error.message().contains(part), "{error}");
    };
    check(json!({"connections": 0}), "connections: must be 1 to 100");
    check(json!({"quotaMib": 4000}), "quotaMib: must be 16 to 1024");
    check(json!({"extensions": ["file_fdw"]}), "extensions: \"file_fdw\"");
    check(json!({"superuser": true}), "superuser");
    check(json!({"roles": [{"name": "x", "access": "owner"}]}), "roles: the access of \"x\"");
    check(json!({"roles": [{"name": "a", "access": "read"}, {"name": "a", "access": "write"}]}), "two \"a\"");
    for name in ["", "Ab", "a-b", "1a", "a\"; DROP ROLE postgres; --", "ä", "a234567890123456789012"] {
        check(json!({"roles": [{"name": name, "access": "read"}]}), "roles: ");
    }
}
