//! Which fields of the scope a template may read.
//!
//! Every field that is named where `.` or `$` is the scope counts with its whole path, wherever its
//! value goes from there: into a variable, a list, a branch or another template. What is reached
//! through such a value is part of it and adds nothing. The scope as a whole counts as everything,
//! with one exception: it may be handed to a defined template, whose reads are then looked at.

use std::collections::BTreeSet;

use super::{
    parser::Parsed,
    tree::{Branch, Expr, Node, Pipe},
};

pub(super) fn of(parsed: &Parsed) -> Vec<Vec<&str>> {
    let mut reader = Reader { parsed, found: Vec::new(), visited: BTreeSet::new() };
    reader.nodes(&parsed.main, Place { dot_is_scope: true, dollar_is_scope: true });
    reader.found
}

/// What `.` and `$` are at some place: the scope, or part of something that was read already.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    dot_is_scope: bool,
    dollar_is_scope: bool,
}

struct Reader<'t> {
    parsed: &'t Parsed,
    found: Vec<Vec<&'t str>>,
    visited: BTreeSet<(&'t str, bool)>,
}

impl<'t> Reader<'t> {
    fn nodes(&mut self, nodes: &'t [Node], place: Place) {
        for node in nodes {
            match node {
                Node::Text(_) | Node::Break | Node::Continue => {}
                Node::Action(pipe) => self.pipe(pipe, place),
                Node::If(Branch { pipe, body, otherwise }) => {
                    self.pipe(pipe, place);
                    self.nodes(body, place);
                    self.nodes(otherwise, place);
                }
                Node::With(Branch { pipe, body, otherwise }) | Node::Range(Branch { pipe, body, otherwise }) => {
                    self.pipe(pipe, place);
                    self.nodes(body, Place { dot_is_scope: false, ..place });
                    self.nodes(otherwise, place);
                }
                Node::Call { name, dot } => {
                    let is_scope = dot.as_ref().is_some_and(|pipe| is_scope(pipe, place));
                    if let Some(pipe) = dot.as_ref().filter(|_| !is_scope) {
                        self.pipe(pipe, place);
                    }
                    if self.visited.insert((name, is_scope))
                        && let Some(body) = self.parsed.defined.get(name)
                    {
                        self.nodes(body, Place { dot_is_scope: is_scope, dollar_is_scope: is_scope });
                    }
                }
            }
        }
    }

    fn pipe(&mut self, pipe: &'t Pipe, place: Place) {
        pipe.commands.iter().flatten().for_each(|expr| self.expr(expr, place));
    }

    fn expr(&mut self, expr: &'t Expr, place: Place) {
        match expr {
            Expr::Dot if place.dot_is_scope => self.found.push(Vec::new()),
            Expr::Field(names) if place.dot_is_scope => self.add(names),
            Expr::Variable(name, names) if name.is_empty() && place.dollar_is_scope => self.add(names),
            Expr::Pipe(pipe) => self.pipe(pipe, place),
            Expr::Chain(inner, _) => self.expr(inner, place),
            // Named variables were read where they were set.
            Expr::Dot | Expr::Field(_) | Expr::Variable(..) => {}
            Expr::Nil | Expr::Bool(_) | Expr::Number(_) | Expr::Text(_) | Expr::Function(_) => {}
        }
    }

    fn add(&mut self, names: &'t [String]) {
        self.found.push(names.iter().map(String::as_str).collect());
    }
}

/// Whether the pipeline is nothing but the scope.
fn is_scope(pipe: &Pipe, place: Place) -> bool {
    match &pipe.commands[..] {
        [command] if pipe.variables.is_empty() => match &command[..] {
            [Expr::Dot] => place.dot_is_scope,
            [Expr::Variable(name, names)] => name.is_empty() && names.is_empty() && place.dollar_is_scope,
            _ => false,
        },
        _ => false,
    }
}
