//! `JSONSchemaProps` of `k8s.io.apiextensions_apiserver.pkg.apis.apiextensions.v1`

use super::meta::{RAW_JSON, TEXTS};
use super::table::Type::{Bool, Double, Int64, List, Map, Message, Text, Transparent};
use super::table::{Table, Type, always, pointer, value};

pub(super) static JSON_SCHEMA_PROPS: Table = Table(&[
    value(1, "id", Text),
    value(2, "$schema", Text),
    pointer(3, "$ref", Text),
    value(4, "description", Text),
    value(5, "type", Text),
    value(6, "format", Text),
    value(7, "title", Text),
    pointer(8, "default", JSON),
    pointer(9, "maximum", Double),
    value(10, "exclusiveMaximum", Bool),
    pointer(11, "minimum", Double),
    value(12, "exclusiveMinimum", Bool),
    pointer(13, "maxLength", Int64),
    pointer(14, "minLength", Int64),
    value(15, "pattern", Text),
    pointer(16, "maxItems", Int64),
    pointer(17, "minItems", Int64),
    value(18, "uniqueItems", Bool),
    pointer(19, "multipleOf", Double),
    value(20, "enum", List(&JSON)),
    pointer(21, "maxProperties", Int64),
    pointer(22, "minProperties", Int64),
    value(23, "required", TEXTS),
    pointer(24, "items", Transparent(&SCHEMA_OR_ARRAY)),
    value(25, "allOf", List(&SCHEMA)),
    value(26, "oneOf", List(&SCHEMA)),
    value(27, "anyOf", List(&SCHEMA)),
    pointer(28, "not", Message(&JSON_SCHEMA_PROPS)),
    value(29, "properties", Map(&SCHEMA)),
    pointer(30, "additionalProperties", Transparent(&SCHEMA_OR_BOOL)),
    value(31, "patternProperties", Map(&SCHEMA)),
    value(32, "dependencies", Map(&Transparent(&SCHEMA_OR_TEXTS))),
    pointer(33, "additionalItems", Transparent(&SCHEMA_OR_BOOL)),
    value(34, "definitions", Map(&SCHEMA)),
    pointer(35, "externalDocs", Message(&EXTERNAL_DOCUMENTATION)),
    pointer(36, "example", JSON),
    value(37, "nullable", Bool),
    pointer(38, "x-kubernetes-preserve-unknown-fields", Bool),
    value(39, "x-kubernetes-embedded-resource", Bool),
    value(40, "x-kubernetes-int-or-string", Bool),
    value(41, "x-kubernetes-list-map-keys", TEXTS),
    pointer(42, "x-kubernetes-list-type", Text),
    pointer(43, "x-kubernetes-map-type", Text),
    value(44, "x-kubernetes-validations", List(&Message(&VALIDATION_RULE))),
]);

// A static, not a const: the table contains itself, and only statics may point to each other in a circle.
static SCHEMA: Type = Message(&JSON_SCHEMA_PROPS);

const JSON: Type = Transparent(&RAW_JSON);

/// `JSONSchemaPropsOrArray`: the array wins.
static SCHEMA_OR_ARRAY: Table =
    Table(&[value(2, "jSONSchemas", List(&SCHEMA)), pointer(1, "schema", Message(&JSON_SCHEMA_PROPS))]);

/// `JSONSchemaPropsOrBool`: the schema wins, as the bool is true beside it.
static SCHEMA_OR_BOOL: Table = Table(&[pointer(2, "schema", Message(&JSON_SCHEMA_PROPS)), always(1, "allows", Bool)]);

/// `JSONSchemaPropsOrStringArray`: the array wins.
static SCHEMA_OR_TEXTS: Table =
    Table(&[value(2, "property", TEXTS), pointer(1, "schema", Message(&JSON_SCHEMA_PROPS))]);

static EXTERNAL_DOCUMENTATION: Table = Table(&[value(1, "description", Text), value(2, "url", Text)]);

static VALIDATION_RULE: Table = Table(&[
    always(1, "rule", Text),
    value(2, "message", Text),
    value(3, "messageExpression", Text),
    pointer(4, "reason", Text),
    value(5, "fieldPath", Text),
    pointer(6, "optionalOldSelf", Bool),
]);
