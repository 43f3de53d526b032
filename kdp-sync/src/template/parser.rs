//! Pieces to a tree; every function is resolved here.

use std::collections::{BTreeMap, btree_map::Entry};

use super::{
    Dialect, TemplateError,
    functions::{self, Function},
    lexer::{Piece, Token},
    tree::{Branch, Expr, Node, Pipe},
};

/// How deep parentheses and blocks may nest.
const DEEPEST: usize = 32;

/// The main text, and the templates it defines.
#[derive(Clone, Debug)]
pub(super) struct Parsed {
    pub(super) main: Vec<Node>,
    pub(super) defined: BTreeMap<String, Vec<Node>>,
}

pub(super) fn parse(pieces: Vec<Piece>, dialect: Dialect) -> Result<Parsed, TemplateError> {
    let mut parser = Parser {
        pieces: pieces.into_iter(),
        dialect,
        depth: 0,
        loops: 0,
        variables: Vec::new(),
        defined: BTreeMap::new(),
    };
    match parser.block(true)? {
        (main, End::Text) => Ok(Parsed { main, defined: parser.defined }),
        (_, End::Else(_)) => Err(TemplateError::new("{{else}} without {{if}}")),
        (_, End::Closed) => Err(TemplateError::new("{{end}} without {{if}}")),
    }
}

/// What ended a block.
enum End {
    Text,
    /// With the tokens after `else`.
    Else(Tokens),
    Closed,
}

enum Action {
    Node(Node),
    Nothing,
    End(End),
}

struct Parser {
    pieces: std::vec::IntoIter<Piece>,
    dialect: Dialect,
    depth: usize,
    /// How many loops are around.
    loops: usize,
    variables: Vec<String>,
    defined: BTreeMap<String, Vec<Node>>,
}

