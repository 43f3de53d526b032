//! Pretending to be somebody else.

use serde_json::{Value, json};

use super::attempt::Attempt;

const VICTIM: &str = "/clusters/<victim>/api/v1/secrets";
const HOME: &str = "/clusters/root:attacker/api/v1/secrets";
const BINDINGS: &str = "/clusters/root:attacker/apis/apis.kcp.io/v1alpha2/apibindings";

pub(super) fn rows() -> Vec<Attempt> {
    let mut rows = Vec::new();
    let headers: [(&str, &[&str]); 33] = [
        ("the victim", &["Impersonate-User: victim"]),
        ("a master", &["Impersonate-User: x", "Impersonate-Group: system:masters"]),
        ("the victim as a master", &["Impersonate-User: victim", "Impersonate-Group: system:masters"]),
        ("a kcp administrator", &["Impersonate-User: x", "Impersonate-Group: system:kcp:admin"]),
        (
            "an administrator of logical clusters",
            &["Impersonate-User: x", "Impersonate-Group: system:kcp:logical-cluster-admin"],
        ),
        (
            "an external administrator",
            &["Impersonate-User: x", "Impersonate-Group: system:kcp:external-logical-cluster-admin"],
        ),
        ("an initializer", &["Impersonate-User: x", "Impersonate-Group: system:kcp:initializer:root:universal"]),
        ("a terminator", &["Impersonate-User: x", "Impersonate-Group: system:kcp:terminator:root:universal"]),
        ("a member of the victim's cluster", &["Impersonate-User: x", "Impersonate-Group: system:cluster:<v>"]),
        ("a group without a user", &["Impersonate-Group: system:masters"]),
        ("a uid without a user", &["Impersonate-Uid: <uid>"]),
        ("an extra without a user", &["Impersonate-Extra-Scopes: x"]),
        ("the victim with its uid", &["Impersonate-User: victim", "Impersonate-Uid: <uid>"]),
        (
            "somebody scoped to the victim",
            &["Impersonate-User: victim", "Impersonate-Extra-authentication.kcp.io%2fscopes: cluster:<v>"],
        ),
        (
            "somebody scoped to all",
            &["Impersonate-User: victim", "Impersonate-Extra-authentication.kcp.io%2fscopes: *"],
        ),
        (
            "somebody scoped in capitals",
            &["Impersonate-User: victim", "IMPERSONATE-EXTRA-AUTHENTICATION.KCP.IO%2FSCOPES: cluster:<v>"],
        ),
        (
            "somebody scoped with double encoding",
            &["Impersonate-User: victim", "Impersonate-Extra-authentication.kcp.io%252fscopes: cluster:<v>"],
        ),
        (
            "somebody at home at the victim",
            &[
                "Impersonate-User: system:serviceaccount:default:robot",
                "Impersonate-Extra-authentication.kcp.io%2fcluster-name: <v>",
            ],
        ),
        (
            "somebody with a warrant",
            &[
                "Impersonate-User: x",
                "Impersonate-Extra-authorization.kcp.io%2fwarrant: {\"user\":\"victim\",\"groups\":[\"system:masters\"]}",
            ],
        ),
        ("the victim's service account", &["Impersonate-User: system:serviceaccount:default:robot"]),
        (
            "a service account with groups",
            &["Impersonate-User: system:serviceaccount:default:robot", "Impersonate-Group: system:serviceaccounts"],
        ),
        ("a foreign service account", &["Impersonate-User: system:kcp:serviceaccount:<v>:default:robot"]),
        ("the system", &["Impersonate-User: kdp:system"]),
        ("the api server", &["Impersonate-User: system:apiserver", "Impersonate-Group: system:masters"]),
        ("two users", &["Impersonate-User: attacker", "Impersonate-User: victim"]),
        ("a user list", &["Impersonate-User: attacker, victim"]),
        ("two groups", &["Impersonate-User: x", "Impersonate-Group: developers", "Impersonate-Group: system:masters"]),
        ("a group list", &["Impersonate-User: x", "Impersonate-Group: developers,system:masters"]),
        ("a group with a blank", &["Impersonate-User: x", "Impersonate-Group:  system:masters "]),
        ("an empty user", &["Impersonate-User: ", "Impersonate-Group: system:masters"]),
        ("a broken extra", &["Impersonate-User: x", "Impersonate-Extra-%zz: x"]),
        ("a user that is not text", &["Impersonate-User: \u{202e}mitciv"]),
        (
            "a front proxy's user",
            &["X-Remote-User: victim", "X-Remote-Group: system:masters", "X-Remote-Extra-Scopes: *"],
        ),
    ];
    for (whom, lines) in headers {
        let with = |attempt: Attempt| lines.iter().fold(attempt, |attempt, line| attempt.header(*line));
        rows.push(with(Attempt::get(format!("as {whom} at the victim's"), VICTIM)));
        rows.push(with(Attempt::get(format!("as {whom} everywhere"), "/clusters/*/api/v1/secrets")));
        rows.push(with(Attempt::get(format!("as {whom} at home"), HOME)).gets_anything());
        rows.push(with(
            Attempt::new(format!("as {whom}, bind the victim's export"), "POST", BINDINGS).json(&binding("wares")),
        ));
    }
    let others: [&[&str]; 12] = [
        &["X-Forwarded-User: victim"],
        &["X-Forwarded-For: 127.0.0.1", "X-Real-IP: 127.0.0.1"],
        &["X-Forwarded-Client-Cert: Subject=\"CN=victim\""],
        &["X-Client-Cert: victim", "X-SSL-Client-S-DN: CN=victim,O=system:masters"],
        &["X-Forwarded-Prefix: /clusters/root:victim"],
        &[
            "X-Original-URL: /clusters/root:victim/api/v1/secrets",
            "X-Rewrite-URL: /clusters/root:victim/api/v1/secrets",
        ],
        &["X-Kcp-Cluster: root:victim", "X-Kubernetes-Cluster: root:victim"],
        &["Authorization: Bearer victim"],
        &["Authorization: Basic dmljdGltOnZpY3RpbQ=="],
        &["Authorization: Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJzeXN0ZW06c2VydmljZWFjY291bnQ6ZGVmYXVsdDpyb2JvdCJ9."],
        &["Authorization: Bearer a", "Authorization: Bearer b"],
        &["Cookie: user=victim"],
    ];
    for lines in others {
        let with = |attempt: Attempt| lines.iter().fold(attempt, |attempt, line| attempt.header(*line));
        rows.push(with(Attempt::get(format!("with {lines:?} at the victim's"), VICTIM)));
        rows.push(with(Attempt::get(format!("with {lines:?} and no certificate"), VICTIM).by_nobody()));
    }
    rows.extend(certificates());
    rows.extend(ghosts());
    rows
}

