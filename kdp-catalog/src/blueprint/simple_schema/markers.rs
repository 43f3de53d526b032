//! What follows the type of a field: `| required=true default="app" minLength=3`.

use std::iter::Peekable;
use std::str::CharIndices;

/// One marker and its value, unquoted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Marker<'a> {
    pub(super) key: &'a str,
    pub(super) value: String,
}

/// Splits a field's text at the first `|` into its type and its markers.
pub(super) fn split(text: &str) -> (&str, &str) {
    let (type_name, markers) = text.split_once('|').unwrap_or((text, ""));
    (type_name.trim(), markers)
}

/// Reads `key=value` pairs. A further `|` between them is as good as a space.
///
/// A value ends at a space outside of quotes, brackets and braces, so `default={"a": 1}` needs no quotes.
pub(super) fn parse(text: &str) -> Result<Vec<Marker<'_>>, String> {
    let mut markers = Vec::new();
    let mut rest = text;
    loop {
        rest = rest.trim_start_matches(|c: char| c.is_whitespace() || c == '|');
        if rest.is_empty() {
            return Ok(markers);
        }
        let (key, after) = rest.split_once('=').ok_or_else(|| format!("{:?} has no value", rest.trim_end()))?;
        let key = key.trim();
        if key.is_empty() || !key.chars().all(|c| c.is_ascii_alphanumeric()) {
            return Err(format!("{key:?} is no marker"));
        }
        if markers.iter().any(|known: &Marker<'_>| known.key == key) {
            return Err(format!("{key} is there twice"));
        }
        let after = after.trim_start();
        let (value, used) = match after.chars().next() {
            Some(quote @ ('"' | '\'')) => {
                quoted(after, quote).ok_or_else(|| format!("{key}: a quote is not closed"))?
            }
            _ => bare(after).ok_or_else(|| format!("{key}: a bracket, brace or quote is not closed"))?,
        };
        if used == 0 {
            return Err(format!("{key} has no value"));
        }
        markers.push(Marker { key, value });
        rest = &after[used..];
    }
}

/// The text between quotes and how much of the input it took. Only the quote itself and the backslash
/// are unescaped, so a regular expression may be written with one backslash or two.
fn quoted(text: &str, quote: char) -> Option<(String, usize)> {
    let mut value = String::new();
    let mut chars = text.char_indices().skip(1).peekable();
    while let Some((position, c)) = chars.next() {
        if c == quote {
            return Some((value, position + c.len_utf8()));
        }
        if c == '\\'
            && let Some((_, escaped)) = chars.next_if(|(_, next)| *next == quote || *next == '\\')
        {
            value.push(escaped);
        } else {
            value.push(c);
        }
    }
    None
}

fn bare(text: &str) -> Option<(String, usize)> {
    let mut depth = 0_usize;
    let mut chars = text.char_indices().peekable();
    while let Some((position, c)) = chars.next() {
        match c {
            '"' => skip_string(&mut chars)?,
            '[' | '{' => depth += 1,
            ']' | '}' => depth = depth.saturating_sub(1),
            c if depth == 0 && (c.is_whitespace() || c == '|') => return Some((text[..position].to_owned(), position)),
            _ => {}
        }
    }
    (depth == 0).then(|| (text.to_owned(), text.len()))
}

fn skip_string(chars: &mut Peekable<CharIndices<'_>>) -> Option<()> {
    while let Some((_, c)) = chars.next() {
        match c {
            '"' => return Some(()),
            '\\' => drop(chars.next()),
            _ => {}
        }
    }
    None
}
