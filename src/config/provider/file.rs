//! A document in a file.

use std::path::Path;

use crate::config::{Loaded, Mistakes, parse};

/// Reads the document in a file, with the process's environment for its `${NAME}`s.
///
/// # Errors
/// Everything that is wrong with the document, or why the file can't be read.
pub fn load(path: impl AsRef<Path>) -> Result<Loaded, Mistakes> {
    let path = path.as_ref();
    let name = path.display().to_string();
    let bytes = std::fs::read(path)
        .map_err(|error| Mistakes::of_file(&name, format!("the configuration cannot be read: {error}")))?;
    let text = String::from_utf8(bytes).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        Mistakes::of_file(&name, format!("the configuration is not UTF-8 text (byte {})", valid + 1))
    })?;
    parse(&text, &name, &|variable| std::env::var(variable).ok())
}
