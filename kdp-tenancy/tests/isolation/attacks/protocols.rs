//! Bytes that two readers may understand differently.

use super::attempt::{Attempt, Message};

const TARGET: &str = "/clusters/<victim>/api/v1/namespaces/default/secrets";
const HOME: &str = "/clusters/root:attacker/api/v1/namespaces/default/configmaps";

pub(super) fn rows() -> Vec<Attempt> {
    [smuggled(), upgraded(), http2()].concat()
}

fn smuggled() -> Vec<Attempt> {
    let inner = format!("GET {TARGET} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    let outer =
        |headers: &str, body: &str| format!("POST {HOME} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n\r\n{body}");
    let length = inner.len();
    let raw = |name: &str, text: String| Attempt::sending(name, Message::Raw(text));
    vec![
        raw("two requests one after the other", format!("{}{inner}", outer("Content-Length: 0", ""))),
        raw(
            "a length and chunks",
            outer(
                &format!("Content-Length: {}\r\nTransfer-Encoding: chunked", length + 5),
                &format!("0\r\n\r\n{inner}"),
            ),
        ),
        raw(
            "chunks and a length",
            outer(
                &format!("Transfer-Encoding: chunked\r\nContent-Length: {}", length + 5),
                &format!("0\r\n\r\n{inner}"),
            ),
        ),
        raw("two lengths", outer(&format!("Content-Length: 0\r\nContent-Length: {length}"), &inner)),
        raw("two equal lengths", outer("Content-Length: 0\r\nContent-Length: 0", &inner)),
        raw("a list of lengths", outer(&format!("Content-Length: 0, {length}"), &inner)),
        raw("a negative length", outer("Content-Length: -1", &inner)),
        raw("a length with a sign", outer(&format!("Content-Length: +{length}"), &inner)),
        raw("a length in hexadecimal", outer("Content-Length: 0x10", &inner)),
        raw(
            "chunks twice",
            outer("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity", &format!("0\r\n\r\n{inner}")),
        ),
        raw("chunks with a strange name", outer("Transfer-Encoding: xchunked", &format!("0\r\n\r\n{inner}"))),
        raw("chunks with a tab", outer("Transfer-Encoding:\tchunked", &format!("0\r\n\r\n{inner}"))),
        raw("chunks with a blank before the colon", outer("Transfer-Encoding : chunked", &format!("0\r\n\r\n{inner}"))),
        raw("a chunk with a huge size", outer("Transfer-Encoding: chunked", &format!("FFFFFFFFFFFFFFFFF\r\n{inner}"))),
        raw("a chunk with an extension", outer("Transfer-Encoding: chunked", &format!("0;a=b\r\n\r\n{inner}"))),
        raw(
            "a trailer that impersonates",
            outer(
                "Transfer-Encoding: chunked\r\nTrailer: Impersonate-User\r\nConnection: close",
                "0\r\nImpersonate-User: victim\r\n\r\n",
            ),
        ),
        raw(
            "a folded header",
            outer("X-A: b\r\n Impersonate-User: victim\r\nContent-Length: 0\r\nConnection: close", ""),
        ),
        raw("a bare line feed", format!("GET {HOME} HTTP/1.1\nHost: localhost\nConnection: close\n\n"))
            .gets_anything()
            .once(),
        raw(
            "a bare carriage return",
            format!("GET {HOME} HTTP/1.1\r\nHost: localhost\rImpersonate-User: victim\r\nConnection: close\r\n\r\n"),
        ),
        raw(
            "a header with a NUL",
            format!("GET {TARGET} HTTP/1.1\r\nHost: localhost\r\nX-A: a\0b\r\nConnection: close\r\n\r\n"),
        ),
        raw(
            "a target with a blank",
            format!("GET {HOME} {TARGET} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"),
        ),
        raw(
            "a target with a line break",
            format!("GET {HOME}\r\n{TARGET} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"),
        ),
        raw("HTTP 1.0", format!("GET {TARGET} HTTP/1.0\r\n\r\n")),
        raw("HTTP 0.9", format!("GET {TARGET}\r\n\r\n")),
        raw("HTTP 9.9", format!("GET {TARGET} HTTP/9.9\r\nHost: localhost\r\n\r\n")),
        raw(
            "two hosts",
            format!("GET {TARGET} HTTP/1.1\r\nHost: localhost\r\nHost: root.victim\r\nConnection: close\r\n\r\n"),
        ),
        raw(
            "a host that is a path",
            format!("GET {TARGET} HTTP/1.1\r\nHost: localhost/clusters/root:attacker\r\nConnection: close\r\n\r\n"),
        ),
        raw(
            "a hundred thousand headers",
            format!("GET {TARGET} HTTP/1.1\r\nHost: localhost\r\n{}\r\n", "A: b\r\n".repeat(100_000)),
        )
        .gets(&[431]),
        raw(
            "one huge header",
            format!("GET {TARGET} HTTP/1.1\r\nHost: localhost\r\nA: {}\r\n\r\n", "b".repeat(2_000_000)),
        )
        .gets(&[431]),
        raw("the preface of HTTP/2 on HTTP/1.1", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".into()),
    ]
}

fn upgraded() -> Vec<Attempt> {
    let upgrade = |name: &str, protocol: &str, more: &[&str]| {
        let attempt = Attempt::get(name, TARGET).header(format!("Upgrade: {protocol}")).header("Connection: Upgrade");
        more.iter().fold(attempt, |attempt, line| attempt.header(*line))
    };
    let key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";
    vec![
        upgrade("a web socket", "websocket", &[key, "Sec-WebSocket-Version: 13"]),
        upgrade(
            "a web socket with a token as protocol",
            "websocket",
            &[
                key,
                "Sec-WebSocket-Version: 13",
                "Sec-WebSocket-Protocol: base64url.bearer.authorization.k8s.io.dmljdGlt",
            ],
        ),
        upgrade("an upgrade to SPDY", "SPDY/3.1", &[]),
        upgrade("an upgrade to HTTP/2", "h2c", &["HTTP2-Settings: AAMAAABkAAQAAP__"]),
        upgrade("an upgrade to TLS", "TLS/1.0", &[]),
        Attempt::get("a connection header that hides a header", TARGET)
            .header("Connection: close, Authorization, Impersonate-User"),
        Attempt::get("a server that is asked to wait", TARGET).header("Expect: 100-continue"),
        Attempt::new("a tunnel", "CONNECT", "localhost:443"),
    ]
}

fn http2() -> Vec<Attempt> {
    let fields = |path: &str, more: &[(&str, &str)]| {
        let pseudo = [(":method", "GET"), (":scheme", "https"), (":path", path), (":authority", "localhost")];
        let all = pseudo.iter().chain(more).map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Message::Http2(all.collect())
    };
    let plain =
        |name: &str, path: &str, more: &[(&str, &str)]| Attempt::sending(format!("HTTP/2: {name}"), fields(path, more));
    vec![
        plain("the victim's secrets", TARGET, &[]),
        plain("the victim's secrets by cluster", "/clusters/<v>/api/v1/secrets", &[]),
        plain("everything", "/clusters/*/api/v1/secrets", &[]),
        plain("a path with dots", "/clusters/root:attacker/../root:victim/api/v1/secrets", &[]),
        plain("a path with a line break", "/clusters/root:attacker\r\nImpersonate-User: victim", &[]),
        plain("a path with a blank", "/clusters/root:attacker /clusters/root:victim/api", &[]),
        plain("a path without a slash", "clusters/root:victim/api/v1/secrets", &[]),
        plain("a whole URL as path", "https://localhost/clusters/root:victim/api/v1/secrets", &[]),
        plain("an empty path", "", &[]),
        plain("a star", "*", &[]),
        plain("a second path", "/clusters/root:attacker/api/v1/secrets", &[(":path", TARGET)]),
        plain("a second authority", TARGET, &[("host", "root.victim")]),
        plain("a header in capitals", TARGET, &[("Impersonate-User", "victim")]),
        plain("a header with a line break", TARGET, &[("x-a", "b\r\nimpersonate-user: victim")]),
        plain("a length without a body", TARGET, &[("content-length", "10")]),
        plain("chunks", TARGET, &[("transfer-encoding", "chunked")]),
        plain("a connection header", TARGET, &[("connection", "upgrade")]),
        plain("impersonation", TARGET, &[("impersonate-user", "victim"), ("impersonate-group", "system:masters")]),
    ]
}
