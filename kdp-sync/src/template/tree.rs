//! What a template is once parsed.

use super::functions::Function;

/// A part of a template.
#[derive(Clone, Debug)]
pub(super) enum Node {
    Text(String),
    /// Prints its value, unless it sets a variable.
    Action(Pipe),
    If(Branch),
    With(Branch),
    Range(Branch),
    Break,
    Continue,
    /// `{{ template "name" value }}`
    Call {
        name: String,
        dot: Option<Pipe>,
    },
}

#[derive(Clone, Debug)]
pub(super) struct Branch {
    pub(super) pipe: Pipe,
    pub(super) body: Vec<Node>,
    pub(super) otherwise: Vec<Node>,
}

/// Commands of which each gets the value of the one before as its last argument.
#[derive(Clone, Debug, Default)]
pub(super) struct Pipe {
    /// Variables that take the value.
    pub(super) variables: Vec<String>,
    /// Whether the variables exist already.
    pub(super) is_assignment: bool,
    /// Each a word and its arguments, never empty.
    pub(super) commands: Vec<Vec<Expr>>,
}

/// A word of a command.
#[derive(Clone, Debug)]
pub(super) enum Expr {
    Dot,
    Nil,
    Bool(bool),
    Number(Number),
    Text(String),
    Function(&'static Function),
    /// Fields of the dot.
    Field(Vec<String>),
    /// A variable, named without the dollar sign, and fields of it.
    Variable(String, Vec<String>),
    Pipe(Box<Pipe>),
    Chain(Box<Self>, Vec<String>),
}

/// A number as written; which type it gets depends on where it is used.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Number {
    /// The value, when it is whole.
    pub(super) int: Option<i64>,
    pub(super) float: f64,
    /// Whether it is a float where nothing asks for a type.
    pub(super) is_float: bool,
}
