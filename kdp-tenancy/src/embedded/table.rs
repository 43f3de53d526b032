//! Server-side printing: `meta.k8s.io/v1` tables, and objects cut down to their metadata.

mod computed;
mod duration;
#[cfg(test)]
mod tests;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::json_path::JsonPath;
use super::resource::{ApiResource, PrinterColumn};

const API_VERSION: &str = "meta.k8s.io/v1";

/// What a row carries of its object: the `includeObject` of a request for a table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum IncludeObject {
    /// Nothing.
    None,
    /// The metadata, as a PartialObjectMetadata.
    #[default]
    Metadata,
    /// All of it.
    Object,
}

/// The table of `items`, all of the kind of `resource`.
///
/// `list_meta` is the metadata of the list; of one object it has the `resourceVersion`. Ages are
/// as of `now`. A column whose JSON path cannot be parsed has empty cells.
#[must_use]
pub(crate) fn table(
    resource: &ApiResource,
    items: &[Value],
    include: IncludeObject,
    list_meta: &Value,
    now: Timestamp,
) -> Value {
    let columns: Vec<Column> = columns(resource).map(Column::new).collect();
    let definitions: Vec<Value> = columns.iter().map(Column::definition).collect();
    let rows: Vec<Value> = items
        .iter()
        .map(|item| {
            let cells: Vec<Value> = columns.iter().map(|column| column.cell(resource, item, now)).collect();
            match include {
                IncludeObject::None => json!({"cells": cells, "object": null}),
                IncludeObject::Metadata => json!({"cells": cells, "object": partial(item)}),
                IncludeObject::Object => json!({"cells": cells, "object": item}),
            }
        })
        .collect();
    json!({
        "kind": "Table",
        "apiVersion": API_VERSION,
        "metadata": list_fields(list_meta),
        "columnDefinitions": definitions,
        "rows": rows,
    })
}

/// `object` as a PartialObjectMetadata.
#[must_use]
pub(crate) fn partial(object: &Value) -> Value {
    json!({"kind": "PartialObjectMetadata", "apiVersion": API_VERSION, "metadata": object["metadata"]})
}

/// `items` as a PartialObjectMetadataList with the metadata of the list.
#[must_use]
pub(crate) fn partial_list(items: &[Value], list_meta: &Value) -> Value {
    let items: Vec<Value> = items.iter().map(partial).collect();
    json!({
        "kind": "PartialObjectMetadataList",
        "apiVersion": API_VERSION,
        "metadata": list_fields(list_meta),
        "items": items,
    })
}

fn list_fields(list_meta: &Value) -> Map<String, Value> {
    ["resourceVersion", "continue", "remainingItemCount"]
        .into_iter()
        .filter_map(|field| Some((field.into(), list_meta.get(field)?.clone())))
        .collect()
}

/// Name, unless the kind puts it elsewhere, and the columns of the kind.
fn columns(resource: &ApiResource) -> impl Iterator<Item = PrinterColumn> {
    let has_name = resource.columns.iter().any(|column| column.format == "name");
    let name = (!has_name).then(|| PrinterColumn {
        name: "Name".into(),
        type_: "string".into(),
        format: "name".into(),
        description: "Name of the object.".into(),
        json_path: ".metadata.name".into(),
        ..PrinterColumn::default()
    });
    name.into_iter().chain(resource.columns.iter().cloned())
}

struct Column {
    printer: PrinterColumn,
    source: Source,
}

enum Source {
    Path(JsonPath),
    Computed,
    Unreadable,
}

impl Column {
    fn new(printer: PrinterColumn) -> Self {
        let source = match printer.json_path.as_str() {
            "" => Source::Computed,
            path => path.parse().map_or(Source::Unreadable, Source::Path),
        };
        Self { printer, source }
    }

    fn definition(&self) -> Value {
        let PrinterColumn { name, type_, format, description, priority, json_path } = &self.printer;
        let description = if description.is_empty() {
            format!("Custom resource definition column (in JSONPath format): {json_path}")
        } else {
            description.clone()
        };
        json!({"name": name, "type": type_, "format": format, "description": description, "priority": priority})
    }

    fn cell(&self, resource: &ApiResource, object: &Value, now: Timestamp) -> Value {
        match &self.source {
            Source::Path(path) => {
                path.first(object).map_or(Value::Null, |value| printed(&self.printer.type_, value, now))
            }
            Source::Computed => computed::cell(resource, &self.printer.name, object, now),
            Source::Unreadable => Value::Null,
        }
    }
}

/// A value in a cell of the column type; null when it does not fit.
fn printed(type_: &str, value: &Value, now: Timestamp) -> Value {
    match (type_, value) {
        (_, Value::Null) => Value::Null,
        ("string", Value::String(text)) => text.as_str().into(),
        ("string", value) => value.to_string().into(),
        ("integer", Value::Number(number)) => match (number.as_i64(), number.as_f64()) {
            (Some(integer), _) => integer.into(),
            #[expect(clippy::cast_possible_truncation, reason = "an integer column shows the whole part")]
            (None, Some(float)) => (float as i64).into(),
            (None, None) => Value::Null,
        },
        ("number", Value::Number(_)) | ("boolean", Value::Bool(_)) => value.clone(),
        ("date", Value::String(text)) => age(text, now).into(),
        _ => Value::Null,
    }
}

/// Time since the RFC 3339 `timestamp`, for people.
fn age(timestamp: &str, now: Timestamp) -> String {
    match timestamp.parse::<Timestamp>() {
        _ if timestamp.is_empty() => "<unknown>".into(),
        Ok(then) => duration::human(now.duration_since(then).as_secs()),
        Err(_) => "<invalid>".into(),
    }
}
