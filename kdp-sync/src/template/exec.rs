//! Renders a tree.

use std::mem;

use super::{
    Dialect, fmt,
    fuel::{DEEPEST, Fuel, Text},
    functions::{Args, Function},
    html,
    parser::Parsed,
    scope::Scope,
    tree::{Branch, Expr, Node, Number, Pipe},
    value::{IntType, Val},
};

pub(super) fn render(parsed: &Parsed, scope: &Scope<'_>, dialect: Dialect) -> Result<String, String> {
    let fuel = Fuel::full();
    let variables = vec![("", Val::Root)];
    let mut renderer = Renderer { parsed, scope, dialect, out: Text::new(&fuel), fuel: &fuel, variables, depth: 0 };
    renderer.nodes(&parsed.main, &Val::Root)?;
    Ok(renderer.out.finish())
}

/// What a loop does after a part of its body.
#[derive(PartialEq)]
enum Flow {
    On,
    Break,
    Continue,
}

struct Renderer<'s, 'v> {
    parsed: &'s Parsed,
    scope: &'s Scope<'v>,
    dialect: Dialect,
    fuel: &'s Fuel,
    out: Text<'s>,
    /// Innermost last; the first is `$`.
    variables: Vec<(&'s str, Val<'v>)>,
    depth: usize,
}

