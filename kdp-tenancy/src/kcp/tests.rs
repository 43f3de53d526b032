//! Unit tests of addresses and identities.

use std::{convert::Infallible, sync::Arc};

use http::{HeaderMap, Request, Response};
use kdp_core::{ControlPlane, Endpoint, ErrorKind, Identity};
use kube::{Config, client::Body};
use parking_lot::Mutex;
use tower::{Layer, Service};

use super::{Kcp, address, announced, identity};

#[test]
fn a_base_is_a_url_without_what_it_addresses() {
    let check = |url: &str, expected: &str| {
        assert_eq!(address::text(&address::base(&url.parse().unwrap()).unwrap()), expected, "{url}");
    };
    check("https://kcp.example.com:6443", "https://kcp.example.com:6443");
    check("https://kcp.example.com:6443/", "https://kcp.example.com:6443");
    check("https://KCP.example.com/clusters/root", "https://kcp.example.com");
    check("https://kcp.example.com/clusters/root:acme/", "https://kcp.example.com");
    check("https://kcp.example.com/clusters/*", "https://kcp.example.com");
    check("https://kcp.example.com/kcp/clusters/root", "https://kcp.example.com/kcp");
    check("https://kcp.example.com/k8s/clusters/c-1/clusters/root", "https://kcp.example.com/k8s/clusters/c-1");
    check("https://kcp.example.com/services/apiexport/c/e", "https://kcp.example.com");
    check("https://kcp.example.com/p/services/apiexport/c/e/clusters/*", "https://kcp.example.com/p");
    for url in ["/clusters/root", "http://kcp.example.com/clusters/root", "kcp.example.com"] {
        assert!(address::base(&url.parse().unwrap()).is_err(), "{url}");
    }
}

#[test]
fn an_export_is_where_its_slice_tells_if_that_is_known() {
    let bases = ["https://kcp.example.com", "https://shard.example.com:6443/p"].map(|base| base.parse().unwrap());
    let check = |urls: &[&str], expected: Result<Option<usize>, &str>| {
        let urls: Vec<String> = urls.iter().map(|url| (*url).to_owned()).collect();
        let chosen = address::choose(&[&bases[0], &bases[1]], "/services/apiexport/c/e", &urls);
        match (&chosen, expected) {
            (Err(message), Err(part)) => assert!(message.contains(part), "{message}"),
            (chosen, expected) => assert_eq!(chosen.as_ref().ok(), expected.ok().as_ref(), "{urls:?}: {chosen:?}"),
        }
    };
    check(&[], Ok(None));
    check(&["https://kcp.example.com/services/apiexport/c/e"], Ok(Some(0)));
    check(&["https://kcp.example.com:443/services/apiexport/c/e"], Err("no address"));
    check(&["https://shard.example.com:6443/p/services/apiexport/c/e/"], Ok(Some(1)));
    check(&["https://evil.example.com/services/apiexport/c/e"], Err("evil.example.com"));
    check(&["https://kcp.example.com@evil.example.com/services/apiexport/c/e"], Err("no address"));
    check(&["http://kcp.example.com/services/apiexport/c/e"], Err("no address"));
    check(&["https://kcp.example.com/services/apiexport/other/e"], Err("no address"));
    check(&["not a URL"], Err("no address"));
    let one = "https://kcp.example.com/services/apiexport/c/e";
    check(&[one, one], Ok(Some(0)));
    check(&[one, "https://shard.example.com:6443/p/services/apiexport/c/e"], Err("2 shards"));
}

/// The headers of a request by `identity`.
async fn headers(identity: &Identity) -> HeaderMap {
    let seen = Arc::new(Mutex::new(HeaderMap::new()));
    let sink = Arc::clone(&seen);
    let service = tower::service_fn(move |request: Request<()>| {
        sink.lock().clone_from(request.headers());
        async { Ok::<_, Infallible>(Response::new(())) }
    });
    identity::headers(identity).unwrap().layer(service).call(Request::new(())).await.unwrap();
    seen.lock().clone()
}

#[tokio::test]
async fn an_identity_is_told_in_whole() {
    let identity = Identity {
        username: "alice".into(),
        uid: Some("1".into()),
        groups: vec!["a".into(), "b".into()],
        extra: [("example.com/50%".into(), vec!["x".into(), "y".into()])].into(),
    };
    let headers = headers(&identity).await;
    let all = |name: &str| headers.get_all(name).iter().map(|value| value.to_str().unwrap()).collect::<Vec<_>>();
    assert_eq!(all("impersonate-user"), ["alice"]);
    assert_eq!(all("impersonate-uid"), ["1"]);
    assert_eq!(all("impersonate-group"), ["a", "b"]);
    assert_eq!(all("impersonate-extra-example.com%2f50%25"), ["x", "y"]);
}

