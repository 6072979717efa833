//! Writing results. A reader that has gone away (`| head`) is no error.

use std::fmt::Display;
use std::io::{self, Write};

/// Prints text to stdout.
pub(super) fn print(text: impl Display) {
    let _ = write!(io::stdout().lock(), "{text}");
}

/// Prints a line to stdout.
pub(super) fn line(text: impl Display) {
    let _ = writeln!(io::stdout().lock(), "{text}");
}

/// Prints an error to stderr.
pub(super) fn error(text: impl Display) {
    let _ = writeln!(io::stderr().lock(), "causeway: {text}");
}

/// Prints a value as indented JSON.
pub(super) fn json(value: &impl serde::Serialize) {
    line(serde_json::to_string_pretty(value).unwrap_or_else(|error| error.to_string()));
}
