//! Compiled patterns over the parts of a service's key.

use std::fmt;

/// A pattern that is matched against a whole namespace or service name. Two are equal when they are of
/// the same kind and text.
#[derive(Clone)]
pub struct Pattern {
    text: String,
    matcher: Matcher,
}

#[derive(Clone)]
enum Matcher {
    Exact,
    Glob,
    Regex(regex::Regex),
    /// Java's patterns know look-around and back references, which `regex` leaves out to stay linear.
    Backtracking(fancy_regex::Regex),
}

impl Pattern {
    /// Matches this text and no other, whatever characters it holds.
    pub fn literal(text: impl Into<String>) -> Self {
        Self { text: text.into(), matcher: Matcher::Exact }
    }

    /// Exact, or a glob when `*` (any run, also none) or `?` (one character) is in it.
    pub fn glob(text: impl Into<String>) -> Self {
        let text = text.into();
        let matcher = if text.contains(['*', '?']) { Matcher::Glob } else { Matcher::Exact };
        Self { text, matcher }
    }

    /// Matches everything.
    #[must_use]
    pub fn any() -> Self {
        Self::glob("*")
    }

    /// A regular expression that must match the whole name.
    ///
    /// # Errors
    /// What is wrong with the expression, in `regex`'s words.
    pub fn regex(text: &str) -> Result<Self, String> {
        let compiled = regex::Regex::new(&whole(text)).map_err(|error| last_line(&error.to_string()))?;
        Ok(Self { text: text.to_owned(), matcher: Matcher::Regex(compiled) })
    }

    /// As [`Pattern::regex`], and where that can't, by an engine that backtracks as Java's does.
    ///
    /// # Errors
    /// What is wrong with the expression, in `fancy-regex`'s words.
    pub fn java_regex(text: &str) -> Result<Self, String> {
        if let Ok(linear) = Self::regex(text) {
            return Ok(linear);
        }
        let compiled =
            fancy_regex::Regex::new(&whole(text)).map_err(|error| last_line(&error.to_string()))?;
        Ok(Self { text: text.to_owned(), matcher: Matcher::Backtracking(compiled) })
    }

    /// Whether the whole of `name` matches. An expression that backtracks beyond its limit does not.
    #[must_use]
    pub fn matches(&self, name: &str) -> bool {
        match &self.matcher {
            Matcher::Exact => self.text == name,
            Matcher::Glob => glob_matches(&self.text, name),
            Matcher::Regex(regex) => regex.is_match(name),
            Matcher::Backtracking(regex) => regex.is_match(name).unwrap_or(false),
        }
    }

    /// The only name that matches, when this is no pattern.
    #[must_use]
    pub fn exact(&self) -> Option<&str> {
        matches!(self.matcher, Matcher::Exact).then_some(self.text.as_str())
    }

    /// What every name that matches begins with, as far as the pattern says it plainly.
    #[must_use]
    pub fn literal_prefix(&self) -> &str {
        match self.matcher {
            Matcher::Exact => &self.text,
            Matcher::Glob => self.text.split(['*', '?']).next().unwrap_or_default(),
            Matcher::Regex(_) | Matcher::Backtracking(_) => "",
        }
    }

    /// The pattern as written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    fn kind(&self) -> u8 {
        match self.matcher {
            Matcher::Exact => 0,
            Matcher::Glob => 1,
            Matcher::Regex(_) => 2,
            Matcher::Backtracking(_) => 3,
        }
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.kind() == other.kind() && self.text == other.text
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = ["exact", "glob", "regex", "java regex"][usize::from(self.kind())];
        write!(f, "{kind} {:?}", self.text)
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn whole(expression: &str) -> String {
    format!(r"\A(?:{expression})\z")
}

/// Regex errors draw the expression over several lines and end with a line that says what is wrong.
pub(crate) fn last_line(message: &str) -> String {
    let last = message.lines().last().unwrap_or(message).trim();
    last.strip_prefix("error: ").unwrap_or(last).to_owned()
}

/// Greedy matching that remembers only the last star: linear memory, at most quadratic time.
fn glob_matches(glob: &str, name: &str) -> bool {
    let (glob, name): (Vec<char>, Vec<char>) = (glob.chars().collect(), name.chars().collect());
    let (mut g, mut n) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        match glob.get(g) {
            Some('*') => {
                star = Some((g, n));
                g += 1;
            }
            Some(&wanted) if wanted == '?' || wanted == name[n] => {
                g += 1;
                n += 1;
            }
            _ => {
                let Some((at, taken)) = star else { return false };
                star = Some((at, taken + 1));
                g = at + 1;
                n = taken + 1;
            }
        }
    }
    glob[g..].iter().all(|&rest| rest == '*')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Pattern, glob_matches};

    #[test]
    fn a_glob_covers_the_whole_name() {
        let glob = Pattern::glob("TRADE__*-v?");
        assert!(glob.matches("TRADE__orders-v1"));
        assert!(glob.matches("TRADE__-v1"));
        assert!(!glob.matches("TRADE__orders-v12"));
        assert!(!glob.matches("xTRADE__orders-v1"));
        assert!(Pattern::glob("订?").matches("订单"));
        assert_eq!(glob.exact(), None);
        assert_eq!(glob.literal_prefix(), "TRADE__");
    }

    #[test]
    fn without_wildcards_it_is_exact_and_a_literal_always_is() {
        assert_eq!(Pattern::glob("a.b").exact(), Some("a.b"));
        assert!(!Pattern::glob("a.b").matches("axb"));
        assert!(Pattern::literal("a*").matches("a*"));
        assert!(!Pattern::literal("a*").matches("ab"));
        assert_ne!(Pattern::literal("a*"), Pattern::glob("a*"));
    }

    #[test]
    fn a_regular_expression_covers_the_whole_name_whatever_it_alternates() {
        let regex = Pattern::regex("a|bc").unwrap();
        assert!(regex.matches("a") && regex.matches("bc"));
        assert!(!regex.matches("abc") && !regex.matches("ac"));
        assert!(Pattern::regex("(").unwrap_err().contains("unclosed group"));
    }

    #[test]
    fn java_patterns_may_look_ahead() {
        assert!(Pattern::regex("(?!legacy).*").is_err());
        let java = Pattern::java_regex("(?!legacy).*").unwrap();
        assert!(java.matches("orders") && !java.matches("legacy-orders"));
        assert!(Pattern::java_regex("(?!").is_err());
    }

    proptest! {
        #[test]
        fn globs_agree_with_their_regular_expression(glob in "[ab*?]{0,8}", name in "[ab]{0,8}") {
            let expression: String = glob
                .chars()
                .map(|c| match c { '*' => ".*".to_owned(), '?' => ".".to_owned(), c => c.to_string() })
                .collect();
            prop_assert_eq!(glob_matches(&glob, &name), Pattern::regex(&expression).unwrap().matches(&name));
        }
    }
}
