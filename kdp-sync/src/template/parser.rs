//! Pieces to a tree; every function is resolved here.

use serde_json::Value;

use super::{
    Dialect, TemplateError,
    functions::{self, Function},
    lexer::{Piece, Token},
};

/// How deep parentheses and blocks may nest.
const DEEPEST: usize = 32;

/// A part of a template.
#[derive(Clone, Debug)]
pub(super) enum Node {
    Text(String),
    Output(Expr),
    /// Sets a variable, a new one of the current block or an existing one.
    Set {
        name: String,
        is_new: bool,
        value: Expr,
    },
    If {
        condition: Expr,
        then: Vec<Self>,
        otherwise: Vec<Self>,
    },
    With {
        value: Expr,
        then: Vec<Self>,
        otherwise: Vec<Self>,
    },
}

/// Something with a value. A pipeline is a nesting of calls: what is piped comes last.
#[derive(Clone, Debug)]
pub(super) enum Expr {
    Literal(Value),
    Dot(Vec<String>),
    Variable(String, Vec<String>),
    Call(&'static Function, Vec<Self>),
    Field(Box<Self>, Vec<String>),
}

/// Collects the fields that are read.
pub(super) fn reads<'a>(nodes: &'a [Node], found: &mut Vec<Vec<&'a str>>) {
    for node in nodes {
        match node {
            Node::Text(_) => {}
            Node::Output(value) | Node::Set { value, .. } => value.reads(found),
            Node::If { condition: value, then, otherwise } | Node::With { value, then, otherwise } => {
                value.reads(found);
                reads(then, found);
                reads(otherwise, found);
            }
        }
    }
}

impl Expr {
    fn reads<'a>(&'a self, found: &mut Vec<Vec<&'a str>>) {
        match self {
            // The value of a named variable is read where it is set.
            Self::Variable(name, _) if !name.is_empty() => {}
            Self::Dot(fields) | Self::Variable(_, fields) => found.push(fields.iter().map(String::as_str).collect()),
            Self::Call(_, args) => args.iter().for_each(|arg| arg.reads(found)),
            Self::Field(inner, _) => inner.reads(found),
            Self::Literal(_) => {}
        }
    }
}

pub(super) fn parse(pieces: Vec<Piece>, dialect: Dialect) -> Result<Vec<Node>, TemplateError> {
    let mut parser = Parser { pieces: pieces.into_iter(), dialect, depth: 0, variables: Vec::new() };
    match parser.block()? {
        (nodes, End::Text) => Ok(nodes),
        (_, End::Else(_)) => Err(TemplateError::new("{{else}} without {{if}}")),
        (_, End::Closed) => Err(TemplateError::new("{{end}} without {{if}}")),
    }
}

/// What ended a block.
enum End {
    Text,
    /// With the tokens after `else`.
    Else(Vec<Token>),
    Closed,
}

struct Parser {
    pieces: std::vec::IntoIter<Piece>,
    dialect: Dialect,
    depth: usize,
    variables: Vec<String>,
}

