//! Dotted paths into JSON values, in the simple form of gjson and sjson.
//!
//! Segments are separated by dots; a backslash takes the next character literally. A number is an
//! index in a list and a key in an object; `-1` is the place after the last element when writing;
//! a leading `:` makes a number a key even where a list would be created. Everything that turns a
//! path into a query is refused when the path is parsed.

use std::fmt;

use serde_json::{Map, Value, map::Entry};

/// The largest index accepted: writing to it fills the list with nulls up to there.
const LARGEST_INDEX: usize = 9_999;

/// A parsed path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Path {
    text: String,
    segments: Vec<Segment>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Segment {
    key: String,
    index: Option<Index>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Index {
    At(usize),
    Last,
}

/// Why a text is not a path, or why a value cannot be written there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PathError {
    #[error("a path must not be empty, nor have an empty segment")]
    Empty,
    #[error("{0:?} makes the path a query, which is not supported; write '\\' before it to mean the character")]
    Query(char),
    #[error("an index must not be larger than {LARGEST_INDEX}")]
    IndexTooLarge,
    #[error("{key:?} is not an index, but {path} leads into a list")]
    NotAnIndex { path: String, key: String },
}

impl Path {
    /// The keys from the root, indices as they were written.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &str> {
        self.segments.iter().map(|segment| segment.key.as_str())
    }

    /// Whether `other` is this value or a part of it.
    pub(crate) fn leads_to(&self, other: &Self) -> bool {
        other.segments.starts_with(&self.segments)
    }

    /// The value at the path.
    pub(crate) fn get<'a>(&self, root: &'a Value) -> Option<&'a Value> {
        self.segments.iter().try_fold(root, |value, segment| match (value, segment.index) {
            (Value::Object(map), _) => map.get(&segment.key),
            (Value::Array(items), Some(Index::At(at))) => items.get(at),
            _ => None,
        })
    }

    /// Writes the value, creating what leads there. A scalar in the way is replaced.
    ///
    /// # Errors
    /// When a segment that is not an index leads into a list; nothing is changed then.
    pub(crate) fn set(&self, root: &mut Value, value: Value) -> Result<(), PathError> {
        self.check_lists(root)?;
        let mut place = root;
        for segment in &self.segments {
            place = segment.enter(place);
        }
        *place = value;
        Ok(())
    }

    /// Removes the value, if there is one.
    pub(crate) fn delete(&self, root: &mut Value) {
        let Some((last, parents)) = self.segments.split_last() else { return };
        let mut place = root;
        for segment in parents {
            let next = match (place, segment.index) {
                (Value::Object(map), _) => map.get_mut(&segment.key),
                (Value::Array(items), Some(Index::At(at))) => items.get_mut(at),
                _ => None,
            };
            let Some(next) = next else { return };
            place = next;
        }
        match (place, last.index) {
            (Value::Object(map), _) => {
                map.remove(&last.key);
            }
            (Value::Array(items), Some(Index::At(at))) if at < items.len() => {
                items.remove(at);
            }
            (Value::Array(items), Some(Index::Last)) => {
                items.pop();
            }
            _ => {}
        }
    }

    fn check_lists(&self, root: &Value) -> Result<(), PathError> {
        let mut place = Some(root);
        for segment in &self.segments {
            place = match (place, segment.index) {
                (Some(Value::Array(_)), None) => {
                    return Err(PathError::NotAnIndex { path: self.text.clone(), key: segment.key.clone() });
                }
                (Some(Value::Object(map)), _) => map.get(&segment.key),
                (Some(Value::Array(items)), Some(Index::At(at))) => items.get(at),
                _ => None,
            };
        }
        Ok(())
    }
}

impl Segment {
    /// The place of this segment in `place`, which becomes a list or an object if it is neither.
    fn enter<'a>(&self, place: &'a mut Value) -> &'a mut Value {
        if !place.is_object() && !place.is_array() {
            *place = if self.index.is_some() { Value::Array(Vec::new()) } else { Value::Object(Map::new()) };
        }
        // A missing value starts as null; the next segment decides what it becomes.
        match place {
            Value::Array(items) => {
                let at = match self.index {
                    Some(Index::At(at)) => at,
                    _ => items.len(),
                };
                if items.len() <= at {
                    items.resize(at + 1, Value::Null);
                }
                &mut items[at]
            }
            Value::Object(map) => match map.entry(self.key.clone()) {
                Entry::Occupied(entry) => entry.into_mut(),
                Entry::Vacant(entry) => entry.insert(Value::Null),
            },
            _ => unreachable!("made a list or an object above"),
        }
    }
}

impl std::str::FromStr for Path {
    type Err = PathError;

    fn from_str(text: &str) -> Result<Self, PathError> {
        let mut segments = Vec::new();
        let mut key = String::new();
        let mut escaped = false;
        let mut chars = text.chars();
        loop {
            match chars.next() {
                Some('\\') => {
                    escaped = true;
                    key.extend(chars.next());
                }
                Some('.') => segments.push(segment(std::mem::take(&mut key), std::mem::take(&mut escaped))?),
                Some(c @ ('#' | '(' | ')' | '@' | '*' | '?' | '|' | '!' | '{' | '}' | '[' | ']')) => {
                    return Err(PathError::Query(c));
                }
                Some(c) => key.push(c),
                None => break,
            }
        }
        segments.push(segment(key, escaped)?);
        Ok(Self { text: text.into(), segments })
    }
}

fn segment(key: String, escaped: bool) -> Result<Segment, PathError> {
    if key.is_empty() {
        return Err(PathError::Empty);
    }
    if let Some(forced) = key.strip_prefix(':').filter(|_| !escaped) {
        return if forced.is_empty() { Err(PathError::Empty) } else { Ok(Segment { key: forced.into(), index: None }) };
    }
    let index = if key == "-1" {
        Some(Index::Last)
    } else if key.bytes().all(|b| b.is_ascii_digit()) {
        let at = key.parse().ok().filter(|at| *at <= LARGEST_INDEX);
        Some(Index::At(at.ok_or(PathError::IndexTooLarge)?))
    } else {
        None
    };
    Ok(Segment { key, index })
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
        Some(other) => other.to_string(),
    }
}

#[cfg(test)]
mod tests;
