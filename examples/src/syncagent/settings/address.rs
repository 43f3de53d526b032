//! Where something is served, as programs written in Go are told it.

use std::{fmt, io, net::Ipv4Addr, net::Ipv6Addr};

use tokio::net::TcpListener;

/// A host, all interfaces when there is none, and a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) struct ListenAddress {
    host: Option<String>,
    port: u16,
}

impl ListenAddress {
    /// The address in the value of a flag: `host:port` or `:port`; `0` or nothing is none.
    ///
    /// # Errors
    /// A sentence that says what is wrong.
    pub(super) fn parse(flag: &str, value: &str) -> Result<Option<Self>, String> {
        if matches!(value, "" | "0") {
            return Ok(None);
        }
        let fault = || format!("--{flag} {value:?}: it must be a host and a port, as 127.0.0.1:8085, or :8085");
        let (host, port) = value.rsplit_once(':').ok_or_else(fault)?;
        let port = port.parse().map_err(|_| fault())?;
        let bracketed = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        let host = bracketed.unwrap_or(host);
        if bracketed.is_none() && host.contains(':') {
            return Err(fault());
        }
        Ok(Some(Self { host: (!host.is_empty()).then(|| host.to_owned()), port }))
    }

    /// Listens there.
    pub(in super::super) async fn listen(&self) -> io::Result<TcpListener> {
        match &self.host {
            Some(host) => TcpListener::bind((host.as_str(), self.port)).await,
            // A machine without IPv6 has no such address.
            None => match TcpListener::bind((Ipv6Addr::UNSPECIFIED, self.port)).await {
                Err(error) if error.kind() != io::ErrorKind::AddrInUse => {
                    TcpListener::bind((Ipv4Addr::UNSPECIFIED, self.port)).await
                }
                bound => bound,
            },
        }
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host.as_deref().unwrap_or_default(), self.port)
    }
}
