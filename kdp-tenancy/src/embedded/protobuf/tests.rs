use base64::{Engine as _, engine::general_purpose::STANDARD};
use proptest::prelude::*;
use prost::encoding::{WireType, encode_key, encode_varint};
use serde_json::json;

use super::decoder::{MAX_MESSAGES, MAX_NESTING};
use super::*;

/// An object as `k8s.io/apimachinery` 0.37.2 writes it in protobuf and in JSON.
///
/// For each kind there is the empty object, one with every field set (two levels of schemas in a
/// definition), and one in which every pointer, list and map is there but holds zero values.
struct Vector {
    name: String,
    protobuf: Vec<u8>,
    json: Value,
}

fn vectors() -> Vec<Vector> {
    let file: Vec<Value> = serde_json::from_str(include_str!("vectors.json")).unwrap();
    let vectors = file.into_iter().map(|mut vector| Vector {
        name: vector["name"].as_str().unwrap().into(),
        protobuf: STANDARD.decode(vector["protobuf"].as_str().unwrap()).unwrap(),
        json: vector["json"].take(),
    });
    vectors.collect()
}

#[test]
fn an_object_decodes_to_the_json_that_go_writes_for_it() {
    for Vector { name, protobuf, json } in vectors() {
        assert_eq!(decode(&protobuf).unwrap(), json, "{name}");
    }
}

/// A field of a message.
fn delimited(number: u32, value: impl AsRef<[u8]>) -> Vec<u8> {
    let mut field = Vec::new();
    encode_key(number, WireType::LengthDelimited, &mut field);
    encode_varint(value.as_ref().len() as u64, &mut field);
    field.extend(value.as_ref());
    field
}

fn varint(number: u32, value: u64) -> Vec<u8> {
    let mut field = Vec::new();
    encode_key(number, WireType::Varint, &mut field);
    encode_varint(value, &mut field);
    field
}

fn body(api_version: &str, kind: &str, raw: &[u8]) -> Vec<u8> {
    let type_meta = [delimited(1, api_version), delimited(2, kind)].concat();
    [MAGIC.to_vec(), delimited(1, type_meta), delimited(2, raw)].concat()
}

fn config_map(raw: &[u8]) -> Result<Value, StatusError> {
    decode(&body("v1", "ConfigMap", raw))
}

fn definition(schema: &[u8]) -> Result<Value, StatusError> {
    let version = delimited(4, delimited(1, schema));
    let raw = delimited(2, delimited(7, version));
    let object = decode(&body("apiextensions.k8s.io/v1", "CustomResourceDefinition", &raw))?;
    Ok(object["spec"]["versions"][0]["schema"]["openAPIV3Schema"].clone())
}

fn code(result: Result<Value, StatusError>) -> u16 {
    result.unwrap_err().code()
}

#[test]
fn a_kind_without_a_table_is_an_unsupported_media_type() {
    for (api_version, kind) in [("v1", "Pod"), ("apps/v1", "ConfigMap"), ("example.com/v1", "Widget")] {
        let error = decode(&body(api_version, kind, &[])).unwrap_err();
        assert_eq!((error.code(), error.reason()), (415, "UnsupportedMediaType"), "{kind} of {api_version}");
    }
}

#[test]
fn delete_options_are_known_in_every_group() {
    let options = decode(&body("example.com/v2", "DeleteOptions", &varint(1, 0))).unwrap();
    assert_eq!(options, json!({"apiVersion": "example.com/v2", "kind": "DeleteOptions", "gracePeriodSeconds": 0}));
}

#[test]
fn an_object_in_another_encoding_is_an_unsupported_media_type() {
    let plain = body("v1", "ConfigMap", &[]);
    for (field, expected) in [
        (delimited(4, MEDIA_TYPE), None),
        (delimited(3, ""), None),
        (delimited(3, "gzip"), Some(415)),
        (delimited(4, "application/json"), Some(415)),
    ] {
        let result = decode(&[plain.clone(), field].concat());
        assert_eq!(result.err().map(|error| error.code()), expected);
    }
}

