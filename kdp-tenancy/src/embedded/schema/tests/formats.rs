use super::*;

#[test]
fn every_constant_pattern_compiles() {
    crate::embedded::schema::format::compile_all();
}

#[test]
fn formats_accept_and_refuse() {
    for (format, good, bad) in [
        ("date", &["2024-02-29"][..], &["2023-02-29", "2024-2-9", "x"][..]),
        (
            "date-time",
            &["2024-01-01T00:00:00Z", "2024-01-01t23:59:59.123+02:00"],
            &["2024-01-01", "2024-01-01T24:00:00Z", "2024-01-01T00:00:00"],
        ),
        ("duration", &["1h30m", "0", "-1.5s", "5 minutes", "22 ns", "3d"], &["1", "1x", "minutes", ""]),
        ("byte", &["aGk=", "aGkh"], &["aGk", "", "*"]),
        ("uuid", &["123e4567-e89b-12d3-a456-426614174000", "123E4567E89B12D3A456426614174000"], &["123e4567"]),
        ("uuid4", &["123e4567-e89b-42d3-a456-426614174000"], &["123e4567-e89b-12d3-a456-426614174000"]),
        ("ipv4", &["10.0.0.1", "010.0.0.001", "0.0.0.0"], &["10.0.0", "256.0.0.1", "::1", "1..2.3"]),
        ("ipv6", &["::1", "fe80::1"], &["10.0.0.1", "x"]),
        ("cidr", &["10.0.0.0/8", "fd00::/8"], &["10.0.0.0", "10.0.0.0/33", "10.0.0.0/+8"]),
        ("email", &["a@b", "Ada <ada@example.com>"], &["a", "a@", "@b", "a b@c"]),
        ("uri", &["https://example.com/x?y", "/path", "urn:x:y"], &["example.com", "", "https://exa mple"]),
        ("hostname", &["example.com", "localhost"], &["-a", "a..b", ""]),
        ("mac", &["00:00:5e:00:53:01", "00-00-5e-00-53-01", "0000.5e00.5301"], &["00:00:5e:00:53"]),
        ("isbn", &["978-0321751041", "0321751043"], &["0321751044"]),
        ("hexcolor", &["#FFF", "abcdef"], &["#FFFF"]),
        ("rgbcolor", &["rgb(255, 0, 12)"], &["rgb(256,0,0)"]),
        ("ssn", &["123-45-6789"], &["123"]),
        ("creditcard", &["4111 1111 1111 1111"], &["4111 1111 1111 1112"]),
        ("k8s-short-name", &["a-b"], &["a.b", "A"]),
        ("k8s-long-name", &["a.b"], &["a..b"]),
        ("unheard-of", &["anything"], &[]),
    ] {
        let schema = Schema::trusted(&with_spec(&json!({"x": {"type": "string", "format": format}})));
        let errors = |text: &str| lines(&schema.validate(&json!({"spec": {"x": text}}), None));
        for text in good {
            assert_eq!(errors(text), Vec::<String>::new(), "{format} {text:?}");
        }
        for text in bad {
            let expected =
                format!("spec.x: Invalid value: {text:?}: spec.x in body must be of type {format}: {text:?}");
            assert_eq!(errors(text), [expected], "{format} {text:?}");
        }
    }
}
