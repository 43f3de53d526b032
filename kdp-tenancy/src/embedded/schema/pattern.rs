//! Go's regular expressions, as this crate's regex engine understands them.
//!
//! Both are RE2 descendants, linear in the input, with the same syntax but for two points: in Go
//! `\d`, `\w`, `\s` and `\b` mean ASCII, and inside `[…]` the characters `[`, `&&`, `--` and `~~`
//! stand for themselves where the engine here would read nested classes and set operations.

use regex::{Regex, RegexBuilder};
use serde_json::{Map, Value};

/// How many bytes one compiled pattern of a schema may take.
const MOST_BYTES: usize = 1 << 20;
/// What an ordinary pattern stays below.
const FEW_BYTES: usize = 32 << 10;
/// How many bytes the patterns of a schema may take together.
const MOST_TOGETHER: usize = 64 << 20;

/// Compiles a pattern of a schema, written for Go.
pub(super) fn compile(source: &str) -> Result<Regex, regex::Error> {
    compile_within(source, MOST_BYTES)
}

/// Whether the patterns in a schema take more memory and time together than one tenant may ask for.
///
/// A pattern counts as what it may take at most: a few kilobytes, or a megabyte when it needs more.
pub(super) fn are_too_many(schema: &Map<String, Value>) -> bool {
    weight(schema) > MOST_TOGETHER
}

fn weight(schema: &Map<String, Value>) -> usize {
    let of = |(key, value): (&String, &Value)| match value {
        Value::String(source) if key == "pattern" => {
            if compile_within(source, FEW_BYTES).is_ok() {
                FEW_BYTES
            } else {
                MOST_BYTES
            }
        }
        Value::Object(fields) => weight(fields),
        Value::Array(items) => items.iter().filter_map(Value::as_object).map(weight).sum(),
        _ => 0,
    };
    schema.iter().map(of).sum()
}

/// Compiles a pattern written for Go, if that takes no more than `bytes`.
pub(super) fn compile_within(source: &str, bytes: usize) -> Result<Regex, regex::Error> {
    RegexBuilder::new(&translate(source)).size_limit(bytes).build()
}

/// Where in a pattern the translation is, as far as `[…]` goes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Outside,
    /// Right after `[`.
    Start,
    /// Right after `[^`.
    Negated,
    Inside,
}

fn translate(source: &str) -> String {
    let mut out = String::with_capacity(source.len() + 8);
    let mut chars = source.chars().peekable();
    let mut class = Class::Outside;
    let mut previous = None;
    while let Some(c) = chars.next() {
        let before = previous.replace(c);
        match (c, class) {
            ('\\', _) => {
                escape(chars.next(), class, &mut out);
                previous = None;
            }
            ('[', Class::Outside) => {
                out.push('[');
                class = Class::Start;
                continue;
            }
            ('^', Class::Start) => {
                out.push('^');
                class = Class::Negated;
                continue;
            }
            (']', Class::Inside) => {
                out.push(']');
                class = Class::Outside;
            }
            ('[', _) if chars.peek() == Some(&':') => {
                // A named class, [:alpha:], is the same in both.
                out.push('[');
                out.extend(chars.by_ref().take_while(|inner| *inner != ']'));
                out.push(']');
            }
            ('[', _) | ('-', Class::Start | Class::Negated) => out.extend(['\\', c]),
            ('&' | '-' | '~', Class::Inside) if before == Some(c) => out.extend(['\\', c]),
            _ => out.push(c),
        }
        if class != Class::Outside {
            class = Class::Inside;
        }
    }
    out
}

fn escape(escaped: Option<char>, class: Class, out: &mut String) {
    let ascii = match escaped {
        Some('d') => "[0-9]",
        Some('D') => "[^0-9]",
        Some('w') => "[0-9A-Za-z_]",
        Some('W') => "[^0-9A-Za-z_]",
        Some('s') => "[\\t\\n\\f\\r ]",
        Some('S') => "[^\\t\\n\\f\\r ]",
        Some('b') if class == Class::Outside => "(?-u:\\b)",
        _ => {
            out.push('\\');
            out.extend(escaped);
            return;
        }
    };
    out.push_str(ascii);
}
