//! Paths that are nothing but keys and indices, walked on values.

use serde_json::{Map, Value, map::Entry};

use super::{PathError, query};

/// The largest index that a list is filled up to with nulls.
const LARGEST_INDEX: usize = 9_999;

pub(super) type Keys = Vec<Segment>;

/// A step from a value into it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Segment {
    pub(super) key: String,
    /// What the segment means in a list.
    index: Option<Index>,
    /// Whether a list is made where there is nothing yet.
    makes_list: bool,
    /// Whether nothing is ever found here, because gjson reads the key as something else.
    is_hidden: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Index {
    At(usize),
    /// The last element for deleting, the place after it for writing.
    Last,
    /// The empty segment: nothing is found there, and what is written goes to the end.
    End,
}

impl Segment {
    /// Whether both certainly lead to the same place.
    pub(super) fn is_same(&self, read: &Self) -> bool {
        self.key == read.key && !self.is_hidden && !matches!(self.index, Some(Index::Last | Index::End))
    }

    /// Whether both may lead to the same place.
    pub(super) fn may_be(&self, read: &Self) -> bool {
        match (self.index, read.index) {
            (Some(Index::Last | Index::End), Some(_)) => true,
            (Some(Index::At(at)), Some(Index::At(other))) if at == other => true,
            _ => self.key == read.key,
        }
    }

    fn find<'a>(&self, place: &'a Value) -> Option<&'a Value> {
        match (place, self.index) {
            (Value::Object(map), _) if !self.is_hidden => map.get(&self.key),
            (Value::Array(items), Some(Index::At(at))) => items.get(at),
            _ => None,
        }
    }

    /// The place of this segment in `place`, which becomes a list or an object if it is neither.
    fn enter<'a>(&self, place: &'a mut Value) -> &'a mut Value {
        if !place.is_object() && !place.is_array() {
            *place = if self.makes_list { Value::Array(Vec::new()) } else { Value::Object(Map::new()) };
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
                Entry::Occupied(mut entry) if self.is_hidden => {
                    entry.insert(Value::Null);
                    entry.into_mut()
                }
                Entry::Occupied(entry) => entry.into_mut(),
                Entry::Vacant(entry) => entry.insert(Value::Null),
            },
            _ => unreachable!("made a list or an object above"),
        }
    }
}

/// The path as gjson reads it, if it is plain there.
pub(super) fn readable(text: &str) -> Option<Keys> {
    if text.starts_with("..") {
        return None;
    }
    split(text)
        .map(|part| {
            let is_plain = !part.has(&['#', '*', '?', '|']) && !part.raw.starts_with(['@', '!', '{', '[']);
            let index = index(part.raw).map(Index::At).filter(|_| !part.raw.is_empty());
            is_plain.then_some(Segment { key: part.key, index, makes_list: false, is_hidden: false })
        })
        .collect()
}

/// The path as sjson writes it, if it is plain there.
pub(super) fn writable(text: &str) -> Option<Keys> {
    split(text)
        .map(|part| {
            let forced = part.raw.strip_prefix(':');
            let raw = forced.unwrap_or(part.raw);
            let key = if forced.is_some() { part.key[1..].to_owned() } else { part.key.clone() };
            let index = match (raw, index(raw)) {
                ("", _) => Some(Index::End),
                ("-1", _) if forced.is_none() => Some(Index::Last),
                (_, at) => at.map(Index::At),
            };
            let is_plain = !part.has(&['#', '*', '?', '|', '@']);
            let is_hidden = !query::is_key(raw);
            let makes_list = forced.is_none() && index.is_some();
            is_plain.then_some(Segment { key, index, makes_list, is_hidden })
        })
        .collect()
}

fn index(raw: &str) -> Option<usize> {
    if raw.bytes().all(|b| b.is_ascii_digit()) { raw.parse().ok() } else { None }
}

/// What is between two dots.
struct Part<'t> {
    raw: &'t str,
    /// Without the backslashes.
    key: String,
    /// The characters that no backslash stands before.
    unescaped: String,
}

impl Part<'_> {
    fn has(&self, special: &[char]) -> bool {
        self.unescaped.contains(special)
    }
}

/// The parts of a path.
fn split(text: &str) -> impl Iterator<Item = Part<'_>> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest.take()?;
        let (mut key, mut unescaped) = (String::new(), String::new());
        let mut end = text.len();
        let mut chars = text.char_indices();
        while let Some((at, c)) = chars.next() {
            match c {
                '\\' => key.extend(chars.next().map(|(_, c)| c)),
                '.' => {
                    (end, rest) = (at, Some(&text[at + 1..]));
                    break;
                }
                c => {
                    key.push(c);
                    unescaped.push(c);
                }
            }
        }
        Some(Part { raw: &text[..end], key, unescaped })
    })
}

pub(super) fn get<'a>(keys: &[Segment], root: &'a Value) -> Option<&'a Value> {
    keys.iter().try_fold(root, |place, segment| segment.find(place))
}

pub(super) fn set(keys: &[Segment], root: &mut Value, value: Value) -> Result<(), PathError> {
    check_lists(keys, root)?;
    let mut place = root;
    for segment in keys {
        place = segment.enter(place);
    }
    *place = value;
    Ok(())
}

fn check_lists(keys: &[Segment], root: &Value) -> Result<(), PathError> {
    let mut place = Some(root);
    for segment in keys {
        let found = place.and_then(|place| segment.find(place));
        let is_list = match place {
            Some(Value::Array(_)) => true,
            Some(Value::Object(_)) => false,
            _ => segment.makes_list,
        };
        let may_be_made = match segment.index {
            Some(Index::At(at)) => segment.makes_list && at <= LARGEST_INDEX,
            Some(Index::Last | Index::End) => true,
            None => false,
        };
        if is_list && found.is_none() && !may_be_made {
            return Err(PathError::NotAnIndex { key: segment.key.clone() });
        }
        place = found;
    }
    Ok(())
}

pub(super) fn delete(keys: &[Segment], root: &mut Value) {
    let Some((last, parents)) = keys.split_last() else { return };
    let mut place = root;
    for segment in parents {
        let next = match (place, segment.index) {
            (Value::Object(map), _) if !segment.is_hidden => map.get_mut(&segment.key),
            (Value::Array(items), Some(Index::At(at))) => items.get_mut(at),
            (Value::Array(items), Some(Index::Last)) => items.last_mut(),
            _ => None,
        };
        let Some(next) = next else { return };
        place = next;
    }
    match (place, last.index) {
        (Value::Object(map), _) if !last.is_hidden => {
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