#[test]
fn a_body_without_envelope_or_kind_is_a_bad_request() {
    for bytes in [&b""[..], b"k8s", b"k8s\0", b"{\"kind\":\"ConfigMap\"}", b"k8s\0\xff"] {
        assert_eq!(code(decode(bytes)), 400, "{bytes:?}");
    }
    assert_eq!(code(decode(&body("", "ConfigMap", &[]))), 400);
    assert_eq!(code(decode(&body("v1", "", &[]))), 400);
}

#[test]
fn fields_without_a_name_are_skipped_in_every_wire_type() {
    let mut unknown = [varint(900, 7), delimited(901, b"\xff\xfe")].concat();
    encode_key(902, WireType::SixtyFourBit, &mut unknown);
    unknown.extend([0; 8]);
    encode_key(903, WireType::ThirtyTwoBit, &mut unknown);
    unknown.extend([0; 4]);
    encode_key(904, WireType::StartGroup, &mut unknown);
    unknown.extend(varint(1, 1));
    encode_key(904, WireType::EndGroup, &mut unknown);
    unknown.extend(varint(4, 1));
    assert_eq!(config_map(&unknown).unwrap()["immutable"], json!(true));
}

#[test]
fn a_malformed_message_is_a_bad_request() {
    let truncated = &delimited(1, delimited(1, "name"))[..5];
    let endless = [0x20, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
    let huge = [0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
    for (what, raw) in [
        ("a length beyond the end", truncated),
        ("a varint of more than ten bytes", &endless),
        ("a length of 2^64 - 1", &huge),
        ("a number where a message belongs", &varint(1, 0)),
        ("bytes where a number belongs", &delimited(4, "")),
        ("a name that is not UTF-8", &delimited(1, delimited(1, b"\xff"))),
        ("a number as the key of a map", &delimited(2, varint(1, 0))),
        ("a time before year 1", &delimited(1, delimited(8, varint(1, i64::MIN as u64)))),
        ("a time after year 9999", &delimited(1, delimited(8, varint(1, 253_402_300_800)))),
        ("fields that are not JSON", &delimited(1, delimited(17, delimited(7, delimited(1, "{"))))),
    ] {
        assert_eq!(code(config_map(raw)), 400, "{what}");
    }
    let mut not_a_number = Vec::new();
    encode_key(9, WireType::SixtyFourBit, &mut not_a_number);
    not_a_number.extend(f64::NAN.to_le_bytes());
    assert_eq!(code(definition(&not_a_number)), 400);
}

#[test]
fn of_a_field_sent_twice_the_last_value_wins_and_messages_merge() {
    let first = delimited(1, [delimited(1, "old"), delimited(3, "kept"), delimited(5, "gone")].concat());
    let second = delimited(1, [delimited(1, "new"), delimited(5, "")].concat());
    let object = config_map(&[first, second].concat()).unwrap();
    assert_eq!(object["metadata"], json!({"name": "new", "namespace": "kept"}));
}

#[test]
fn a_zero_time_is_null_however_it_is_sent() {
    let zero = varint(1, (-62_135_596_800_i64) as u64);
    for time in [&[][..], &zero] {
        let object = decode(&body("v1", "Event", &delimited(6, time))).unwrap();
        assert_eq!(object["firstTimestamp"], Value::Null);
    }
}

#[test]
fn times_are_cut_to_the_precision_of_their_json() {
    let instant = [varint(1, 1), varint(2, 999_999_999)].concat();
    let object = decode(&body("v1", "Event", &[delimited(6, &instant), delimited(10, &instant)].concat())).unwrap();
    assert_eq!(object["firstTimestamp"], "1970-01-01T00:00:01Z");
    assert_eq!(object["eventTime"], "1970-01-01T00:00:01.999999Z");
}

fn nested_schemas(levels: usize) -> Vec<u8> {
    (0..levels).fold(Vec::new(), |schema, _| delimited(28, schema))
}

#[test]
fn an_object_may_be_as_deep_as_json_may_be() {
    // spec, versions, the version, schema and openAPIV3Schema, inside the object itself.
    let above = 6;
    let deepest = definition(&nested_schemas(MAX_NESTING - above)).unwrap();
    assert!(deepest["not"]["not"].is_object());
    assert_eq!(code(definition(&nested_schemas(MAX_NESTING - above + 1))), 400);
    assert_eq!(code(definition(&nested_schemas(10_000))), 400);

    let embedded = |levels: usize| delimited(8, delimited(1, format!("{}{}", "[".repeat(levels), "]".repeat(levels))));
    assert!(definition(&embedded(MAX_NESTING - above)).is_ok());
    assert_eq!(code(definition(&embedded(MAX_NESTING - above + 1))), 400);
}

#[test]
fn what_decodes_can_be_read_back_from_its_text() {
    let text = decode(&body("apiextensions.k8s.io/v1", "CustomResourceDefinition", &{
        let version = delimited(4, delimited(1, nested_schemas(MAX_NESTING - 6)));
        delimited(2, delimited(7, version))
    }));
    let object = text.unwrap();
    assert_eq!(serde_json::from_str::<Value>(&object.to_string()).unwrap(), object);
}

#[test]
fn the_messages_in_an_object_are_bounded() {
    let owners = |count: usize| config_map(&delimited(1, delimited(13, []).repeat(count)));
    // The metadata and the object itself are messages too.
    let object = owners(MAX_MESSAGES - 2).unwrap();
    assert_eq!(object["metadata"]["ownerReferences"].as_array().unwrap().len(), MAX_MESSAGES - 2);
    assert_eq!(code(owners(MAX_MESSAGES - 1)), 400);
}

#[test]
fn fields_of_a_message_have_numbers_of_their_own() {
    fn check(table: &'static Table, seen: &mut Vec<&'static Table>) {
        if seen.iter().any(|other| std::ptr::eq(*other, table)) {
            return;
        }
        seen.push(table);
        for (index, field) in table.0.iter().enumerate() {
            let alike = |other: &table::Field| other.number == field.number || other.name == field.name;
            assert!(!table.0[..index].iter().any(alike), "{} is described twice", field.name);
            let mut of = field.ty;
            while let table::Type::List(inner) | table::Type::Map(inner) = of {
                of = *inner;
            }
            if let table::Type::Message(inner) | table::Type::Transparent(inner) = of {
                check(inner, seen);
            }
        }
    }
    let mut seen = Vec::new();
    for Vector { json, .. } in vectors() {
        let word = |name: &str| json[name].as_str().unwrap();
        check(table_of(word("apiVersion"), word("kind")).unwrap(), &mut seen);
    }
}

/// Decodes, and checks that a failure is one of the client.
fn decodes_or_blames_the_client(bytes: &[u8]) {
    if let Err(error) = decode(bytes) {
        assert!(matches!(error.code(), 400 | 415), "{error}");
    }
}

proptest! {
    #[test]
    fn random_objects_of_a_known_kind_never_panic(raw in prop::collection::vec(any::<u8>(), 0..400)) {
        for Vector { json, .. } in vectors().iter().step_by(3) {
            let word = |name: &str| json[name].as_str().unwrap();
            decodes_or_blames_the_client(&body(word("apiVersion"), word("kind"), &raw));
        }
    }

    #[test]
    fn random_bodies_never_panic(envelope in prop::collection::vec(any::<u8>(), 0..200)) {
        decodes_or_blames_the_client(&envelope);
        decodes_or_blames_the_client(&[MAGIC, &envelope].concat());
    }

    #[test]
    fn truncated_and_altered_bodies_never_panic(
        vector in any::<prop::sample::Index>(),
        end in any::<prop::sample::Index>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
    ) {
        let vectors = vectors();
        let mut bytes = vector.get(&vectors).protobuf.clone();
        decodes_or_blames_the_client(&bytes[..end.index(bytes.len())]);
        for (position, byte) in changes {
            let position = position.index(bytes.len());
            bytes[position] = byte;
        }
        decodes_or_blames_the_client(&bytes);
    }

    #[test]
    fn text_survives_whatever_it_holds(key in ".*", value in ".*") {
        let entry = [delimited(1, &key), delimited(2, &value)].concat();
        prop_assert_eq!(&config_map(&delimited(2, entry)).unwrap()["data"][key.as_str()], &json!(value));
    }
}
