//! What is wrong with a document, with its places; all of it at once.

use std::fmt;

use super::tree::Source;

/// One thing to tell about a document: a mistake or a warning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The file as it was named to the loader.
    pub file: String,
    /// Line and column, in characters, both from 1; none when the file as a whole is meant.
    pub place: Option<(usize, usize)>,
    /// The key's path, such as `tasks[0].source`; empty for the document.
    pub path: String,
    /// What is wrong and, where it can be told, what to write instead. Quotes the file's own text, never
    /// a substituted value or a secret.
    pub message: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.file)?;
        if let Some((line, column)) = self.place {
            write!(f, "{line}:{column}:")?;
        }
        if !self.path.is_empty() {
            write!(f, " {}:", self.path)?;
        }
        write!(f, " {}", self.message)
    }
}

/// All the mistakes of a document, in the order of their places; never empty. Displayed one a line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Mistakes(Vec<Finding>);

impl Mistakes {
    /// A single mistake about a file as a whole.
    pub(crate) fn of_file(file: &str, message: String) -> Self {
        Self(vec![Finding { file: file.to_owned(), place: None, path: String::new(), message }])
    }

    /// A single mistake at a place.
    pub(crate) fn at(source: &Source<'_>, at: usize, message: String) -> Self {
        let place = Some(source.place(at));
        Self(vec![Finding { file: source.file.to_owned(), place, path: String::new(), message }])
    }

    /// Each mistake.
    #[must_use]
    pub fn findings(&self) -> &[Finding] {
        &self.0
    }
}

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, finding) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{finding}")?;
        }
        Ok(())
    }
}

/// The path of a key in a document.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Path(String);

impl Path {
    pub(crate) fn key(&self, key: &str) -> Self {
        if self.0.is_empty() { Self(key.to_owned()) } else { Self(format!("{}.{key}", self.0)) }
    }

    pub(crate) fn index(&self, index: usize) -> Self {
        Self(format!("{}[{index}]", self.0))
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What the stages of reading a document have found so far, by byte offset.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    mistakes: Vec<Found>,
    warnings: Vec<Found>,
}

#[derive(Debug)]
struct Found {
    at: usize,
    path: Path,
    message: String,
}

impl Findings {
    pub(crate) fn mistake(&mut self, at: usize, path: &Path, message: impl Into<String>) {
        self.mistakes.push(Found { at, path: path.clone(), message: message.into() });
    }

    pub(crate) fn warning(&mut self, at: usize, path: &Path, message: impl Into<String>) {
        self.warnings.push(Found { at, path: path.clone(), message: message.into() });
    }

    /// The warnings, or the mistakes when there is one.
    pub(crate) fn settle(self, source: &Source<'_>) -> Result<Vec<Finding>, Mistakes> {
        if self.mistakes.is_empty() {
            return Ok(placed(self.warnings, source));
        }
        Err(Mistakes(placed(self.mistakes, source)))
    }
}

/// An alias repeats what stands at its anchor: told once, under the first path.
fn placed(mut found: Vec<Found>, source: &Source<'_>) -> Vec<Finding> {
    found.sort_by_key(|one| one.at);
    let mut findings: Vec<Finding> = Vec::new();
    for one in found {
        let place = Some(source.place(one.at));
        let told = |earlier: &Finding| earlier.place == place && earlier.message == one.message;
        if !findings.iter().rev().take_while(|earlier| earlier.place == place).any(told) {
            findings.push(Finding {
                file: source.file.to_owned(),
                place,
                path: one.path.0,
                message: one.message,
            });
        }
    }
    findings
}
