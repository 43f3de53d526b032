use std::{
    convert::Infallible,
    future::pending,
    sync::Arc,
    time::{Duration, SystemTime},
};

use http::{Request, Response, Version};
use http_body_util::{BodyExt, Empty, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use kdp_core::{Endpoint, Identity};
use kube::config::KubeConfigOptions;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use rustls::{ClientConfig, RootCertStore, crypto::ring, pki_types::ServerName};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::{Notify, mpsc},
    task::JoinHandle,
};
use tokio_rustls::{TlsConnector, client::TlsStream};
use tower::{ServiceBuilder, service_fn};

use super::*;
use crate::embedded::{
    auth::{Authenticator, PeerIdentity},
    kubeconfig::Kubeconfig,
    pki::{ClientCertificate, Pki},
};

const HOUR: Duration = Duration::from_secs(3600);
const SOON: Duration = Duration::from_millis(50);

/// A listener at work, and what a test needs to talk to it.
struct Running {
    address: SocketAddr,
    pki: Arc<Pki>,
    shutdown: CancellationToken,
    done: JoinHandle<Result<(), Error>>,
}

impl Running {
    async fn start<S>(options: ServeOptions, service: S) -> Self
    where
        S: Service<Request<Body>, Response = Response<Body>, Error = Infallible, Future: Send>,
        S: Clone + Send + Sync + 'static,
    {
        let pki = Arc::new(Pki::ephemeral().unwrap());
        let listener = Listener::bind("127.0.0.1:0".parse().unwrap(), Arc::clone(&pki), options).await.unwrap();
        let address = listener.local_addr();
        let shutdown = CancellationToken::new();
        let done = tokio::spawn(listener.serve(service, shutdown.clone()));
        Self { address, pki, shutdown, done }
    }

    /// Answers every request with `<username> <HTTP version>` of whom the authenticator sees.
    async fn whoami(options: ServeOptions) -> Self {
        let authenticator = Arc::new(Authenticator::new());
        let service = service_fn(move |request: Request<Body>| {
            let authenticator = Arc::clone(&authenticator);
            async move {
                let (parts, _) = request.into_parts();
                let identity = authenticator.authenticate(&parts).await.unwrap();
                Ok::<_, Infallible>(text(format!("{} {:?}", identity.username, parts.version)))
            }
        });
        Self::start(options, service).await
    }

    fn certificate(&self, username: &str, groups: &[&str]) -> ClientCertificate {
        certificate(&self.pki, username, groups)
    }

    async fn connect(
        &self,
        certificate: Option<&ClientCertificate>,
        protocol: &str,
    ) -> io::Result<TlsStream<TcpStream>> {
        let mut roots = RootCertStore::empty();
        roots.add(self.pki.ca_certificate().clone()).unwrap();
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
        let mut config = match certificate {
            None => config.with_no_client_auth(),
            Some(certificate) => {
                let chain = CertificateDer::from_pem_slice(certificate.certificate_pem().as_bytes()).unwrap();
                let key = PrivateKeyDer::from_pem_slice(certificate.key_pem().as_bytes()).unwrap();
                config.with_client_auth_cert(vec![chain], key).unwrap()
            }
        };
        config.alpn_protocols = vec![protocol.into()];
        let stream = TcpStream::connect(self.address).await?;
        let name = ServerName::try_from("localhost").unwrap();
        TlsConnector::from(Arc::new(config)).connect(name, stream).await
    }

