//! Where a walk through a JSON document stands.

use std::fmt::{self, Write};

/// A path as a list of steps that lives on the stack.
///
/// Walking costs nothing; text is made only when a fault has to be named.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Path<'a> {
    parent: Option<&'a Self>,
    step: Step<'a>,
}

#[derive(Clone, Copy, Debug)]
enum Step<'a> {
    /// The text the path starts with; may be empty.
    Root(&'a str),
    /// A field of an object.
    Field(&'a str),
    /// An entry of a map, whose keys are data.
    Key(&'a str),
    /// An item of an array.
    Index(usize),
}

impl<'a> Path<'a> {
    /// A path that starts with `prefix`.
    pub(crate) fn root(prefix: &'a str) -> Self {
        Self { parent: None, step: Step::Root(prefix) }
    }

    pub(crate) fn field(&'a self, name: &'a str) -> Self {
        Self { parent: Some(self), step: Step::Field(name) }
    }

    pub(crate) fn key(&'a self, key: &'a str) -> Self {
        Self { parent: Some(self), step: Step::Key(key) }
    }

    pub(crate) fn index(&'a self, index: usize) -> Self {
        Self { parent: Some(self), step: Step::Index(index) }
    }

    /// The path with map entries written as fields, `spec.labels.app`: so Kubernetes names them in
    /// OpenAPI faults and in warnings of unknown fields. `Display` writes `spec.labels[app]`.
    pub(crate) fn dotted(&self) -> String {
        let mut text = String::new();
        self.write(&mut text, Keys::Dotted).expect("writing to a String does not fail");
        text
    }

    fn write(&self, text: &mut String, keys: Keys) -> fmt::Result {
        if let Some(parent) = self.parent {
            parent.write(text, keys)?;
        }
        match (self.step, keys) {
            (Step::Root(prefix), _) => text.write_str(prefix),
            (Step::Index(index), _) => write!(text, "[{index}]"),
            (Step::Key(key), Keys::Bracketed) => write!(text, "[{key}]"),
            (Step::Field(name) | Step::Key(name), _) if text.is_empty() => text.write_str(name),
            (Step::Field(name) | Step::Key(name), _) => write!(text, ".{name}"),
        }
    }
}

#[derive(Clone, Copy)]
enum Keys {
    Bracketed,
    Dotted,
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::new();
        self.write(&mut text, Keys::Bracketed)?;
        f.write_str(&text)
    }
}
