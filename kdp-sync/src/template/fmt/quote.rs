//! Go's quoted strings.

use std::fmt::Write;

/// `%q`
pub(in crate::template) fn quote(text: &str) -> String {
    quote_with(text, '"', false)
}

/// Quotes with `mark`; characters beyond ASCII are escaped if only ASCII is wanted.
pub(super) fn quote_with(text: &str, mark: char, only_ascii: bool) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push(mark);
    for c in text.chars() {
        match c {
            '\x07' => out.push_str("\\a"),
            '\x08' => out.push_str("\\b"),
            '\x0c' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\x0b' => out.push_str("\\v"),
            '\\' => out.push_str("\\\\"),
            c if c == mark => out.extend(['\\', c]),
            c if is_printable(c) && (c.is_ascii() || !only_ascii) => out.push(c),
            // Writing to a String cannot fail.
            c if u32::from(c) < 0x80 => drop(write!(out, "\\x{:02x}", u32::from(c))),
            c if u32::from(c) < 0x1_0000 => drop(write!(out, "\\u{:04x}", u32::from(c))),
            c => drop(write!(out, "\\U{:08x}", u32::from(c))),
        }
    }
    out.push(mark);
    out
}

/// Whether Go prints the character as it is.
pub(in crate::template) fn is_printable(c: char) -> bool {
    if matches!(c, '"' | '\'' | '\\') {
        return true;
    }
    // Rust agrees on what is printable, except that it escapes a combining character at the
    // beginning; so let it stand behind another one.
    let pair: String = ['a', c].iter().collect();
    pair.escape_debug().eq(pair.chars())
}
