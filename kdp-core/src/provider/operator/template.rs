//! JSON with expressions in its texts.
//!
//! A template is compiled once, from the platform's settings. What its expressions give is data and
//! is never compiled, so that an order cannot bring an expression along.

use serde_json::{Map, Value};

use crate::cel::{Expression, Scope};

/// A compiled template.
#[derive(Clone, Debug)]
pub(super) enum Template {
    /// Null, a number or a truth.
    Literal(Value),
    /// What an expression gives, of whatever type.
    Expression(Expression),
    /// Texts and expressions in turn.
    Text(Vec<Part>),
    List(Vec<Self>),
    Object(Vec<(String, Self)>),
}

/// A part of a text.
#[derive(Clone, Debug)]
pub(super) enum Part {
    Literal(String),
    Expression(Expression),
}

impl Template {
    /// Compiles a template; what is wrong with it is added to `faults`, each with its path.
    pub(super) fn compile(value: &Value, path: &str, variables: &[&str], faults: &mut Vec<String>) -> Self {
        match value {
            Value::Null | Value::Bool(_) | Value::Number(_) => Self::Literal(value.clone()),
            Value::String(text) => Self::compile_text(text, variables).unwrap_or_else(|fault| {
                faults.push(format!("{path}: {fault}"));
                Self::Literal(Value::Null)
            }),
            Value::Array(items) => {
                let items = items.iter().enumerate();
                Self::List(items.map(|(i, v)| Self::compile(v, &format!("{path}[{i}]"), variables, faults)).collect())
            }
            Value::Object(fields) => {
                let compile = |(name, value): (&String, &Value)| {
                    (name.clone(), Self::compile(value, &format!("{path}.{name}"), variables, faults))
                };
                Self::Object(fields.iter().map(compile).collect())
            }
        }
    }

    fn compile_text(text: &str, variables: &[&str]) -> Result<Self, String> {
        let mut parts = Vec::new();
        for piece in split(text)? {
            parts.push(match piece {
                Piece::Literal(text) => Part::Literal(text),
                Piece::Expression(text) => Part::Expression(Expression::compile(text, variables)?),
            });
        }
        Ok(match <[Part; 1]>::try_from(parts) {
            Ok([Part::Expression(expression)]) => Self::Expression(expression),
            Ok([Part::Literal(text)]) => Self::Literal(text.into()),
            Err(parts) if parts.is_empty() => Self::Literal("".into()),
            Err(parts) => Self::Text(parts),
        })
    }

    /// The template with what its expressions give.
    ///
    /// # Errors
    /// The path of an expression that fails, and why.
    pub(super) fn render(&self, path: &str, scope: &Scope) -> Result<Value, String> {
        match self {
            Self::Literal(value) => Ok(value.clone()),
            Self::Expression(expression) => expression.evaluate(scope).map_err(|why| format!("{path}: {why}")),
            Self::Text(parts) => {
                let mut text = String::new();
                for part in parts {
                    match part {
                        Part::Literal(literal) => text.push_str(literal),
                        Part::Expression(expression) => {
                            let value = expression.evaluate(scope).map_err(|why| format!("{path}: {why}"))?;
                            text.push_str(&inline(&value).ok_or_else(|| {
                                format!("{path}: {expression:?} gives neither a text nor a number nor a truth")
                            })?);
                        }
                    }
                }
                Ok(text.into())
            }
            Self::List(items) => {
                let items = items.iter().enumerate().map(|(i, item)| item.render(&format!("{path}[{i}]"), scope));
                items.collect::<Result<Vec<_>, _>>().map(Value::Array)
            }
            Self::Object(fields) => {
                let mut object = Map::new();
                for (name, field) in fields {
                    let value = field.render(&format!("{path}.{name}"), scope)?;
                    if !(value.is_null() && matches!(field, Self::Expression(_))) {
                        object.insert(name.clone(), value);
                    }
                }
                Ok(Value::Object(object))
            }
        }
    }
}

fn inline(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

#[derive(Debug, PartialEq)]
enum Piece<'a> {
    Literal(String),
    Expression(&'a str),
}

/// Splits a text at its expressions; no two literals follow one another.
fn split(text: &str) -> Result<Vec<Piece<'_>>, String> {
    let (mut pieces, mut literal, mut rest) = (Vec::new(), String::new(), text);
    while let Some(start) = rest.find("${") {
        let (before, from) = rest.split_at(start);
        if let Some(before) = before.strip_suffix('$') {
            literal.push_str(before);
            literal.push_str("${");
            rest = &from[2..];
            continue;
        }
        literal.push_str(before);
        let end = end_of_expression(&from[2..]).ok_or_else(|| format!("{text:?}: an expression has no end"))?;
        if !literal.is_empty() {
            pieces.push(Piece::Literal(std::mem::take(&mut literal)));
        }
        pieces.push(Piece::Expression(&from[2..2 + end]));
        rest = &from[2 + end + 1..];
    }
    literal.push_str(rest);
    if !literal.is_empty() {
        pieces.push(Piece::Literal(literal));
    }
    Ok(pieces)
}

/// Where the brace is that ends an expression: not one in a text, nor one of a map.
fn end_of_expression(text: &str) -> Option<usize> {
    let (mut depth, mut quote, mut is_escaped) = (0_usize, None, false);
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (Some(_), _) if is_escaped => is_escaped = false,
            (Some(_), '\\') => is_escaped = true,
            (Some(open), _) if c == open => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') => quote = Some(c),
            (None, '{') => depth += 1,
            (None, '}') if depth == 0 => return Some(at),
            (None, '}') => depth -= 1,
            (None, _) => {}
        }
    }
    None
}

#[cfg(test)]
mod tests;
