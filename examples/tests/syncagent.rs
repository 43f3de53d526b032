//! The program `kdp-syncagent`, over HTTPS, between two served control planes.
//!
//! Cases share one pair of servers, and few agents: each has a workspace, a kind and a
//! PublishedResource of its own, named for the case. What a case does to its agent, such as killing
//! it, it does to an agent of its own.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(clippy::needless_pass_by_value, reason = "JSON reads better as an argument without a reference")]

mod syncagent {
    mod attacks;
    mod bindings;
    mod case;
    mod deletion;
    mod filters;
    mod flags;
    mod inspection;
    mod installation;
    mod lifecycle;
    mod mutations;
    mod naming;
    mod object;
    #[cfg(feature = "otlp")]
    mod otlp;
    mod pages;
    mod plain_cluster;
    mod program;
    mod projection;
    mod publishing;
    mod related;
    mod related_kcp;
    mod related_service;
    mod restarts;
    mod selection;
    mod shared;
    mod site;
    mod snapshot;
    mod takeover;
    mod tools;
}
