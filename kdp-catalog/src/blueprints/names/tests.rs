use super::*;

#[test]
fn plurals_follow_the_ending_of_the_kind() {
    for (kind, expected) in
        [("WebApp", "webapps"), ("Policy", "policies"), ("Gateway", "gateways"), ("Box", "boxes"), ("Batch", "batches")]
    {
        assert_eq!(plural(kind), expected);
    }
}

#[test]
fn a_schema_is_named_for_its_version_and_content() {
    assert_eq!(schema("1.0.0-rc.1", "0123456789abcdef", "webapps", "e.com"), "v1-0-0-rc-1-01234567.webapps.e.com");
}
