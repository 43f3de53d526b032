use proptest::prelude::*;
use ring::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair},
};
use serde_json::json;

use super::*;

fn p256() -> (EcdsaKeyPair, PublicKey) {
    let random = SystemRandom::new();
    let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
    let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.as_ref(), &random).unwrap();
    let public = PublicKey::P256(pair.public_key().as_ref().to_vec());
    (pair, public)
}

fn signed(pair: &EcdsaKeyPair, header: &Value) -> String {
    let input = signing_input(header, &json!({"sub": "a"}));
    let signature = pair.sign(&SystemRandom::new(), input.as_bytes()).unwrap();
    token(input, signature.as_ref())
}

#[test]
fn only_the_key_and_its_own_algorithm_verify() {
    let ((pair, public), (_, other)) = (p256(), p256());
    let check = |token: &str, key: &PublicKey, expected: bool| {
        assert_eq!(Jwt::parse(token).is_some_and(|jwt| jwt.verify(key).is_some()), expected, "{token}");
    };
    check(&signed(&pair, &json!({"alg": "ES256"})), &public, true);
    check(&signed(&pair, &json!({"alg": "ES256"})), &other, false);
    for alg in ["none", "None", "HS256", "ES384", "RS256", "EdDSA", ""] {
        check(&signed(&pair, &json!({"alg": alg})), &public, false);
    }
    check(&signed(&pair, &json!({"alg": "ES256", "crit": ["exp"]})), &public, false);
    let good = signed(&pair, &json!({"alg": "ES256"}));
    let (input, _) = good.rsplit_once('.').unwrap();
    check(&format!("{input}."), &public, false);
    check(input, &public, false);
    check(&format!("{good}="), &public, false);
    let forged = signing_input(&json!({"alg": "ES256"}), &json!({"sub": "b"}));
    check(&format!("{forged}.{}", good.rsplit_once('.').unwrap().1), &public, false);
}

#[test]
fn a_key_comes_back_from_its_json() {
    let (_, public) = p256();
    let set = json!({"keys": [public.to_jwk("k").unwrap(), {"kty": "oct", "k": "c2VjcmV0"}, {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"}]});
    let set = JwkSet::parse(set.to_string().as_bytes()).unwrap();
    assert_eq!(set.candidates(Some("k")).collect::<Vec<_>>(), [&public]);
    assert_eq!(set.candidates(None).count(), 1);
    assert_eq!(set.candidates(Some("other")).count(), 0);
}

#[test]
fn a_key_for_encryption_verifies_nothing() {
    let (_, public) = p256();
    let mut jwk = public.to_jwk("k").unwrap();
    jwk["use"] = "enc".into();
    assert_eq!(JwkSet::parse(json!({"keys": [jwk]}).to_string().as_bytes()).unwrap().candidates(None).count(), 0);
}

#[test]
fn ed25519_verifies() {
    let pkcs8 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
    let pair = Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).unwrap();
    let input = signing_input(&json!({"alg": "EdDSA"}), &json!({}));
    let token = token(input.clone(), pair.sign(input.as_bytes()).as_ref());
    let key = PublicKey::Ed25519(pair.public_key().as_ref().to_vec());
    assert!(Jwt::parse(&token).unwrap().verify(&key).is_some());
}

#[test]
fn a_token_is_good_only_in_its_time() {
    let check = |claims: Value, expected: Result<(), &'static str>| {
        assert_eq!(check_times(claims.as_object().unwrap(), 1000), expected, "{claims}");
    };
    check(json!({"exp": 1001}), Ok(()));
    check(json!({"exp": 1001.5, "nbf": 1000}), Ok(()));
    check(json!({"exp": 1001, "nbf": 1060}), Ok(()));
    check(json!({"exp": 1000}), Err("the token has expired"));
    check(json!({"exp": 2000, "nbf": 1061}), Err("the token is not valid yet"));
    check(json!({}), Err("the token does not say when it expires"));
    check(json!({"exp": null}), Err("the token does not say when it expires"));
    check(json!({"exp": "2000"}), Err("the token holds a time that is not a number"));
    check(json!({"exp": 1e300}), Ok(()));
}

proptest! {
    #[test]
    fn parsing_never_panics(token in "[A-Za-z0-9._=-]{0,60}") {
        let _ = Jwt::parse(&token);
    }
}
