//! gjson's modifiers: functions from JSON text to JSON text.
//!
//! `@pretty` and `@ugly` only change white space, which no reader here can see, because what a path
//! finds is read as a value; they give back what they get.

use std::borrow::Cow;

use serde::de::IgnoredAny;
use serde_json::Value;

use super::{
    super::scan::{self, Kind, kind},
    find,
};
use crate::go_json;

/// The largest text a modifier may make; `@tostr` over and over doubles it each time.
const LARGEST: usize = 8 << 20;

const KNOWN: [&str; 13] = [
    "pretty", "ugly", "reverse", "this", "flatten", "join", "valid", "keys", "values", "tostr", "fromstr", "group",
    "dig",
];

pub(super) fn is_known(name: &str) -> bool {
    KNOWN.contains(&name)
}

/// Runs the modifier that the path starts with, if it is one; gives its result and what is left of
/// the path.
pub(super) fn run<'j, 'p>(json: &'j str, path: &'p str) -> Option<(Cow<'j, str>, &'p str)> {
    let path = path.strip_prefix('@')?;
    let end = path.find([':', '|', '.']).unwrap_or(path.len());
    let (name, mut rest) = path.split_at(end);
    if !is_known(name) {
        return None;
    }
    let mut argument = "";
    if let Some(given) = rest.strip_prefix(':') {
        (argument, rest) = given.split_at(argument_end(given));
    }
    let result = apply(name, json, argument);
    Some((if result.len() > LARGEST { Cow::Borrowed("") } else { result }, rest))
}

fn argument_end(text: &str) -> usize {
    let bytes = text.as_bytes();
    if matches!(bytes.first(), Some(b'{' | b'[' | b'"')) {
        return scan::group_end(bytes, 0);
    }
    let mut at = 0;
    while at < bytes.len() && bytes[at] != b'|' {
        at = if matches!(bytes[at], b'{' | b'[' | b'"' | b'(') { scan::group_end(bytes, at) } else { at + 1 };
    }
    at
}

fn apply<'j>(name: &str, json: &'j str, argument: &str) -> Cow<'j, str> {
    let value = scan::value(json).map(|(_, raw)| raw);
    let made = match (name, value, value.and_then(kind)) {
        ("reverse", Some(value), Some(Kind::List)) => list(texts(value).rev()),
        ("reverse", Some(value), Some(Kind::Object)) => object(pairs(value).rev()),
        ("flatten", Some(value), Some(Kind::List)) => list(flatten(value, flag(argument, "deep"))),
        ("join", Some(value), Some(Kind::List)) => object(join(value, flag(argument, "preserve"))),
        ("keys", Some(value), Some(Kind::Object)) => list(pairs(value).map(|(key, _)| key)),
        ("keys", Some(value), Some(Kind::List)) => list(texts(value).map(|_| "null")),
        ("keys", value, _) => list(value.map(|_| "null")),
        ("values", Some(value), Some(Kind::Object)) => list(pairs(value).map(|(_, value)| value)),
        ("values", value, kind) if kind != Some(Kind::List) => list(value),
        ("group", Some(value), Some(Kind::Object)) => group(value),
        ("group", ..) => String::new(),
        ("dig", value, _) => {
            let mut found = Vec::new();
            dig(value.unwrap_or_default(), argument, &mut found);
            list(found)
        }
        ("tostr", ..) => quote(json),
        ("valid" | "fromstr", ..) if serde_json::from_str::<IgnoredAny>(json).is_err() => String::new(),
        ("fromstr", value, _) => value.map(text).unwrap_or_default().into_owned(),
        _ => return Cow::Borrowed(json),
    };
    Cow::Owned(made)
}

fn flag(argument: &str, name: &str) -> bool {
    let argument: Option<Value> = serde_json::from_str(argument).ok();
    argument.is_some_and(|argument| argument[name] == true)
}

fn texts(list: &str) -> impl DoubleEndedIterator<Item = &str> {
    let elements: Vec<_> = scan::elements(list, 1).collect();
    elements.into_iter().map(|element| &list[element])
}

fn pairs(object: &str) -> impl DoubleEndedIterator<Item = (&str, &str)> {
    let members: Vec<_> = scan::members(object, 1).collect();
    members.into_iter().map(|(key, value)| (&object[key], &object[value]))
}

fn flatten(list: &str, is_deep: bool) -> Vec<&str> {
    let mut flat = Vec::new();
    for element in texts(list) {
        match kind(element) {
            Some(Kind::List) if is_deep => flat.extend(flatten(element, true)),
            Some(Kind::List) => flat.extend(texts(element)),
            _ => flat.push(element),
        }
    }
    flat
}

/// The members of all objects in a list; of those with the same key, the first place and the last
/// value count, unless all are to be kept.
fn join(list: &str, keeps_all: bool) -> Vec<(&str, &str)> {
    let mut joined: Vec<(&str, &str)> = Vec::new();
    for object in texts(list).filter(|element| kind(element) == Some(Kind::Object)) {
        for (key, value) in pairs(object) {
            match joined.iter_mut().find(|(known, _)| *known == key) {
                Some((_, known)) if !keeps_all => *known = value,
                _ => joined.push((key, value)),
            }
        }
    }
    joined
}

/// From an object of lists to a list of objects.
fn group(lists: &str) -> String {
    let mut rows: Vec<Vec<(&str, &str)>> = Vec::new();
    for (key, value) in pairs(lists).filter(|(_, value)| kind(value) == Some(Kind::List)) {
        for (at, element) in texts(value).enumerate() {
            if at == rows.len() {
                rows.push(Vec::new());
            }
            rows[at].push((key, element));
        }
    }
    list(rows.into_iter().map(object))
}

/// What the path finds in the value and in everything below it.
fn dig(value: &str, path: &str, found: &mut Vec<String>) {
    found.extend(find(value, path).map(|hit| hit.raw.into_owned()));
    match kind(value) {
        Some(Kind::List) => texts(value).for_each(|element| dig(element, path, found)),
        Some(Kind::Object) => pairs(value).for_each(|(_, value)| dig(value, path, found)),
        _ => {}
    }
}

/// The text of a value, strings without quotes.
fn text(raw: &str) -> Cow<'_, str> {
    match kind(raw) {
        Some(Kind::String) => scan::unquote(raw),
        Some(Kind::Null) => Cow::Borrowed(""),
        _ => Cow::Borrowed(raw),
    }
}

/// A string as gjson quotes it.
pub(super) fn quote(text: &str) -> String {
    let mut out = Vec::new();
    go_json::write(&mut out, &Value::from(text));
    String::from_utf8(out).expect("the encoder writes the UTF-8 it was given, and escapes")
}

/// A list of values.
pub(super) fn list(values: impl IntoIterator<Item = impl AsRef<str>>) -> String {
    let values: Vec<_> = values.into_iter().collect();
    let values: Vec<_> = values.iter().map(AsRef::as_ref).collect();
    format!("[{}]", values.join(","))
}

/// An object of quoted keys and values.
pub(super) fn object<K: AsRef<str>, V: AsRef<str>>(members: impl IntoIterator<Item = (K, V)>) -> String {
    let members = members.into_iter().map(|(key, value)| format!("{}:{}", key.as_ref(), value.as_ref()));
    format!("{{{}}}", members.collect::<Vec<_>>().join(","))
}
