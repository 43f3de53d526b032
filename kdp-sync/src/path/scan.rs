//! Finds the parts of a JSON text, without building values.
//!
//! The texts are those of this crate's own encoder, or made of them by modifiers. Anything else is
//! scanned without a panic, too, but what is found in it means nothing.

use std::{borrow::Cow, ops::Range};

/// What a value is, seen from its first characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Null,
    False,
    True,
    Number,
    String,
    List,
    Object,
}

/// The kind of the value that starts with the text; none if no value does.
pub(super) fn kind(raw: &str) -> Option<Kind> {
    Some(match raw.as_bytes().first()? {
        b'{' => Kind::Object,
        b'[' => Kind::List,
        b'"' => Kind::String,
        b't' => Kind::True,
        b'f' => Kind::False,
        b'n' if raw.as_bytes().get(1).is_none_or(|b| *b == b'u') => Kind::Null,
        b'+' | b'-' | b'0'..=b'9' | b'i' | b'I' | b'N' | b'n' => Kind::Number,
        _ => return None,
    })
}

/// The text of the value that a JSON text holds, and where it starts.
pub(super) fn value(json: &str) -> Option<(usize, &str)> {
    let start = json.bytes().position(|b| b > b' ')?;
    let text = &json[start..];
    match kind(text)? {
        Kind::Object | Kind::List => Some((start, text)),
        _ => Some((start, &json[start..value_end(json.as_bytes(), start)])),
    }
}

/// The elements of a list whose content starts at `at`.
pub(super) fn elements(json: &str, at: usize) -> impl Iterator<Item = Range<usize>> + '_ {
    let bytes = json.as_bytes();
    let mut at = at;
    std::iter::from_fn(move || {
        let start = next(bytes, at, b']', |at| kind(&json[at..]).is_some())?;
        at = value_end(bytes, start);
        Some(start..at)
    })
}

/// The keys, in quotes, and values of an object whose content starts at `at`.
pub(super) fn members(json: &str, at: usize) -> impl Iterator<Item = (Range<usize>, Range<usize>)> + '_ {
    let bytes = json.as_bytes();
    let mut at = at;
    std::iter::from_fn(move || {
        let key = next(bytes, at, b'}', |at| bytes[at] == b'"')?;
        let key = key..string_end(bytes, key);
        let value = next(bytes, key.end, b'}', |at| kind(&json[at..]).is_some())?;
        at = value_end(bytes, value);
        Some((key, value..at))
    })
}

/// The first place from `at` on where something wanted starts, before `end` closes it all.
fn next(bytes: &[u8], at: usize, end: u8, is_wanted: impl Fn(usize) -> bool) -> Option<usize> {
    let found = (at..bytes.len()).find(|at| bytes[*at] == end || (bytes[*at].is_ascii() && is_wanted(*at)))?;
    (bytes[found] != end).then_some(found)
}

/// The end of the list, object, parenthesis or string at `start`.
pub(super) fn group_end(bytes: &[u8], start: usize) -> usize {
    if bytes.get(start) == Some(&b'"') {
        return string_end(bytes, start);
    }
    let (mut at, mut depth) = (start, 0_usize);
    while at < bytes.len() {
        match bytes[at] {
            b'"' => {
                at = string_end(bytes, at);
                continue;
            }
            b'{' | b'[' | b'(' => depth += 1,
            b'}' | b']' | b')' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return at + 1;
                }
            }
            _ => {}
        }
        at += 1;
    }
    bytes.len()
}

fn string_end(bytes: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    bytes.len()
}

/// The end of the value at `start`.
pub(super) fn value_end(bytes: &[u8], start: usize) -> usize {
    let is_end: fn(&u8) -> bool = match bytes[start] {
        b'{' | b'[' | b'"' => return group_end(bytes, start),
        b't' | b'f' | b'n' => |b| !b.is_ascii_lowercase(),
        _ => |b| *b <= b' ' || matches!(b, b',' | b']' | b'}'),
    };
    let rest = &bytes[start + 1..];
    start + 1 + rest.iter().position(is_end).unwrap_or(rest.len())
}

/// The text that a string in quotes stands for.
pub(super) fn unquote(raw: &str) -> Cow<'_, str> {
    let inner = raw.strip_prefix('"').and_then(|raw| raw.strip_suffix('"')).unwrap_or(raw);
    if !inner.contains('\\') {
        return Cow::Borrowed(inner);
    }
    serde_json::from_str(raw).map_or(Cow::Borrowed(inner), Cow::Owned)
}
