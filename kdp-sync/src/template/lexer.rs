//! Text to pieces: literal text, and actions made of tokens.

use super::{TemplateError, number, tree::Number};

/// Literal text, or what stands between `{{` and `}}`.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Piece {
    Text(String),
    Action(Vec<Token>),
}

/// A token of an action.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    /// White space separates the arguments of a command.
    Space,
    /// A function or keyword.
    Word(String),
    Dot,
    /// `.a`; one token for each field.
    Field(String),
    /// `$` or `$x`.
    Variable(String),
    Text(String),
    Number(Number),
    Pipe,
    Open,
    Close,
    Declare,
    Assign,
    Comma,
}

/// White space that trimming takes away.
const SPACE: [char; 4] = [' ', '\t', '\r', '\n'];

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
            Some(trimmed) if trimmed.starts_with(SPACE) => (true, trimmed),
            _ => (false, action),
        };
        push_text(&mut pieces, before, trim_start, trim_end);
        let mut lexer = Lexer { rest: action };
        // A comment must start right after the delimiter, or after the space of a trimming one.
        let comment = if trim_end { action[1..].strip_prefix("/*") } else { action.strip_prefix("/*") };
        if let Some(comment) = comment {
            let (_, after) = comment.split_once("*/").ok_or_else(|| TemplateError::new("a comment is not closed"))?;
            lexer.rest = after;
            trim_start = lexer
                .close()
                .ok_or_else(|| TemplateError::new("a comment must be closed by \"*/\" right before \"}}\""))?;
        } else {
            let mut tokens = Vec::new();
            trim_start = loop {
                if let Some(trims) = lexer.close() {
                    break trims;
                }
                tokens.push(lexer.token()?);
            };
            pieces.push(Piece::Action(tokens));
        }
        rest = lexer.rest;
    }
}

fn push_text(pieces: &mut Vec<Piece>, mut text: &str, trim_start: bool, trim_end: bool) {
    if trim_start {
        text = text.trim_start_matches(SPACE);
    }
    if trim_end {
        text = text.trim_end_matches(SPACE);
    }
    if !text.is_empty() {
        pieces.push(Piece::Text(text.into()));
    }
}

struct Lexer<'a> {
    rest: &'a str,
}

