//! What is written for people and other programs.

use std::{
    fmt,
    io::{self, Write},
};

/// A line on standard output. One that nobody reads any more is not an error.
pub(super) fn line(text: impl fmt::Display) {
    let _read = writeln!(io::stdout(), "{text}");
}

/// A line on standard error.
pub(super) fn complain(text: impl fmt::Display) {
    let _read = writeln!(io::stderr(), "{text}");
}
