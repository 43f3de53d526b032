//! Functions of Go's template packages.

use std::cmp::Ordering;

use super::{Args, Body, Function, function};
use crate::template::{
    fmt,
    fuel::{DEEPEST_VALUE, Fuel, Text},
    value::{IntType, Map, Val},
};

pub(super) const FUNCTIONS: &[Function] = &[
    Function { name: "and", parameters: "aa*", body: Body::Until(false) },
    Function { name: "or", parameters: "aa*", body: Body::Until(true) },
    function("not", "a", |a| Ok(Val::Bool(!a.any(0).is_true()))),
    function("eq", "aa*", |a| {
        if a.rest(1).is_empty() {
            return Err("there is nothing to compare with".into());
        }
        for other in a.rest(1) {
            if equal(a.any(0), other)? {
                return Ok(Val::Bool(true));
            }
        }
        Ok(Val::Bool(false))
    }),
    function("ne", "aa", |a| Ok(Val::Bool(!equal(a.any(0), a.any(1))?))),
    function("lt", "aa", |a| Ok(Val::Bool(compare(a)? == Some(Ordering::Less)))),
    // Go asks whether it is less or equal, and whether it is not that.
    function("le", "aa", |a| Ok(Val::Bool(matches!(compare(a)?, Some(Ordering::Less | Ordering::Equal))))),
    function("gt", "aa", |a| Ok(Val::Bool(!matches!(compare(a)?, Some(Ordering::Less | Ordering::Equal))))),
    function("ge", "aa", |a| Ok(Val::Bool(compare(a)? != Some(Ordering::Less)))),
    function("index", "aa*", |a| {
        if a.any(0).is_nil() {
            return Err("a missing value has no elements".into());
        }
        a.rest(1).iter().try_fold(a.any(0).clone(), |value, key| index(&value, key))
    }),
    function("len", "a", |a| match a.any(0) {
        Val::Text(text) => Ok(Val::int(text.len())),
        Val::List(list) => Ok(Val::int(list.items().len())),
        Val::Map(map) => Ok(Val::int(map.len())),
        other => Err(format!("a {} has no length", other.type_name())),
    }),
    function("print", "a*", |a| fmt::sprint(a.fuel, a.values).map(Val::text)),
    function("println", "a*", |a| fmt::sprintln(a.fuel, a.values).map(Val::text)),
    function("printf", "sa*", |a| fmt::sprintf(a.fuel, a.text(0), a.rest(1)).map(Val::text)),
    function("html", "a*", |a| {
        escape(a, |c| match c {
            '\0' => Some("\u{fffd}".into()),
            '"' => Some("&#34;".into()),
            '\'' => Some("&#39;".into()),
            '&' => Some("&amp;".into()),
            '<' => Some("&lt;".into()),
            '>' => Some("&gt;".into()),
            _ => None,
        })
    }),
    function("js", "a*", |a| {
        escape(a, |c| match c {
            '\\' | '\'' | '"' => Some(format!("\\{c}")),
            '<' | '>' | '&' | '=' => Some(format!("\\u{:04X}", u32::from(c))),
            _ if c < ' ' || (!c.is_ascii() && !fmt::is_printable(c)) => Some(format!("\\u{:04X}", u32::from(c))),
            _ => None,
        })
    }),
    function("urlquery", "a*", |a| {
        escape(a, |c| match c {
            ' ' => Some("+".into()),
            _ if c.is_ascii_alphanumeric() || "-_.~".contains(c) => None,
            _ => Some(c.encode_utf8(&mut [0; 4]).bytes().map(|byte| format!("%{byte:02X}")).collect()),
        })
    }),
];

/// Escapes one string, or all arguments as they print.
fn escape<'v>(args: &Args<'_, 'v>, replace: impl Fn(char) -> Option<String>) -> Result<Val<'v>, String> {
    let text = match args.values {
        [Val::Text(text)] => text.to_string(),
        // A missing value is printed as an action would print it.
        values => {
            let missing = Val::text("<no value>");
            let values: Vec<_> =
                values.iter().map(|value| if value.is_nil() { missing.clone() } else { value.clone() }).collect();
            fmt::sprint(args.fuel, &values)?
        }
    };
    let mut out = Text::new(args.fuel);
    for c in text.chars() {
        match replace(c) {
            Some(replacement) => out.push(&replacement)?,
            None => out.push(c.encode_utf8(&mut [0; 4]))?,
        }
    }
    Ok(Val::text(out.finish()))
}

