//! Limits of a listener.

use std::{net::IpAddr, time::Duration};

/// Limits of a listener, and the names it is reached by.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ServeOptions {
    /// Names and addresses to be in the server's certificate besides the local ones.
    pub names: Vec<String>,
    /// Connections at one time; more wait in the system's queue.
    pub max_connections: usize,
    /// Requests at one time on one HTTP/2 connection.
    pub max_concurrent_streams: u32,
    /// Bytes of all headers of one request.
    pub max_header_bytes: u32,
    /// Time for the TLS handshake.
    pub handshake_timeout: Duration,
    /// Time for a request's headers to arrive, and for the first request of a connection to begin.
    pub header_timeout: Duration,
    /// Time a connection may stay open without a request.
    pub idle_timeout: Duration,
    /// Time between two signs of life of an HTTP/2 connection.
    pub keep_alive_interval: Duration,
    /// Time that open requests get to finish on shutdown.
    pub drain_deadline: Duration,
}

impl Default for ServeOptions {
    fn default() -> Self {
        Self {
            names: Vec::new(),
            max_connections: 4096,
            max_concurrent_streams: 256,
            max_header_bytes: 64 * 1024,
            handshake_timeout: Duration::from_secs(10),
            header_timeout: Duration::from_secs(30),
            idle_timeout: Duration::from_secs(120),
            keep_alive_interval: Duration::from_secs(30),
            drain_deadline: Duration::from_secs(10),
        }
    }
}

impl ServeOptions {
    /// Adds a name or address that clients reach the server by.
    #[must_use]
    pub fn with_name(mut self, name: impl Into<String>) -> Self {
        self.names.push(name.into());
        self
    }

    /// Connections at one time.
    #[must_use]
    pub fn with_max_connections(mut self, max_connections: usize) -> Self {
        self.max_connections = max_connections;
        self
    }

    /// Time for the TLS handshake.
    #[must_use]
    pub fn with_handshake_timeout(mut self, handshake_timeout: Duration) -> Self {
        self.handshake_timeout = handshake_timeout;
        self
    }

    /// Time for a request's headers to arrive.
    #[must_use]
    pub fn with_header_timeout(mut self, header_timeout: Duration) -> Self {
        self.header_timeout = header_timeout;
        self
    }

    /// Time a connection may stay open without a request.
    #[must_use]
    pub fn with_idle_timeout(mut self, idle_timeout: Duration) -> Self {
        self.idle_timeout = idle_timeout;
        self
    }

    /// Time that open requests get to finish on shutdown.
    #[must_use]
    pub fn with_drain_deadline(mut self, drain_deadline: Duration) -> Self {
        self.drain_deadline = drain_deadline;
        self
    }

    pub(super) fn certificate_names(&self, listening_on: IpAddr) -> Vec<String> {
        let mut names: Vec<String> = ["localhost", "127.0.0.1", "::1"].map(str::to_owned).into();
        if !listening_on.is_unspecified() {
            names.push(listening_on.to_string());
        }
        names.extend(self.names.iter().cloned());
        names
    }
}
