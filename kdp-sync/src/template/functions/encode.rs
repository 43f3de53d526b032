//! Functions of sprig that encode and decode.

use std::{collections::BTreeMap, fmt::Write};

use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::Value;

use super::{Args, Function, function};
use crate::{
    go_json,
    template::{
        fuel::{DEEPEST_VALUE, Text},
        value::{List, Map, Val},
    },
};

pub(super) const FUNCTIONS: &[Function] = &[
    function("b64enc", "s", |a| Ok(Val::text(BASE64_STANDARD.encode(a.text(0))))),
    function("b64dec", "s", |a| {
        // Go skips line breaks.
        let text = a.text(0).replace(['\r', '\n'], "");
        let bytes = BASE64_STANDARD.decode(text).map_err(|_| "the text is not base64")?;
        String::from_utf8(bytes).map(Val::text).map_err(|_| "the decoded bytes are not UTF-8".into())
    }),
    function("b32enc", "s", |a| Ok(Val::text(base32(a.text(0).as_bytes())))),
    function("b32dec", "s", |a| {
        let text = a.text(0).replace(['\r', '\n'], "");
        let bytes = from_base32(&text).ok_or("the text is not base32")?;
        String::from_utf8(bytes).map(Val::text).map_err(|_| "the decoded bytes are not UTF-8".into())
    }),
    function("toJson", "a", |a| json(a, Style::Escaped)),
    function("mustToJson", "a", |a| json(a, Style::Escaped)),
    function("toRawJson", "a", |a| json(a, Style::Raw)),
    function("mustToRawJson", "a", |a| json(a, Style::Raw)),
    function("toPrettyJson", "a", |a| json(a, Style::Pretty)),
    function("mustToPrettyJson", "a", |a| json(a, Style::Pretty)),
    // Without "must", what is not JSON is nil.
    function("fromJson", "s", |a| Ok(serde_json::from_str(a.text(0)).map_or(Val::Nil, from_json))),
    function("mustFromJson", "s", |a| {
        serde_json::from_str(a.text(0)).map(from_json).map_err(|_| "the text is not JSON".into())
    }),
];

/// How JSON is written.
#[derive(Clone, Copy, PartialEq)]
enum Style {
    /// Compact, safe to be put into HTML.
    Escaped,
    /// Compact, as it is.
    Raw,
    /// Indented, safe to be put into HTML.
    Pretty,
}

fn json<'v>(args: &Args<'_, 'v>, style: Style) -> Result<Val<'v>, String> {
    let mut out = Text::new(args.fuel);
    write_json(&mut out, args.any(0), style, 0)?;
    Ok(Val::text(out.finish()))
}

pub(super) fn to_json(args: &Args<'_, '_>, value: &Val<'_>) -> Result<String, String> {
    let mut out = Text::new(args.fuel);
    write_json(&mut out, value, Style::Escaped, 0)?;
    Ok(out.finish())
}

fn write_json(out: &mut Text<'_>, value: &Val<'_>, style: Style, depth: usize) -> Result<(), String> {
    if depth > DEEPEST_VALUE {
        return Err("a value nests too deep to be written as JSON".into());
    }
    match value {
        Val::Nil => out.push("null"),
        Val::Bool(truth) => out.push(if *truth { "true" } else { "false" }),
        Val::Int(int, _) => out.push(&int.to_string()),
        Val::Float(float) if !float.is_finite() => Err("JSON has no such number".into()),
        Val::Float(float) => {
            let mut bytes = Vec::new();
            go_json::write_float(&mut bytes, *float);
            out.push(&String::from_utf8_lossy(&bytes))
        }
        Val::Text(text) => write_text(out, text, style),
        Val::Version(version) => write_text(out, &version.to_string(), style),
        Val::List(list) if list.is_nil => out.push("null"),
        Val::List(list) => write_list(out, list, style, depth),
        Val::Map(map) => write_map(out, map, style, depth),
        Val::Found(_) => Err("a found value is not written as JSON; use .Value.Raw".into()),
        Val::Root => Err("'.' alone has no value here".into()),
    }
}

