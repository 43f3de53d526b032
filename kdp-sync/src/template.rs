//! A subset of Go's template language, as much as names and values of objects need.
//!
//! Fields, variables, pipelines, literals, function calls, parentheses, `if`/`else`/`with` and
//! white-space trimming behave as in Go. Whatever is outside the subset (`range`, `define`, `block`,
//! `template`), every unknown function, and the functions that read the environment or give another
//! result each time are refused when the template is parsed, never passed through.

mod exec;
mod functions;
mod lexer;
mod parser;
mod value;

pub(crate) use value::{Scope, Val};

use parser::Node;

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
    nodes: Vec<Node>,
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
        let pieces = lexer::pieces(text)?;
        if dialect == Dialect::Html && pieces.iter().any(lexer::Piece::is_markup) {
            return Err(TemplateError::new("'<' outside of {{ }} would start HTML markup, which is not supported"));
        }
        Ok(Self { dialect, nodes: parser::parse(pieces, dialect)? })
    }

    /// The fields of the scope that the template reads, as far as it names them. Inside of `with`,
    /// where `.` is something else, fields count as fields of the scope.
    pub(crate) fn reads(&self) -> Vec<Vec<&str>> {
        let mut found = Vec::new();
        parser::reads(&self.nodes, &mut found);
        found
    }

    /// The text with surrounding white space removed.
    pub(crate) fn render(&self, scope: &Scope<'_>) -> Result<String, TemplateError> {
        Ok(exec::render(&self.nodes, scope, self.dialect)?.trim().to_owned())
    }
}

/// Whether a text is meant to be a template.
pub(crate) fn is_template(text: &str) -> bool {
    text.contains("{{")
}

#[cfg(test)]
mod tests;
