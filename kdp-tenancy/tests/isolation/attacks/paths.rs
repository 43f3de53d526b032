//! Paths that look like one thing and may be taken for another.

use super::attempt::Attempt;

const SECRETS: &str = "api/v1/namespaces/default/secrets";

pub(super) fn rows() -> Vec<Attempt> {
    let at_victim = [
        "/clusters/root%3Avictim",
        "/clusters/root%3avictim",
        "/clusters/root%253Avictim",
        "/clusters/%72oot:victim",
        "/clusters/root:%76ictim",
        "/clusters/root:victim%00",
        "/clusters/root:victim%2f",
        "/clusters/root:victim%2F..%2Froot:attacker",
        "/clusters/root:attacker/../root:victim",
        "/clusters/root:attacker/%2e%2e/root:victim",
        "/clusters/root:attacker/%2E%2E/%2E%2E/clusters/root:victim",
        "/clusters/root:attacker/..%2froot:victim",
        "/clusters/root:attacker/..;/root:victim",
        "/clusters/root:attacker/.;/../root:victim",
        "/clusters/root:attacker/clusters/root:victim",
        "/clusters/root:attacker//clusters/root:victim",
        "/clusters/./root:victim",
        "/clusters//root:victim",
        "//clusters/root:victim",
        "/./clusters/root:victim",
        "/%2e/clusters/root:victim",
        "/clusters/root:attacker/./../root:victim",
        "/clusters/root:victim.",
        "/clusters/root:victim:",
        "/clusters/:root:victim",
        "/clusters/root::victim",
        "/clusters/root:Victim",
        "/CLUSTERS/root:victim",
        "/Clusters/root:victim",
        "/clusters/ROOT:VICTIM",
        "/clusters/root:v%C4%B1ctim",
        "/clusters/root:%D1%96victim",
        "/clusters/root%EF%BC%9Avictim",
        "/clusters/root:victim%20",
        "/clusters/%20root:victim",
        "/clusters/root:victim%09",
        "/clusters/root:victim;a=b",
        "/clusters/root:victim,root:attacker",
        "/clusters/root:attacker,root:victim",
        "/clusters/root:attacker|root:victim",
        "/clusters/root:vic*",
        "/clusters/root:*",
        "/clusters/%2a",
        "/clusters/*:victim",
        "/clusters/**",
        "/clusters/root:attacker:..:victim",
        "/clusters/root:attacker:root:victim",
        "/clusters/<a>:<v>",
        "/clusters/<v>:..",
        "/clusters/<a>:victim",
        "/clusters/%C0%AE%C0%AE/root:victim",
        "/clusters/root:victim%C0%AF",
        "/clusters/root:victim%E0%80%AF",
        "/clusters/root:victim%FF",
        "/clusters/root:victim%",
        "/clusters/root:victim%zz",
        "/clusters/root%u003Avictim",
        "/clusters/system:admin",
        "/clusters/system:bound-crds",
        "/clusters/system:system-crds",
        "/clusters/system:shard",
        "/clusters/system:masters",
        "/clusters/user:victim",
        "/clusters/org:victim",
        "/workspaces/root:victim",
        "/services/workspaces/root:victim",
        "/shards/root/clusters/root:victim",
        "",
    ];
    let mut rows: Vec<Attempt> = at_victim
        .into_iter()
        .map(|prefix| Attempt::get(format!("list secrets under {prefix:?}"), format!("{prefix}/{SECRETS}")))
        .collect();
    let at_home = [
        "api/v1/namespaces/default%2f..%2f..%2f<v>/secrets",
        "api/v1/namespaces/..%2f..%2f..%2f<v>%2f-%2fsecrets%2fdefault/secrets",
        "api/v1/namespaces/../../../<v>/-/secrets",
        "api/v1/namespaces/%2e%2e/secrets/hoard-77",
        "api/v1/namespaces/default/secrets/..%2f..%2f..%2f..%2f<v>%2f-%2fsecrets%2fdefault%2fhoard-77",
        "api/v1/namespaces/default/secrets/hoard-77",
        "api/v1/namespaces/default/secrets/%2e%2e",
        "api/v1/namespaces/default/secrets/hoard-77%00",
        "api/v1/namespaces/default/secrets/hoard-77/status",
        "api/v1/namespaces/default/secrets/hoard-77/../../configmaps/ledger-77",
        "api/v1//secrets/hoard-77",
        "api//v1/secrets/hoard-77",
        "api/v1/namespaces//secrets/hoard-77",
        "api/v1/secrets/hoard-77",
        "api/v1/watch/secrets",
        "api/v1/proxy/namespaces/default/secrets/hoard-77",
        "api/v1/namespaces/default/pods/x/proxy/clusters/<victim>/api/v1/secrets",
        "apis/victim.example.com/v1/treasures",
        "apis/victim.example.com",
        "openapi/v3/apis/victim.example.com/v1",
        "apis/..%2f<v>/v1/secrets",
        "apis/-/v1/secrets",
        "apis//v1/secrets",
        "registry/core/secrets/<v>/default/hoard-77",
        "metrics",
        "debug/pprof/heap",
        "logs",
        "configz",
    ];
    rows.extend(
        at_home.map(|path| {
            Attempt::get(format!("reach out of home by {path:?}"), format!("/clusters/root:attacker/{path}"))
        }),
    );
    rows.extend([
        Attempt::get("a query in the cluster name", "/clusters/root:attacker%3Fa=/clusters/root:victim/api/v1/secrets"),
        Attempt::get("a fragment in the cluster name", "/clusters/root:victim%23/api/v1/secrets"),
        Attempt::get("the whole URL as target", "https://localhost/clusters/root:victim/api/v1/secrets").gets(&[403]),
        Attempt::get(
            "the URL of another host as target",
            "http://root:victim@elsewhere/clusters/root:victim/api/v1/secrets",
        ),
        Attempt::get("a very long path", format!("/clusters/root:victim/{}", "a/".repeat(2000))),
        Attempt::get("a very deep workspace", format!("/clusters/root:victim{}/api", ":a".repeat(500))),
        Attempt::get("two clusters by query", "/clusters/root:attacker/api/v1/secrets?cluster=root:victim")
            .gets(&[200]),
        Attempt::get("a workspace by query", "/api/v1/secrets?workspace=root:victim"),
        Attempt::get(
            "the same parameter twice",
            "/clusters/root:attacker/api/v1/secrets?fieldSelector=metadata.name=x&fieldSelector=metadata.name=hoard-77",
        )
        .gets(&[200]),
        Attempt::get("a semicolon between parameters", "/clusters/root:attacker/api/v1/secrets?limit=1;cluster=<v>")
            .gets(&[200, 400]),
        Attempt::get(
            "a selector for another cluster",
            "/clusters/root:attacker/api/v1/secrets?fieldSelector=metadata.clusterName=<v>",
        ),
        Attempt::get(
            "a selector for the annotation of the cluster",
            "/clusters/root:attacker/api/v1/secrets?labelSelector=kcp.io/cluster=<v>",
        )
        .gets(&[200]),
        Attempt::get("everything", "/clusters/*/api/v1/secrets").gets(&[403]),
        Attempt::get("everything with an identity", "/clusters/*/apis/wares.example.com/v1/goods:<identity>")
            .gets(&[403]),
        Attempt::get("everything, watched", "/clusters/*/api/v1/secrets?watch=true&resourceVersion=1").gets(&[403]),
        Attempt::get("everything's documents", "/clusters/*/openapi/v3").gets(&[403]),
        Attempt::get("everything in one namespace", "/clusters/*/api/v1/namespaces/default/secrets").gets(&[403]),
        Attempt::new("delete everything", "DELETE", "/clusters/*/api/v1/secrets").gets(&[403]),
    ]);
    rows
}
