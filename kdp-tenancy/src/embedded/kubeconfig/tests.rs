use std::{os::unix::fs::PermissionsExt, time::Duration};

use kdp_core::Identity;

use super::*;
use crate::embedded::pki::Pki;

fn endpoint() -> Endpoint {
    Endpoint::Workspace("root:team-a".parse().unwrap())
}

fn kubeconfig() -> Kubeconfig {
    let pki = Pki::ephemeral().unwrap();
    let identity = Identity { username: "alice".into(), ..Identity::default() };
    let certificate = pki.client_certificate(&identity, Duration::from_secs(60)).unwrap();
    Kubeconfig::new("team-a", "https://127.0.0.1:6443/", &endpoint(), &pki.ca_pem(), certificate)
}

#[test]
fn the_text_is_yaml_as_kubectl_writes_it() {
    let text = Kubeconfig::with_token("a: b", "https://localhost:1", &endpoint(), "CA", "123")
        .with_namespace("default")
        .to_yaml()
        .unwrap();
    let expected = "\
apiVersion: v1
clusters:
- cluster:
    certificate-authority-data: Q0E=
    server: https://localhost:1/clusters/root:team-a
  name: 'a: b'
contexts:
- context:
    cluster: 'a: b'
    namespace: default
    user: 'a: b'
  name: 'a: b'
current-context: 'a: b'
kind: Config
users:
- name: 'a: b'
  user:
    token: '123'
";
    let plain = |text: &str| text.replace('"', "'");
    assert_eq!(plain(&text), plain(expected));
}

#[test]
fn a_client_library_understands_it() {
    let text = kubeconfig().to_yaml().unwrap();
    let parsed = kube::config::Kubeconfig::from_yaml(&text).unwrap();
    assert_eq!(parsed.current_context.as_deref(), Some("team-a"));
    let cluster = parsed.clusters[0].cluster.as_ref().unwrap();
    assert_eq!(cluster.server.as_deref(), Some("https://127.0.0.1:6443/clusters/root:team-a"));
    assert!(parsed.auth_infos[0].auth_info.as_ref().unwrap().client_key_data.is_some());
}

#[test]
fn the_file_is_for_its_owner_only() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("admin.kubeconfig");
    let kubeconfig = kubeconfig();
    kubeconfig.write(&path).unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), kubeconfig.to_yaml().unwrap());
    let error = kubeconfig.write(&root.path().join("missing/file")).unwrap_err().to_string();
    assert!(error.contains("missing/file"), "{error}");
}

#[test]
fn debug_output_shows_no_secret() {
    let text = format!("{:?}", Kubeconfig::with_token("a", "https://localhost:1", &endpoint(), "CA", "hunter2"));
    assert!(!text.contains("hunter2"), "{text}");
}
