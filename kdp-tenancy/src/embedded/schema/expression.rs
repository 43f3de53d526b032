//! What can be said of a CEL expression before it runs.

use std::collections::BTreeSet;

use kube_cel::cel::common::ast::{EntryExpr, Expr, IdedExpr};
use kube_cel::cel::{Context, ExecutionError, Program};

use super::cel_value::Largest;

/// Most steps a rule may take, by the estimate of [`Outline::cost`].
///
/// A step takes well under a microsecond, so a rule ends within a second or two even when the
/// estimate is exact. Most rules take a few hundred steps.
pub(crate) const BUDGET: u64 = 10_000_000;

/// What a regular expression counts for: it is compiled anew at each evaluation.
const REGEX_STEPS: u64 = 100;

/// Fields of `self` and `oldSelf` that expressions read, by their escaped names.
#[derive(Debug)]
pub(super) enum Fields {
    /// Only these.
    Some(BTreeSet<String>),
    /// Maybe any: the whole value is used.
    All,
}

impl Default for Fields {
    fn default() -> Self {
        Self::Some(BTreeSet::new())
    }
}

impl Fields {
    pub(super) fn contains(&self, name: &str) -> bool {
        match self {
            Self::Some(names) => names.contains(name),
            Self::All => true,
        }
    }

    fn insert(&mut self, name: &str) {
        if let Self::Some(names) = self {
            names.insert(name.to_owned());
        }
    }

    /// Adds what `other` reads.
    pub(super) fn join(&mut self, other: &Self) {
        match other {
            Self::Some(names) => names.iter().for_each(|name| self.insert(name)),
            Self::All => *self = Self::All,
        }
    }
}

/// Names and size of an expression.
#[derive(Debug, Default)]
pub(crate) struct Outline {
    /// Variables it does not bind itself.
    variables: BTreeSet<String>,
    /// What it reads of `self` and `oldSelf`.
    pub(super) fields: Fields,
    /// Functions it calls, each as the names it may be known under.
    functions: BTreeSet<Vec<String>>,
    steps: u64,
    /// Depth of comprehensions in comprehensions.
    loops: u32,
    /// Whether lists are made of texts, so that iteration may go over characters.
    splits_text: bool,
}

impl Outline {
    pub(crate) fn of(expression: &IdedExpr) -> Self {
        let mut outline = Self::default();
        outline.visit(expression, &mut Vec::new(), 0);
        outline
    }

    pub(super) fn uses(&self, variable: &str) -> bool {
        self.variables.contains(variable)
    }

    /// An upper bound of the steps of one evaluation over data of this size.
    pub(crate) fn cost(&self, largest: Largest) -> u64 {
        let turns = if self.splits_text { largest.collection.max(largest.text) } else { largest.collection };
        self.steps.saturating_mul((turns.max(1) as u64).saturating_pow(self.loops))
    }

    /// A name the expression uses that does not exist.
    pub(super) fn undeclared(&self, library: &Context<'_>) -> Option<String> {
        let is_known = |name: &str| is_object(name) || TYPES.contains(&name);
        let variable = self.variables.iter().find(|name| !is_known(name));
        let exists = |name: &String| match Program::compile(&format!("{name}()")) {
            Ok(call) => !matches!(call.execute(library), Err(ExecutionError::UndeclaredReference(_))),
            // What does not parse as a call is an operator.
            Err(_) => true,
        };
        let function = || self.functions.iter().find(|names| !names.iter().any(exists)).map(|names| &names[0]);
        variable.or_else(function).cloned()
    }

    fn visit(&mut self, expression: &IdedExpr, bound: &mut Vec<String>, loops: u32) {
        self.steps = self.steps.saturating_add(1);
        self.loops = self.loops.max(loops);
        match &expression.expr {
            Expr::Unspecified | Expr::Literal(_) => {}
            Expr::Ident(name) => {
                if !bound.contains(name) && !name.starts_with('@') {
                    self.variables.insert(name.clone());
                    if is_object(name) {
                        self.fields = Fields::All;
                    }
                }
            }
            Expr::Select(select) => match &select.operand.expr {
                Expr::Ident(name) if is_object(name) && !bound.contains(name) => {
                    self.variables.insert(name.clone());
                    self.fields.insert(&select.field);
                }
                _ => self.visit(&select.operand, bound, loops),
            },
            Expr::List(list) => list.elements.iter().for_each(|element| self.visit(element, bound, loops)),
            Expr::Map(map) => map.entries.iter().for_each(|entry| self.visit_entry(&entry.expr, bound, loops)),
            Expr::Struct(value) => value.entries.iter().for_each(|entry| self.visit_entry(&entry.expr, bound, loops)),
            Expr::Call(call) => {
                let mut names = vec![call.func_name.clone()];
                match call.target.as_deref().map(|target| (target, &target.expr)) {
                    // `math.greatest(…)`: what looks like a variable is the function's namespace.
                    Some((_, Expr::Ident(namespace))) if NAMESPACES.contains(&namespace.as_str()) => {
                        names = vec![format!("{namespace}.{}", call.func_name)];
                    }
                    Some((target, _)) => self.visit(target, bound, loops),
                    None => {}
                }
                self.splits_text |= matches!(call.func_name.as_str(), "split" | "findAll");
                if matches!(call.func_name.as_str(), "matches" | "find" | "findAll") {
                    self.steps = self.steps.saturating_add(REGEX_STEPS);
                }
                if call.func_name.starts_with(|c: char| c.is_ascii_alphabetic()) {
                    self.functions.insert(names);
                }
                call.args.iter().for_each(|argument| self.visit(argument, bound, loops));
            }
            Expr::Comprehension(comprehension) => {
                self.visit(&comprehension.iter_range, bound, loops);
                self.visit(&comprehension.accu_init, bound, loops);
                let outer = bound.len();
                bound.push(comprehension.iter_var.clone());
                bound.extend(comprehension.iter_var2.clone());
                bound.push(comprehension.accu_var.clone());
                self.visit(&comprehension.loop_cond, bound, loops + 1);
                self.visit(&comprehension.loop_step, bound, loops + 1);
                self.visit(&comprehension.result, bound, loops);
                bound.truncate(outer);
            }
        }
    }

    fn visit_entry(&mut self, entry: &EntryExpr, bound: &mut Vec<String>, loops: u32) {
        match entry {
            EntryExpr::StructField(field) => self.visit(&field.value, bound, loops),
            EntryExpr::MapEntry(entry) => {
                self.visit(&entry.key, bound, loops);
                self.visit(&entry.value, bound, loops);
            }
        }
    }
}

fn is_object(variable: &str) -> bool {
    matches!(variable, "self" | "oldSelf")
}

/// Types that `type(x) == …` compares with.
pub(super) const TYPES: &[&str] = &["bool", "bytes", "double", "int", "list", "map", "null_type", "string", "uint"];

/// Words before the dot of a function's full name. Not `lists`: `lists.range` makes lists of any
/// length out of nothing, which no estimate from the data's size could bound.
const NAMESPACES: &[&str] = &["base64", "cidr", "format", "ip", "jsonpatch", "math", "optional", "sets", "strings"];