impl<'s, 'v> Renderer<'s, 'v> {
    fn deeper<T>(&mut self, act: impl FnOnce(&mut Self) -> Result<T, String>) -> Result<T, String> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(format!("templates and blocks nest deeper than {DEEPEST}"));
        }
        let result = act(self)?;
        self.depth -= 1;
        Ok(result)
    }

    fn nodes(&mut self, nodes: &'s [Node], dot: &Val<'v>) -> Result<Flow, String> {
        for node in nodes {
            self.fuel.burn(1)?;
            match node {
                Node::Text(text) => self.out.push(text)?,
                Node::Action(pipe) => {
                    let value = self.pipe(pipe, dot)?;
                    if pipe.variables.is_empty() {
                        self.print(pipe, &value)?;
                    }
                }
                Node::If(_) | Node::With(_) | Node::Range(_) | Node::Call { .. } => {
                    let flow = self.deeper(|renderer| renderer.block(node, dot))?;
                    if flow != Flow::On {
                        return Ok(flow);
                    }
                }
                Node::Break => return Ok(Flow::Break),
                Node::Continue => return Ok(Flow::Continue),
            }
        }
        Ok(Flow::On)
    }

    /// Variables set in a block end with it.
    fn block(&mut self, node: &'s Node, dot: &Val<'v>) -> Result<Flow, String> {
        let known = self.variables.len();
        let flow = match node {
            Node::If(branch) => {
                let truth = self.pipe(&branch.pipe, dot)?.is_true();
                self.nodes(if truth { &branch.body } else { &branch.otherwise }, dot)?
            }
            Node::With(branch) => {
                let value = self.pipe(&branch.pipe, dot)?;
                if value.is_true() { self.nodes(&branch.body, &value)? } else { self.nodes(&branch.otherwise, dot)? }
            }
            Node::Range(branch) => self.range(branch, dot)?,
            Node::Call { name, dot: pipe } => {
                let body = self.parsed.defined.get(name).ok_or_else(|| format!("template {name:?} is not defined"))?;
                let inner = pipe.as_ref().map_or(Ok(Val::Nil), |pipe| self.pipe(pipe, dot))?;
                let outer = mem::replace(&mut self.variables, vec![("", inner.clone())]);
                let flow = self.nodes(body, &inner)?;
                self.variables = outer;
                flow
            }
            Node::Text(_) | Node::Action(_) | Node::Break | Node::Continue => Flow::On,
        };
        self.variables.truncate(known);
        Ok(flow)
    }

    fn range(&mut self, branch: &'s Branch, dot: &Val<'v>) -> Result<Flow, String> {
        let value = self.pipe(&branch.pipe, dot)?;
        let over = |key: Val<'v>, value: Val<'v>| (key, value);
        let rounds: Box<dyn Iterator<Item = (Val<'v>, Val<'v>)>> = match &value {
            Val::Int(_, _) if branch.pipe.variables.len() > 1 => {
                return Err("a range over a number has one variable only".into());
            }
            Val::Int(count, kind) => {
                let kind = *kind;
                Box::new((0..*count).map(move |at| over(Val::Nil, Val::Int(at, kind))))
            }
            Val::List(list) => {
                Box::new(list.items().iter().enumerate().map(move |(at, item)| over(Val::int(at), item.clone())))
            }
            Val::Map(map) => {
                self.fuel.burn(map.len())?;
                Box::new(map.entries().into_iter().map(move |(key, value)| over(Val::Text(key), value)))
            }
            Val::Nil => Box::new(std::iter::empty()),
            other => return Err(format!("range cannot go over a {}", other.type_name())),
        };
        let known = self.variables.len();
        let mut is_empty = true;
        for (key, element) in rounds {
            is_empty = false;
            self.fuel.burn(1)?;
            match (&branch.pipe.variables[..], branch.pipe.is_assignment) {
                ([], _) => {}
                ([one], false) => self.variables[known - 1] = (one, element.clone()),
                ([first, second, ..], false) => {
                    self.variables[known - 2] = (first, key);
                    self.variables[known - 1] = (second, element.clone());
                }
                ([one], true) => self.set(one, &element)?,
                ([first, second, ..], true) => {
                    self.set(first, &key)?;
                    self.set(second, &element)?;
                }
            }
            let flow = self.nodes(&branch.body, &element)?;
            self.variables.truncate(known);
            if flow == Flow::Break {
                break;
            }
        }
        if is_empty { self.nodes(&branch.otherwise, dot) } else { Ok(Flow::On) }
    }

    fn set(&mut self, name: &str, value: &Val<'v>) -> Result<(), String> {
        let found = self.variables.iter_mut().rev().find(|(known, _)| *known == name);
        let (_, old) = found.ok_or_else(|| format!("undefined variable ${name}"))?;
        *old = value.clone();
        Ok(())
    }

    fn print(&mut self, pipe: &Pipe, value: &Val<'_>) -> Result<(), String> {
        match self.dialect {
            Dialect::Text => {
                let text = fmt::template_text(self.fuel, value)?;
                self.out.push(&text)
            }
            // A pipeline that escapes by itself is not escaped again.
            Dialect::Html if html::is_escaped(pipe) => {
                let text = fmt::template_text(self.fuel, value)?;
                self.out.push(&text)
            }
            Dialect::Html if value.is_nil() => Ok(()),
            Dialect::Html => {
                let text = fmt::template_text(self.fuel, value)?;
                html::escape(&text).try_for_each(|piece| self.out.push(&piece))
            }
        }
    }

    fn pipe(&mut self, pipe: &'s Pipe, dot: &Val<'v>) -> Result<Val<'v>, String> {
        self.deeper(|renderer| {
            let mut last = None;
            for command in &pipe.commands {
                last = Some(renderer.command(command, last, dot)?);
            }
            let value = last.unwrap_or(Val::Nil);
            for name in &pipe.variables {
                if pipe.is_assignment {
                    renderer.set(name, &value)?;
                } else {
                    renderer.variables.push((name, value.clone()));
                }
            }
            Ok(value)
        })
    }

    fn command(&mut self, words: &'s [Expr], last: Option<Val<'v>>, dot: &Val<'v>) -> Result<Val<'v>, String> {
        self.fuel.burn(1)?;
        let (first, args) = words.split_first().expect("the parser makes no empty command");
        match first {
            Expr::Function(function) => self.call(function, args, last, dot),
            Expr::Field(names) => self.fields(dot.clone(), names, args, last, dot),
            Expr::Chain(inner, names) => {
                let value = self.value(inner, dot)?;
                self.fields(value, names, args, last, dot)
            }
            Expr::Variable(name, names) if !names.is_empty() => {
                let value = self.variable(name)?;
                self.fields(value, names, args, last, dot)
            }
            _ if !args.is_empty() || last.is_some() => Err("only a function takes arguments".into()),
            _ => self.value(first, dot),
        }
    }

    fn value(&mut self, expr: &'s Expr, dot: &Val<'v>) -> Result<Val<'v>, String> {
        match expr {
            Expr::Dot => Ok(dot.clone()),
            Expr::Nil => Ok(Val::Nil),
            Expr::Bool(truth) => Ok(Val::Bool(*truth)),
            Expr::Number(number) => Ok(ideal(*number)),
            Expr::Text(text) => {
                self.fuel.burn(text.len())?;
                Ok(Val::text(text.as_str()))
            }
            Expr::Pipe(pipe) => self.pipe(pipe, dot),
            Expr::Variable(name, names) if names.is_empty() => self.variable(name),
            _ => self.command(std::slice::from_ref(expr), None, dot),
        }
    }

    fn variable(&self, name: &str) -> Result<Val<'v>, String> {
        // `$` is the first variable, whatever follows.
        if name.is_empty() {
            return Ok(self.variables.first().map_or(Val::Nil, |(_, value)| value.clone()));
        }
        let found = self.variables.iter().rev().find(|(known, _)| *known == name);
        found.map(|(_, value)| value.clone()).ok_or_else(|| format!("undefined variable ${name}"))
    }

    /// A chain of fields; only a method at its end may take arguments.
    fn fields(
        &mut self,
        mut value: Val<'v>,
        names: &[String],
        args: &'s [Expr],
        last: Option<Val<'v>>,
        dot: &Val<'v>,
    ) -> Result<Val<'v>, String> {
        let mut given = Vec::new();
        for arg in args {
            given.push(self.value(arg, dot)?);
        }
        given.extend(last);
        for (at, name) in names.iter().enumerate() {
            self.fuel.burn(1)?;
            let is_last = at + 1 == names.len();
            let args = if is_last { &given[..] } else { &[] };
            value = match (&value, args) {
                (Val::Nil, _) => return Ok(Val::Nil),
                (Val::Found(found), [Val::Text(path)]) if name == "Get" => Val::Found(found.get(path)?),
                (_, [_, ..]) => return Err(format!("{name} is not a method, but has arguments")),
                (Val::Root, _) => self.scope.get(name).map_err(|e| e.to_string())?,
                (Val::Map(map), _) => match map.get(name) {
                    Some(Val::Nil) if !is_last => return Err(format!("{name} is null and has no fields")),
                    Some(value) => value,
                    None => Val::Nil,
                },
                (Val::Found(found), _) => found.method(name)?,
                (Val::Version(version), _) => version.method(name)?,
                (other, _) => return Err(format!("a {} has no field {name:?}", other.type_name())),
            };
            if let Val::List(list) = &value {
                self.fuel.burn(list.items().len())?;
            }
        }
        Ok(value)
    }

    fn call(
        &mut self,
        function: &'static Function,
        words: &'s [Expr],
        last: Option<Val<'v>>,
        dot: &Val<'v>,
    ) -> Result<Val<'v>, String> {
        function.check_count(words.len() + usize::from(last.is_some()))?;
        // `and` and `or` look no further than they must, so that the first argument can guard the
        // others.
        if let Some(stops_at) = function.stops_at() {
            let mut value = Val::Nil;
            for word in words {
                value = self.value(word, dot)?;
                if value.is_true() == stops_at {
                    return Ok(value);
                }
            }
            return Ok(last.unwrap_or(value));
        }
        let mut values = Vec::with_capacity(words.len() + 1);
        for (at, word) in words.iter().enumerate() {
            let value = match (word, function.parameter(at)) {
                // A number that is written down becomes what is asked for.
                (Expr::Number(Number { int: Some(int), .. }), 'i') => Val::Int(*int, IntType::Int),
                (Expr::Number(Number { float, .. }), 'f') => Val::Float(*float),
                (Expr::Nil, 's' | 'i' | 'f' | 'b') => return Err(format!("{}: nil fits nowhere here", function.name)),
                _ => self.value(word, dot)?,
            };
            values.push(value);
        }
        values.extend(last);
        function.call(&Args { fuel: self.fuel, values: &values })
    }
}

/// The type of a number where nothing asks for one.
fn ideal<'v>(number: Number) -> Val<'v> {
    match number {
        Number { is_float: false, int: Some(int), .. } => Val::Int(int, IntType::Int),
        Number { float, .. } => Val::Float(float),
    }
}
