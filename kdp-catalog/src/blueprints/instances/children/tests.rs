use super::*;

#[test]
fn a_name_cannot_lead_to_another_place() {
    for name in ["a", "a-b.c0", "0"] {
        assert!(is_name(name), "{name}");
    }
    for name in ["", ".", "..", "a/b", "../../clusters/root:b", "a%2fb", "a?b", "a#b", "A", "a..b", "-a", "a."] {
        assert!(!is_name(name), "{name}");
    }
}