fn write_list(out: &mut Text<'_>, list: &List<'_>, style: Style, depth: usize) -> Result<(), String> {
    out.push("[")?;
    for (at, item) in list.items().iter().enumerate() {
        if at > 0 {
            out.push(",")?;
        }
        break_line(out, style, depth + 1)?;
        write_json(out, item, style, depth + 1)?;
    }
    if !list.items().is_empty() {
        break_line(out, style, depth)?;
    }
    out.push("]")
}

fn write_map(out: &mut Text<'_>, map: &Map<'_>, style: Style, depth: usize) -> Result<(), String> {
    out.push("{")?;
    for (at, (key, value)) in map.entries().iter().enumerate() {
        if at > 0 {
            out.push(",")?;
        }
        break_line(out, style, depth + 1)?;
        write_text(out, key, style)?;
        out.push(if style == Style::Pretty { ": " } else { ":" })?;
        write_json(out, value, style, depth + 1)?;
    }
    if map.len() > 0 {
        break_line(out, style, depth)?;
    }
    out.push("}")
}

fn break_line(out: &mut Text<'_>, style: Style, depth: usize) -> Result<(), String> {
    if style == Style::Pretty {
        out.push("\n")?;
        out.push_repeated("  ", depth)?;
    }
    Ok(())
}

fn write_text(out: &mut Text<'_>, text: &str, style: Style) -> Result<(), String> {
    out.push("\"")?;
    for c in text.chars() {
        let mut escaped = String::new();
        match c {
            '"' => escaped.push_str("\\\""),
            '\\' => escaped.push_str("\\\\"),
            '\x08' => escaped.push_str("\\b"),
            '\x0c' => escaped.push_str("\\f"),
            '\n' => escaped.push_str("\\n"),
            '\r' => escaped.push_str("\\r"),
            '\t' => escaped.push_str("\\t"),
            '\u{2028}' | '\u{2029}' => drop(write!(escaped, "\\u{:04x}", u32::from(c))),
            '<' | '>' | '&' if style != Style::Raw => drop(write!(escaped, "\\u{:04x}", u32::from(c))),
            c if c < ' ' => drop(write!(escaped, "\\u{:04x}", u32::from(c))),
            c => escaped.push(c),
        }
        out.push(&escaped)?;
    }
    out.push("\"")
}

/// JSON that a template reads; all its numbers are floats.
fn from_json<'v>(value: Value) -> Val<'v> {
    match value {
        Value::Null => Val::Nil,
        Value::Bool(truth) => Val::Bool(truth),
        Value::Number(number) => Val::Float(number.as_f64().unwrap_or(f64::NAN)),
        Value::String(text) => Val::text(text),
        Value::Array(items) => Val::list(items.into_iter().map(from_json).collect()),
        Value::Object(map) => {
            let entries: BTreeMap<_, _> = map.into_iter().map(|(key, value)| (key.into(), from_json(value))).collect();
            Val::map(entries)
        }
    }
}

const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

fn base32(bytes: &[u8]) -> String {
    let mut out = String::new();
    for chunk in bytes.chunks(5) {
        let bits = (0..5).fold(0u64, |bits, at| bits << 8 | u64::from(chunk.get(at).copied().unwrap_or_default()));
        let used = (chunk.len() * 8).div_ceil(5);
        for at in 0..8 {
            let index = usize::try_from(bits >> (35 - 5 * at) & 31).unwrap_or_default();
            out.push(if at < used { char::from(BASE32[index]) } else { '=' });
        }
    }
    out
}

fn from_base32(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(8) {
        return None;
    }
    let digits = text.trim_end_matches('=');
    let padding = text.len() - digits.len();
    if ![0, 1, 3, 4, 6].contains(&padding) {
        return None;
    }
    let mut bytes = Vec::new();
    let (mut bits, mut count) = (0u32, 0);
    for digit in digits.bytes() {
        let value = BASE32.iter().position(|known| *known == digit)?;
        bits = bits << 5 | u32::try_from(value).ok()?;
        count += 5;
        if count >= 8 {
            count -= 8;
            bytes.push(u8::try_from(bits >> count & 255).ok()?);
        }
    }
    Some(bytes)
}
