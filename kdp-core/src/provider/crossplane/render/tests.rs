use proptest::prelude::*;
use serde_json::json;

use super::*;

fn tree() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        (-(1i64 << 53)..1i64 << 53).prop_map(Value::from),
        "\\PC{0,8}".prop_map(Value::String),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
            prop::collection::btree_map("\\PC{0,6}", inner, 0..4)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn objects_come_back_as_they_were_sent(value in prop::collection::btree_map("[a-z]{1,4}", tree(), 0..4)) {
        let value = Value::Object(value.into_iter().collect());
        let sent = to_struct(&value).encode_to_vec();
        prop_assert_eq!(from_struct(Struct::decode(sent.as_slice()).unwrap()), value);
    }

    #[test]
    fn no_answer_whatever_makes_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        if let Ok(response) = RenderResponse::decode(bytes.as_slice()) {
            let composed = response.composite.map(|output| output.composed_resources).unwrap_or_default();
            composed.into_iter().for_each(|object| drop(from_struct(object)));
        }
    }
}

#[tokio::test]
async fn a_program_that_is_not_there_and_one_that_fails_are_told_apart() {
    let id = OrderId::new("0a1b", "default", "app");
    let nothing = json!({});
    let check = async |program: &str, composition: Value, kind, message: &str| {
        let input = Input { composite: &nothing, composition: &composition, definition: &nothing, observed: &[] };
        let Err(error) = Renderer::new().with_program(program).render(&id, input).await else {
            panic!("{program} rendered something")
        };
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.message().contains(message), "{error}");
    };
    check("/no/such/program", json!({}), ErrorKind::Unsupported, "/no/such/program").await;
    check("/bin/false", json!({}), ErrorKind::Unavailable, "it failed").await;
    check("/bin/true", json!({}), ErrorKind::Unavailable, "empty").await;
    let pipeline = json!({"spec": {"pipeline": [{"functionRef": {"name": "auto-ready"}}]}});
    check("/bin/true", pipeline, ErrorKind::Unsupported, "auto-ready").await;
}