#[test]
fn an_identity_that_cannot_be_told_is_refused() {
    let named = |username: &str| Identity { username: username.into(), ..Identity::default() };
    let grouped = Identity { groups: vec!["a\r\nImpersonate-Group: system:masters".into()], ..named("alice") };
    for identity in [named(""), named("al\nice"), grouped] {
        let Err(error) = identity::headers(&identity) else { panic!("{identity:?} was accepted") };
        assert_eq!(error.kind(), ErrorKind::Invalid);
    }
}

fn kcp() -> Kcp {
    Kcp::new(Config::new("https://127.0.0.1:1/clusters/root".parse().unwrap())).unwrap()
}

#[tokio::test]
async fn urls_are_below_the_base() {
    let root = Endpoint::Workspace("root:acme".parse().unwrap());
    assert_eq!(kcp().url(&root).unwrap(), "https://127.0.0.1:1/clusters/root:acme");
}

#[tokio::test]
async fn a_client_cannot_add_to_its_identity() {
    let root = Endpoint::Workspace("root".parse().unwrap());
    let alice = Identity { username: "alice".into(), ..Identity::default() };
    let client = kcp().client(&root, &alice).unwrap();
    let request = Request::get("/api").header("Impersonate-Group", "system:masters").body(Body::empty()).unwrap();
    let error = client.send(request).await.unwrap_err();
    assert!(format!("{error:?}").contains("cannot impersonate somebody else"), "{error:?}");
}

#[tokio::test]
async fn a_configuration_that_impersonates_is_refused() {
    let mut config = Config::new("https://127.0.0.1:1".parse().unwrap());
    config.auth_info.impersonate = Some("alice".into());
    assert_eq!(Kcp::new(config).unwrap_err().kind(), ErrorKind::Invalid);
}

#[tokio::test]
async fn a_shard_is_reached_only_where_it_is_known_or_slices_are_trusted() {
    let shard = |url: &str| Endpoint::ExportShard { url: url.parse().unwrap(), consumer: None };
    let server = async |kcp: &Kcp, url: &str| kcp.server_of(&shard(url)).await.map(|s| address::text(&s.base));
    let known = kcp().with_shard("https://shard.example.com:6443").unwrap();
    let trusting = kcp().with_announced_shards();
    let redirecting = kcp().with_host_override("Shard.example.com:6443", "127.0.0.1:1").unwrap();
    let check = async |kcp: &Kcp, url: &str, expected: Option<&str>| {
        assert_eq!(server(kcp, url).await.ok().as_deref(), expected, "{url}");
    };
    let url = "https://shard.example.com:6443/services/apiexport/c/e";
    check(&kcp(), url, None).await;
    check(&known, url, Some("https://shard.example.com:6443")).await;
    check(&known, "https://evil.example.com/services/apiexport/c/e", None).await;
    check(&trusting, url, Some("https://shard.example.com:6443")).await;
    check(&trusting, "http://shard.example.com/services/apiexport/c/e", None).await;
    check(&redirecting, url, Some("https://127.0.0.1:1")).await;
    check(&redirecting, "https://shard.example.com/services/apiexport/c/e", None).await;
    assert_eq!(kcp().with_host_override("a b", "c").unwrap_err().kind(), ErrorKind::Invalid);
    assert_eq!(kcp().with_host_override("a", "me@c").unwrap_err().kind(), ErrorKind::Invalid);
}

#[test]
fn a_redirect_changes_the_host_and_nothing_else() {
    let announced = announced::Announced::default().redirecting("a.example.com:6443", "localhost:7000").unwrap();
    let check = |url: &str, expected: &str| {
        let mut url = url.to_owned();
        announced.redirect(&mut url);
        assert_eq!(url, expected);
    };
    check("https://a.example.com:6443/services/apiexport/c/e", "https://localhost:7000/services/apiexport/c/e");
    check("https://A.example.com:6443", "https://localhost:7000");
    check("https://a.example.com/x", "https://a.example.com/x");
    check("https://b.a.example.com:6443/x", "https://b.a.example.com:6443/x");
    check("https://b/a.example.com:6443/", "https://b/a.example.com:6443/");
}
