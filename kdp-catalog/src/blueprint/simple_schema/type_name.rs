//! The names of types: `string`, `[]integer`, `map[string]Person`.

/// A parsed type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TypeName<'a> {
    String,
    Integer,
    Boolean,
    Number,
    /// An object of which nothing is known.
    Object,
    List(&'a str),
    Map(&'a str),
    Custom(&'a str),
}

impl<'a> TypeName<'a> {
    /// Parses the outermost layer; what a list or map holds stays text.
    pub(super) fn parse(text: &'a str) -> Result<Self, String> {
        let text = text.trim();
        if let Some(items) = text.strip_prefix("[]") {
            return Self::of_items(text, items).map(Self::List);
        }
        if let Some(rest) = text.strip_prefix("map[") {
            let (key, values) = rest.split_once(']').ok_or_else(|| format!("{text:?} lacks a `]`"))?;
            if key.trim() != "string" {
                return Err(format!("the keys of a map are strings, not {:?}", key.trim()));
            }
            return Self::of_items(text, values).map(Self::Map);
        }
        Ok(match text {
            "string" => Self::String,
            "integer" => Self::Integer,
            "boolean" => Self::Boolean,
            "number" | "float" => Self::Number,
            "object" => Self::Object,
            "" => return Err("there is no type".into()),
            name if is_name(name) => Self::Custom(name),
            other => return Err(format!("{other:?} is no type")),
        })
    }

    fn of_items(whole: &str, items: &'a str) -> Result<&'a str, String> {
        if items.trim().is_empty() { Err(format!("{whole:?} does not say of what")) } else { Ok(items) }
    }
}

fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}
