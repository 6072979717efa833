//! A document as values that know where they stand.
//!
//! ```text
//! text ──yaml | json──▶ Node ──doubles──▶ Node ──substitute──▶ Node
//! ```
//!
//! Scalars keep their text: what they mean is the schema's to say, so that `version: 1.10` stays text in
//! metadata and `0123` stays a password.

mod doubles;
mod json;
mod substitute;
mod yaml;

pub(crate) use doubles::settle_doubles;
pub(crate) use substitute::{Env, substitute, tell_unsubstituted};

/// Deeper documents are refused, so that the recursive walks stay within a small stack.
const MAX_DEPTH: usize = 128;

/// A document's text and name.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Source<'t> {
    pub(crate) file: &'t str,
    /// Without a byte order mark.
    pub(crate) text: &'t str,
}

impl<'t> Source<'t> {
    pub(crate) fn new(file: &'t str, text: &'t str) -> Self {
        Self { file, text: text.strip_prefix('\u{feff}').unwrap_or(text) }
    }

    /// Line and column of a byte, both from 1, the column in characters.
    pub(crate) fn place(&self, at: usize) -> (usize, usize) {
        let before = self.text.get(..at).unwrap_or(self.text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
    }

    /// The whole line in which a byte stands.
    fn line(&self, at: usize) -> &'t str {
        let at = at.min(self.text.len());
        let start = self.text[..at].rfind('\n').map_or(0, |newline| newline + 1);
        self.text[start..].lines().next().unwrap_or_default()
    }
}

/// A syntax error: fatal, since nothing behind it can be trusted.
#[derive(Debug)]
pub(crate) struct Syntax {
    pub(crate) at: usize,
    pub(crate) message: String,
}

impl Syntax {
    fn new(at: usize, message: impl Into<String>) -> Self {
        Self { at, message: message.into() }
    }
}

/// A value and where it stands.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    /// Byte offset of its start; of its key when it is empty.
    pub(crate) at: usize,
    pub(crate) value: Value,
}

#[derive(Debug, Clone)]
pub(crate) enum Value {
    Scalar(Scalar),
    List(Vec<Node>),
    Table(Vec<Entry>),
}

#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) key_at: usize,
    pub(crate) value: Node,
}

/// A word of the document, not yet typed.
#[derive(Debug, Clone)]
pub(crate) struct Scalar {
    /// What it says after substitution.
    pub(crate) text: String,
    /// What it says before that: what messages may quote.
    pub(crate) written: String,
    /// Whether it stands in quotes (or is a block of text) and so is no number or truth value.
    pub(crate) quoted: bool,
    /// Whether all of it came from one `${…}`, and so may be of any type.
    pub(crate) substituted_whole: bool,
}

impl Scalar {
    fn new(text: impl Into<String>, quoted: bool) -> Self {
        let text = text.into();
        Self { written: text.clone(), text, quoted, substituted_whole: false }
    }

    /// Whether it may be read as something else than text.
    pub(crate) fn is_bare(&self) -> bool {
        !self.quoted || self.substituted_whole
    }

    /// Nothing: a key without a value, `null`, or a substitution that came out empty.
    pub(crate) fn is_nothing(&self) -> bool {
        let null = !self.quoted && matches!(self.written.as_str(), "" | "~" | "null" | "Null" | "NULL");
        null || (self.substituted_whole && self.text.is_empty())
    }

    /// Its truth value in YAML's words.
    pub(crate) fn as_bool(&self) -> Option<bool> {
        match self.text.to_ascii_lowercase().as_str() {
            "true" | "yes" | "on" => Some(true),
            "false" | "no" | "off" => Some(false),
            _ => None,
        }
    }
}

impl Node {
    pub(crate) fn scalar(at: usize, text: impl Into<String>, quoted: bool) -> Self {
        Self { at, value: Value::Scalar(Scalar::new(text, quoted)) }
    }

    pub(crate) fn as_scalar(&self) -> Option<&Scalar> {
        match &self.value {
            Value::Scalar(scalar) => Some(scalar),
            _ => None,
        }
    }

    /// The text of a scalar that says something.
    pub(crate) fn text(&self) -> Option<&str> {
        self.as_scalar().filter(|scalar| !scalar.is_nothing()).map(|scalar| scalar.text.as_str())
    }

    /// The entries of a table; none for anything else.
    pub(crate) fn entries(&self) -> &[Entry] {
        match &self.value {
            Value::Table(entries) => entries,
            _ => &[],
        }
    }

    /// The items of a list; none for anything else.
    pub(crate) fn items(&self) -> &[Node] {
        match &self.value {
            Value::List(items) => items,
            _ => &[],
        }
    }

    /// The value under a key, unless it is nothing.
    pub(crate) fn get(&self, key: &str) -> Option<&Node> {
        let entry = self.entries().iter().find(|entry| entry.key == key)?;
        (!entry.value.is_nothing()).then_some(&entry.value)
    }

    pub(crate) fn is_nothing(&self) -> bool {
        self.as_scalar().is_some_and(Scalar::is_nothing)
    }

    /// Whether two values say the same, wherever and in whatever order of keys.
    pub(crate) fn says_the_same(&self, other: &Self) -> bool {
        match (&self.value, &other.value) {
            (Value::Scalar(one), Value::Scalar(two)) => {
                one.text == two.text && one.is_nothing() == two.is_nothing()
            }
            (Value::List(one), Value::List(two)) => {
                one.len() == two.len() && one.iter().zip(two).all(|(a, b)| a.says_the_same(b))
            }
            (Value::Table(one), Value::Table(two)) => {
                one.len() == two.len()
                    && one.iter().all(|entry| {
                        let twin = two.iter().find(|twin| twin.key == entry.key);
                        twin.is_some_and(|twin| entry.value.says_the_same(&twin.value))
                    })
            }
            _ => false,
        }
    }
}

/// Reads a document: JSON when it begins with `{`, `[` or a comment of JSON's kind, else YAML. JSON that only
/// a lenient reader takes is taken when `lenient` says so of what comes out.
pub(crate) fn parse(source: &Source<'_>, lenient: fn(&Node) -> bool) -> Result<Node, Syntax> {
    if !source.text.trim_start().starts_with(['{', '[', '/']) {
        return yaml::parse(source.text).map_err(|syntax| with_hint(syntax, source));
    }
    json::parse(source.text).or_else(|syntax| match json::parse_leniently(source.text) {
        Ok(root) if lenient(&root) => Ok(root),
        _ => Err(syntax),
    })
}

/// The braces of an unquoted `${NAME}` inside `{ … }` are YAML's own: the commonest cause of its errors.
fn with_hint(syntax: Syntax, source: &Source<'_>) -> Syntax {
    let line = source.line(syntax.at);
    let unquoted = line.match_indices("${").any(|(at, _)| !line[..at].ends_with(['"', '\'']));
    if !unquoted {
        return syntax;
    }
    Syntax { message: format!("{} (a `${{…}}` inside `{{ … }}` needs quotes)", syntax.message), ..syntax }
}
