//! kro's SimpleSchema, translated into the OpenAPI v3 schema of a CustomResourceDefinition.
//!
//! A field is its type and, after a bar, its markers; an object is the fields in it:
//!
//! ```
//! use kdp_catalog::blueprint::simple_schema::expand;
//! use serde_json::json;
//!
//! let fields = json!({
//!     "name": "string | required=true immutable=true",
//!     "replicas": "integer | default=1 minimum=1",
//!     "ingress": {"host": "string | default=\"example.com\""},
//!     "owners": "[]Person",
//! });
//! let types = json!({"Person": {"mail": "string | pattern=\"^.+@.+$\""}});
//!
//! let schema = expand(&fields, &types)?.schema;
//! assert_eq!(schema["required"], json!(["name"]));
//! assert_eq!(schema["properties"]["ingress"]["default"], json!({}));
//! # Ok::<(), kdp_catalog::blueprint::Faults>(())
//! ```

mod constraints;
mod markers;
mod type_name;

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use self::{constraints::Constraints, type_name::TypeName};
use super::{
    fault::{Fault, Faults},
    path::Path,
};

/// How deep types may be nested in one another.
const MAX_DEPTH: usize = 32;
/// How many fields a schema may have once its types are written out.
const MAX_FIELDS: usize = 10_000;

/// What a SimpleSchema says.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct SimpleSchema {
    /// The OpenAPI v3 schema of the object whose fields were given.
    pub schema: Value,
    /// The fields that are marked to be columns of a table, in the order of their names.
    pub columns: Vec<MarkedColumn>,
}

/// A field marked with `printColumn`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MarkedColumn {
    /// Heading.
    pub name: String,
    /// OpenAPI type.
    pub type_: String,
    /// Where the value is, below the object whose fields were given, such as `.ingress.host`.
    pub json_path: String,
}

/// Translates fields; `types` are the custom types they may use, by name.
///
/// # Errors
/// Everything that is wrong; each fault names its field, from `spec` or `types` on.
pub fn expand(fields: &Value, types: &Value) -> Result<SimpleSchema, Faults> {
    let mut faults = Vec::new();
    let schema = expand_at(fields, types, &Path::Root("spec"), &Path::Root("types"), &mut faults);
    if faults.is_empty() { Ok(schema) } else { Err(Faults(faults)) }
}

/// Translates what can be translated. A field with a fault may be anything.
pub(super) fn expand_at(
    fields: &Value,
    types: &Value,
    fields_at: &Path<'_>,
    types_at: &Path<'_>,
    faults: &mut Vec<Fault>,
) -> SimpleSchema {
    let empty = Map::new();
    let types = match types {
        Value::Null => &empty,
        Value::Object(types) => types,
        _ => {
            faults.push(Fault::new(types_at, "types are an object of names and fields"));
            &empty
        }
    };
    let mut walk = Walk {
        types,
        faults,
        columns: Vec::new(),
        open: Vec::new(),
        cycles: BTreeSet::new(),
        fields: 0,
        column_path: Some(String::new()),
    };
    walk.check_types(types_at);
    let schema = match fields {
        Value::Null => json!({"type": "object", "properties": {}}),
        Value::Object(fields) => walk.object(fields, fields_at, 0),
        _ => walk.fault(fields_at, "fields are an object of names and types"),
    };
    SimpleSchema { schema, columns: walk.columns }
}

struct Walk<'a, 'f> {
    types: &'a Map<String, Value>,
    faults: &'f mut Vec<Fault>,
    columns: Vec<MarkedColumn>,
    /// Custom types being written out; one that turns up in itself has no end.
    open: Vec<&'a str>,
    /// Custom types that contain themselves.
    cycles: BTreeSet<Vec<&'a str>>,
    /// Fields written so far.
    fields: usize,
    /// Where a column would find the field; none inside of lists and maps.
    column_path: Option<String>,
}