impl Parser {
    fn deeper<T>(&mut self, parse: impl FnOnce(&mut Self) -> Result<T, TemplateError>) -> Result<T, TemplateError> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(TemplateError::new(format!("blocks or parentheses nest deeper than {DEEPEST}")));
        }
        let parsed = parse(self)?;
        self.depth -= 1;
        Ok(parsed)
    }

    fn block(&mut self, is_outermost: bool) -> Result<(Vec<Node>, End), TemplateError> {
        self.deeper(|parser| {
            let mut nodes = Vec::new();
            loop {
                match parser.pieces.next() {
                    None => return Ok((nodes, End::Text)),
                    Some(Piece::Text(text)) => nodes.push(Node::Text(text)),
                    Some(Piece::Action(tokens)) => match parser.action(Tokens::new(tokens), is_outermost)? {
                        Action::Node(node) => nodes.push(node),
                        Action::Nothing => {}
                        Action::End(end) => return Ok((nodes, end)),
                    },
                }
            }
        })
    }

    fn action(&mut self, mut tokens: Tokens, is_outermost: bool) -> Result<Action, TemplateError> {
        let keyword = match tokens.peek_word() {
            Some(Token::Word(word)) => word.clone(),
            _ => String::new(),
        };
        let node = match keyword.as_str() {
            "if" | "with" | "range" => self.branch(&keyword, tokens.skipped())?,
            "else" => return Ok(Action::End(End::Else(tokens.skipped()))),
            "end" => {
                tokens.skipped().done("{{end}} takes nothing")?;
                return Ok(Action::End(End::Closed));
            }
            "break" | "continue" => {
                tokens.skipped().done("a loop's {{break}} and {{continue}} take nothing")?;
                if self.loops == 0 {
                    return Err(TemplateError::new(format!("{{{{{keyword}}}}} outside of {{{{range}}}}")));
                }
                if keyword == "break" { Node::Break } else { Node::Continue }
            }
            "define" if is_outermost => {
                let mut tokens = tokens.skipped();
                let name = tokens.name("define")?;
                tokens.done("{{define}} takes a name only")?;
                self.define(name)?;
                return Ok(Action::Nothing);
            }
            "define" => return Err(TemplateError::new("{{define}} must not be inside of another block")),
            "template" | "block" => {
                let mut tokens = tokens.skipped();
                let name = tokens.name(&keyword)?;
                let dot = match (tokens.is_done(), keyword.as_str()) {
                    (true, "block") => return Err(TemplateError::new("{{block}} needs a value")),
                    (true, _) => None,
                    (false, _) => Some(self.whole_pipe(tokens, "template")?),
                };
                if keyword == "block" {
                    self.define(name.clone())?;
                }
                Node::Call { name, dot }
            }
            _ => Node::Action(self.whole_pipe(tokens, "command")?),
        };
        Ok(Action::Node(node))
    }

    /// Parses the body of a template up to its end. It sees none of the variables around it.
    fn define(&mut self, name: String) -> Result<(), TemplateError> {
        let variables = std::mem::take(&mut self.variables);
        let loops = std::mem::take(&mut self.loops);
        let (nodes, End::Closed) = self.block(false)? else {
            return Err(TemplateError::new(format!("template {name:?} is not closed by {{{{end}}}}")));
        };
        (self.variables, self.loops) = (variables, loops);
        match self.defined.entry(name) {
            Entry::Vacant(free) => {
                free.insert(nodes);
            }
            // What holds nothing but space gives way.
            Entry::Occupied(mut taken) if is_blank(taken.get()) => {
                taken.insert(nodes);
            }
            Entry::Occupied(taken) if !is_blank(&nodes) => {
                return Err(TemplateError::new(format!("template {:?} is defined twice", taken.key())));
            }
            Entry::Occupied(_) => {}
        }
        Ok(())
    }

    fn branch(&mut self, keyword: &str, tokens: Tokens) -> Result<Node, TemplateError> {
        let known = self.variables.len();
        let pipe = self.whole_pipe(tokens, keyword)?;
        let is_loop = usize::from(keyword == "range");
        self.loops += is_loop;
        let (body, end) = self.block(false)?;
        self.loops -= is_loop;
        let otherwise = match end {
            End::Closed => Vec::new(),
            End::Text => return Err(TemplateError::new(format!("{{{{{keyword}}}}} is not closed by {{{{end}}}}"))),
            End::Else(tokens) if tokens.is_done() => match self.block(false)? {
                (nodes, End::Closed) => nodes,
                _ => return Err(TemplateError::new("{{else}} is not closed by {{end}}")),
            },
            End::Else(mut tokens) => match tokens.peek_word() {
                // The inner branch takes the one {{end}} that closes both.
                Some(Token::Word(inner)) if inner == keyword && inner != "range" => {
                    vec![self.deeper(|parser| parser.branch(keyword, tokens.skipped()))?]
                }
                _ => return Err(TemplateError::new("{{else}} takes nothing but another of the same kind")),
            },
        };
        self.variables.truncate(known);
        let branch = Branch { pipe, body, otherwise };
        Ok(match keyword {
            "range" => Node::Range(branch),
            "with" => Node::With(branch),
            _ => Node::If(branch),
        })
    }

    fn whole_pipe(&mut self, mut tokens: Tokens, context: &str) -> Result<Pipe, TemplateError> {
        let pipe = self.pipe(&mut tokens, context)?;
        if tokens.is_done() { Ok(pipe) } else { Err(TemplateError::new("')' without '('")) }
    }

    /// A pipeline up to a closing parenthesis or the end.
    fn pipe(&mut self, tokens: &mut Tokens, context: &str) -> Result<Pipe, TemplateError> {
        self.deeper(|parser| {
            let mut pipe = Pipe::default();
            parser.declarations(tokens, context, &mut pipe)?;
            loop {
                let command = parser.command(tokens)?;
                let is_value =
                    matches!(command[0], Expr::Bool(_) | Expr::Dot | Expr::Nil | Expr::Number(_) | Expr::Text(_));
                if is_value && !pipe.commands.is_empty() {
                    return Err(TemplateError::new("'|' must be followed by a function"));
                }
                pipe.commands.push(command);
                let goes_on = tokens.take(&Token::Pipe);
                tokens.skip_space();
                // Go allows a pipe with nothing behind it.
                if !goes_on || matches!(tokens.peek(), None | Some(Token::Close)) {
                    return Ok(pipe);
                }
            }
        })
    }

    fn declarations(&mut self, tokens: &mut Tokens, context: &str, pipe: &mut Pipe) -> Result<(), TemplateError> {
        let ahead = tokens.without_space();
        let names: Vec<_> = match &ahead[..] {
            [Token::Variable(one), Token::Declare | Token::Assign, ..] => vec![one.clone()],
            [Token::Variable(one), Token::Comma, Token::Variable(two), Token::Declare | Token::Assign, ..]
                if context == "range" =>
            {
                vec![one.clone(), two.clone()]
            }
            [Token::Variable(_), Token::Comma, ..] => {
                return Err(TemplateError::new("only {{range}} takes two variables, and no more"));
            }
            _ => return Ok(()),
        };
        let operator = ahead[names.len() * 2 - 1].clone();
        while tokens.next().is_some_and(|token| token != operator) {}
        pipe.is_assignment = operator == Token::Assign;
        for name in names {
            if name.is_empty() {
                return Err(TemplateError::new("$ alone cannot be set"));
            }
            if pipe.is_assignment {
                self.check_known(&name)?;
            } else {
                self.variables.push(name.clone());
            }
            pipe.variables.push(name);
        }
        Ok(())
    }

    /// A word and its arguments.
    fn command(&mut self, tokens: &mut Tokens) -> Result<Vec<Expr>, TemplateError> {
        let mut words = Vec::new();
        loop {
            tokens.skip_space();
            if tokens.is_at_end_of_command() {
                break;
            }
            words.push(self.operand(tokens)?);
            if !tokens.is_at_end_of_command() && tokens.peek() != Some(&Token::Space) {
                return Err(TemplateError::new("a space is missing between two values"));
            }
        }
        match words.first() {
            None => Err(TemplateError::new("a value is missing")),
            Some(Expr::Nil) => Err(TemplateError::new("nil is not a command")),
            Some(_) => Ok(words),
        }
    }

    fn operand(&mut self, tokens: &mut Tokens) -> Result<Expr, TemplateError> {
        let term = self.term(tokens)?;
        let fields = tokens.fields();
        if fields.is_empty() {
            return Ok(term);
        }
        match term {
            Expr::Field(first) => Ok(Expr::Field(first.into_iter().chain(fields).collect())),
            Expr::Variable(name, _) => Ok(Expr::Variable(name, fields)),
            Expr::Pipe(_) | Expr::Function(_) => Ok(Expr::Chain(Box::new(term), fields)),
            _ => Err(TemplateError::new("unexpected '.' after a value")),
        }
    }

    fn term(&mut self, tokens: &mut Tokens) -> Result<Expr, TemplateError> {
        match tokens.next() {
            Some(Token::Dot) => Ok(Expr::Dot),
            Some(Token::Field(name)) => Ok(Expr::Field(vec![name])),
            Some(Token::Variable(name)) => {
                self.check_known(&name)?;
                Ok(Expr::Variable(name, Vec::new()))
            }
            Some(Token::Text(text)) => Ok(Expr::Text(text)),
            Some(Token::Number(number)) => Ok(Expr::Number(number)),
            Some(Token::Open) => {
                let inner = self.pipe(tokens, "parentheses")?;
                match tokens.next() {
                    Some(Token::Close) => Ok(Expr::Pipe(Box::new(inner))),
                    _ => Err(TemplateError::new("'(' is not closed by ')'")),
                }
            }
            Some(Token::Word(word)) => match word.as_str() {
                "true" | "false" => Ok(Expr::Bool(word == "true")),
                "nil" => Ok(Expr::Nil),
                _ => self.function(&word).map(Expr::Function),
            },
            Some(token) => Err(TemplateError::new(format!("unexpected {token:?}"))),
            None => Err(TemplateError::new("a value is missing")),
        }
    }

    fn function(&self, name: &str) -> Result<&'static Function, TemplateError> {
        functions::find(name, self.dialect)
    }

    fn check_known(&self, name: &str) -> Result<(), TemplateError> {
        if name.is_empty() || self.variables.iter().any(|known| known == name) {
            return Ok(());
        }
        Err(TemplateError::new(format!("undefined variable ${name}")))
    }
}

