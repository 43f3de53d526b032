//! The document of OpenAPI 2.0 in protobuf, as gnostic's `openapi.v2.Document`.

mod messages;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use prost::Message;
use serde_json::{Map, Value, json};

use self::messages::{
    AdditionalPropertiesItem, Any, BodyParameter, Definitions, Document, Info, ItemsItem, NamedAny, NamedPathItem,
    NamedResponseValue, NamedSchema, NonBodyParameter, Parameter, ParametersItem, PathItem, PathParameter, Paths,
    Properties, QueryParameter, Response, ResponseValue, Responses, Schema, SchemaItem, TypeItem,
    additional_properties, non_body_parameter, parameter,
};
use super::definitions::reference;
use super::operations::{Body, Operation, PRODUCES, Parameter as ParameterOf};
use super::v2;
use crate::embedded::resource::ApiResource;

/// The same document as [`v2::document`], encoded.
pub(super) fn document(resources: &[&ApiResource]) -> Vec<u8> {
    let (operations, definitions) = v2::parts(resources);
    let document = Document {
        swagger: "2.0".into(),
        info: Some(Info { title: "Kubernetes".into(), version: "unversioned".into() }),
        paths: Some(Paths { path: paths(&operations) }),
        definitions: Some(Definitions { additional_properties: named_schemas(&definitions) }),
    };
    document.encode_to_vec()
}

fn paths(operations: &[Operation]) -> Vec<NamedPathItem> {
    let mut paths: BTreeMap<&str, PathItem> = BTreeMap::new();
    for operation in operations {
        let item = paths.entry(&operation.path).or_default();
        let slot = match operation.method {
            "get" => &mut item.get,
            "put" => &mut item.put,
            "post" => &mut item.post,
            "delete" => &mut item.delete,
            _ => &mut item.patch,
        };
        *slot = Some(written(operation));
    }
    paths.into_iter().map(|(name, value)| NamedPathItem { name: name.into(), value: Some(value) }).collect()
}

fn written(operation: &Operation) -> messages::Operation {
    let body = operation.body.as_ref();
    let consumes = body.map_or(&["*/*"][..], |body| body.media_types);
    let kind = &operation.kind;
    let kind = json!({"group": kind.group, "version": kind.version, "kind": kind.kind});
    messages::Operation {
        tags: vec![operation.tag.clone()],
        description: operation.description.clone(),
        operation_id: operation.id.clone(),
        produces: PRODUCES.iter().map(|&media_type| media_type.into()).collect(),
        consumes: consumes.iter().map(|&media_type| media_type.into()).collect(),
        parameters: operation.parameters.iter().map(plain_parameter).chain(body.map(body_parameter)).collect(),
        responses: Some(Responses {
            response_code: vec![
                response("200", "OK", Some(&operation.response)),
                response("401", "Unauthorized", None),
            ],
        }),
        schemes: vec!["https".into()],
        vendor_extension: vec![
            extension("x-kubernetes-action", &operation.action.into()),
            extension("x-kubernetes-group-version-kind", &kind),
        ],
    }
}

fn plain_parameter(of: &ParameterOf) -> ParametersItem {
    let (name, description, type_) = (of.name.into(), of.description.into(), of.type_.into());
    let plain = if of.in_path {
        let in_ = "path".into();
        non_body_parameter::Oneof::Path(PathParameter { required: true, in_, description, name, type_ })
    } else {
        let in_ = "query".into();
        non_body_parameter::Oneof::Query(QueryParameter { in_, description, name, type_ })
    };
    parameters_item(parameter::Oneof::NonBody(NonBodyParameter { oneof: Some(plain) }))
}

fn body_parameter(body: &Body) -> ParametersItem {
    parameters_item(parameter::Oneof::Body(Box::new(BodyParameter {
        name: "body".into(),
        in_: "body".into(),
        required: body.required,
        schema: Some(schema(&reference(&body.definition))),
    })))
}

fn parameters_item(parameter: parameter::Oneof) -> ParametersItem {
    ParametersItem { parameter: Some(Parameter { oneof: Some(parameter) }) }
}

fn response(code: &str, description: &str, definition: Option<&String>) -> NamedResponseValue {
    let schema = definition.map(|name| SchemaItem { schema: Some(schema(&reference(name))) });
    let response = Response { description: description.into(), schema };
    NamedResponseValue { name: code.into(), value: Some(ResponseValue { response: Some(response) }) }
}

fn schema(written: &Value) -> Schema {
    let text = |keyword: &str| written[keyword].as_str().unwrap_or_default().to_owned();
    let number = |keyword: &str| written[keyword].as_f64().unwrap_or_default();
    let count = |keyword: &str| written[keyword].as_i64().unwrap_or_default();
    let flag = |keyword: &str| written[keyword].as_bool().unwrap_or_default();
    let any = |keyword: &str| written.get(keyword).map(yaml);
    let extensions = written.as_object().into_iter().flatten().filter(|(keyword, _)| keyword.starts_with("x-"));
    Schema {
        ref_: text("$ref"),
        format: text("format"),
        title: text("title"),
        description: text("description"),
        default: any("default"),
        multiple_of: number("multipleOf"),
        maximum: number("maximum"),
        exclusive_maximum: flag("exclusiveMaximum"),
        minimum: number("minimum"),
        exclusive_minimum: flag("exclusiveMinimum"),
        max_length: count("maxLength"),
        min_length: count("minLength"),
        pattern: text("pattern"),
        max_items: count("maxItems"),
        min_items: count("minItems"),
        unique_items: flag("uniqueItems"),
        max_properties: count("maxProperties"),
        min_properties: count("minProperties"),
        required: strings(&written["required"]),
        enum_: written["enum"].as_array().into_iter().flatten().map(yaml).collect(),
        additional_properties: additional_properties(&written["additionalProperties"]),
        type_: written["type"].as_str().map(|type_| TypeItem { value: vec![type_.into()] }),
        items: written.get("items").map(|items| ItemsItem { schema: vec![schema(items)] }),
        properties: written["properties"].as_object().map(properties),
        read_only: flag("readOnly"),
        example: any("example"),
        vendor_extension: extensions.map(|(keyword, value)| extension(keyword, value)).collect(),
    }
}

fn additional_properties(written: &Value) -> Option<Box<AdditionalPropertiesItem>> {
    let oneof = match written {
        Value::Bool(allowed) => additional_properties::Oneof::Boolean(*allowed),
        Value::Object(_) => additional_properties::Oneof::Schema(Box::new(schema(written))),
        _ => return None,
    };
    Some(Box::new(AdditionalPropertiesItem { oneof: Some(oneof) }))
}

fn properties(written: &Map<String, Value>) -> Properties {
    Properties { additional_properties: named_schemas(written) }
}

fn named_schemas<'s>(schemas: impl IntoIterator<Item = (&'s String, &'s Value)>) -> Vec<NamedSchema> {
    let named = |(name, written): (&String, &Value)| NamedSchema { name: name.clone(), value: Some(schema(written)) };
    schemas.into_iter().map(named).collect()
}

fn strings(list: &Value) -> Vec<String> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str).map(Into::into).collect()
}

fn extension(name: &str, value: &Value) -> NamedAny {
    NamedAny { name: name.into(), value: Some(yaml(value)) }
}

/// JSON is YAML.
fn yaml(value: &Value) -> Any {
    Any { yaml: value.to_string() }
}
