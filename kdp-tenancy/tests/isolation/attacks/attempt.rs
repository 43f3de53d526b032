//! One row of the table.

use std::fmt;

use super::wire::Answer;

/// Something that is tried. In its texts, `<victim>` is the victim's path, `<v>` its logical cluster,
/// `<a>` the attacker's, and the others are listed where they are filled in.
#[derive(Clone, Debug)]
pub(super) struct Attempt {
    pub(super) name: String,
    pub(super) who: Who,
    pub(super) message: Message,
    expected: Expected,
    is_repeatable: bool,
}

/// Who tries it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Who {
    /// A client with a certificate for this user in these groups. `attacker` is administrator of
    /// its own workspace.
    Certified { user: String, groups: Vec<String> },
    /// A client without a certificate.
    Nobody,
}

/// What goes over the connection.
#[derive(Clone, Debug)]
pub(super) enum Message {
    /// A well-formed HTTP/1.1 request, whose target is sent as it stands.
    Request { method: String, target: String, headers: Vec<String>, body: String },
    /// These bytes.
    Raw(String),
    /// An HTTP/2 request with these header fields.
    Http2(Vec<(String, String)>),
}

/// The code of the answer.
#[derive(Clone, Debug)]
enum Expected {
    /// One that says no.
    Refused,
    Codes(Vec<u16>),
    /// Any, as long as the server does not fail.
    Any,
}

const NO: [u16; 9] = [400, 401, 403, 404, 405, 409, 413, 415, 422];

impl Attempt {
    pub(super) fn new(name: impl Into<String>, method: &str, target: impl Into<String>) -> Self {
        let request =
            Message::Request { method: method.into(), target: target.into(), headers: Vec::new(), body: String::new() };
        Self::sending(name, request)
    }

    pub(super) fn get(name: impl Into<String>, target: impl Into<String>) -> Self {
        Self::new(name, "GET", target)
    }

    pub(super) fn sending(name: impl Into<String>, message: Message) -> Self {
        let who = Who::Certified { user: "attacker".into(), groups: Vec::new() };
        Self { name: name.into(), who, message, expected: Expected::Refused, is_repeatable: true }
    }

    pub(super) fn by(self, user: &str, groups: &[&str]) -> Self {
        let groups = groups.iter().map(|&group| group.into()).collect();
        Self { who: Who::Certified { user: user.into(), groups }, ..self }
    }

    pub(super) fn by_nobody(self) -> Self {
        Self { who: Who::Nobody, ..self }
    }

    /// Adds a header line.
    pub(super) fn header(mut self, line: impl Into<String>) -> Self {
        if let Message::Request { headers, .. } = &mut self.message {
            headers.push(line.into());
        }
        self
    }

    pub(super) fn body(mut self, content_type: &str, text: impl fmt::Display) -> Self {
        if let Message::Request { body, .. } = &mut self.message {
            *body = text.to_string();
        }
        self.header(format!("Content-Type: {content_type}"))
    }

    pub(super) fn json(self, body: &serde_json::Value) -> Self {
        self.body("application/json", body)
    }

    /// It is answered with one of these codes.
    pub(super) fn gets(self, codes: &[u16]) -> Self {
        Self { expected: Expected::Codes(codes.into()), ..self }
    }

    /// It may be answered with anything that is harmless.
    pub(super) fn gets_anything(self) -> Self {
        Self { expected: Expected::Any, ..self }
    }

    /// It makes something at home, so doing it again would be answered differently.
    pub(super) fn once(self) -> Self {
        Self { is_repeatable: false, ..self }
    }

    pub(super) fn is_repeatable(&self) -> bool {
        self.is_repeatable
    }

    /// Every text of the attempt.
    pub(super) fn texts(&self) -> Vec<&str> {
        match &self.message {
            Message::Request { target, headers, body, .. } => {
                [&**target, &**body].into_iter().chain(headers.iter().map(String::as_str)).collect()
            }
            Message::Raw(text) => vec![text],
            Message::Http2(fields) => fields.iter().map(|(_, value)| &**value).collect(),
        }
    }

    /// What is wrong with an answer, given what must not be in it.
    pub(super) fn faults(&self, answer: &Answer, secrets: &[String]) -> Vec<String> {
        let text = answer.text();
        let mut faults: Vec<String> = secrets
            .iter()
            .filter(|secret| text.contains(&***secret))
            .map(|secret| format!("tells {secret:?}"))
            .collect();
        let codes = answer.codes();
        if codes.is_empty() && matches!(self.message, Message::Request { .. }) {
            faults.push("not answered".into());
        }
        for code in codes {
            let is_fine = match &self.expected {
                Expected::Refused => NO.contains(&code),
                Expected::Codes(codes) => codes.contains(&code),
                Expected::Any => code < 500,
            };
            if !is_fine {
                faults.push(format!("answered {code}, not {:?}", self.expected));
            }
        }
        faults
    }
}
