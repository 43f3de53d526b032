//! What can be said for certain about the output of a template.
//!
//! A claim is made only if it is plain to see: the field is printed outside of any block, through
//! functions that lose nothing of it, and apart from what else is printed.

use super::{
    parser::Parsed,
    tree::{Expr, Node, Pipe},
};

/// What a part of the output is.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Part<'t> {
    /// The same each time.
    Fixed(&'t str),
    /// Tells the value that is asked for.
    Telling,
    Other,
}

/// Functions that give another text for each other text of letters and digits, and put nothing
/// into it by which it could be mistaken for something longer.
const LOSSLESS: [&str; 11] = [
    "html",
    "lower",
    "print",
    "quote",
    "sha1sum",
    "sha256sum",
    "sha3sum",
    "sha512sum",
    "shortHash",
    "toString",
    "trim",
];

pub(super) fn tells(parsed: &Parsed, variable: &str) -> bool {
    let parts = parts(parsed, &[variable]);
    let is_other = |part: &Part<'_>| *part == Part::Other;
    let is_apart = |c: Option<char>| c.is_some_and(|c| !c.is_alphanumeric());
    parts.iter().enumerate().any(|(at, part)| {
        let (before, after) = (&parts[..at], &parts[at + 1..]);
        // With nothing unknown on one side, the value is what stands before or after the first
        // sign that cannot be part of it.
        let ends = match after.first() {
            Some(Part::Fixed(text)) => is_apart(text.chars().next()),
            _ => !after.iter().any(is_other),
        };
        let starts = match before.last() {
            Some(Part::Fixed(text)) => is_apart(text.chars().next_back()),
            _ => !before.iter().any(is_other),
        };
        *part == Part::Telling
            && ((!before.iter().any(is_other) && (ends || !after.iter().any(is_other)))
                || (!after.iter().any(is_other) && starts))
    })
}

pub(super) fn is_only(parsed: &Parsed, path: &[&str]) -> bool {
    let parts = parts(parsed, path);
    let telling = parts.iter().filter(|part| **part == Part::Telling).count();
    telling == 1 && !parts.contains(&Part::Other)
}

/// The output in order; a whole block is one part that may print anything.
fn parts<'t>(parsed: &'t Parsed, path: &[&str]) -> Vec<Part<'t>> {
    let printed = parsed.main.iter().filter_map(|node| match node {
        Node::Text(text) => Some(Part::Fixed(text)),
        // Setting a variable prints nothing.
        Node::Action(pipe) if !pipe.variables.is_empty() => None,
        Node::Action(pipe) if is_telling(pipe, path) => Some(Part::Telling),
        _ => Some(Part::Other),
    });
    printed.collect()
}

/// Whether the pipeline gives the field, changed at most by functions that lose nothing.
fn is_telling(pipe: &Pipe, path: &[&str]) -> bool {
    let Some((first, functions)) = pipe.commands.split_first() else { return false };
    let is_start = match &first[..] {
        [value] => is_value(value, path),
        [function, value] => is_lossless(function) && is_value(value, path),
        _ => false,
    };
    let goes_on = |command: &Vec<Expr>| matches!(&command[..], [function] if is_lossless(function));
    pipe.variables.is_empty() && is_start && functions.iter().all(goes_on)
}

fn is_lossless(expr: &Expr) -> bool {
    match expr {
        // Nobody meets a digest of the default length by chance; one of a given length is not
        // taken for lossless, because it has another argument.
        Expr::Function(function) => function.name == "sha3short" || LOSSLESS.contains(&function.name),
        _ => false,
    }
}

fn is_value(expr: &Expr, path: &[&str]) -> bool {
    match expr {
        Expr::Field(names) => names == path,
        // `$` is the scope, because parts of blocks and defined templates are not looked at.
        Expr::Variable(name, names) => name.is_empty() && names == path,
        Expr::Pipe(pipe) => is_telling(pipe, path),
        _ => false,
    }
}
