//! Renders a tree.

use std::borrow::Cow;

use super::{
    Dialect, TemplateError,
    parser::{Expr, Node},
    value::{Scope, Val},
};

pub(super) fn render(nodes: &[Node], scope: &Scope<'_>, dialect: Dialect) -> Result<String, TemplateError> {
    let mut renderer = Renderer { scope, dialect, dots: Vec::new(), variables: Vec::new(), out: String::new() };
    renderer.nodes(nodes)?;
    Ok(renderer.out)
}

struct Renderer<'s, 'v> {
    scope: &'s Scope<'v>,
    dialect: Dialect,
    /// What `.` means inside of `with`; the scope when empty.
    dots: Vec<Val<'v>>,
    variables: Vec<(&'s str, Val<'v>)>,
    out: String,
}

impl<'s, 'v> Renderer<'s, 'v> {
    fn nodes(&mut self, nodes: &'s [Node]) -> Result<(), TemplateError> {
        let known = self.variables.len();
        for node in nodes {
            match node {
                Node::Text(text) => self.out.push_str(text),
                Node::Output(expr) => {
                    let value = self.eval(expr)?;
                    self.print(&value);
                }
                Node::Set { name, is_new, value } => {
                    let value = self.eval(value)?;
                    match self.variables.iter_mut().rev().find(|(known, _)| known == name) {
                        Some((_, old)) if !is_new => *old = value,
                        _ => self.variables.push((name, value)),
                    }
                }
                Node::If { condition, then, otherwise } => {
                    let branch = if self.eval(condition)?.is_true() { then } else { otherwise };
                    self.nodes(branch)?;
                }
                Node::With { value, then, otherwise } => {
                    let value = self.eval(value)?;
                    if value.is_true() {
                        self.dots.push(value);
                        self.nodes(then)?;
                        self.dots.pop();
                    } else {
                        self.nodes(otherwise)?;
                    }
                }
            }
        }
        self.variables.truncate(known);
        Ok(())
    }

    fn print(&mut self, value: &Val<'_>) {
        match self.dialect {
            Dialect::Text => self.out.push_str(&value.print()),
            Dialect::Html if value.is_missing() => {}
            Dialect::Html => self.out.extend(value.print().chars().map(escape)),
        }
    }

    fn eval(&self, expr: &Expr) -> Result<Val<'v>, TemplateError> {
        match expr {
            Expr::Literal(value) => Ok(Val::of(value.clone())),
            Expr::Dot(fields) => match self.dots.last() {
                Some(dot) => walk(dot.clone(), fields),
                None => self.root(fields),
            },
            Expr::Variable(name, fields) if name.is_empty() => self.root(fields),
            Expr::Variable(name, fields) => {
                let value = self.variables.iter().rev().find(|(known, _)| known == name);
                let (_, value) = value.ok_or_else(|| TemplateError::new(format!("undefined variable ${name}")))?;
                walk(value.clone(), fields)
            }
            Expr::Field(inner, fields) => walk(self.eval(inner)?, fields),
            Expr::Call(function, args) => {
                // `and` and `or` look no further than they must, so that the first argument can
                // guard the others.
                if let Some(stops_at) = function.stops_at() {
                    let (last, first) =
                        args.split_last().ok_or_else(|| TemplateError::new("an argument is missing"))?;
                    for arg in first {
                        let value = self.eval(arg)?;
                        if value.is_true() == stops_at {
                            return Ok(value);
                        }
                    }
                    return self.eval(last);
                }
                let args = args.iter().map(|arg| self.eval(arg)).collect::<Result<Vec<_>, _>>()?;
                function.call(&args).map(|value| Val::Json(Cow::Owned(value)))
            }
        }
    }

    fn root(&self, fields: &[String]) -> Result<Val<'v>, TemplateError> {
        let (first, rest) = fields.split_first().ok_or_else(|| TemplateError::new("'.' alone has no value here"))?;
        walk(self.scope.get(first)?, rest)
    }
}

fn walk<'v>(value: Val<'v>, fields: &[String]) -> Result<Val<'v>, TemplateError> {
    fields.iter().try_fold(value, |value, field| value.field(field))
}

/// The character as `html/template` writes it in text.
fn escape(c: char) -> Cow<'static, str> {
    match c {
        '&' => "&amp;".into(),
        '<' => "&lt;".into(),
        '>' => "&gt;".into(),
        '"' => "&#34;".into(),
        '\'' => "&#39;".into(),
        '+' => "&#43;".into(),
        '\0' => "\u{fffd}".into(),
        _ => c.to_string().into(),
    }
}