    /// What a request with these extra header lines is answered.
    async fn get(&self, certificate: Option<&ClientCertificate>, headers: &str) -> io::Result<String> {
        let mut stream = self.connect(certificate, "http/1.1").await?;
        let request = format!("GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        Ok(answer)
    }

    async fn stop(self) {
        self.shutdown.cancel();
        self.done.await.unwrap().unwrap();
    }
}

fn certificate(pki: &Pki, username: &str, groups: &[&str]) -> ClientCertificate {
    let groups = groups.iter().map(|group| (*group).to_owned()).collect();
    let identity = Identity { username: username.into(), groups, ..Identity::default() };
    pki.client_certificate(&identity, HOUR).unwrap()
}

fn text(text: impl Into<Bytes>) -> Response<Body> {
    Response::new(boxed(Full::new(text.into())))
}

/// Reads to the end, however the peer brings it about.
async fn until_closed(stream: &mut (impl AsyncReadExt + Unpin)) -> Vec<u8> {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await.ok();
    bytes
}

#[tokio::test]
async fn a_client_certificate_tells_who_is_asking() {
    let server = Running::whoami(ServeOptions::default()).await;
    let check = async |certificate: Option<&ClientCertificate>, headers: &str, expected: &str| {
        let answer = server.get(certificate, headers).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 OK") && answer.ends_with(expected), "{answer}");
    };
    let alice = server.certificate("alice", &["devs"]);
    check(Some(&alice), "", "alice HTTP/1.1").await;
    check(None, "", "system:anonymous HTTP/1.1").await;
    check(None, "X-Remote-User: admin\r\nX-Remote-Group: system:masters\r\n", "system:anonymous HTTP/1.1").await;
    server.stop().await;
}

#[tokio::test]
async fn a_certificate_of_another_authority_is_refused() {
    let server = Running::whoami(ServeOptions::default()).await;
    let forged = certificate(&Pki::ephemeral().unwrap(), "admin", &["system:masters"]);
    server.get(Some(&forged), "").await.unwrap_err();
    server.stop().await;
}

#[tokio::test]
async fn the_servers_own_certificate_is_no_client_certificate() {
    let server = Running::whoami(ServeOptions::default()).await;
    let own = server.pki.server_certificate(&["localhost".into()]).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(server.pki.ca_certificate().clone()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_client_auth_cert(own.chain(), own.key())
        .unwrap();
    let stream = TcpStream::connect(server.address).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let outcome = async {
        let mut stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await?;
        stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await?;
        stream.read_u8().await
    };
    outcome.await.unwrap_err();
    server.stop().await;
}

#[tokio::test]
async fn http2_is_spoken_with_those_who_ask_for_it() {
    let server = Running::whoami(ServeOptions::default()).await;
    let alice = server.certificate("alice", &[]);
    let stream = TokioIo::new(server.connect(Some(&alice), "h2").await.unwrap());
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake::<_, _, Empty<Bytes>>(TokioExecutor::new(), stream).await.unwrap();
    let driver = tokio::spawn(connection);
    for _ in 0..3 {
        let request = Request::builder().uri("https://localhost/").body(Empty::new()).unwrap();
        let response = sender.send_request(request).await.unwrap();
        assert_eq!(response.version(), Version::HTTP_2);
        assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "alice HTTP/2.0");
    }
    server.stop().await;
    driver.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_kubeconfig_is_all_a_client_needs() {
    let server = Running::start(
        ServeOptions::default(),
        service_fn(async |request: Request<Body>| {
            let peer: &PeerIdentity = request.extensions().get().unwrap();
            let identity = peer.identity().unwrap();
            Ok::<_, Infallible>(text(format!("{} {:?} {}", identity.username, identity.groups, request.uri().path())))
        }),
    )
    .await;
    let endpoint = Endpoint::Workspace("root:team".parse().unwrap());
    let base = format!("https://{}", server.address);
    let alice = server.certificate("alice", &["devs", "ops"]);
    let yaml = Kubeconfig::new("team", &base, &endpoint, &server.pki.ca_pem(), alice).to_yaml().unwrap();
    let kubeconfig = kube::config::Kubeconfig::from_yaml(&yaml).unwrap();
    let config = kube::Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.unwrap();
    let client = kube::Client::try_from(config).unwrap();
    let request = Request::get("/version").body(Vec::new()).unwrap();
    let answer = client.request_text(request).await.unwrap();
    assert_eq!(answer, "alice [\"devs\", \"ops\"] /clusters/root:team/version");
    drop(client);
    server.stop().await;
}

#[tokio::test]
async fn the_same_service_serves_a_client_in_process() {
    let service = service_fn(async |request: Request<Body>| {
        let bytes = request.into_body().collect().await.unwrap().to_bytes();
        Ok::<_, Infallible>(text(bytes))
    });
    let service =
        ServiceBuilder::new().map_request(|request: Request<kube::client::Body>| request.map(boxed)).service(service);
    let client = kube::Client::new(service, "default");
    let request = Request::post("/echo").body(b"hello".to_vec()).unwrap();
    assert_eq!(client.request_text(request).await.unwrap(), "hello");
}

#[tokio::test]
async fn plain_http_is_told_to_use_tls() {
    let server = Running::whoami(ServeOptions::default()).await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    let answer = String::from_utf8(until_closed(&mut stream).await).unwrap();
    assert!(answer.starts_with("HTTP/1.0 400 Bad Request"), "{answer}");
    assert!(answer.ends_with("Client sent an HTTP request to an HTTPS server.\n"), "{answer}");
    server.stop().await;
}

#[tokio::test]
async fn who_never_shakes_hands_is_dropped() {
    let server = Running::whoami(ServeOptions::default().with_handshake_timeout(SOON)).await;
    for sent in [&b""[..], &[0x16], &[0x16, 3, 1, 2, 0]] {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(sent).await.unwrap();
        assert!(until_closed(&mut stream).await.is_empty());
    }
    server.stop().await;
}

#[tokio::test]
async fn who_sends_headers_slowly_is_dropped() {
    let server = Running::whoami(ServeOptions::default().with_header_timeout(SOON)).await;
    for (protocol, sent) in
        [("http/1.1", "GET / HTTP/1.1\r\nHost: loc"), ("http/1.1", ""), ("h2", ""), ("h2", "PRI * HTTP/2.0\r\n")]
    {
        let mut stream = server.connect(None, protocol).await.unwrap();
        stream.write_all(sent.as_bytes()).await.unwrap();
        let answer = until_closed(&mut stream).await;
        assert!(!answer.starts_with(b"HTTP/1.1 200"), "{protocol} {sent:?}");
    }
    server.stop().await;
}

#[tokio::test]
async fn a_connection_without_requests_is_closed_after_a_while() {
    let server = Running::whoami(ServeOptions::default().with_idle_timeout(SOON)).await;
    let mut stream = server.connect(None, "http/1.1").await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    assert!(until_closed(&mut stream).await.starts_with(b"HTTP/1.1 200 OK"));
    server.stop().await;
}

#[tokio::test]
async fn a_long_answer_does_not_count_as_idle() {
    let (sender, receiver) = mpsc::channel::<Bytes>(1);
    let body = Arc::new(parking_lot::Mutex::new(Some(receiver)));
    let service = service_fn(move |_: Request<Body>| {
        let receiver = body.lock().take().unwrap();
        let chunks = futures::stream::unfold(receiver, async |mut receiver| {
            let chunk = receiver.recv().await?;
            Some((Ok::<_, BoxError>(http_body::Frame::data(chunk)), receiver))
        });
        async { Ok::<_, Infallible>(Response::new(boxed(http_body_util::StreamBody::new(chunks)))) }
    });
    let server = Running::start(ServeOptions::default().with_idle_timeout(SOON), service).await;
    let mut stream = server.connect(None, "http/1.1").await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    sender.send("first".into()).await.unwrap();
    let mut answer = Vec::new();
    while !answer.windows(5).any(|window| window == b"first") {
        stream.read_buf(&mut answer).await.unwrap();
    }
    // Longer than the timeout: what is proved here is that nothing happens meanwhile.
    sleep(SOON * 4).await;
    sender.send("second".into()).await.unwrap();
    drop(sender);
    answer.extend(until_closed(&mut stream).await);
    assert!(String::from_utf8(answer).unwrap().contains("second"));
    server.stop().await;
}

#[tokio::test]
async fn no_more_connections_are_served_than_allowed() {
    let server = Running::whoami(ServeOptions::default().with_max_connections(1)).await;
    let first = server.connect(None, "http/1.1").await.unwrap();
    assert!(timeout(SOON * 2, server.connect(None, "http/1.1")).await.is_err());
    drop(first);
    assert!(server.get(None, "").await.is_ok());
    server.stop().await;
}

#[tokio::test]
async fn headers_beyond_the_limit_are_refused() {
    let server = Running::whoami(ServeOptions::default()).await;
    let headers = format!("X-Large: {}\r\n", "x".repeat(256 * 1024));
    let answer = server.get(None, &headers).await.unwrap_or_default();
    assert!(!answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(server.get(None, "").await.unwrap().starts_with("HTTP/1.1 200"));
    server.stop().await;
}

/// A request's way in and the permission to answer it, under the control of a test.
#[derive(Clone, Default)]
struct Gate {
    begun: Arc<Notify>,
    go: Arc<Notify>,
}

impl Gate {
    async fn pass(self, _: Request<Body>) -> Result<Response<Body>, Infallible> {
        self.begun.notify_one();
        self.go.notified().await;
        Ok(text("finished"))
    }

    async fn start(&self, options: ServeOptions) -> Running {
        let gate = self.clone();
        Running::start(options, service_fn(move |request| gate.clone().pass(request))).await
    }
}

#[tokio::test]
async fn shutdown_lets_open_requests_finish_and_takes_no_new_ones() {
    let gate = Gate::default();
    let server = gate.start(ServeOptions::default()).await;
    let mut stream = server.connect(None, "http/1.1").await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    gate.begun.notified().await;
    server.shutdown.cancel();
    while TcpStream::connect(server.address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    assert!(!server.done.is_finished());
    gate.go.notify_one();
    let answer = String::from_utf8(until_closed(&mut stream).await).unwrap();
    assert!(answer.ends_with("finished"), "{answer}");
    server.done.await.unwrap().unwrap();
}

#[tokio::test]
async fn what_does_not_finish_is_cut_off_at_the_drain_deadline() {
    for protocol in ["http/1.1", "h2"] {
        let gate = Gate::default();
        let server = gate.start(ServeOptions::default().with_drain_deadline(SOON)).await;
        let stream = TokioIo::new(server.connect(None, protocol).await.unwrap());
        let request =
            Request::builder().uri("https://localhost/").header("host", "x").body(Empty::<Bytes>::new()).unwrap();
        let client = if protocol == "h2" {
            let (mut sender, connection) =
                hyper::client::conn::http2::handshake(TokioExecutor::new(), stream).await.unwrap();
            tokio::spawn(async move { tokio::join!(sender.send_request(request), connection).0.map(drop) })
        } else {
            let (mut sender, connection) = hyper::client::conn::http1::handshake(stream).await.unwrap();
            tokio::spawn(async move { tokio::join!(sender.send_request(request), connection).0.map(drop) })
        };
        gate.begun.notified().await;
        server.stop().await;
        client.await.unwrap().unwrap_err();
    }
}

#[tokio::test]
async fn dropping_the_listener_ends_all_it_began() {
    let gate = Gate::default();
    let server = gate.start(ServeOptions::default()).await;
    let mut stream = server.connect(None, "http/1.1").await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    gate.begun.notified().await;
    server.done.abort();
    assert!(until_closed(&mut stream).await.is_empty());
}

#[tokio::test]
async fn a_panic_costs_one_connection() {
    let service = service_fn(async |request: Request<Body>| {
        assert_ne!(request.uri().path(), "/panic");
        Ok::<_, Infallible>(text("fine"))
    });
    let server = Running::start(ServeOptions::default(), service).await;
    let mut stream = server.connect(None, "http/1.1").await.unwrap();
    stream.write_all(b"GET /panic HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    assert!(until_closed(&mut stream).await.is_empty());
    assert!(server.get(None, "").await.unwrap().ends_with("fine"));
    server.stop().await;
}

#[tokio::test]
async fn the_certificate_is_renewed_when_it_is_time() {
    let pki = Arc::new(Pki::ephemeral().unwrap());
    let certificates = Certificates::load(pki, vec!["localhost".into()]).await.unwrap();
    let first = certificates.current_key();
    certificates.renew(SystemTime::now()).await;
    assert!(Arc::ptr_eq(&first, &certificates.current_key()));
    certificates.renew(SystemTime::now() + HOUR * 24 * 300).await;
    assert!(!Arc::ptr_eq(&first, &certificates.current_key()));
}

#[tokio::test]
async fn an_address_in_use_is_reported() {
    let server = Running::start(ServeOptions::default(), service_fn(|_| pending())).await;
    let error = Listener::bind(server.address, Arc::clone(&server.pki), ServeOptions::default()).await.unwrap_err();
    assert!(error.to_string().contains(&server.address.to_string()), "{error}");
    server.stop().await;
}
