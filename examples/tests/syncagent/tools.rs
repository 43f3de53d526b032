//! Tools for who writes PublishedResources, and the manifests that come with the program.

use std::{fs, path::Path};

use serde_json::{Value, json};

use super::{
    case::{Case, definition},
    program::run,
    shared::shared,
};

/// Writes a file for a tool; returns its path.
fn write(name: &str, object: &Value) -> String {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("syncagent").join("tools");
    fs::create_dir_all(&folder).unwrap();
    let path = folder.join(name);
    fs::write(&path, object.to_string()).unwrap();
    path.display().to_string()
}

/// A PublishedResource of the kind of a case.
fn resource(group: &str, mut spec: Value) -> Value {
    spec["resource"] = json!({"apiGroup": group, "kind": "Widget"});
    json!({"kind": "PublishedResource", "metadata": {"name": "a"}, "spec": spec})
}

fn tool(arguments: &[&str]) -> (Option<i32>, String) {
    let output = run(&arguments.iter().map(|&argument| argument.to_owned()).collect::<Vec<_>>());
    (output.status.code(), String::from_utf8(output.stdout).unwrap())
}

#[test]
fn tools_look_at_files_without_a_cluster() {
    let group = "tools.example.com";
    let definitions = write("definitions", &definition(group));
    let good = write("good", &resource(group, json!({"projection": {"kind": "Store"}})));
    let bad = write("bad", &resource(group, json!({"naming": {"name": "{{"}})));
    let (code, printed) = tool(&["crd", "--definitions", &definitions, &good]);
    assert_eq!(code, Some(0), "{printed}");
    assert!(printed.contains("stores.tools.example.com"), "{printed}");
    let (_, printed) = tool(&["crd", "--ars", "--definitions", &definitions, &good]);
    assert!(printed.contains("kind: APIResourceSchema"), "{printed}");
    let (code, told) = tool(&["validate", "--definitions", &definitions, &good, &bad]);
    assert_eq!(code, Some(1), "{told}");
    assert!(told.contains("bad: spec.naming.name: ") && !told.contains("good:"), "{told}");
}

#[test]
fn related_kinds_are_looked_at_without_a_cluster_and_looked_up_with_one() {
    shared(async |s| {
        let case = Case::on(&s.site, "toolscase", "toolscase", "toolscase", |_| {}).await;
        let of = |resource: &str| {
            let names = json!({"template": {"template": "{{ .Object.metadata.name }}"}});
            let entry =
                json!({"identifier": "a", "origin": "service", "version": "v1", "resource": resource, "object": names});
            self::resource(&case.group, json!({"related": [entry]}))
        };
        let known = write("known", &of("configmaps"));
        let unknown = write("unknown", &of("nothings"));
        let impossible = write("impossible", &of("secrets/status"));
        let (code, told) = tool(&["validate", &known, &unknown, &impossible]);
        assert_eq!(code, Some(1), "{told}");
        assert!(told.contains("impossible: spec.related[0].resource: ") && !told.contains("known:"), "{told}");
        let kubeconfig = s.site.service_kubeconfig.display().to_string();
        let (code, told) = tool(&["validate", "--kubeconfig", &kubeconfig, &known, &unknown]);
        assert_eq!(code, Some(1), "{told}");
        let lines: Vec<_> = told.lines().collect();
        assert!(
            lines.len() == 1 && lines[0].contains("unknown: spec.related[0].resource: there is no nothings"),
            "{told}"
        );
    });
}

#[test]
fn every_manifest_can_be_read() {
    for (yaml, objects) in [
        (include_str!("../../manifests/syncagent/deployment.yaml"), 2),
        (include_str!("../../manifests/syncagent/rbac.yaml"), 5),
        (include_str!("../../manifests/syncagent/published-kinds.yaml"), 2),
        (include_str!("../../manifests/syncagent/kcp-rbac.yaml"), 2),
    ] {
        let read: Vec<kube::api::DynamicObject> = serde_saphyr::from_multiple(yaml).unwrap();
        assert_eq!(read.len(), objects, "{yaml}");
    }
}
