//! The Lua patterns that the published schemas contain, as regular expressions.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use regex::Regex;

/// Compiled once: an upstream's schema alone asks some twenty of them for each write.
static COMPILED: Mutex<BTreeMap<String, Option<Regex>>> = Mutex::new(BTreeMap::new());

/// Whether `text` matches a Lua pattern made of literals, `%` classes, sets, anchors and quantifiers.
pub(super) fn matches(pattern: &str, text: &str) -> bool {
    let mut compiled = COMPILED.lock().unwrap_or_else(PoisonError::into_inner);
    if !compiled.contains_key(pattern) {
        compiled.insert(pattern.to_owned(), Regex::new(&translate(pattern)).ok());
    }
    compiled.get(pattern).and_then(Option::as_ref).is_some_and(|regex| regex.is_match(text))
}

fn translate(pattern: &str) -> String {
    let mut out = String::new();
    let mut escaped = false;
    for c in pattern.chars() {
        match (escaped, c) {
            (false, '%') => escaped = true,
            (false, c) => out.push(c),
            (true, c) => {
                escaped = false;
                match c {
                    'u' => out.push_str("[A-Z]"),
                    'd' => out.push_str("[0-9]"),
                    c => out.push_str(&regex::escape(&c.to_string())),
                }
            }
        }
    }
    out
}
