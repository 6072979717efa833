//! The tree to YAML: equal trees give equal bytes, and every reader of YAML 1.1 or 1.2 reads the same.

use std::cmp::Ordering;
use std::fmt::Write as _;

use super::node::{Kind, Node};

/// What stands first in a map, in this order; then everything else by name; lists of things come last, as
/// people write them.
const FIRST: [&str; 8] = ["_format_version", "_info", "_transform", "name", "id", "target", "host", "weight"];
const LAST: [&str; 6] = ["tags", "plugins", "targets", "services", "routes", "upstreams"];

pub(super) fn emit(root: &Node) -> String {
    let mut out = String::new();
    if root.entries().is_empty() {
        return "{}\n".to_owned();
    }
    map(&mut out, root, 0, false);
    out
}

fn node(out: &mut String, node: &Node, indent: usize) {
    match &node.kind {
        Kind::Plain(text) => {
            out.push(' ');
            out.push_str(&plain(text));
            out.push('\n');
        }
        Kind::Text(text) => {
            out.push(' ');
            out.push_str(&scalar(text));
            out.push('\n');
        }
        Kind::List(items) if items.is_empty() => out.push_str(" []\n"),
        Kind::Map(entries) if entries.is_empty() => out.push_str(" {}\n"),
        Kind::List(items) => {
            out.push('\n');
            list(out, items, indent);
        }
        Kind::Map(_) => {
            out.push('\n');
            map(out, node, indent, false);
        }
    }
}

fn list(out: &mut String, items: &[Node], indent: usize) {
    for item in items {
        out.extend(std::iter::repeat_n(' ', indent));
        out.push('-');
        match &item.kind {
            Kind::Map(entries) if !entries.is_empty() => {
                out.push(' ');
                map(out, item, indent + 2, true);
            }
            // A list in a list begins on its own line.
            _ => node(out, item, indent + 2),
        }
    }
}

/// `inline`: the first entry goes on with a line that has been begun.
fn map(out: &mut String, node: &Node, indent: usize, mut inline: bool) {
    let mut entries: Vec<&(String, Node)> = node.entries().iter().collect();
    entries.sort_by(|(a, _), (b, _)| compare(a, b));
    for (name, value) in entries {
        if !std::mem::take(&mut inline) {
            out.extend(std::iter::repeat_n(' ', indent));
        }
        out.push_str(&scalar(name));
        out.push(':');
        self::node(out, value, indent + 2);
    }
}

fn compare(a: &str, b: &str) -> Ordering {
    place(a).cmp(&place(b)).then_with(|| a.cmp(b))
}

fn place(name: &str) -> (usize, usize) {
    if let Some(place) = FIRST.iter().position(|first| *first == name) {
        return (0, place);
    }
    LAST.iter().position(|last| *last == name).map_or((1, 0), |place| (2, place))
}

/// An unquoted scalar as it stood; one of several lines was text in any case.
fn plain(text: &str) -> String {
    if text.contains('\n') { quoted(text) } else { text.to_owned() }
}

fn scalar(text: &str) -> String {
    if is_plainly_text(text) { text.to_owned() } else { quoted(text) }
}

/// Words that are nothing but text to every reader: a letter first, nothing that could be a number, a boolean
/// or an indicator.
fn is_plainly_text(text: &str) -> bool {
    const OTHERWISE: [&str; 11] = ["true", "false", "yes", "no", "on", "off", "y", "n", "null", "nan", "inf"];
    let mut bytes = text.bytes();
    let first = bytes.next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_');
    let rest = bytes.all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.' | b':'));
    first && rest && !text.ends_with(':') && !OTHERWISE.iter().any(|word| text.eq_ignore_ascii_case(word))
}

/// In double quotes, which take every character by an escape.
fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        // Writing to a String cannot fail.
        let _ = match c {
            '"' | '\\' => write!(out, "\\{c}"),
            '\n' => write!(out, "\\n"),
            '\t' => write!(out, "\\t"),
            // What YAML does not call printable, and its line breaks.
            '\0'..='\x1f'
            | '\x7f'..='\u{9f}'
            | '\u{2028}'
            | '\u{2029}'
            | '\u{feff}'
            | '\u{fffe}'
            | '\u{ffff}' => {
                write!(out, "\\u{:04x}", u32::from(c))
            }
            c => write!(out, "{c}"),
        };
    }
    out.push('"');
    out
}
