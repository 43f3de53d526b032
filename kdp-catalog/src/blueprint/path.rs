//! Where in a document one is, without allocating on the way down.

use std::fmt;

/// A field's place, as a list that grows on the stack of the walk.
#[derive(Clone, Copy, Debug)]
pub(super) enum Path<'a> {
    Root(&'a str),
    Field(&'a Self, &'a str),
    Index(&'a Self, usize),
}

impl<'a> Path<'a> {
    pub(super) fn field(&'a self, name: &'a str) -> Self {
        Self::Field(self, name)
    }

    pub(super) fn index(&'a self, position: usize) -> Self {
        Self::Index(self, position)
    }
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root(name) => f.write_str(name),
            Self::Field(parent, name) => {
                parent.fmt(f)?;
                if is_plain(name) {
                    let dot = if matches!(parent, Self::Root("")) { "" } else { "." };
                    write!(f, "{dot}{name}")
                } else {
                    write!(f, "[{name:?}]")
                }
            }
            Self::Index(parent, position) => write!(f, "{parent}[{position}]"),
        }
    }
}

/// Whether a name can follow a dot without being mistaken for something else.
fn is_plain(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '$'))
}
