use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use http::Request;
use kdp_core::Identity;

use super::*;
use crate::embedded::auth::StaticTokens;

fn identity(username: &str, groups: &[&str]) -> Identity {
    Identity {
        username: username.into(),
        groups: groups.iter().map(|group| (*group).to_owned()).collect(),
        ..Identity::default()
    }
}

fn authenticator() -> Authenticator {
    Authenticator::new().with_tokens(StaticTokens::new().with_token("good", identity("robot", &["robots"])))
}

fn anonymous() -> Identity {
    identity("system:anonymous", &["system:unauthenticated"])
}

async fn check(
    authenticator: &Authenticator,
    headers: &[(&str, &str)],
    peer: PeerIdentity,
    expected: Result<Identity>,
) {
    let mut request = Request::builder().uri("/version");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let (parts, ()) = request.extension(peer).body(()).unwrap().into_parts();
    assert_eq!(authenticator.authenticate(&parts).await, expected, "{headers:?}");
}

#[tokio::test]
async fn a_bearer_token_is_known_or_refused_and_other_schemes_are_anonymous() {
    let table: &[(&str, Result<Identity>)] = &[
        ("Bearer good", Ok(identity("robot", &["robots", "system:authenticated"]))),
        ("bearer good", Ok(identity("robot", &["robots", "system:authenticated"]))),
        ("Bearer  good ", Ok(identity("robot", &["robots", "system:authenticated"]))),
        ("Bearer bad", Err(StatusError::unauthorized())),
        ("Bearer good good", Err(StatusError::unauthorized())),
        ("Bearer", Ok(anonymous())),
        ("Basic Z29vZDpnb29k", Ok(anonymous())),
        ("good", Ok(anonymous())),
    ];
    for (header, expected) in table {
        check(&authenticator(), &[("authorization", header)], PeerIdentity::unknown(), expected.clone()).await;
    }
}

#[tokio::test]
async fn a_request_with_two_authorization_headers_is_refused() {
    let headers = [("authorization", "Bearer good"), ("authorization", "Bearer good")];
    check(&authenticator(), &headers, PeerIdentity::unknown(), Err(StatusError::unauthorized())).await;
}

#[tokio::test]
async fn headers_of_a_front_proxy_mean_nothing() {
    let headers = [
        ("x-remote-user", "admin"),
        ("x-remote-group", "system:masters"),
        ("x-remote-extra-scopes", "all"),
        ("x-forwarded-client-cert", "Subject=\"CN=admin,O=system:masters\""),
    ];
    check(&authenticator(), &headers, PeerIdentity::unknown(), Ok(anonymous())).await;
    let peer = PeerIdentity::in_process(identity("bob", &[]));
    check(&authenticator(), &headers, peer, Ok(identity("bob", &["system:authenticated"]))).await;
}

#[tokio::test]
async fn a_certificate_counts_before_a_token() {
    let peer = PeerIdentity::in_process(identity("bob", &["devs"]));
    let expected = identity("bob", &["devs", "system:authenticated"]);
    check(&authenticator(), &[("authorization", "Bearer bad")], peer, Ok(expected)).await;
}

#[tokio::test]
async fn a_certificate_that_expired_while_the_connection_was_open_is_refused() {
    let at = |not_after| PeerIdentity::certified(identity("bob", &[]), not_after);
    let now = SystemTime::now();
    let expired = at(now - Duration::from_secs(1));
    check(&authenticator(), &[], expired.clone(), Err(StatusError::unauthorized())).await;
    check(&authenticator(), &[("authorization", "Bearer good")], expired, Err(StatusError::unauthorized())).await;
    let valid = at(now + Duration::from_secs(3600));
    check(&authenticator(), &[], valid, Ok(identity("bob", &["system:authenticated"]))).await;
}

#[tokio::test]
async fn a_certificate_of_the_anonymous_user_does_not_make_it_authenticated() {
    let peer = PeerIdentity::in_process(identity("system:anonymous", &[]));
    check(&authenticator(), &[], peer, Ok(anonymous())).await;
}

#[tokio::test]
async fn anonymous_requests_can_be_refused() {
    let authenticator = authenticator().without_anonymous();
    check(&authenticator, &[], PeerIdentity::unknown(), Err(StatusError::unauthorized())).await;
}

#[derive(Debug)]
struct ForOthers;

#[async_trait]
impl TokenAuthenticator for ForOthers {
    async fn authenticate(&self, token: &str, _audiences: &[String]) -> Result<Option<TokenIdentity>, TokenRejected> {
        let mine = token == "vault-token";
        Ok(mine.then(|| TokenIdentity::new(identity("robot", &[]), vec!["vault".into()])))
    }
}

#[tokio::test]
async fn a_token_for_another_audience_is_refused() {
    let authenticator = Authenticator::new().with_tokens(ForOthers);
    let refused = Err(StatusError::unauthorized());
    check(&authenticator, &[("authorization", "Bearer vault-token")], PeerIdentity::unknown(), refused).await;
    let found = authenticator.authenticate_token("vault-token", &["vault".into()]).await.unwrap();
    assert_eq!(found.identity, identity("robot", &["system:authenticated"]));
}
