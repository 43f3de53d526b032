//! The dialect of mutation templates: output is escaped for HTML, as text between tags.

use std::borrow::Cow;

use super::{
    TemplateError,
    lexer::Piece,
    parser::Parsed,
    tree::{Branch, Expr, Node, Pipe},
};

/// The static text as `html/template` writes it.
///
/// # Errors
/// When it has tags or comments. In those, Go escapes by the rules of attributes, scripts and
/// style sheets; values of objects are no place for that.
pub(super) fn check_text(pieces: &mut [Piece]) -> Result<(), TemplateError> {
    for piece in pieces {
        let Piece::Text(text) = piece else { continue };
        let starts_markup = |after: &str| {
            let name = after.strip_prefix('/').unwrap_or(after);
            name.starts_with(|c: char| c.is_ascii_alphabetic()) || after.starts_with('!')
        };
        if text.split('<').skip(1).any(starts_markup) {
            return Err(TemplateError::new("'<' outside of {{ }} would start HTML markup, which is not supported"));
        }
        *text = text.replace('<', "&lt;");
    }
    Ok(())
}

/// Go refuses escaping functions whose output goes on, because it would not stay escaped.
pub(super) fn check_pipes(parsed: &Parsed) -> Result<(), TemplateError> {
    fn check(nodes: &[Node]) -> Result<(), TemplateError> {
        nodes.iter().try_for_each(|node| match node {
            Node::Action(pipe) if pipe.variables.is_empty() => {
                let (_, first) = pipe.commands.split_last().unwrap_or((&NONE, &[]));
                match first.iter().find_map(|command| escaper(command)) {
                    Some(name) => Err(TemplateError::new(format!("{name:?} must be the last function of a pipeline"))),
                    None => Ok(()),
                }
            }
            Node::If(branch) | Node::With(branch) | Node::Range(branch) => {
                let Branch { body, otherwise, .. } = branch;
                check(body).and_then(|()| check(otherwise))
            }
            _ => Ok(()),
        })
    }
    static NONE: Vec<Expr> = Vec::new();
    std::iter::once(&parsed.main).chain(parsed.defined.values()).try_for_each(|nodes| check(nodes))
}

fn escaper(command: &[Expr]) -> Option<&'static str> {
    match command.first() {
        Some(Expr::Function(function)) if ["html", "urlquery"].contains(&function.name) => Some(function.name),
        _ => None,
    }
}

/// Whether the pipeline ends by escaping its value.
pub(super) fn is_escaped(pipe: &Pipe) -> bool {
    pipe.commands.last().and_then(|command| escaper(command)) == Some("html")
}

/// The text as `html/template` writes it between tags.
pub(super) fn escape(text: &str) -> impl Iterator<Item = Cow<'_, str>> {
    text.split_inclusive(['&', '<', '>', '"', '\'', '+', '\0']).flat_map(|piece| {
        let special = match piece.as_bytes().last() {
            Some(b'&') => "&amp;",
            Some(b'<') => "&lt;",
            Some(b'>') => "&gt;",
            Some(b'"') => "&#34;",
            Some(b'\'') => "&#39;",
            Some(b'+') => "&#43;",
            Some(b'\0') => "\u{fffd}",
            _ => return [Cow::Borrowed(piece), Cow::Borrowed("")],
        };
        [Cow::Borrowed(&piece[..piece.len() - 1]), Cow::Borrowed(special)]
    })
}
