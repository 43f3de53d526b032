//! Every verb on every sort of endpoint of the victim, by path and by logical cluster.

use serde_json::json;

use super::attempt::Attempt;

/// Name, collection, and an object in it.
const RESOURCES: [(&str, &str, &str); 16] = [
    ("secrets", "/api/v1/namespaces/default/secrets", "hoard-77"),
    ("configmaps", "/api/v1/namespaces/default/configmaps", "ledger-77"),
    ("namespaces", "/api/v1/namespaces", "default"),
    ("custom objects", "/apis/victim.example.com/v1/treasures", "gem-77"),
    ("definitions", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", "treasures.victim.example.com"),
    ("rights", "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", "admin"),
    ("exports", "/apis/apis.kcp.io/v1alpha2/apiexports", "wares"),
    ("workspaces", "/apis/tenancy.kcp.io/v1alpha1/workspaces", "inner"),
    ("logical clusters", "/apis/core.kcp.io/v1alpha1/logicalclusters", "cluster"),
    ("exports of the older version", "/apis/apis.kcp.io/v1alpha1/apiexports", "wares"),
    ("endpoint slices", "/apis/apis.kcp.io/v1alpha1/apiexportendpointslices", "wares"),
    ("workspace types", "/apis/tenancy.kcp.io/v1alpha1/workspacetypes", "type-77"),
    ("issuers", "/apis/tenancy.kcp.io/v1alpha1/workspaceauthenticationconfigurations", "issuer-77"),
    ("limits", "/apis/tenancy.kdp.k8c.io/v1alpha1/workspacelimits", "inner"),
    ("quotas", "/api/v1/namespaces/default/resourcequotas", "quota-77"),
    ("service accounts", "/api/v1/namespaces/default/serviceaccounts", "keeper-77"),
];
const DOCUMENTS: [&str; 9] = [
    "/",
    "/api",
    "/apis",
    "/apis/victim.example.com",
    "/apis/victim.example.com/v1",
    "/openapi/v2",
    "/openapi/v3",
    "/openapi/v3/apis/victim.example.com/v1",
    "/version",
];
const REVIEWS: [(&str, &str); 5] = [
    ("authorization.k8s.io/v1/subjectaccessreviews", "SubjectAccessReview"),
    ("authorization.k8s.io/v1/selfsubjectaccessreviews", "SelfSubjectAccessReview"),
    ("authorization.k8s.io/v1/selfsubjectrulesreviews", "SelfSubjectRulesReview"),
    ("authentication.k8s.io/v1/tokenreviews", "TokenReview"),
    ("authentication.k8s.io/v1/selfsubjectreviews", "SelfSubjectReview"),
];

pub(super) fn rows() -> Vec<Attempt> {
    let places = [("path", "/clusters/<victim>"), ("cluster", "/clusters/<v>")];
    let mut rows: Vec<Attempt> = places.into_iter().flat_map(|(how, place)| at(how, place)).collect();
    rows.extend(
        [
            "/clusters/<victim>:inner",
            "/clusters/<v>:inner",
            "/clusters/root:neighbour",
            "/clusters/root:ghost",
            "/clusters/root",
        ]
        .map(|place| Attempt::get(format!("list secrets at {place}"), format!("{place}/api/v1/secrets")).gets(&[403])),
    );
    rows
}

fn at(how: &str, place: &str) -> Vec<Attempt> {
    let mut rows = Vec::new();
    for (what, collection, name) in RESOURCES {
        let object = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "planted"}});
        let one = format!("{place}{collection}/{name}");
        let all = format!("{place}{collection}");
        let row = |verb: &str, method: &str, target: &str| {
            Attempt::new(format!("{verb} {what} by {how}"), method, target).gets(&[403])
        };
        rows.extend([
            row("get", "GET", &one),
            row("list", "GET", &all),
            row("watch", "GET", &format!("{all}?watch=true")),
            row("create", "POST", &all).json(&object),
            row("update", "PUT", &one).json(&object),
            row("patch", "PATCH", &one)
                .body("application/merge-patch+json", json!({"metadata": {"labels": {"a": "b"}}})),
            row("apply", "PATCH", &format!("{one}?fieldManager=x&force=true"))
                .body("application/apply-patch+yaml", &object),
            row("delete", "DELETE", &one),
            row("delete all", "DELETE", &all),
            row("patch the status of", "PATCH", &format!("{one}/status"))
                .body("application/merge-patch+json", json!({"status": {"phase": "x"}})),
        ]);
    }
    for document in DOCUMENTS {
        rows.push(Attempt::get(format!("read {document} by {how}"), format!("{place}{document}")).gets(&[403]));
    }
    for (path, kind) in REVIEWS {
        let (version, _) = path.rsplit_once('/').unwrap_or_default();
        let review = json!({"apiVersion": version, "kind": kind, "spec": {"user": "victim", "namespace": "default", "token": "x",
            "resourceAttributes": {"verb": "get", "resource": "secrets"}}});
        let target = format!("{place}/apis/{path}");
        rows.push(Attempt::new(format!("ask {kind} by {how}"), "POST", target).json(&review).gets(&[403]));
    }
    rows
}