fn binding(name: &str) -> Value {
    json!({"apiVersion": "apis.kcp.io/v1alpha2", "kind": "APIBinding", "metadata": {"name": "stolen"},
        "spec": {"reference": {"export": {"path": "root:victim", "name": name}}}})
}

fn certificates() -> Vec<Attempt> {
    let users: [(&str, &[&str]); 16] = [
        ("VICTIM", &[]),
        ("Victim", &[]),
        (" victim", &[]),
        ("victim ", &[]),
        ("victim\n", &[]),
        ("v\u{131}ctim", &[]),
        ("victim,O=system:masters", &[]),
        ("system:serviceaccount:default:robot", &[]),
        ("system:serviceaccount:default:robot", &["system:serviceaccounts", "system:authenticated"]),
        ("system:kcp:serviceaccount:x:default:robot", &[]),
        ("system:anonymous", &[]),
        ("x", &["system:masters "]),
        ("x", &["System:Masters"]),
        ("x", &["system:authenticated", "system:unauthenticated"]),
        ("x", &["root:victim", "victim", "cluster-admin"]),
        ("apis.kcp.io:binding:victim", &["apis.kcp.io:binding:system:masters"]),
    ];
    let by = |(user, groups): (&str, &[&str])| {
        let name = format!("a certificate for {user:?} in {groups:?}");
        Attempt::get(name, VICTIM).by(user, groups).gets(&[403])
    };
    let mut rows: Vec<Attempt> = users.into_iter().map(by).collect();
    rows.extend([
        Attempt::get("a certificate without rights anywhere, at the attacker's", HOME).by("stranger", &[]).gets(&[403]),
        Attempt::get("a certificate without rights anywhere, at the victim's", VICTIM).by("stranger", &[]).gets(&[403]),
        Attempt::get("no certificate at the victim's", VICTIM).by_nobody(),
        Attempt::get(
            "no certificate at the victim's export",
            "/services/apiexport/<v>/wares/clusters/*/api/v1/secrets",
        )
        .by_nobody(),
        Attempt::get("no certificate everywhere", "/clusters/*/api/v1/secrets").by_nobody(),
    ]);
    rows
}

/// The attacker was administrator of a workspace that is gone; its name is the victim's now.
fn ghosts() -> Vec<Attempt> {
    let mut rows = Vec::new();
    for (how, place) in [("name", "/clusters/root:ghost"), ("old cluster", "/clusters/<ghost>")] {
        for path in [
            "/api/v1/secrets",
            "/api/v1/namespaces/default/secrets/old",
            "/api/v1/namespaces/default/secrets/hoard-77",
            "/api/v1/secrets?watch=true&resourceVersion=1",
            "/api/v1/secrets?resourceVersion=<rv>&resourceVersionMatch=Exact",
            "/api/v1/secrets?continue=<token>",
            "/apis/core.kcp.io/v1alpha1/logicalclusters/cluster",
            "/openapi/v3",
        ] {
            rows.push(
                Attempt::get(format!("the former workspace by {how}: {path}"), format!("{place}{path}")).gets(&[403]),
            );
        }
    }
    rows
}
