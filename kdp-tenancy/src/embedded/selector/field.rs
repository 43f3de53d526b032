//! Selection by the values of fields.

use std::fmt;

use crate::embedded::status::{Result, StatusError};

/// Terms on fields, all of which must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct FieldSelector {
    terms: Vec<Term>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Term {
    field: String,
    value: String,
    is_negated: bool,
}

impl FieldSelector {
    /// Parses the text of a `fieldSelector` query parameter: `field=value`, `field==value` and
    /// `field!=value` separated by commas; in values `\,`, `\=` and `\\` stand for themselves.
    /// Empty text selects everything.
    ///
    /// # Errors
    /// 400 `BadRequest` in the words of Kubernetes.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let mut parts = split_terms(text);
        parts.sort_unstable();
        let terms = parts.into_iter().filter(|part| !part.is_empty()).map(|part| parse_term(text, part));
        Ok(Self { terms: terms.collect::<Result<_>>()? })
    }

    /// Whether it selects everything.
    #[must_use]
    pub(crate) fn is_everything(&self) -> bool {
        self.terms.is_empty()
    }

    /// The fields it speaks of, so that a kind can refuse those it does not support.
    pub(crate) fn fields(&self) -> impl Iterator<Item = &str> {
        self.terms.iter().map(|term| term.field.as_str())
    }

    /// Whether an object is selected; `value_of` gives the text of a field, an absent field being
    /// the same as an empty one.
    #[must_use]
    pub(crate) fn matches_fields(&self, value_of: impl Fn(&str) -> Option<String>) -> bool {
        self.terms.iter().all(|term| {
            let is_equal = value_of(&term.field).unwrap_or_default() == term.value;
            is_equal != term.is_negated
        })
    }
}

impl fmt::Display for FieldSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, term) in self.terms.iter().enumerate() {
            let comma = if index > 0 { "," } else { "" };
            let operator = if term.is_negated { "!=" } else { "=" };
            write!(f, "{comma}{}{operator}", term.field)?;
            for c in term.value.chars() {
                if matches!(c, '\\' | ',' | '=') {
                    f.write_str("\\")?;
                }
                write!(f, "{c}")?;
            }
        }
        Ok(())
    }
}

/// Splits at commas that are not escaped.
fn split_terms(text: &str) -> Vec<&str> {
    let mut terms = Vec::new();
    let mut start = 0;
    let mut is_escaped = false;
    for (index, c) in text.char_indices() {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            ',' => {
                terms.push(&text[start..index]);
                start = index + 1;
            }
            _ => {}
        }
    }
    terms.push(&text[start..]);
    terms
}

fn parse_term(selector: &str, term: &str) -> Result<Term> {
    let Some(equals) = term.find('=') else {
        let message = format!("invalid selector: '{selector}'; can't understand '{term}'");
        return Err(StatusError::bad_request(message));
    };
    let is_negated = term[..equals].ends_with('!');
    let (field, rest) = term.split_at(if is_negated { equals - 1 } else { equals });
    let operator = if is_negated || rest.starts_with("==") { 2 } else { 1 };
    let value = &rest[operator..];
    Ok(Term { field: field.to_owned(), value: unescape(value)?, is_negated })
}

fn unescape(text: &str) -> Result<String> {
    let mut value = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some(escaped @ ('\\' | ',' | '=')) => value.push(escaped),
                other => {
                    let sequence: String = ['\\'].into_iter().chain(other).collect();
                    return Err(StatusError::bad_request(format!(
                        "invalid field selector: invalid escape sequence: {sequence}"
                    )));
                }
            },
            ',' | '=' => {
                return Err(StatusError::bad_request(format!(
                    "invalid field selector: unescaped character in value: {}",
                    u32::from(c)
                )));
            }
            _ => value.push(c),
        }
    }
    Ok(value)
}
