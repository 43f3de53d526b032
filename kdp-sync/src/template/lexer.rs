//! Text to pieces: literal text, and actions made of tokens.

use super::TemplateError;

/// Literal text, or what stands between `{{` and `}}`.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Piece {
    Text(String),
    Action(Vec<Token>),
}

impl Piece {
    pub(super) fn is_markup(&self) -> bool {
        matches!(self, Self::Text(text) if text.contains('<'))
    }
}

/// A token of an action. A chain of fields is one token, because `.a .b` differs from `.a.b`.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    /// A function or keyword.
    Word(String),
    /// `.` or `.a.b`.
    Dot(Vec<String>),
    /// `$`, `$x` or `$x.a`.
    Variable(String, Vec<String>),
    Text(String),
    Int(i64),
    Float(f64),
    Pipe,
    Open,
    /// `)`, with the fields taken of what it closes.
    Close(Vec<String>),
    Declare,
    Assign,
    Comma,
}

pub(super) fn pieces(text: &str) -> Result<Vec<Piece>, TemplateError> {
    let mut pieces = Vec::new();
    let mut rest = text;
    let mut trim_start = false;
    loop {
        let Some((before, action)) = rest.split_once("{{") else {
            push_text(&mut pieces, rest, trim_start, false);
            return Ok(pieces);
        };
        let (trim_end, action) = match action.strip_prefix('-') {
            Some(trimmed) if trimmed.starts_with([' ', '\t', '\r', '\n']) => (true, trimmed),
            _ => (false, action),
        };
        push_text(&mut pieces, before, trim_start, trim_end);
        let mut lexer = Lexer { rest: action };
        let tokens = lexer.action()?;
        trim_start = lexer.close()?;
        rest = lexer.rest;
        if let Some(tokens) = tokens {
            pieces.push(Piece::Action(tokens));
        }
    }
}

fn push_text(pieces: &mut Vec<Piece>, mut text: &str, trim_start: bool, trim_end: bool) {
    let space = [' ', '\t', '\r', '\n'];
    if trim_start {
        text = text.trim_start_matches(space);
    }
    if trim_end {
        text = text.trim_end_matches(space);
    }
    if !text.is_empty() {
        pieces.push(Piece::Text(text.into()));
    }
}

struct Lexer<'a> {
    rest: &'a str,
}

impl Lexer<'_> {
    /// The tokens up to the closing delimiter, which is left; none for a comment.
    fn action(&mut self) -> Result<Option<Vec<Token>>, TemplateError> {
        if let Some(comment) = self.rest.trim_start().strip_prefix("/*") {
            let (_, after) = comment.split_once("*/").ok_or_else(|| TemplateError::new("a comment is not closed"))?;
            self.rest = after;
            return Ok(None);
        }
        let mut tokens = Vec::new();
        while !self.at_end() {
            tokens.push(self.token()?);
        }
        if tokens.is_empty() {
            return Err(TemplateError::new("there is nothing between {{ and }}"));
        }
        Ok(Some(tokens))
    }

    /// Skips white space, except for that which belongs to a trimming delimiter.
    fn at_end(&mut self) -> bool {
        let trimmed = self.rest.trim_start();
        if trimmed.len() < self.rest.len() && trimmed.starts_with("-}}") {
            return true;
        }
        self.rest = trimmed;
        trimmed.is_empty() || trimmed.starts_with("}}")
    }

    /// Takes the closing delimiter and says whether it trims what follows.
    fn close(&mut self) -> Result<bool, TemplateError> {
        let trimmed = self.rest.trim_start();
        let (trims, after) = match trimmed.strip_prefix("-}}") {
            Some(after) if trimmed.len() < self.rest.len() => (true, Some(after)),
            _ => (false, trimmed.strip_prefix("}}")),
        };
        self.rest = after.ok_or_else(|| TemplateError::new("{{ is not closed by }}"))?;
        Ok(trims)
    }

    fn token(&mut self) -> Result<Token, TemplateError> {
        let mut chars = self.rest.chars();
        let first = chars.next().unwrap_or_default();
        let second = chars.next().unwrap_or_default();
        match first {
            '|' => Ok(self.symbol(1, Token::Pipe)),
            '(' => Ok(self.symbol(1, Token::Open)),
            ',' => Ok(self.symbol(1, Token::Comma)),
            '=' => Ok(self.symbol(1, Token::Assign)),
            ':' if second == '=' => Ok(self.symbol(2, Token::Declare)),
            ')' => {
                self.rest = &self.rest[1..];
                Ok(Token::Close(self.fields()))
            }
            '"' => self.quoted(),
            '`' => self.raw(),
            '$' => {
                self.rest = &self.rest[1..];
                let name = self.word();
                Ok(Token::Variable(name, self.fields()))
            }
            '.' if is_word_start(second) => Ok(Token::Dot(self.fields())),
            '.' if !second.is_ascii_digit() => Ok(self.symbol(1, Token::Dot(Vec::new()))),
            _ if first.is_ascii_digit() || matches!(first, '+' | '-' | '.') => self.number(),
            _ if is_word_start(first) => Ok(Token::Word(self.word())),
            _ => Err(TemplateError::new(format!("unexpected {first:?} in a template"))),
        }
    }

    fn symbol(&mut self, length: usize, token: Token) -> Token {
        self.rest = &self.rest[length..];
        token
    }

    fn word(&mut self) -> String {
        let end = self.rest.find(|c| !is_word(c)).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        word.into()
    }

    fn fields(&mut self) -> Vec<String> {
        let mut fields = Vec::new();
        while let Some(after) = self.rest.strip_prefix('.').filter(|after| after.starts_with(is_word_start)) {
            self.rest = after;
            fields.push(self.word());
        }
        fields
    }

    fn number(&mut self) -> Result<Token, TemplateError> {
        let end = self
            .rest
            .char_indices()
            .find(|(at, c)| !(is_word(*c) || *c == '.' || (*at == 0 && matches!(c, '+' | '-'))))
            .map_or(self.rest.len(), |(at, _)| at);
        let (text, rest) = self.rest.split_at(end);
        self.rest = rest;
        if let Ok(int) = text.parse() {
            return Ok(Token::Int(int));
        }
        match text.parse::<f64>() {
            Ok(float) if float.is_finite() => Ok(Token::Float(float)),
            _ => Err(TemplateError::new(format!("{text:?} is not a number"))),
        }
    }

    fn raw(&mut self) -> Result<Token, TemplateError> {
        let (text, rest) =
            self.rest[1..].split_once('`').ok_or_else(|| TemplateError::new("a string is not closed by '`'"))?;
        self.rest = rest;
        Ok(Token::Text(text.into()))
    }

    fn quoted(&mut self) -> Result<Token, TemplateError> {
        let mut text = String::new();
        let mut chars = self.rest[1..].chars();
        loop {
            match chars.next() {
                Some('"') => break,
                Some('\\') => text.push(match chars.next() {
                    Some('n') => '\n',
                    Some('t') => '\t',
                    Some('r') => '\r',
                    Some(c @ ('"' | '\\')) => c,
                    other => {
                        let escape: String = other.into_iter().collect();
                        return Err(TemplateError::new(format!("the escape \"\\{escape}\" is not supported")));
                    }
                }),
                Some('\n') | None => return Err(TemplateError::new("a string is not closed by '\"'")),
                Some(c) => text.push(c),
            }
        }
        self.rest = chars.as_str();
        Ok(Token::Text(text))
    }
}

fn is_word_start(c: char) -> bool {
    c == '_' || c.is_alphabetic()
}

fn is_word(c: char) -> bool {
    c == '_' || c.is_alphanumeric()
}