impl<'a> Walk<'a, '_> {
    /// Finds the faults of the types where they are, whether or not a field uses them.
    fn check_types(&mut self, at: &Path<'_>) {
        const BUILT_IN: [&str; 6] = ["string", "integer", "boolean", "number", "float", "object"];
        self.column_path = None;
        for (name, definition) in self.types {
            let path = at.field(name);
            if BUILT_IN.contains(&name.as_str()) || !matches!(TypeName::parse(name), Ok(TypeName::Custom(_))) {
                self.fault(&path, format!("{name:?} cannot be the name of a type"));
            }
            self.fields = 0;
            self.open.push(name);
            self.field(definition, &path, 0);
            self.open.pop();
        }
        for cycle in std::mem::take(&mut self.cycles) {
            let names = [cycle.as_slice(), &cycle[..1]].concat().join(" -> ");
            self.fault(&at.field(cycle[0]), format!("the type contains itself: {names}"));
        }
        self.fields = 0;
        self.column_path = Some(String::new());
    }

    fn object(&mut self, fields: &'a Map<String, Value>, at: &Path<'_>, depth: usize) -> Value {
        let mut properties = Map::new();
        let mut required = Vec::new();
        let outer = self.column_path.as_ref().map(String::len);
        for (name, definition) in fields {
            let path = at.field(name);
            self.fields += 1;
            if self.fields > MAX_FIELDS {
                return self
                    .fault(&path, format!("there are more than {MAX_FIELDS} fields once the types are written out"));
            }
            if let Some(column_path) = &mut self.column_path {
                column_path.push('.');
                column_path.push_str(name);
            }
            let (schema, is_required) = self.field(definition, &path, depth + 1);
            if let (Some(column_path), Some(outer)) = (&mut self.column_path, outer) {
                column_path.truncate(outer);
            }
            if is_required {
                required.push(name.as_str());
            }
            properties.insert(name.clone(), schema);
        }
        // A default must satisfy the schema before the defaults in it are filled in.
        let has_all_defaults = !properties.is_empty() && properties.values().all(|p| p.get("default").is_some());
        let default: Map<_, _> = required
            .iter()
            .filter_map(|name| Some(((*name).to_owned(), properties[*name].get("default")?.clone())))
            .collect();
        let mut schema = json!({"type": "object", "properties": properties});
        if !required.is_empty() {
            schema["required"] = json!(required);
        }
        if has_all_defaults {
            schema["default"] = default.into();
        }
        schema
    }

    /// The schema of a field and whether it must be there.
    fn field(&mut self, definition: &'a Value, at: &Path<'_>, depth: usize) -> (Value, bool) {
        if depth > MAX_DEPTH {
            return (self.fault(at, format!("types are nested more than {MAX_DEPTH} deep")), false);
        }
        let text = match definition {
            Value::Object(fields) => return (self.object(fields, at, depth), false),
            Value::String(text) => text,
            _ => return (self.fault(at, "a field is a type such as `string`, or an object of fields"), false),
        };
        let (type_name, markers) = markers::split(text);
        let mut schema = self.of_type(type_name, at, depth);
        let markers = match markers::parse(markers) {
            Ok(markers) => markers,
            Err(message) => return (self.fault(at, message), false),
        };
        let Constraints { is_required, column, faults } = constraints::apply(&markers, &mut schema);
        self.faults.extend(faults.into_iter().map(|message| Fault::new(at, message)));
        if let Some(name) = column {
            self.column(name, &schema, at);
        }
        (schema, is_required)
    }

    fn of_type(&mut self, name: &'a str, at: &Path<'_>, depth: usize) -> Value {
        if depth > MAX_DEPTH {
            return self.fault(at, format!("types are nested more than {MAX_DEPTH} deep"));
        }
        match TypeName::parse(name) {
            Ok(TypeName::String) => json!({"type": "string"}),
            Ok(TypeName::Integer) => json!({"type": "integer"}),
            Ok(TypeName::Boolean) => json!({"type": "boolean"}),
            Ok(TypeName::Number) => json!({"type": "number"}),
            Ok(TypeName::Object) => anything_in_an_object(),
            Ok(TypeName::List(items)) => json!({"type": "array", "items": self.inside(items, at, depth)}),
            Ok(TypeName::Map(values)) => {
                json!({"type": "object", "additionalProperties": self.inside(values, at, depth)})
            }
            Ok(TypeName::Custom(name)) => self.custom(name, at, depth),
            Err(message) => self.fault(at, message),
        }
    }

    /// What a list or a map holds, which no column can show.
    fn inside(&mut self, name: &'a str, at: &Path<'_>, depth: usize) -> Value {
        let column_path = self.column_path.take();
        let schema = self.of_type(name, at, depth + 1);
        self.column_path = column_path;
        schema
    }

    fn custom(&mut self, name: &'a str, at: &Path<'_>, depth: usize) -> Value {
        let Some(definition) = self.types.get(name) else {
            return self.fault(at, format!("there is no type {name:?}"));
        };
        if let Some(start) = self.open.iter().position(|open| *open == name) {
            self.note_cycle(start);
            return anything_in_an_object();
        }
        self.open.push(name);
        // What is wrong inside of the type has been reported at the type.
        let known = self.faults.len();
        let (schema, _) = self.field(definition, at, depth + 1);
        if depth + 1 < MAX_DEPTH && self.fields <= MAX_FIELDS {
            self.faults.truncate(known);
        }
        self.open.pop();
        schema
    }

    /// Keeps the cycle that closes with the open type at `start`, beginning with its first name whoever met it.
    fn note_cycle(&mut self, start: usize) {
        let mut cycle = self.open[start..].to_vec();
        let first = (0..cycle.len()).min_by_key(|&at| cycle[at]).unwrap_or_default();
        cycle.rotate_left(first);
        self.cycles.insert(cycle);
    }

    fn column(&mut self, name: String, schema: &Value, at: &Path<'_>) {
        let type_ = schema["type"].as_str().unwrap_or_default();
        if matches!(type_, "object" | "array" | "") {
            self.fault(at, "printColumn is for simple fields");
            return;
        }
        let Some(column_path) = &self.column_path else { return };
        if column_path.chars().all(|c| c == '.' || c == '_' || c.is_ascii_alphanumeric()) {
            self.columns.push(MarkedColumn { name, type_: type_.to_owned(), json_path: column_path.clone() });
        } else {
            self.fault(at, "printColumn is for fields whose names are letters and digits");
        }
    }

    /// Notes a fault and stands in for what cannot be translated.
    fn fault(&mut self, at: &Path<'_>, message: impl Into<String>) -> Value {
        self.faults.push(Fault::new(at, message));
        json!({"x-kubernetes-preserve-unknown-fields": true})
    }
}

fn anything_in_an_object() -> Value {
    json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true})
}

#[cfg(test)]
mod tests;
