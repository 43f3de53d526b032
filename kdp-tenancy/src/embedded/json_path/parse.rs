//! From text to steps.

use serde_json::Value;

use super::{Comparison, Filter, JsonPathError, Step, Test};

/// Longest first, so that `<=` is not read as `<`.
const COMPARISONS: [(&str, Comparison); 6] = [
    ("==", Comparison::Equal),
    ("!=", Comparison::NotEqual),
    ("<=", Comparison::LessOrEqual),
    (">=", Comparison::GreaterOrEqual),
    ("<", Comparison::Less),
    (">", Comparison::Greater),
];

type Result<T> = std::result::Result<T, JsonPathError>;

/// Steps of a whole path, with or without `{}` around it and `$` or `@` before it.
pub(super) fn path(text: &str) -> Result<Vec<Step>> {
    let mut parser = Parser { text, position: 0 };
    let braces = parser.take("{");
    if !parser.take("$") {
        parser.take("@");
    }
    let mut steps = Vec::new();
    while !(parser.at_end() || braces && parser.rest() == "}") {
        if let Some(step) = parser.step()? {
            steps.push(step);
        }
    }
    if braces && !parser.take("}") { Err(parser.fault("the brace is not closed")) } else { Ok(steps) }
}

struct Parser<'t> {
    text: &'t str,
    position: usize,
}

impl<'t> Parser<'t> {
    /// One step, or `None` for the dot that stands for the value itself or leads to a bracket.
    fn step(&mut self) -> Result<Option<Step>> {
        if self.take("[") {
            return self.bracket().map(Some);
        }
        if !self.take(".") {
            return Err(self.fault("expected a dot or a bracket"));
        }
        if self.take("*") {
            return Ok(Some(Step::All));
        }
        if self.rest().starts_with('.') {
            return Err(self.fault("recursive descent is not supported"));
        }
        let name = self.name();
        match name.as_str() {
            "" if self.at_end() || self.rest().starts_with(['[', '}']) => Ok(None),
            "" => Err(self.fault("expected a field name")),
            _ => Ok(Some(Step::Field(name))),
        }
    }

    /// A field name up to the next step; a backslash takes the next character as it is.
    fn name(&mut self) -> String {
        let mut name = String::new();
        while let Some(next) = self.rest().chars().next() {
            match next {
                '.' | '[' | ']' | '{' | '}' | '(' | ')' | '=' | '!' | '<' | '>' | ' ' => break,
                '\\' => {
                    self.position += 1;
                    name.extend(self.rest().chars().next().inspect(|escaped| self.position += escaped.len_utf8()));
                }
                _ => {
                    self.position += next.len_utf8();
                    name.push(next);
                }
            }
        }
        name
    }

    fn bracket(&mut self) -> Result<Step> {
        self.skip_spaces();
        let step = if self.take("*") {
            Step::All
        } else if self.take("?(") {
            Step::Filter(self.filter()?)
        } else if self.rest().starts_with(['\'', '"']) {
            Step::Field(self.quoted()?)
        } else {
            Step::Index(self.index()?)
        };
        self.skip_spaces();
        if self.take("]") { Ok(step) } else { Err(self.fault("expected a closing bracket")) }
    }

    fn index(&mut self) -> Result<i64> {
        let digits = self.word(|c| c.is_ascii_digit() || c == '-');
        digits.parse().map_err(|_| self.fault("expected an index, a quoted name, * or a filter"))
    }

    fn filter(&mut self) -> Result<Filter> {
        self.skip_spaces();
        if !self.take("@") {
            return Err(self.fault("a filter starts with @"));
        }
        let mut path = Vec::new();
        while self.rest().starts_with(['.', '[']) {
            match self.step()? {
                Some(Step::All | Step::Filter(_)) => return Err(self.fault("a filter tests one field")),
                step => path.extend(step),
            }
        }
        self.skip_spaces();
        let comparison = COMPARISONS.into_iter().find(|(sign, _)| self.take(sign));
        let test = match comparison {
            None => Test::Exists,
            Some((_, comparison)) => {
                self.skip_spaces();
                Test::Compare(comparison, self.literal()?)
            }
        };
        self.skip_spaces();
        if self.take(")") { Ok(Filter { path, test }) } else { Err(self.fault("the filter is not closed")) }
    }

    fn literal(&mut self) -> Result<Value> {
        if self.rest().starts_with(['\'', '"']) {
            return self.quoted().map(Value::String);
        }
        let word = self.word(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '+' | '.'));
        match serde_json::from_str(word) {
            Ok(value @ (Value::Number(_) | Value::Bool(_) | Value::Null)) => Ok(value),
            _ => Err(self.fault("expected a quoted text, a number, true, false or null")),
        }
    }

    fn quoted(&mut self) -> Result<String> {
        let mut text = String::new();
        let mut chars = self.rest().char_indices();
        let quote = chars.next().map(|(_, quote)| quote);
        while let Some((offset, next)) = chars.next() {
            match next {
                '\\' => text.extend(chars.next().map(|(_, escaped)| escaped)),
                _ if Some(next) == quote => {
                    self.position += offset + next.len_utf8();
                    return Ok(text);
                }
                _ => text.push(next),
            }
        }
        Err(self.fault("the quote is not closed"))
    }

    fn word(&mut self, belongs: impl Fn(char) -> bool) -> &'t str {
        let rest = self.rest();
        let end = rest.find(|c| !belongs(c)).unwrap_or(rest.len());
        self.position += end;
        &rest[..end]
    }

    fn skip_spaces(&mut self) {
        self.word(|c| c == ' ');
    }

    fn take(&mut self, token: &str) -> bool {
        let found = self.rest().starts_with(token);
        if found {
            self.position += token.len();
        }
        found
    }

    fn rest(&self) -> &'t str {
        &self.text[self.position..]
    }

    fn at_end(&self) -> bool {
        self.position == self.text.len()
    }

    fn fault(&self, reason: &'static str) -> JsonPathError {
        JsonPathError { position: self.position, reason }
    }
}
