//! Functions of sprig on strings. Lengths and places count bytes, as in Go.

use std::{collections::BTreeMap, rc::Rc};

use super::{Args, Function, function};
use crate::template::{
    fmt,
    fuel::Text,
    value::{Element, Map, Val},
};

pub(super) const FUNCTIONS: &[Function] = &[
    function("hello", "", |_| Ok(Val::text("Hello!"))),
    function("lower", "s", |a| Ok(Val::text(lower(a.text(0))))),
    function("upper", "s", |a| Ok(Val::text(upper(a.text(0))))),
    function("trim", "s", |a| Ok(Val::text(a.text(0).trim()))),
    function("trimAll", "ss", trim_all),
    function("trimall", "ss", trim_all),
    function("trimPrefix", "ss", |a| Ok(Val::text(a.text(1).strip_prefix(a.text(0)).unwrap_or_else(|| a.text(1))))),
    function("trimSuffix", "ss", |a| Ok(Val::text(a.text(1).strip_suffix(a.text(0)).unwrap_or_else(|| a.text(1))))),
    function("hasPrefix", "ss", |a| Ok(Val::Bool(a.text(1).starts_with(a.text(0))))),
    function("hasSuffix", "ss", |a| Ok(Val::Bool(a.text(1).ends_with(a.text(0))))),
    function("contains", "ss", |a| Ok(Val::Bool(a.text(1).contains(a.text(0))))),
    function("replace", "sss", |a| replace(a, a.text(0), a.text(1), a.text(2))),
    function("repeat", "is", |a| {
        let count = usize::try_from(a.int(0)).map_err(|_| "a count must not be negative")?;
        let mut out = Text::new(a.fuel);
        out.push_repeated(a.text(1), count)?;
        Ok(Val::text(out.finish()))
    }),
    function("trunc", "is", |a| {
        let (count, text) = (a.int(0), a.text(1));
        let length = i64::try_from(text.len()).unwrap_or(i64::MAX);
        match count {
            0.. if length > count => piece(text, 0, count),
            ..0 if length.saturating_add(count) > 0 => piece(text, length + count, length),
            _ => Ok(Val::text(text)),
        }
    }),
    function("substr", "iis", |a| {
        let (start, end, text) = (a.int(0), a.int(1), a.text(2));
        let length = i64::try_from(text.len()).unwrap_or(i64::MAX);
        if start < 0 {
            piece(text, 0, end)
        } else if end < 0 || end > length {
            piece(text, start, length)
        } else {
            piece(text, start, end)
        }
    }),
    function("quote", "a*", |a| {
        let texts = present(a).map(|value| Ok(fmt::quote(&a.strval(value)?))).collect::<Result<Vec<_>, String>>()?;
        a.making(texts.iter().map(String::len).sum())?;
        Ok(Val::text(texts.join(" ")))
    }),
    function("squote", "a*", |a| {
        let texts =
            present(a).map(|value| Ok(format!("'{}'", a.strval(value)?))).collect::<Result<Vec<_>, String>>()?;
        Ok(Val::text(texts.join(" ")))
    }),
    function("cat", "a*", |a| {
        let texts = present(a).map(|value| a.strval(value)).collect::<Result<Vec<_>, String>>()?;
        Ok(Val::text(texts.join(" ")))
    }),
    function("indent", "is", |a| indent(a, "")),
    function("nindent", "is", |a| indent(a, "\n")),
    function("plural", "ssi", |a| Ok(Val::text(if a.int(2) == 1 { a.text(0) } else { a.text(1) }))),
    function("toString", "a", |a| a.strval(a.any(0)).map(Val::Text)),
    function("toStrings", "a", |a| a.strings(a.any(0)).map(Val::texts)),
    function("join", "sa", |a| {
        let texts = a.strings(a.any(1))?;
        a.making(a.text(0).len().saturating_mul(texts.len()))?;
        Ok(Val::text(texts.join(a.text(0))))
    }),
    function("splitList", "ss", |a| Ok(Val::texts(parts(a.text(0), a.text(1), -1)))),
    function("split", "ss", |a| Ok(numbered(parts(a.text(0), a.text(1), -1)))),
    function("splitn", "sis", |a| Ok(numbered(parts(a.text(0), a.text(2), a.int(1))))),
    function("fail", "s", |a| Err(a.text(0).into())),
];

fn present<'a, 'v>(args: &Args<'a, 'v>) -> impl Iterator<Item = &'a Val<'v>> + use<'a, 'v> {
    args.values.iter().filter(|value| !value.is_nil())
}

/// A character with its case changed as Go does: never more than one for one.
pub(super) fn upper_char(c: char) -> char {
    let mut mapped = c.to_uppercase();
    match (mapped.next(), mapped.next()) {
        (Some(upper), None) => upper,
        _ => c,
    }
}

pub(super) fn lower_char(c: char) -> char {
    c.to_lowercase().next().unwrap_or(c)
}

fn upper(text: &str) -> String {
    text.chars().map(upper_char).collect()
}

fn lower(text: &str) -> String {
    text.chars().map(lower_char).collect()
}

fn trim_all<'v>(args: &Args<'_, 'v>) -> Result<Val<'v>, String> {
    let cut = args.text(0);
    Ok(Val::text(args.text(1).trim_matches(|c| cut.contains(c))))
}

/// The bytes from `start` up to `end`.
pub(super) fn piece<'v>(text: &str, start: i64, end: i64) -> Result<Val<'v>, String> {
    let range = usize::try_from(start).ok().zip(usize::try_from(end).ok());
    let (start, end) = range.filter(|(start, end)| start <= end && *end <= text.len()).ok_or("out of range")?;
    text.get(start..end).map(Val::text).ok_or_else(|| "would cut a character in two".into())
}

fn replace<'v>(args: &Args<'_, 'v>, old: &str, new: &str, text: &str) -> Result<Val<'v>, String> {
    args.making(text.matches(old).count().saturating_mul(new.len()))?;
    Ok(Val::text(text.replace(old, new)))
}

fn indent<'v>(args: &Args<'_, 'v>, before: &str) -> Result<Val<'v>, String> {
    let spaces = usize::try_from(args.int(0)).map_err(|_| "a count must not be negative")?;
    args.making(spaces)?;
    let pad = " ".repeat(spaces);
    let Val::Text(text) = replace(args, "\n", &format!("\n{pad}"), args.text(1))? else { return Ok(Val::Nil) };
    Ok(Val::text(format!("{before}{pad}{text}")))
}

/// `strings.SplitN`: an empty separator splits after each character, a negative count is no limit.
fn parts<'t>(separator: &str, text: &'t str, count: i64) -> Vec<&'t str> {
    let most = usize::try_from(count).unwrap_or(usize::MAX);
    if most == 0 {
        return Vec::new();
    }
    if !separator.is_empty() {
        return text.splitn(most, separator).collect();
    }
    let mut parts: Vec<_> = text.char_indices().map(|(at, c)| &text[at..at + c.len_utf8()]).collect();
    if parts.len() > most {
        let start = text.char_indices().nth(most - 1).map_or(0, |(at, _)| at);
        parts.truncate(most - 1);
        parts.push(&text[start..]);
    }
    parts
}

fn numbered<'v>(parts: Vec<&str>) -> Val<'v> {
    let entries: BTreeMap<Rc<str>, _> =
        parts.into_iter().enumerate().map(|(at, part)| (format!("_{at}").into(), Val::text(part))).collect();
    Val::Map(Map::made(entries, Element::Text))
}