impl Lexer<'_> {
    /// Takes the closing delimiter if it comes next, and says whether it trims what follows.
    fn close(&mut self) -> Option<bool> {
        let trimming = self.rest.strip_prefix(SPACE).and_then(|rest| rest.strip_prefix("-}}"));
        let after = trimming.or_else(|| self.rest.strip_prefix("}}"))?;
        self.rest = after;
        Some(trimming.is_some())
    }

    fn token(&mut self) -> Result<Token, TemplateError> {
        let mut chars = self.rest.chars();
        let first = chars.next().ok_or_else(|| TemplateError::new("{{ is not closed by }}"))?;
        let second = chars.next();
        match first {
            _ if SPACE.contains(&first) => {
                // The last space may belong to a trimming delimiter.
                while self.rest.starts_with(SPACE) && !self.rest[1..].starts_with("-}}") {
                    self.rest = &self.rest[1..];
                }
                Ok(Token::Space)
            }
            '|' => Ok(self.symbol(1, Token::Pipe)),
            '(' => Ok(self.symbol(1, Token::Open)),
            ')' => Ok(self.symbol(1, Token::Close)),
            ',' => Ok(self.symbol(1, Token::Comma)),
            '=' => Ok(self.symbol(1, Token::Assign)),
            ':' if second == Some('=') => Ok(self.symbol(2, Token::Declare)),
            '"' => self.quoted(),
            '`' => self.raw(),
            '\'' => self.character(),
            '$' => {
                self.rest = &self.rest[1..];
                self.word().map(Token::Variable)
            }
            '.' if !second.is_some_and(|c| c.is_ascii_digit()) => {
                self.rest = &self.rest[1..];
                if self.rest.starts_with(is_word) { self.word().map(Token::Field) } else { self.end(Token::Dot) }
            }
            _ if first.is_ascii_digit() || matches!(first, '+' | '-' | '.') => self.number(),
            _ if is_word(first) => self.word().map(Token::Word),
            _ => Err(TemplateError::new(format!("unexpected {first:?} in a template"))),
        }
    }

    fn symbol(&mut self, length: usize, token: Token) -> Token {
        self.rest = &self.rest[length..];
        token
    }

    fn word(&mut self) -> Result<String, TemplateError> {
        let end = self.rest.find(|c| !is_word(c)).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        self.end(word.into())
    }

    /// Checks that a word may end here.
    fn end<T>(&self, found: T) -> Result<T, TemplateError> {
        let next = self.rest.chars().next();
        if next.is_none_or(|c| SPACE.contains(&c) || ".,|:)(".contains(c)) || self.rest.starts_with("}}") {
            return Ok(found);
        }
        Err(TemplateError::new(format!("unexpected {:?} after a word", next.unwrap_or_default())))
    }

    fn number(&mut self) -> Result<Token, TemplateError> {
        let bytes = self.rest.as_bytes();
        let is_hex = self.rest.trim_start_matches(['+', '-']).to_ascii_lowercase().starts_with("0x");
        let mut end = usize::from(matches!(bytes[0], b'+' | b'-'));
        while let Some(byte) = bytes.get(end) {
            let signs_exponent =
                matches!(byte, b'+' | b'-') && matches!(bytes[end - 1], b'e' | b'E') && !is_hex && end > 1;
            if !(byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.') || signs_exponent) {
                break;
            }
            end += 1;
        }
        let (text, rest) = self.rest.split_at(end);
        let bad = || TemplateError::new(format!("{text:?} is not a number"));
        if rest.starts_with(is_word) {
            return Err(bad());
        }
        self.rest = rest;
        let int = number::int(text);
        // The types are one fact: a number with a point may stand for an int if it is whole.
        #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "checked by converting back")]
        let number = match (int, number::float(text)) {
            (Some(int), _) => Number { int: Some(int), float: int as f64, is_float: false },
            (None, Some(float)) if float.is_finite() && text.contains(['.', 'e', 'E']) => {
                let whole = float as i64;
                Number { int: (whole as f64 == float).then_some(whole), float, is_float: true }
            }
            _ => return Err(bad()),
        };
        Ok(Token::Number(number))
    }

    fn raw(&mut self) -> Result<Token, TemplateError> {
        let (text, rest) =
            self.rest[1..].split_once('`').ok_or_else(|| TemplateError::new("a string is not closed by '`'"))?;
        self.rest = rest;
        // As in Go, a raw string has no carriage returns; here it was taken over as it is written.
        Ok(Token::Text(text.replace('\r', "")))
    }

    fn quoted(&mut self) -> Result<Token, TemplateError> {
        self.rest = &self.rest[1..];
        let mut text = Vec::new();
        loop {
            match self.unquoted('"')? {
                None => break,
                Some(Unquoted::Char(c)) => text.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
                Some(Unquoted::Byte(byte)) => text.push(byte),
            }
        }
        let text = String::from_utf8(text).map_err(|_| TemplateError::new("a string is not UTF-8"))?;
        Ok(Token::Text(text))
    }

    fn character(&mut self) -> Result<Token, TemplateError> {
        self.rest = &self.rest[1..];
        let code = match self.unquoted('\'')? {
            Some(Unquoted::Char(c)) => u32::from(c),
            Some(Unquoted::Byte(byte)) => u32::from(byte),
            None => return Err(TemplateError::new("a character is missing between quotes")),
        };
        if self.unquoted('\'')?.is_some() {
            return Err(TemplateError::new("there is more than a character between single quotes"));
        }
        Ok(Token::Number(Number { int: Some(code.into()), float: code.into(), is_float: false }))
    }

    /// The next character of a string; none when the closing quote was taken.
    fn unquoted(&mut self, quote: char) -> Result<Option<Unquoted>, TemplateError> {
        let mut chars = self.rest.chars();
        let mut next = || chars.next().filter(|c| *c != '\n');
        let unclosed = || TemplateError::new(format!("a string is not closed by {quote:?}"));
        let found = match next().ok_or_else(unclosed)? {
            c if c == quote => None,
            '\\' => {
                let kind = next().ok_or_else(unclosed)?;
                let digits = match kind {
                    'x' => 2,
                    'u' => 4,
                    'U' => 8,
                    '0'..='7' => 2,
                    _ => 0,
                };
                let bad = || TemplateError::new(format!("the escape \"\\{kind}\" is wrong"));
                let code: String = (0..digits).map_while(|_| next()).collect();
                Some(match kind {
                    'a' => Unquoted::Char('\x07'),
                    'b' => Unquoted::Char('\x08'),
                    'f' => Unquoted::Char('\x0c'),
                    'n' => Unquoted::Char('\n'),
                    'r' => Unquoted::Char('\r'),
                    't' => Unquoted::Char('\t'),
                    'v' => Unquoted::Char('\x0b'),
                    '\\' => Unquoted::Char('\\'),
                    c if c == quote => Unquoted::Char(c),
                    _ if code.len() != digits || digits == 0 || code.starts_with('+') => return Err(bad()),
                    'x' => Unquoted::Byte(u8::from_str_radix(&code, 16).map_err(|_| bad())?),
                    'u' | 'U' => {
                        let code = u32::from_str_radix(&code, 16).map_err(|_| bad())?;
                        Unquoted::Char(char::from_u32(code).ok_or_else(bad)?)
                    }
                    _ => Unquoted::Byte(u8::from_str_radix(&format!("{kind}{code}"), 8).map_err(|_| bad())?),
                })
            }
            c => Some(Unquoted::Char(c)),
        };
        self.rest = chars.as_str();
        Ok(found)
    }
}

enum Unquoted {
    Char(char),
    Byte(u8),
}

fn is_word(c: char) -> bool {
    c == '_' || c.is_alphanumeric()
}
