//! TLS connections on which exactly the given bytes are sent.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use base64::{Engine, engine::general_purpose::STANDARD};
use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::TlsConnector;

/// How long the server may keep silent before the connection is given up.
const SILENCE: Duration = Duration::from_secs(2);
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// All that came back on a connection.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    text: String,
    is_http2: bool,
}

impl Answer {
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// The codes of the answers; for HTTP/2, those that bodies name.
    pub(super) fn codes(&self) -> Vec<u16> {
        let (mark, skipped) = if self.is_http2 { ("\"code\":", 0) } else { ("HTTP/1.", "1 ".len()) };
        let code = |from: &str| from.get(skipped..skipped + 3).and_then(|digits| digits.parse().ok());
        self.text.split(mark).skip(1).filter_map(code).collect()
    }
}

/// A client as a kubeconfig describes it, or without its certificate.
pub(super) fn client(kubeconfig: &str, is_certified: bool, protocol: &str) -> TlsConnector {
    let config: Value = serde_saphyr::from_str(kubeconfig).unwrap();
    let pem = |value: &Value| STANDARD.decode(value.as_str().unwrap()).unwrap();
    let mut roots = RootCertStore::empty();
    let authority = pem(&config["clusters"][0]["cluster"]["certificate-authority-data"]);
    roots.add(CertificateDer::from_pem_slice(&authority).unwrap()).unwrap();
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots);
    let mut tls = if is_certified {
        let user = &config["users"][0]["user"];
        let chain = vec![CertificateDer::from_pem_slice(&pem(&user["client-certificate-data"])).unwrap()];
        let key = PrivateKeyDer::from_pem_slice(&pem(&user["client-key-data"])).unwrap();
        builder.with_client_auth_cert(chain, key).unwrap()
    } else {
        builder.with_no_client_auth()
    };
    tls.alpn_protocols = vec![protocol.into()];
    TlsConnector::from(Arc::new(tls))
}

/// Sends bytes, and reads until the server closes the connection or has nothing more to say.
pub(super) async fn exchange(client: &TlsConnector, address: SocketAddr, bytes: &[u8]) -> Answer {
    let received = talk(client, address, bytes, |_| true).await;
    Answer { text: String::from_utf8_lossy(&received).into_owned(), is_http2: false }
}

/// Makes one HTTP/2 request with these fields; the answer is the text of its data.
pub(super) async fn exchange_http2(client: &TlsConnector, address: SocketAddr, fields: &[(String, String)]) -> Answer {
    const HEADERS: u8 = 1;
    const SETTINGS: u8 = 4;
    const END_STREAM_AND_HEADERS: u8 = 5;
    let mut block = Vec::new();
    for (name, value) in fields {
        // A literal field with a literal name, neither of them indexed or compressed.
        block.push(0);
        for text in [name, value] {
            push_length(&mut block, text.len());
            block.extend_from_slice(text.as_bytes());
        }
    }
    let mut bytes = PREFACE.to_vec();
    bytes.extend(frame(SETTINGS, 0, 0, &[]));
    bytes.extend(frame(HEADERS, END_STREAM_AND_HEADERS, 1, &block));
    let received = talk(client, address, &bytes, is_open).await;
    let data: Vec<u8> =
        frames(&received).filter(|(kind, ..)| *kind == 0).flat_map(|(.., data)| data.to_vec()).collect();
    Answer { text: String::from_utf8_lossy(&data).into_owned(), is_http2: true }
}

async fn talk(client: &TlsConnector, address: SocketAddr, bytes: &[u8], goes_on: impl Fn(&[u8]) -> bool) -> Vec<u8> {
    let stream = TcpStream::connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let mut stream = client.connect(name, stream).await.unwrap();
    // A server that has seen enough closes the connection while it is still written to.
    let _ = stream.write_all(bytes).await;
    let mut received = Vec::new();
    while let Ok(Ok(1..)) = timeout(SILENCE, stream.read_buf(&mut received)).await {
        if !goes_on(&received) {
            break;
        }
    }
    received
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap();
    let mut frame = length.to_be_bytes()[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// Kind, flags, stream and payload of each whole frame.
fn frames(mut bytes: &[u8]) -> impl Iterator<Item = (u8, u8, u32, &[u8])> {
    std::iter::from_fn(move || {
        let (head, rest) = bytes.split_at_checked(9)?;
        let length = usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2]);
        let (payload, rest) = rest.split_at_checked(length)?;
        bytes = rest;
        Some((head[3], head[4], u32::from_be_bytes([head[5], head[6], head[7], head[8]]), payload))
    })
}

/// Whether neither stream 1 nor the connection has ended.
fn is_open(received: &[u8]) -> bool {
    const RESET: u8 = 3;
    const GO_AWAY: u8 = 7;
    !frames(received).any(|(kind, flags, stream, _)| {
        let is_end = kind <= 1 && flags & 1 == 1;
        kind == GO_AWAY || stream == 1 && (is_end || kind == RESET)
    })
}

/// A length as HPACK writes it, with a prefix of seven bits.
fn push_length(block: &mut Vec<u8>, length: usize) {
    if length < 127 {
        block.push(u8::try_from(length).unwrap());
        return;
    }
    block.push(127);
    let mut rest = length - 127;
    while rest >= 128 {
        block.push(u8::try_from(rest % 128).unwrap() | 128);
        rest /= 128;
    }
    block.push(u8::try_from(rest).unwrap());
}
