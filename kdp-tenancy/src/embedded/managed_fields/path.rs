//! One step of a field path, and its FieldsV1 spelling.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value;

use super::values::Scalar;

/// One step from a container to a child.
///
/// The order of the variants is the order in which Kubernetes lists path elements.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum PathElement {
    /// A key of a map: `f:name`.
    Field(String),
    /// The item of a keyed list that has these key fields, sorted by name: `k:{"name":"x"}`.
    Key(Box<[(String, Scalar)]>),
    /// The item of a set: `v:"x"`.
    Value(Scalar),
    /// A position in a list: `i:3`.
    Index(i64),
}

impl PathElement {
    /// The FieldsV1 key for this step.
    pub(crate) fn encode(&self) -> String {
        match self {
            Self::Field(name) => format!("f:{name}"),
            Self::Key(key) => format!("k:{}", compact(key)),
            Self::Value(value) => format!("v:{}", value.value()),
            Self::Index(index) => format!("i:{index}"),
        }
    }

    /// Reads a FieldsV1 key; `None` when its kind is not known, which readers must skip.
    ///
    /// # Errors
    /// When the key is of a known kind and malformed.
    pub(crate) fn decode(text: &str) -> Result<Option<Self>, String> {
        let (kind, rest) = text.split_once(':').ok_or_else(|| format!("missing colon: {text}"))?;
        let malformed = |error: &dyn fmt::Display| format!("malformed path element {text:?}: {error}");
        let element = match kind {
            "f" => Self::Field(rest.to_owned()),
            "k" => {
                let key: BTreeMap<String, Value> = serde_json::from_str(rest).map_err(|error| malformed(&error))?;
                Self::Key(key.into_iter().map(|(name, value)| (name, Scalar::new(&value))).collect())
            }
            "v" => {
                let value: Value = serde_json::from_str(rest).map_err(|error| malformed(&error))?;
                Self::Value(Scalar::new(&value))
            }
            "i" => Self::Index(rest.parse().map_err(|error| malformed(&error))?),
            _ if kind.len() == 1 => return Ok(None),
            _ => return Err(malformed(&"its kind is not one character")),
        };
        Ok(Some(element))
    }
}

/// As messages show it: `.name`, `[name="x"]`, `[="x"]`, `[3]`.
impl fmt::Display for PathElement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Field(name) => write!(f, ".{name}"),
            Self::Key(key) => {
                f.write_str("[")?;
                for (position, (name, value)) in key.iter().enumerate() {
                    let separator = if position == 0 { "" } else { "," };
                    write!(f, "{separator}{name}={}", value.value())?;
                }
                f.write_str("]")
            }
            Self::Value(value) => write!(f, "[={}]", value.value()),
            Self::Index(index) => write!(f, "[{index}]"),
        }
    }
}

/// `{"port":80,"protocol":"TCP"}`
fn compact(key: &[(String, Scalar)]) -> String {
    let fields = key.iter().map(|(name, value)| format!("{}:{}", Value::from(name.as_str()), value.value()));
    format!("{{{}}}", fields.collect::<Vec<_>>().join(","))
}
