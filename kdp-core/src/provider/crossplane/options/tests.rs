use super::*;

#[test]
fn each_workspace_has_a_namespace_of_its_own() {
    let namespaces = Namespaces::PerWorkspace { prefix: "kdp".into() };
    let of = |workspace: &str| {
        let id = OrderId::new("0a1b", "default", "app").in_workspace(workspace.parse().unwrap());
        namespaces.of(&id).unwrap()
    };
    assert_eq!(of("2okdry95y5lkv"), "kdp-2okdry95y5lkv");
    // What makes no label is told apart by its digest.
    let (system, admin) = (of("system:shard"), of("system:admin"));
    assert_ne!(system, admin);
    for name in [system, admin] {
        assert!(name.len() <= LONGEST_LABEL && !name.contains(':'), "{name}");
    }
    let error = namespaces.of(&OrderId::new("0a1b", "default", "app")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
}
