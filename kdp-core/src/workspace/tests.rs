use proptest::prelude::*;

use super::*;

#[test]
fn segments_that_could_leave_the_tree_are_refused() {
    for bad in [
        "",
        ":",
        "root:",
        ":root",
        "root::a",
        "root:..",
        "root:*",
        "*",
        "root/a",
        "root:A",
        "root:%2f",
        "root:-a",
        "root:a-",
        "system:",
        "system:a:",
    ] {
        assert!(bad.parse::<WorkspacePath>().is_err(), "{bad:?} was accepted");
    }
    assert!(format!("root:{}", "a".repeat(64)).parse::<WorkspacePath>().is_err());
}

#[test]
fn a_system_cluster_is_one_segment() {
    let path: WorkspacePath = "system:admin".parse().unwrap();
    assert_eq!(path.cluster().as_str(), "system:admin");
    assert_eq!(path.names().count(), 0);
    assert_eq!(path.parent(), None);
    let below = path.join("a").unwrap();
    assert_eq!(below.cluster().as_str(), "system:admin");
    assert_eq!(below.parent(), Some(path));
}

proptest! {
    #[test]
    fn joining_then_taking_the_parent_is_the_identity(path in "[a-z0-9]{1,8}(:[a-z0-9]{1,8}){0,4}", name in "[a-z0-9]([a-z0-9-]{0,10}[a-z0-9])?") {
        let path: WorkspacePath = path.parse().unwrap();
        let child = path.join(&name).unwrap();
        prop_assert_eq!(child.base(), name.as_str());
        prop_assert_eq!(child.parent(), Some(path.clone()));
        prop_assert_eq!(child.to_string().parse::<WorkspacePath>().unwrap(), child.clone());
        prop_assert_eq!(child.cluster(), path.cluster());
    }

    #[test]
    fn parsing_never_panics(text in ".{0,80}") {
        let _ = text.parse::<WorkspacePath>();
        let _ = text.parse::<LogicalClusterName>();
    }
}