fn equal<'v>(a: &Val<'v>, b: &Val<'v>) -> Result<bool, String> {
    match (a, b) {
        (Val::Bool(a), Val::Bool(b)) => Ok(a == b),
        (Val::Int(a, _), Val::Int(b, _)) => Ok(a == b),
        (Val::Float(a), Val::Float(b)) => Ok(a == b),
        (Val::Text(a), Val::Text(b)) => Ok(a == b),
        (Val::Nil, Val::Nil) => Ok(true),
        (Val::Nil, Val::List(list)) | (Val::List(list), Val::Nil) => Ok(list.is_nil),
        (Val::Nil, _) | (_, Val::Nil) => Ok(false),
        (a, b) => Err(format!("a {} cannot be compared with a {}", a.type_name(), b.type_name())),
    }
}

/// How the arguments are ordered; none when one is not a number.
fn compare(args: &Args<'_, '_>) -> Result<Option<Ordering>, String> {
    match (args.any(0), args.any(1)) {
        (Val::Text(a), Val::Text(b)) => Ok(Some(a.cmp(b))),
        (Val::Int(a, _), Val::Int(b, _)) => Ok(Some(a.cmp(b))),
        (Val::Float(a), Val::Float(b)) => Ok(a.partial_cmp(b)),
        (a, b) => Err(format!("a {} cannot be ordered with a {}", a.type_name(), b.type_name())),
    }
}

fn index<'v>(value: &Val<'v>, key: &Val<'v>) -> Result<Val<'v>, String> {
    let at = |length: usize| match key {
        Val::Int(at, _) => {
            usize::try_from(*at).ok().filter(|at| *at < length).ok_or_else(|| format!("index {at} is out of range"))
        }
        other => Err(format!("a list has no index of type {}", other.type_name())),
    };
    match (value, key) {
        (Val::Map(map), Val::Text(key)) => Ok(map.get(key).unwrap_or_else(|| map.zero())),
        (Val::List(list), _) => Ok(list.items()[at(list.items().len())?].clone()),
        (Val::Text(text), _) => Ok(Val::Int(text.as_bytes()[at(text.len())?].into(), IntType::Uint8)),
        (value, key) => Err(format!("a {} cannot be indexed with a {}", value.type_name(), key.type_name())),
    }
}

/// `reflect.DeepEqual`: the types must be the same too.
pub(super) fn equal_deeply(fuel: &Fuel, a: &Val<'_>, b: &Val<'_>, depth: usize) -> Result<bool, String> {
    fuel.burn(1)?;
    if depth > DEEPEST_VALUE {
        return Err("a value nests too deep to be compared".into());
    }
    if a.type_name() != b.type_name() {
        return Ok(false);
    }
    match (a, b) {
        (Val::Nil, Val::Nil) => Ok(true),
        (Val::Bool(a), Val::Bool(b)) => Ok(a == b),
        (Val::Int(a, _), Val::Int(b, _)) => Ok(a == b),
        (Val::Float(a), Val::Float(b)) => Ok(a == b),
        (Val::Text(a), Val::Text(b)) => Ok(a == b),
        (Val::Found(a), Val::Found(b)) => Ok(a.0 == b.0),
        (Val::List(a), Val::List(b)) => {
            if a.is_nil != b.is_nil || a.items().len() != b.items().len() {
                return Ok(false);
            }
            for (a, b) in a.items().iter().zip(b.items()) {
                if !equal_deeply(fuel, a, b, depth + 1)? {
                    return Ok(false);
                }
            }
            Ok(true)
        }
        (Val::Map(a), Val::Map(b)) => equal_maps(fuel, a, b, depth),
        (Val::Version(a), Val::Version(b)) => Ok(a == b),
        _ => Err("'.' alone has no value here".into()),
    }
}

fn equal_maps(fuel: &Fuel, a: &Map<'_>, b: &Map<'_>, depth: usize) -> Result<bool, String> {
    if a.len() != b.len() {
        return Ok(false);
    }
    for (key, value) in a.entries() {
        match b.get(&key) {
            Some(other) if equal_deeply(fuel, &value, &other, depth + 1)? => {}
            _ => return Ok(false),
        }
    }
    Ok(true)
}
