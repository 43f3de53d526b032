//! JSON bytes as Go's `encoding/json` writes them, for digests that both sides must agree on.
//!
//! Differences to serde_json: `<`, `>`, `&`, U+2028 and U+2029 are escaped in strings, control
//! characters have no short forms other than `\b \f \n \r \t`, floats have Go's exponent rules,
//! and an encoder ends its output with a newline.

use serde::Serialize;
use serde_json::{
    Value,
    ser::{CharEscape, Formatter},
};
use std::io;

/// The value and a newline, fields of structs in their order of declaration.
pub(crate) fn line(value: &impl Serialize) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut serializer = serde_json::Serializer::with_formatter(&mut bytes, GoFormatter);
    value.serialize(&mut serializer).expect("values of this crate serialize, and a Vec takes every write");
    bytes.push(b'\n');
    bytes
}

/// Appends the value without a newline.
pub(crate) fn write(out: &mut Vec<u8>, value: &Value) {
    let mut serializer = serde_json::Serializer::with_formatter(out, GoFormatter);
    value.serialize(&mut serializer).expect("a JSON value serializes, and a Vec takes every write");
}

/// Appends a float as Go's JSON encoder prints it: shortest digits, an exponent only below 1e-6
/// and from 1e21 on.
pub(crate) fn write_float(out: &mut Vec<u8>, value: f64) {
    let magnitude = value.abs();
    let text = if magnitude != 0.0 && !(1e-6..1e21).contains(&magnitude) {
        exponent(value, 1)
    } else {
        // Rust prints the shortest digits that read back the same, never with an exponent.
        format!("{value}")
    };
    out.extend_from_slice(text.as_bytes());
}

/// Scientific notation with a sign and at least `digits` digits in the exponent.
pub(crate) fn exponent(value: f64, digits: usize) -> String {
    let text = format!("{value:e}");
    let (mantissa, exponent) = text.split_once('e').expect("the e format always has an exponent");
    let (sign, exponent) = exponent.strip_prefix('-').map_or(('+', exponent), |e| ('-', e));
    format!("{mantissa}e{sign}{exponent:0>digits$}")
}

struct GoFormatter;

impl Formatter for GoFormatter {
    fn write_f64<W: ?Sized + io::Write>(&mut self, writer: &mut W, value: f64) -> io::Result<()> {
        let mut text = Vec::new();
        write_float(&mut text, value);
        writer.write_all(&text)
    }

    fn write_string_fragment<W: ?Sized + io::Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        let mut rest = fragment;
        while let Some(at) = rest.find(['<', '>', '&', '\u{2028}', '\u{2029}']) {
            let (plain, special) = rest.split_at(at);
            writer.write_all(plain.as_bytes())?;
            let mut chars = special.chars();
            if let Some(special) = chars.next() {
                write!(writer, "\\u{:04x}", u32::from(special))?;
            }
            rest = chars.as_str();
        }
        writer.write_all(rest.as_bytes())
    }

    fn write_char_escape<W: ?Sized + io::Write>(&mut self, writer: &mut W, escape: CharEscape) -> io::Result<()> {
        let text: &[u8] = match escape {
            CharEscape::Quote => b"\\\"",
            CharEscape::ReverseSolidus => b"\\\\",
            CharEscape::Solidus => b"/",
            CharEscape::Backspace => b"\\b",
            CharEscape::FormFeed => b"\\f",
            CharEscape::LineFeed => b"\\n",
            CharEscape::CarriageReturn => b"\\r",
            CharEscape::Tab => b"\\t",
            CharEscape::AsciiControl(byte) => return write!(writer, "\\u{byte:04x}"),
        };
        writer.write_all(text)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(value: &Value, expected: &str) {
        assert_eq!(String::from_utf8(line(value)).unwrap(), format!("{expected}\n"));
    }

    #[test]
    fn strings_are_escaped_for_html() {
        check(
            &json!({"b": "<a> & \u{2028}", "a": "tab\t\u{1}\"/"}),
            r#"{"a":"tab\t\u0001\"/","b":"\u003ca\u003e \u0026 \u2028"}"#,
        );
    }

    #[test]
    fn floats_follow_go() {
        check(&json!(1.0), "1");
        check(&json!(1.5), "1.5");
        check(&json!(1e21), "1e+21");
        check(&json!(1e-7), "1e-7");
        check(&json!(123456789012345680.0), "123456789012345680");
        check(&json!(-0.000001), "-0.000001");
    }
}