impl Parser {
    fn block(&mut self) -> Result<(Vec<Node>, End), TemplateError> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(TemplateError::new(format!("blocks nest deeper than {DEEPEST}")));
        }
        let known = self.variables.len();
        let mut nodes = Vec::new();
        let end = loop {
            match self.pieces.next() {
                None => break End::Text,
                Some(Piece::Text(text)) => nodes.push(Node::Text(text)),
                Some(Piece::Action(tokens)) => match self.action(tokens)? {
                    Action::Node(node) => nodes.push(node),
                    Action::End(end) => break end,
                },
            }
        };
        self.variables.truncate(known);
        self.depth -= 1;
        Ok((nodes, end))
    }

    fn action(&mut self, mut tokens: Vec<Token>) -> Result<Action, TemplateError> {
        let keyword = match tokens.first() {
            Some(Token::Word(word)) => word.clone(),
            _ => String::new(),
        };
        match keyword.as_str() {
            "if" | "with" => {
                tokens.remove(0);
                self.branch(&keyword, tokens).map(Action::Node)
            }
            "else" => {
                tokens.remove(0);
                Ok(Action::End(End::Else(tokens)))
            }
            "end" if tokens.len() == 1 => Ok(Action::End(End::Closed)),
            "end" => Err(TemplateError::new("{{end}} takes nothing")),
            "range" | "define" | "block" | "template" | "break" | "continue" => {
                Err(TemplateError::new(format!("{{{{{keyword}}}}} is not supported")))
            }
            _ => self.output(tokens).map(Action::Node),
        }
    }

    fn branch(&mut self, keyword: &str, tokens: Vec<Token>) -> Result<Node, TemplateError> {
        let condition = self.pipeline(tokens)?;
        let (then, end) = self.block()?;
        let otherwise = match end {
            End::Closed => Vec::new(),
            End::Text => return Err(TemplateError::new(format!("{{{{{keyword}}}}} is not closed by {{{{end}}}}"))),
            End::Else(tokens) if tokens.is_empty() => match self.block()? {
                (nodes, End::Closed) => nodes,
                _ => return Err(TemplateError::new("{{else}} is not closed by {{end}}")),
            },
            End::Else(mut tokens) => match tokens.remove(0) {
                // The inner branch takes the one {{end}} that closes both.
                Token::Word(inner) if inner == "if" || inner == "with" => {
                    self.depth += 1;
                    if self.depth > DEEPEST {
                        return Err(TemplateError::new(format!("branches nest deeper than {DEEPEST}")));
                    }
                    let node = self.branch(&inner, tokens)?;
                    self.depth -= 1;
                    vec![node]
                }
                _ => return Err(TemplateError::new("{{else}} takes nothing but another if or with")),
            },
        };
        Ok(match keyword {
            "with" => Node::With { value: condition, then, otherwise },
            _ => Node::If { condition, then, otherwise },
        })
    }

    fn output(&mut self, mut tokens: Vec<Token>) -> Result<Node, TemplateError> {
        let is_new = match tokens.get(1) {
            Some(Token::Declare) => true,
            Some(Token::Assign) => false,
            _ => return self.pipeline(tokens).map(Node::Output),
        };
        let Token::Variable(name, fields) = tokens.remove(0) else {
            return Err(TemplateError::new("only a variable can be set"));
        };
        if name.is_empty() || !fields.is_empty() {
            return Err(TemplateError::new("only a variable can be set"));
        }
        tokens.remove(0);
        let value = self.pipeline(tokens)?;
        if is_new {
            self.variables.push(name.clone());
        } else {
            self.known(&name)?;
        }
        Ok(Node::Set { name, is_new, value })
    }

    fn known(&self, name: &str) -> Result<(), TemplateError> {
        if name.is_empty() || self.variables.iter().any(|known| known == name) {
            return Ok(());
        }
        Err(TemplateError::new(format!("undefined variable ${name}")))
    }

    fn pipeline(&mut self, tokens: Vec<Token>) -> Result<Expr, TemplateError> {
        let mut tokens = tokens.into_iter().peekable();
        let expr = self.pipe(&mut tokens)?;
        match tokens.next() {
            None => Ok(expr),
            Some(Token::Close(_)) => Err(TemplateError::new("')' without '('")),
            Some(token) => Err(TemplateError::new(format!("unexpected {token:?}"))),
        }
    }

    fn pipe(&mut self, tokens: &mut Tokens) -> Result<Expr, TemplateError> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(TemplateError::new(format!("parentheses nest deeper than {DEEPEST}")));
        }
        let mut value = self.command(tokens, None)?;
        while tokens.next_if_eq(&Token::Pipe).is_some() {
            value = self.command(tokens, Some(value))?;
        }
        self.depth -= 1;
        Ok(value)
    }

    fn command(&mut self, tokens: &mut Tokens, piped: Option<Expr>) -> Result<Expr, TemplateError> {
        if let Some(Token::Word(word)) = tokens.peek()
            && let Some(function) = functions::find(word, self.dialect)?
        {
            tokens.next();
            let mut args = Vec::new();
            while tokens.peek().is_some_and(|t| !matches!(t, Token::Pipe | Token::Close(_))) {
                args.push(self.operand(tokens)?);
            }
            args.extend(piped);
            function.check_arity(args.len())?;
            return Ok(Expr::Call(function, args));
        }
        if piped.is_some() {
            return Err(TemplateError::new("'|' must be followed by a function"));
        }
        let operand = self.operand(tokens)?;
        match tokens.peek() {
            None | Some(Token::Pipe | Token::Close(_)) => Ok(operand),
            Some(_) => Err(TemplateError::new("only a function takes arguments")),
        }
    }

    fn operand(&mut self, tokens: &mut Tokens) -> Result<Expr, TemplateError> {
        match tokens.next() {
            Some(Token::Dot(fields)) => Ok(Expr::Dot(fields)),
            Some(Token::Variable(name, fields)) => {
                self.known(&name)?;
                Ok(Expr::Variable(name, fields))
            }
            Some(Token::Text(text)) => Ok(Expr::Literal(text.into())),
            Some(Token::Int(int)) => Ok(Expr::Literal(int.into())),
            Some(Token::Float(float)) => Ok(Expr::Literal(float.into())),
            Some(Token::Open) => {
                let inner = self.pipe(tokens)?;
                match tokens.next() {
                    Some(Token::Close(fields)) if fields.is_empty() => Ok(inner),
                    Some(Token::Close(fields)) => Ok(Expr::Field(Box::new(inner), fields)),
                    _ => Err(TemplateError::new("'(' is not closed by ')'")),
                }
            }
            Some(Token::Word(word)) => match word.as_str() {
                "true" => Ok(Expr::Literal(true.into())),
                "false" => Ok(Expr::Literal(false.into())),
                "nil" => Ok(Expr::Literal(Value::Null)),
                // A function without arguments may stand where a value does.
                _ => match functions::find(&word, self.dialect)? {
                    Some(function) => {
                        function.check_arity(0)?;
                        Ok(Expr::Call(function, Vec::new()))
                    }
                    None => Err(TemplateError::new(format!("function {word:?} is not defined"))),
                },
            },
            Some(token) => Err(TemplateError::new(format!("unexpected {token:?}"))),
            None => Err(TemplateError::new("a value is missing")),
        }
    }
}

enum Action {
    Node(Node),
    End(End),
}

type Tokens = std::iter::Peekable<std::vec::IntoIter<Token>>;
