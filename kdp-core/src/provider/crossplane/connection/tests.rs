use k8s_openapi::ByteString;

use super::*;

fn secret(data: &[(&str, &[u8])]) -> Secret {
    let data = data.iter().map(|(key, value)| ((*key).to_owned(), ByteString(value.to_vec()))).collect();
    Secret { data: Some(data), ..Secret::default() }
}

#[test]
fn keys_are_outputs_and_what_is_required_is_missed() {
    let there = secret(&[("username", b"app"), ("password", b"hunter2!"), ("empty", b""), ("binary", &[0xff, 0xfe])]);
    let check = |connection: Connection, outputs: &[(&str, &str, bool)], missing: &[&str]| {
        let (read, missed) = connection.read(Some(&there));
        let read: Vec<_> = read.iter().map(|(name, out)| (name.as_str(), out.value.as_str(), out.sensitive)).collect();
        assert_eq!((read.as_slice(), missed.as_slice()), (outputs, missing));
    };
    let all = || Connection::new(SecretSource::Native);
    check(all(), &[("password", "hunter2!", true), ("username", "app", true)], &[]);
    check(all().with_plain("username"), &[("password", "hunter2!", true), ("username", "app", false)], &[]);
    check(all().with_key("password", "pw").with_required("pw"), &[("pw", "hunter2!", true)], &[]);
    check(all().with_key("password", "pw").with_required("password"), &[("pw", "hunter2!", true)], &["password"]);
    let required = all().with_key("nothing", "n").with_required("n").with_required("empty").with_required("binary");
    check(required, &[], &["binary", "empty", "n"]);
}

#[test]
fn without_a_secret_all_that_is_required_is_missed() {
    let connection = Connection::new(SecretSource::Native).with_required("b").with_required("a");
    let (outputs, missing) = connection.read(None);
    assert!(outputs.is_empty());
    assert_eq!(missing, ["a", "b"]);
}
