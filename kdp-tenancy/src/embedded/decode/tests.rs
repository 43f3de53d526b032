use proptest::prelude::*;
use serde_json::json;

use super::*;

#[test]
fn a_document_decodes_to_the_numbers_kubernetes_would_store() {
    let decoded = json(br#"{"a":1,"b":1.0,"c":1.5,"d":18446744073709551615,"e":[null,true,"x"]}"#).unwrap();
    let expected = json!({"a": 1, "b": 1, "c": 1.5, "d": 18446744073709551615.0_f64, "e": [null, true, "x"]});
    assert_eq!(decoded, Decoded { value: expected, duplicates: vec![] });
}

#[test]
fn the_last_of_duplicate_keys_holds_and_each_is_named_with_its_path() {
    let decoded = json(br#"{"spec":{"x":1,"l":[{"y":1,"y":2}],"x":2},"spec2":0}"#).unwrap();
    assert_eq!(decoded.value, json!({"spec": {"x": 2, "l": [{"y": 2}]}, "spec2": 0}));
    assert_eq!(decoded.duplicates, [r#"duplicate field "spec.l[0].y""#, r#"duplicate field "spec.x""#]);
}

#[test]
fn bad_json_is_a_bad_request() {
    for (body, fault) in [
        (&b"{"[..], "unexpected end of JSON input"),
        (b"", "unexpected end of JSON input"),
        (b"{]", "key must be a string at line 1 column 2"),
        (b"{} {}", "trailing characters at line 1 column 4"),
        (b"\"\xff\"", "invalid unicode code point at line 1 column 2"),
    ] {
        let error = json(body).unwrap_err();
        assert_eq!((error.code(), error.reason()), (400, "BadRequest"));
        assert_eq!(error.to_string(), format!("couldn't get version/kind; json parse error: {fault}"));
    }
}

#[test]
fn nesting_is_limited_in_both_formats() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert!(json(nested(MAX_DEPTH - 1).as_bytes()).is_ok());
    assert!(yaml(nested(MAX_YAML_DEPTH).as_bytes()).is_ok());
    assert!(yaml(nested(MAX_YAML_DEPTH + 1).as_bytes()).is_err());
    for depth in [MAX_DEPTH + 1, 100_000] {
        assert_eq!(json(nested(depth).as_bytes()).unwrap_err().code(), 400);
        assert_eq!(yaml(nested(depth).as_bytes()).unwrap_err().code(), 400);
    }
}

#[test]
fn yaml_decodes_as_kubernetes_reads_it() {
    let decoded = yaml(
        b"a: 1\nb: 1.0\nmode: 0644\non: yes\nquoted: \"yes\"\n1: number key\ntime: 2024-01-01T00:00:00Z\nnothing: ~\n",
    )
    .unwrap();
    assert_eq!(
        decoded.value,
        json!({
            "a": 1, "b": 1, "mode": 420, "on": true, "quoted": "yes", "1": "number key",
            "time": "2024-01-01T00:00:00Z", "nothing": null,
        })
    );
    assert_eq!(yaml(b" {\"a\": 1, \"a\": 2}").unwrap(), json(b"{\"a\": 1, \"a\": 2}").unwrap());
    assert_eq!(yaml(b"{a: 1}").unwrap().value, json!({"a": 1}));
    let decoded = yaml(b"spec:\n  x: 1\n  x: 2\n").unwrap();
    assert_eq!(decoded.value, json!({"spec": {"x": 2}}));
    assert_eq!(decoded.duplicates, [r#"duplicate field "spec.x""#]);
}

#[test]
fn an_alias_bomb_is_refused() {
    let mut bomb = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n".to_owned();
    for level in 1..10 {
        let below = format!("*a{}", level - 1);
        bomb += &format!("a{level}: &a{level} [{}]\n", vec![below; 10].join(","));
    }
    let error = yaml(bomb.as_bytes()).unwrap_err();
    assert_eq!(error.code(), 400);
}

proptest! {
    #[test]
    fn no_bytes_make_a_decoder_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = json(&bytes);
        let _ = yaml(&bytes);
    }

    #[test]
    fn decoding_what_was_decoded_changes_nothing(text in "[\\[\\]{}\",:0-9a-c. ]{0,60}") {
        if let Ok(decoded) = json(text.as_bytes()) {
            prop_assert_eq!(json(decoded.value.to_string().as_bytes()).unwrap().value, decoded.value);
        }
    }
}
