//! Hostile bodies, headers and methods.

use serde_json::json;

use super::attempt::Attempt;

const HOME: &str = "/clusters/root:attacker/api/v1/namespaces/default/configmaps";
const VICTIM: &str = "/clusters/<victim>/api/v1/namespaces/default/secrets";

pub(super) fn rows() -> Vec<Attempt> {
    let post = |name: &str, content_type: &str, body: &str| Attempt::new(name, "POST", HOME).body(content_type, body);
    let json = "application/json";
    let object = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}}).to_string();
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let aliases: String =
        (1..30).map(|i| format!("a{i}: &a{i} [*a{}, *a{}, *a{}, *a{}]\n", i - 1, i - 1, i - 1, i - 1)).collect();
    let mut rows = vec![
        post("a body that is nested very deep", json, &deep),
        post("a body that is not closed", json, r#"{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"x""#),
        post(
            "a body that is not UTF-8 by escapes",
            json,
            r#"{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"\ud800"}}"#,
        ),
        post(
            "a body with a NUL in the name",
            json,
            r#"{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"x\u0000"}}"#,
        ),
        post(
            "a body with a line break in the name",
            json,
            r#"{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"x\r\nSet-Cookie: a=b"}}"#,
        ),
        post(
            "a body with a path as name",
            json,
            r#"{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"../../secrets/default/hoard-77"}}"#,
        ),
        post(
            "a body with a path as generated name",
            json,
            r#"{"apiVersion":"v1","kind":"ConfigMap","metadata":{"generateName":"../<v>/"}}"#,
        )
        .once(),
        post(
            "a body of another kind",
            json,
            r#"{"apiVersion":"tenancy.kcp.io/v1alpha1","kind":"Workspace","metadata":{"name":"x"}}"#,
        ),
        post(
            "a body with two names",
            json,
            r#"{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"x","name":"../y"}}"#,
        ),
        post(
            "a body with a huge number",
            json,
            r#"{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"x","generation":1e400}}"#,
        ),
        post("a body with a prototype", json, r#"{"__proto__":{"apiVersion":"v1"},"constructor":{}}"#),
        post("a list as body", json, r#"{"apiVersion":"v1","kind":"ConfigMapList","items":[]}"#),
        post("an empty body", json, " "),
        post("YAML that refers to itself", "application/yaml", &format!("a0: &a0 [x]\n{aliases}")),
        post("YAML with a tag", "application/yaml", "!!python/object/apply:os.system ['id']"),
        post("YAML with two documents", "application/yaml", &format!("{object}\n---\n{object}\n")),
        post("protobuf that is none", "application/vnd.kubernetes.protobuf", "k8s\u{0}\u{1}\u{7f}"),
        post("a form", "application/x-www-form-urlencoded", "a=b"),
        post("several parts", "multipart/form-data; boundary=x", "--x\r\n\r\nx\r\n--x--"),
        post(
            "XML with an entity",
            "application/xml",
            "<!DOCTYPE x [<!ENTITY e SYSTEM \"file:///etc/passwd\">]><x>&e;</x>",
        ),
        post("a patch as a new object", "application/json-patch+json", "[]"),
        post("a strange content type", "application/json;charset=utf-7", &object).gets_anything().once(),
        post("a content type with a line break", "application/json\tx", &object).gets_anything().once(),
        Attempt::new("a body of more than three megabytes", "POST", HOME).body(json, "x".repeat(3 * 1024 * 1024 + 1)),
        Attempt::new(
            "a patch that moves to another path",
            "PATCH",
            "/clusters/root:attacker/api/v1/namespaces/default/secrets/mine",
        )
        .body("application/json-patch+json", r#"[{"op":"copy","from":"/../../../<v>","path":"/data/k"}]"#),
        Attempt::new("a patch that renames", "PATCH", "/clusters/root:attacker/api/v1/namespaces/default/secrets/mine")
            .body("application/merge-patch+json", r#"{"metadata":{"name":"hoard-77","namespace":"other"}}"#),
        Attempt::new(
            "a patch of a million operations",
            "PATCH",
            "/clusters/root:attacker/api/v1/namespaces/default/secrets/mine",
        )
        .body(
            "application/json-patch+json",
            format!("[{}]", vec![r#"{"op":"test","path":"/kind","value":"Secret"}"#; 20_000].join(",")),
        )
        .gets_anything()
        .once(),
        Attempt::new(
            "an apply under the system's name",
            "PATCH",
            "/clusters/root:attacker/api/v1/namespaces/default/configmaps/y?fieldManager=kdp&force=true",
        )
        .body("application/apply-patch+yaml", r#"{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"y"}}"#)
        .gets_anything()
        .once(),
        Attempt::new("a manager with a line break", "POST", format!("{HOME}?fieldManager=a%0d%0ab"))
            .json(&json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "z"}}))
            .gets_anything()
            .once(),
    ];
    for webhook in
        ["https://localhost/clusters/root:victim/api/v1/secrets", "https://169.254.169.254/", "http://127.0.0.1:1/"]
    {
        let conversion = json!({"strategy": "Webhook", "webhook": {"clientConfig": {"url": webhook}, "conversionReviewVersions": ["v1"]}});
        let group = format!("w{}.example.com", webhook.len());
        let version = |name: &str, is_stored: bool| {
            json!({"name": name, "served": true, "storage": is_stored,
            "schema": {"openAPIV3Schema": {"type": "object"}}})
        };
        let definition = json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": {"name": format!("hooks.{group}")}, "spec": {"group": group, "scope": "Cluster", "conversion": conversion,
            "names": {"plural": "hooks", "kind": "Hook"}, "versions": [version("v1", true), version("v2", false)]}});
        rows.push(
            Attempt::new(
                format!("a conversion webhook at {webhook}"),
                "POST",
                "/clusters/root:attacker/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
            )
            .json(&definition)
            .gets_anything()
            .once(),
        );
        let hook = json!({"apiVersion": format!("{group}/v2"), "kind": "Hook", "metadata": {"name": "x"}});
        rows.push(
            Attempt::new(
                format!("an object converted by {webhook}"),
                "POST",
                format!("/clusters/root:attacker/apis/{group}/v2/hooks"),
            )
            .json(&hook)
            .gets_anything()
            .once(),
        );
    }
    for kind in ["mutatingwebhookconfigurations", "validatingwebhookconfigurations", "validatingadmissionpolicies"] {
        let target = format!("/clusters/root:attacker/apis/admissionregistration.k8s.io/v1/{kind}");
        rows.push(Attempt::new(format!("admission by {kind}"), "POST", target).json(&json!({})));
    }
    rows.push(Attempt::new("a certificate asked for", "POST", "/clusters/root:attacker/apis/certificates.k8s.io/v1/certificatesigningrequests")
        .json(&json!({"apiVersion": "certificates.k8s.io/v1", "kind": "CertificateSigningRequest", "metadata": {"name": "x"},
            "spec": {"signerName": "kubernetes.io/kube-apiserver-client", "request": "eA==", "usages": ["client auth"]}})));
    for method in ["TRACE", "OPTIONS", "CONNECT", "HEAD", "PROPFIND", "MOVE", "COPY", "LINK", "get", "GETT"] {
        rows.push(Attempt::new(format!("the method {method}"), method, VICTIM));
    }
    for line in ["X-HTTP-Method-Override: GET", "X-HTTP-Method: GET", "X-Method-Override: GET"] {
        rows.push(Attempt::new(format!("the header {line}"), "POST", VICTIM).header(line));
    }
    for accept in [
        "*/*",
        "application/vnd.kubernetes.protobuf",
        "application/json;as=Table;v=v1;g=meta.k8s.io",
        "text/html",
        "application/yaml",
    ] {
        rows.push(
            Attempt::get(format!("the victim's secrets as {accept}"), VICTIM)
                .header(format!("Accept: {accept}"))
                .gets(&[403]),
        );
    }
    rows.push(Attempt::get("a range of the victim's secrets", VICTIM).header("Range: bytes=0-100").gets(&[403]));
    rows.push(Attempt::get("the victim's secrets if they changed", VICTIM).header("If-None-Match: *").gets(&[403]));
    rows.push(
        Attempt::get("the victim's secrets from another origin", VICTIM)
            .header("Origin: https://root.victim")
            .gets(&[403]),
    );
    rows
}
