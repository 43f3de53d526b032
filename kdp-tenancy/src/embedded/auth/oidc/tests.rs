use kdp_core::Identity;
use serde_json::{Map, Value, json};

use super::*;

fn entry(change: impl FnOnce(&mut Value)) -> JwtAuthenticator {
    let mut entry = json!({
        "issuer": {"url": "https://issuer.example", "audiences": ["kdp"]},
        "claimMappings": {"username": {"claim": "sub", "prefix": "oidc:"}},
    });
    change(&mut entry);
    serde_json::from_value(entry).unwrap()
}

fn faults(change: impl FnOnce(&mut Value)) -> Vec<String> {
    let faults = Oidc::compile(&[entry(change)], Trust::Operator).err().unwrap_or_default();
    faults.into_iter().map(|fault| fault.field).collect()
}

fn mapped(trust: Trust, claims: &Value, change: impl FnOnce(&mut Value)) -> Result<Identity, String> {
    let oidc = Oidc::compile(&[entry(change)], trust).unwrap();
    let none = Map::new();
    oidc.issuers[0].mapping.identity(claims.as_object().unwrap_or(&none))
}

#[test]
fn a_faulty_configuration_names_the_field() {
    let check = |pointer: &'static str, value: Value, expected: &[&str]| {
        let found = faults(|entry| {
            let (parent, key) = pointer.rsplit_once('/').unwrap();
            entry.pointer_mut(parent).unwrap()[key] = value;
        });
        assert_eq!(found, expected, "{pointer}");
    };
    check("/issuer/url", json!("https://other.example/path"), &[]);
    check("/issuer/url", json!("http://issuer.example"), &["jwt[0].issuer.url"]);
    check("/issuer/url", json!("https://issuer.example?x"), &["jwt[0].issuer.url"]);
    check("/issuer/url", json!("https://a:b@issuer.example"), &["jwt[0].issuer.url"]);
    check("/issuer/url", json!("https://kcp.default.svc"), &["jwt[0].issuer.url"]);
    check("/issuer/discoveryURL", json!("https://issuer.example/"), &["jwt[0].issuer.discoveryURL"]);
    check("/issuer/certificateAuthority", json!("x"), &["jwt[0].issuer.certificateAuthority"]);
    check("/issuer/audiences", json!([]), &["jwt[0].issuer.audiences"]);
    check("/issuer/audiences", json!(["a", "b"]), &["jwt[0].issuer.audienceMatchPolicy"]);
    check("/claimMappings/username", json!({}), &["jwt[0].claimMappings.username"]);
    check("/claimMappings/username", json!({"claim": "sub"}), &["jwt[0].claimMappings.username.prefix"]);
    check(
        "/claimMappings/username",
        json!({"expression": "claims."}),
        &["jwt[0].claimMappings.username.expression", "jwt[0].claimMappings.username"],
    );
    check(
        "/claimMappings/groups",
        json!({"claim": "g", "prefix": "", "expression": "claims.g"}),
        &["jwt[0].claimMappings.groups"],
    );
    check(
        "/claimMappings/extra",
        json!([{"key": "x", "valueExpression": "claims.x"}]),
        &["jwt[0].claimMappings.extra[0].key"],
    );
    check(
        "/claimMappings/extra",
        json!([{"key": "a.k8s.io/x", "valueExpression": "'x'"}]),
        &["jwt[0].claimMappings.extra[0].key"],
    );
    check("/claimValidationRules", json!([{}]), &["jwt[0].claimValidationRules[0]"]);
    let endless = "claims.a.all(x, claims.a.all(y, claims.a.all(z, x + y + z > 0)))";
    check("/userValidationRules", json!([{"expression": endless}]), &["jwt[0].userValidationRules[0].expression"]);
}

#[test]
fn two_issuers_may_not_share_a_url() {
    let faults = Oidc::compile(&[entry(|_| {}), entry(|_| {})], Trust::Operator).unwrap_err();
    assert_eq!(faults[0].field, "jwt[1].issuer.url");
}

