//! What the agent tells about itself while it runs.

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
};

use serde_json::json;

use super::{
    case::Case,
    program::{Program, flags},
    shared::{eventually, shared},
};

/// A port that is free at this moment, which is as good as it gets for a program that has to be told.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// The body of a page, if it is served well.
fn page(port: u16, path: &str) -> Option<String> {
    let mut answer = String::new();
    let mut connection = TcpStream::connect(("127.0.0.1", port)).ok()?;
    connection.write_all(format!("GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n").as_bytes()).ok()?;
    connection.read_to_string(&mut answer).ok()?;
    answer.split_once("\r\n\r\n").filter(|(head, _)| head.contains(" 200 ")).map(|(_, body)| body.to_owned())
}

#[test]
fn probes_and_metrics_tell_what_the_agent_does_where_they_are_asked_for() {
    shared(async |s| {
        s.site.create_export("pages").await;
        let (health, metrics) = (free_port(), free_port());
        let health_address = format!("--health-address=127.0.0.1:{health}");
        let mut flags =
            flags(&s.site, "pages", "pages", &["--published-resource-selector=agent=pages", &health_address]);
        flags[5] = format!("--metrics-address=127.0.0.1:{metrics}");
        let agent = Program::start(&s.site, "pages", &flags);
        eventually("it is alive", async || page(health, "/healthz")).await;
        let case = Case::on(&s.site, "pages", "pages", "pages", |_| {}).await;
        case.offer(json!({})).await;
        case.order("secretive", json!({})).await;
        case.copy("secretive", |_| true).await;
        let ready = eventually("it is ready", async || {
            page(health, "/readyz?verbose").filter(|page| page.contains("readyz check passed"))
        })
        .await;
        for check in ["[+]contact/kcp ok", "[+]contact/service ok", "[+]published-resources ok", "[+]watch/"] {
            assert!(ready.contains(check), "no {check} in {ready}");
        }
        let metrics = eventually("the pass is counted", async || {
            page(metrics, "/metrics")
                .filter(|page| page.contains(r#"kdp_sync_passes_total{resource="pages",outcome="settled"}"#))
        })
        .await;
        assert!(metrics.contains("\nsync_agent_published_resource 1\n"), "{metrics}");
        assert!(!metrics.contains("secretive"), "metrics name no order");
        assert!(!metrics.contains(&case.cluster("pages").await), "metrics name no tenant");
        assert!(agent.terminate().await.success());
    });
}
