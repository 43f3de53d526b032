//! Paths into JSON values: gjson's for reading, sjson's for writing.
//!
//! Segments are separated by dots; a backslash takes the next character literally. A number is an
//! index in a list and a key in an object. When writing, `-1` is the place after the last element,
//! and a leading `:` makes a number a key even where a list would be created. Such plain paths are
//! walked on values. Everything else in gjson's language (wildcards, `#`, tests, modifiers, pipes,
//! multipaths, literals) is a query: it is run on text as gjson runs it, and writing overwrites
//! what it finds where it lies, or nothing if it finds nothing there.
//!
//! Where this differs on purpose: sjson damages the document when a query finds things that are
//! made rather than stored, such as counts; here they are left alone. And what a query makes is a
//! value, so its white space and the order of its keys are lost.

mod plain;
mod query;
mod scan;

use std::{borrow::Cow, fmt};

use serde_json::Value;

use self::{plain::Keys, query::Place};
use crate::go_json;

/// The longest path accepted, in bytes: queries are nested calls.
const LONGEST: usize = 1024;
/// How often `@dig` may be used: inside of another it multiplies the work with every level.
const MOST_DIGS: usize = 2;

/// A parsed path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Path {
    text: String,
    /// How the path is read, unless by a query.
    read: Option<Keys>,
    /// How the path is written, unless by a query.
    write: Option<Keys>,
}

/// Why a text is not a path, or why a value cannot be written there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PathError {
    #[error("a path must not be empty")]
    Empty,
    #[error("a path must not be longer than {LONGEST} bytes")]
    TooLong,
    #[error("@dig must not be used more than {MOST_DIGS} times")]
    TooMuchWork,
    #[error("{key:?} cannot be an index of a list")]
    NotAnIndex { key: String },
    #[error("what the query finds cannot be written to")]
    NotWritable,
}

impl Path {
    /// The keys from the root, indices as they were written; none for a query.
    pub(crate) fn keys(&self) -> Option<Vec<&str>> {
        Some(self.read.as_ref()?.iter().map(|segment| segment.key.as_str()).collect())
    }

    /// Whether writing needs a query, so that there is nothing to delete.
    pub(crate) fn is_written_by_query(&self) -> bool {
        self.write.is_none()
    }

    /// Whether writing here certainly writes all of what is read at `other`.
    pub(crate) fn covers(&self, other: &Self) -> bool {
        let (Some(write), Some(read)) = (&self.write, &other.read) else { return false };
        write.len() <= read.len() && write.iter().zip(read).all(|(write, read)| write.is_same(read))
    }

    /// Whether writing here may change what is read at `other`.
    pub(crate) fn may_touch(&self, other: &Self) -> bool {
        let (Some(write), Some(read)) = (&self.write, &other.read) else { return true };
        write.iter().zip(read).all(|(write, read)| write.may_be(read))
    }

    /// The value at the path.
    pub(crate) fn get<'a>(&self, root: &'a Value) -> Option<Cow<'a, Value>> {
        match &self.read {
            Some(keys) => plain::get(keys, root).map(Cow::Borrowed),
            None => {
                let document = document(root);
                let hit = query::find(&document, &self.text)?;
                serde_json::from_str(&hit.raw).ok().map(Cow::Owned)
            }
        }
    }

    /// Writes the value. A plain path creates what leads there, and a scalar in the way is replaced;
    /// a query overwrites every match.
    ///
    /// # Errors
    /// When a segment that is not an index leads into a list; nothing is changed then.
    pub(crate) fn set(&self, root: &mut Value, value: Value) -> Result<(), PathError> {
        match &self.write {
            Some(keys) => plain::set(keys, root, value),
            None => self.overwrite(root, &value),
        }
    }

    /// Removes the value, if there is one; a query removes nothing.
    pub(crate) fn delete(&self, root: &mut Value) {
        if let Some(keys) = &self.write {
            plain::delete(keys, root);
        }
    }

    fn overwrite(&self, root: &mut Value, value: &Value) -> Result<(), PathError> {
        let mut document = document(root);
        let mut places = match query::find(&document, &self.text).map(|hit| hit.place) {
            None | Some(Place::Nowhere) => return Ok(()),
            Some(Place::At(at)) => vec![at],
            Some(Place::Each(places)) => places,
        };
        // From the back, so that the places before stay where they are.
        places.sort_unstable_by(|a, b| b.cmp(a));
        places.dedup();
        let mut text = Vec::new();
        go_json::write(&mut text, value);
        let text = String::from_utf8_lossy(&text);
        for place in places {
            let end = scan::value_end(document.as_bytes(), place);
            document.replace_range(place..end, &text);
        }
        *root = serde_json::from_str(&document).map_err(|_| PathError::NotWritable)?;
        Ok(())
    }
}

/// The text that queries run on: what the existing agent's encoder writes.
fn document(root: &Value) -> String {
    let mut document = Vec::new();
    go_json::write(&mut document, root);
    String::from_utf8(document).expect("the encoder writes the UTF-8 it was given, and escapes")
}

impl std::str::FromStr for Path {
    type Err = PathError;

    fn from_str(text: &str) -> Result<Self, PathError> {
        if text.is_empty() {
            return Err(PathError::Empty);
        }
        if text.len() > LONGEST {
            return Err(PathError::TooLong);
        }
        if text.matches("@dig").count() > MOST_DIGS {
            return Err(PathError::TooMuchWork);
        }
        Ok(Self { read: plain::readable(text), write: plain::writable(text), text: text.into() })
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// The text of a value as gjson gives it: strings as they are, null as nothing, the rest as JSON.
pub(crate) fn text(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        // Never with an exponent.
        Some(Value::Number(number)) if number.is_f64() => number.as_f64().unwrap_or_default().to_string(),
        Some(other) => document(other),
    }
}

#[cfg(test)]
mod tests;
