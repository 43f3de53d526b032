//! Standard output.

use std::{
    fmt,
    io::{self, Write},
};

/// Prints one line. A reader that has gone away, such as `head`, is no reason to stop.
pub(crate) fn line(text: impl fmt::Display) {
    drop(writeln!(io::stdout().lock(), "{text}"));
}
