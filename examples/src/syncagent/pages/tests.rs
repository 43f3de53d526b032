use std::net::SocketAddr;

use kdp_sync::{Agent, AgentOptions};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;

/// A server at a free port.
async fn served(pages: Pages) -> (SocketAddr, tokio_util::sync::DropGuard) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let shutdown = CancellationToken::new();
    tokio::spawn(serve(listener, pages, shutdown.clone()));
    (address, shutdown.drop_guard())
}

/// The health of an agent that was never started.
fn health() -> Health {
    let nowhere = kube::Config::new("http://localhost".parse().unwrap());
    let options = AgentOptions::new("agent", "root".parse().unwrap(), "databases");
    Agent::new(kube::Client::try_from(nowhere).unwrap(), options).health()
}

async fn ask(address: SocketAddr, method: &str, path: &str) -> String {
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let request = format!("{method} {path} HTTP/1.1\r\nHost: agent\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn metrics_are_served_in_the_format_of_prometheus() {
    let (address, _guard) = served(Pages::Metrics(Metrics::new())).await;
    let answer = ask(address, "GET", "/metrics").await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(answer.contains("content-type: application/openmetrics-text"), "{answer}");
    assert!(answer.contains("\nsync_agent_published_resource 0\n"), "{answer}");
    assert!(answer.ends_with("# EOF\n"), "{answer}");
    for (method, path, status) in [("GET", "/", 404), ("GET", "/readyz", 404), ("POST", "/metrics", 405)] {
        let answer = ask(address, method, path).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{method} {path}: {answer}");
    }
}

#[tokio::test]
async fn an_agent_that_has_not_read_anything_lives_but_is_not_ready() {
    let (address, _guard) = served(Pages::Health(health())).await;
    let check = async |path: &str, status: u16, part: &str| {
        let answer = ask(address, "GET", path).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")) && answer.contains(part), "{path}: {answer}");
    };
    check("/healthz", 200, "\r\nok\n").await;
    check("/healthz?verbose", 200, "[+]publisher ok\nhealthz check passed").await;
    check("/readyz", 500, "[-]published-resources failed: ").await;
    check("/readyz/published-resources", 500, "readyz check failed").await;
    check("/readyz?exclude=published-resources", 200, "ok").await;
    check("/readyz/no-such-check", 404, "").await;
    check("/readyzz", 404, "").await;
}

#[tokio::test]
async fn idle_clients_do_not_keep_a_probe_out() {
    let (address, _guard) = served(Pages::Health(health())).await;
    let mut idle = Vec::new();
    for _ in 0..MOST_CONNECTIONS - 1 {
        idle.push(tokio::net::TcpStream::connect(address).await.unwrap());
    }
    assert!(ask(address, "GET", "/healthz").await.starts_with("HTTP/1.1 200"));
}
