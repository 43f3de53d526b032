use proptest::prelude::*;

use super::*;

fn claims() -> Claims {
    let named = |name: &str| Named { name: name.into(), uid: format!("uid-{name}") };
    Claims {
        id: "1".into(),
        audiences: vec![ISSUER.into()],
        issued_at: 1,
        expires_at: 2,
        cluster: "abc".parse().unwrap(),
        namespace: "default".into(),
        service_account: named("robot"),
        secret: Some(named("s")),
    }
}

#[test]
fn claims_stand_where_kubernetes_and_kcp_look_for_them() {
    let value = claims().to_value().unwrap();
    assert_eq!(
        value,
        json!({
            "iss": "https://kcp.default.svc", "sub": "system:serviceaccount:default:robot", "aud": ["https://kcp.default.svc"],
            "exp": 2, "iat": 1, "nbf": 1, "jti": "1",
            "kubernetes.io": {"clusterName": "abc", "namespace": "default",
                "serviceaccount": {"name": "robot", "uid": "uid-robot"}, "secret": {"name": "s", "uid": "uid-s"}},
        })
    );
    assert_eq!(Claims::from_map(value.as_object().unwrap()), Some(claims()));
}

#[test]
fn claims_that_contradict_themselves_are_none() {
    let check = |pointer: &str, to: Value| {
        let mut value = claims().to_value().unwrap();
        *value.pointer_mut(pointer).unwrap() = to;
        assert_eq!(Claims::from_map(value.as_object().unwrap()), None, "{pointer}");
    };
    check("/sub", json!("system:serviceaccount:default:other"));
    check("/iss", json!("https://elsewhere"));
    check("/kubernetes.io/clusterName", json!("../x"));
    check("/kubernetes.io/serviceaccount", json!({"name": "robot"}));
    check("/jti", Value::Null);
}

#[test]
fn a_request_is_checked_as_in_kubernetes() {
    let account = json!({"metadata": {"name": "robot", "uid": "u"}});
    let check = |body: Value, expected: std::result::Result<i64, u16>| {
        let found = Request::parse(&body, &account).map(|request| request.seconds).map_err(|error| error.code());
        assert_eq!(found, expected, "{body}");
    };
    let body = |metadata: Value, seconds: Value| {
        json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "metadata": metadata,
            "spec": {"audiences": [], "expirationSeconds": seconds}})
    };
    check(body(json!({}), Value::Null), Ok(3600));
    check(body(json!({"name": "robot", "uid": "u"}), json!(600)), Ok(600));
    check(body(json!({}), json!(4_000_000_000_i64)), Ok(365 * 24 * 60 * 60));
    check(body(json!({}), json!(599)), Err(422));
    check(body(json!({}), json!(-1)), Err(422));
    check(body(json!({}), json!(5_000_000_000_i64)), Err(422));
    check(body(json!({"name": "other"}), Value::Null), Err(400));
    check(body(json!({"uid": "other"}), Value::Null), Err(409));
    check(json!({"kind": "Pod", "apiVersion": "v1"}), Err(400));
}

proptest! {
    #[test]
    fn whatever_is_signed_by_nobody_is_not_ours(token in "[a-zA-Z0-9_-]{0,20}(\\.[a-zA-Z0-9_-]{0,20}){0,3}") {
        let parsed = Jwt::parse(&token);
        prop_assert!(parsed.is_none_or(|token| token.unverified_issuer() != Some(ISSUER)));
    }
}
