//! Kubernetes' static token file.

#[cfg(test)]
mod tests;

use std::{iter::Peekable, str::Chars};

use kdp_core::Identity;

use super::StaticTokens;

/// A line of a token file does not make sense. It never repeats what the line holds.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {problem}")]
pub struct TokenFileError {
    line: usize,
    problem: &'static str,
}

impl TokenFileError {
    /// The number of the line on which the faulty record begins, from 1.
    #[must_use]
    pub fn line(&self) -> usize {
        self.line
    }
}

impl StaticTokens {
    /// The tokens of a static token file as `kube-apiserver --token-auth-file` reads it: CSV lines of
    /// `token,user,uid` and optionally a quoted `"group1,group2"`.
    ///
    /// Empty lines are skipped, further columns are ignored, and of two equal tokens the later counts.
    ///
    /// # Errors
    /// The line that is not such a record. Unlike Kubernetes, which skips it, a record without a token
    /// or without a user is an error: nobody writes one on purpose.
    pub fn from_csv(text: &str) -> Result<Self, TokenFileError> {
        let mut tokens = Self::new();
        for record in Records::new(text) {
            let (line, fields) = record?;
            let failed = |problem| Err(TokenFileError { line, problem });
            let [token, username, uid, rest @ ..] = &fields[..] else {
                return failed("expected at least the columns token, user and uid");
            };
            if token.is_empty() {
                return failed("the token is empty");
            }
            if username.is_empty() {
                return failed("the user is empty");
            }
            let groups = rest.first().map(String::as_str).unwrap_or_default();
            let identity = Identity {
                username: username.clone(),
                uid: Some(uid.clone()).filter(|uid| !uid.is_empty()),
                groups: groups.split(',').map(str::trim).filter(|group| !group.is_empty()).map(Into::into).collect(),
                ..Identity::default()
            };
            tokens = tokens.with_token(token, identity);
        }
        Ok(tokens)
    }
}

/// The records of a CSV text (RFC 4180), each with the number of its first line.
struct Records<'a> {
    rest: Peekable<Chars<'a>>,
    line: usize,
}

impl<'a> Records<'a> {
    fn new(text: &'a str) -> Self {
        Self { rest: text.chars().peekable(), line: 1 }
    }

    fn next_char(&mut self) -> Option<char> {
        let next = self.rest.next();
        if next == Some('\n') {
            self.line += 1;
        }
        next
    }

    /// The next record, up to and with the end of its line.
    fn record(&mut self) -> Result<Vec<String>, &'static str> {
        let mut fields = Vec::new();
        loop {
            let field = if self.rest.next_if_eq(&'"').is_some() { self.quoted()? } else { self.plain()? };
            fields.push(field);
            match self.next_char() {
                Some(',') => {}
                None | Some('\n') => return Ok(fields),
                Some(_) => return Err("a closing quote is followed by something else than a comma"),
            }
        }
    }

    fn plain(&mut self) -> Result<String, &'static str> {
        let mut field = String::new();
        while let Some(next) = self.rest.next_if(|next| !matches!(next, ',' | '\n')) {
            if next == '"' {
                return Err("a quote stands in a field that does not begin with one");
            }
            field.push(next);
        }
        if self.rest.peek() != Some(&',') && field.ends_with('\r') {
            field.pop();
        }
        Ok(field)
    }

    /// The rest of a field whose opening quote was read.
    fn quoted(&mut self) -> Result<String, &'static str> {
        let mut field = String::new();
        loop {
            match self.next_char() {
                Some('"') if self.rest.next_if_eq(&'"').is_some() => field.push('"'),
                Some('"') => {
                    self.rest.next_if_eq(&'\r');
                    return Ok(field);
                }
                Some(next) => field.push(next),
                None => return Err("a quote is not closed"),
            }
        }
    }
}

impl Iterator for Records<'_> {
    type Item = Result<(usize, Vec<String>), TokenFileError>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.rest.next_if(|next| matches!(next, '\n' | '\r')).is_some_and(|next| {
            self.line += usize::from(next == '\n');
            true
        }) {}
        self.rest.peek()?;
        let line = self.line;
        Some(match self.record() {
            Ok(fields) => Ok((line, fields)),
            Err(problem) => Err(TokenFileError { line, problem }),
        })
    }
}
