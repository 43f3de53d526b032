//! Go's template language, for names and values of objects.
//!
//! Two of Go's engines are spoken here, with the functions of sprig 3.3; output is the same to the
//! byte. Functions that read the environment or give another result each time, and every unknown
//! one, are refused when the template is parsed, never passed through. What a template may cost is
//! bounded, because tenants choose the data.

mod claims;
mod exec;
mod fmt;
mod found;
mod fuel;
mod functions;
mod html;
mod lexer;
mod number;
mod parser;
mod reads;
mod scope;
mod semver;
mod tree;
mod value;

pub(crate) use scope::Scope;

use parser::Parsed;

/// What Go prints for a key that is missing.
pub(crate) const NO_VALUE: &str = "<no value>";

/// Which of Go's two engines a template is written for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// `text/template`: names. The digest functions exist; a missing value prints `<no value>`.
    Text,
    /// `html/template`: mutations. Output is escaped for HTML; a missing value prints nothing.
    Html,
}

/// A parsed template.
#[derive(Clone, Debug)]
pub(crate) struct Template {
    dialect: Dialect,
    parsed: Parsed,
}

/// Why a text is not a template, or why it cannot be rendered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct TemplateError(String);

impl TemplateError {
    fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }
}

impl Template {
    pub(crate) fn parse(text: &str, dialect: Dialect) -> Result<Self, TemplateError> {
        let mut pieces = lexer::pieces(text)?;
        if dialect == Dialect::Html {
            html::check_text(&mut pieces)?;
        }
        let parsed = parser::parse(pieces, dialect)?;
        if dialect == Dialect::Html {
            html::check_pipes(&parsed)?;
        }
        Ok(Self { dialect, parsed })
    }

    /// The fields of the scope that the template may read, in part or as a whole. A field that is
    /// read as part of another may be left out, never the other way round; an empty path stands
    /// for everything.
    pub(crate) fn reads(&self) -> Vec<Vec<&str>> {
        reads::of(&self.parsed)
    }

    /// Whether two outputs can be the same only if the variable was: whatever else the template
    /// prints, its value can be told from the output.
    ///
    /// The variable's values must be of letters and digits.
    pub(crate) fn tells(&self, variable: &str) -> bool {
        claims::tells(&self.parsed, variable)
    }

    /// Whether the output is the value at this path, between text that is always the same.
    pub(crate) fn is_only(&self, path: &[&str]) -> bool {
        claims::is_only(&self.parsed, path)
    }

    /// The text with surrounding white space removed.
    pub(crate) fn render(&self, scope: &Scope<'_>) -> Result<String, TemplateError> {
        let text = exec::render(&self.parsed, scope, self.dialect).map_err(TemplateError)?;
        Ok(text.trim().to_owned())
    }
}

/// Whether a text is meant to be a template.
pub(crate) fn is_template(text: &str) -> bool {
    text.contains("{{")
}

#[cfg(test)]
mod tests;