#[test]
fn claims_become_a_user() {
    let claims = json!({"sub": "ann", "roles": ["a", "b"], "id": "7", "team": {"name": "x"}, "level": 3});
    let user = mapped(Trust::Operator, &claims, |entry| {
        entry["claimMappings"] = json!({
            "username": {"expression": "claims.team.name + ':' + claims.sub"},
            "groups": {"claim": "roles", "prefix": "r:"},
            "uid": {"claim": "id"},
            "extra": [{"key": "example.com/level", "valueExpression": "string(claims.level)"},
                {"key": "example.com/none", "valueExpression": "[]"}],
        });
        entry["claimValidationRules"] =
            json!([{"claim": "sub", "requiredValue": "ann"}, {"expression": "claims.level >= 3"}]);
        entry["userValidationRules"] =
            json!([{"expression": "!user.username.startsWith('system:') && 'r:a' in user.groups"}]);
    });
    let user = user.unwrap();
    assert_eq!(
        (&*user.username, &*user.groups, user.uid.as_deref()),
        ("x:ann", &["r:a".into(), "r:b".into()][..], Some("7"))
    );
    assert_eq!(user.extra, [("example.com/level".to_owned(), vec!["3".to_owned()])].into());
}

#[test]
fn claims_that_break_a_rule_stand_for_nobody() {
    let check = |claims: Value, change: fn(&mut Value)| {
        let refused = mapped(Trust::Operator, &claims, change).unwrap_err();
        assert!(!refused.contains("hunter2"), "{refused}");
    };
    check(json!({}), |_| {});
    check(json!({"sub": 7}), |_| {});
    check(json!({"sub": "hunter2"}), |entry| {
        entry["claimValidationRules"] = json!([{"claim": "hd", "requiredValue": "x"}])
    });
    check(json!({"sub": "hunter2"}), |entry| {
        entry["claimValidationRules"] = json!([{"expression": "claims.sub == 'x'"}])
    });
    check(json!({"sub": "hunter2"}), |entry| entry["claimValidationRules"] = json!([{"expression": "claims.sub"}]));
    check(json!({"sub": "hunter2"}), |entry| entry["claimValidationRules"] = json!([{"expression": "claims.missing"}]));
    check(json!({"sub": "hunter2"}), |entry| {
        entry["userValidationRules"] = json!([{"expression": "user.username == 'x'"}])
    });
    check(json!({"email": "hunter2", "email_verified": false}), |entry| {
        entry["claimMappings"]["username"] = json!({"claim": "email", "prefix": ""});
    });
    check(json!({"sub": "a", "g": 7}), |entry| entry["claimMappings"]["groups"] = json!({"claim": "g", "prefix": ""}));
}

#[test]
fn a_tenant_cannot_make_system_users() {
    let change = |entry: &mut Value| {
        entry["claimMappings"] = json!({
            "username": {"claim": "sub", "prefix": ""}, "groups": {"claim": "g", "prefix": ""},
            "extra": [{"key": "authentication.kcp.io/scopes", "valueExpression": "claims.sub"}, {"key": "a.b/c", "valueExpression": "claims.sub"}],
        });
    };
    let claims = json!({"sub": "ann", "g": ["system:masters", "devs"]});
    let user = mapped(Trust::Tenant, &claims, change).unwrap();
    assert_eq!((&*user.groups, user.extra.len()), (&["devs".to_owned()][..], 1));
    assert_eq!(mapped(Trust::Operator, &claims, change).unwrap().extra.len(), 2);
    assert!(mapped(Trust::Tenant, &json!({"sub": "system:admin"}), change).is_err());
}

#[test]
fn what_all_expressions_of_an_issuer_may_take_is_bounded_together() {
    let rule = json!({"expression": "claims.groups.all(a, a != 'x')", "message": "no"});
    let with = |count| faults(|entry| entry["claimValidationRules"] = vec![rule.clone(); count].into());
    assert_eq!(with(8), Vec::<String>::new());
    let last = with(4000).pop();
    assert_eq!(last.as_deref(), Some("jwt[0].claimValidationRules[3999].expression"));
}
