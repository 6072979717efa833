//! JSON with comments and trailing commas to the tree.

use jsonc_parser::{
    CollectOptions, CommentCollectionStrategy, ParseOptions,
    ast::{ObjectProp, ObjectPropName, Value as Json},
    common::Ranged,
    parse_to_ast,
};

use super::{Entry, MAX_DEPTH, Node, Syntax, Value};

pub(super) fn parse(text: &str) -> Result<Node, Syntax> {
    read(text, false)
}

/// Single quotes, bare keys and `#` comments too, as polaris-sync's reader (gson) takes them.
pub(super) fn parse_leniently(text: &str) -> Result<Node, Syntax> {
    read(&blank_hash_comments(text), true)
}

fn read(text: &str, lenient: bool) -> Result<Node, Syntax> {
    let collect = CollectOptions { comments: CommentCollectionStrategy::Off, tokens: false };
    let parsed = parse_to_ast(text, &collect, &options(lenient))
        .map_err(|error| Syntax::new(error.range().start, error.kind().to_string()))?;
    parsed.value.map_or_else(|| Ok(Node::scalar(0, "", false)), |value| node(value, 0))
}

/// Every option is named: the crate's defaults allow more than JSON with comments.
fn options(lenient: bool) -> ParseOptions {
    ParseOptions {
        allow_comments: true,
        allow_trailing_commas: true,
        allow_loose_object_property_names: lenient,
        allow_single_quoted_strings: lenient,
        allow_missing_commas: false,
        allow_hexadecimal_numbers: false,
        allow_unary_plus_numbers: false,
        allow_bare_decimal_point_numbers: false,
        allow_non_finite_numbers: false,
        allow_extended_string_escapes: false,
    }
}

/// Turns `# …` outside of strings and other comments into blanks, so that all places stay as they are.
fn blank_hash_comments(text: &str) -> String {
    let mut blanked = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '"' | '\'' => string_length(rest, first),
            '/' if rest.starts_with("/*") => rest.find("*/").map_or(rest.len(), |end| end + 2),
            '/' if rest.starts_with("//") => line_length(rest),
            '#' => {
                let length = line_length(rest);
                blanked.extend(std::iter::repeat_n(' ', length));
                rest = &rest[length..];
                continue;
            }
            other => other.len_utf8(),
        };
        blanked.push_str(&rest[..length]);
        rest = &rest[length..];
    }
    blanked
}

fn line_length(text: &str) -> usize {
    text.find(['\r', '\n']).unwrap_or(text.len())
}

fn string_length(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if c == quote => return at + 1,
            _ => {}
        }
    }
    text.len()
}

fn node(value: Json<'_>, depth: usize) -> Result<Node, Syntax> {
    let at = value.range().start;
    if depth > MAX_DEPTH {
        return Err(Syntax::new(at, format!("nested deeper than {MAX_DEPTH} levels")));
    }
    Ok(match value {
        Json::StringLit(text) => Node::scalar(at, text.value, true),
        Json::NumberLit(number) => Node::scalar(at, number.value, false),
        Json::BooleanLit(truth) => Node::scalar(at, truth.value.to_string(), false),
        Json::NullKeyword(_) => Node::scalar(at, "null", false),
        Json::Array(array) => {
            let items = array.elements.into_iter().map(|item| node(item, depth + 1));
            Node { at, value: Value::List(items.collect::<Result<_, _>>()?) }
        }
        Json::Object(object) => {
            let entries = object.properties.into_iter().map(|property| entry(property, depth + 1));
            Node { at, value: Value::Table(entries.collect::<Result<_, _>>()?) }
        }
    })
}

fn entry(property: ObjectProp<'_>, depth: usize) -> Result<Entry, Syntax> {
    let (key, key_at) = match property.name {
        ObjectPropName::String(name) => (name.value.into_owned(), name.range.start),
        ObjectPropName::Word(name) => (name.value.to_owned(), name.range.start),
    };
    Ok(Entry { key, key_at, value: node(property.value, depth)? })
}