fn is_blank(nodes: &[Node]) -> bool {
    nodes.iter().all(|node| matches!(node, Node::Text(text) if text.trim().is_empty()))
}

/// The tokens of an action that are still to be parsed.
struct Tokens(std::iter::Peekable<std::vec::IntoIter<Token>>);

impl Tokens {
    fn new(tokens: Vec<Token>) -> Self {
        Self(tokens.into_iter().peekable())
    }

    fn peek(&mut self) -> Option<&Token> {
        self.0.peek()
    }

    fn next(&mut self) -> Option<Token> {
        self.0.next()
    }

    fn skip_space(&mut self) {
        while self.0.next_if_eq(&Token::Space).is_some() {}
    }

    fn peek_word(&mut self) -> Option<&Token> {
        self.skip_space();
        self.peek()
    }

    fn skipped(mut self) -> Self {
        self.next();
        self
    }

    fn take(&mut self, token: &Token) -> bool {
        self.0.next_if_eq(token).is_some()
    }

    /// The tokens that follow, as far as a declaration could reach.
    fn without_space(&self) -> Vec<Token> {
        self.0.clone().filter(|token| *token != Token::Space).take(4).collect()
    }

    fn is_at_end_of_command(&mut self) -> bool {
        matches!(self.peek(), None | Some(Token::Pipe | Token::Close))
    }

    fn is_done(&self) -> bool {
        self.0.clone().all(|token| token == Token::Space)
    }

    fn done(&self, message: &str) -> Result<(), TemplateError> {
        if self.is_done() { Ok(()) } else { Err(TemplateError::new(message)) }
    }

    fn name(&mut self, keyword: &str) -> Result<String, TemplateError> {
        self.skip_space();
        match self.next() {
            Some(Token::Text(name)) => Ok(name),
            _ => Err(TemplateError::new(format!("{{{{{keyword}}}}} needs a name in quotes"))),
        }
    }

    fn fields(&mut self) -> Vec<String> {
        let mut fields = Vec::new();
        while let Some(Token::Field(name)) = self.0.next_if(|token| matches!(token, Token::Field(_))) {
            fields.push(name);
        }
        fields
    }
}
