//! Reading a JSON Schema as schemars writes it: what may stand at one place.

use serde_json::{Map, Value as Json};

use crate::config::tree::{Node, Value};

/// Marks, in a schema, the property that names the file of another one's value.
pub(crate) const SECRET_IN_FILE: &str = "x-causeway-secret-in-file";

/// A schema with its definitions.
#[derive(Debug, Clone, Copy)]
pub(super) struct Schema<'s> {
    root: &'s Json,
}

/// What may stand at one place: unions are flattened, and "nothing" is left out, since an absent value is
/// simply not given.
#[derive(Debug, Default)]
pub(super) struct Shape<'s> {
    /// The schemas of texts, numbers and truth values.
    pub(super) scalars: Vec<&'s Json>,
    /// Words of which the value must be one.
    pub(super) words: Vec<&'s str>,
    pub(super) list: Option<&'s Json>,
    pub(super) tables: Vec<&'s Json>,
    anything: bool,
}

/// What a table's schema says of a key.
pub(super) enum Property<'s> {
    Known(&'s Json),
    /// One of a map's entries, all of which have this schema.
    Each(&'s Json),
    /// The file that holds the secret of this name.
    SecretFile(&'s Json, &'s str),
    /// Allowed, and its value is free.
    Free,
    /// Allowed, and means nothing.
    Ignored,
    Unknown,
}

/// The key that tells several kinds of table apart, and each kind's word.
pub(super) struct Tag<'s> {
    pub(super) key: &'s str,
    pub(super) branches: Vec<(&'s str, &'s Json)>,
}

impl<'s> Schema<'s> {
    pub(super) fn new(root: &'s Json) -> Self {
        Self { root }
    }

    pub(super) fn shape(&self, schema: &'s Json) -> Shape<'s> {
        let mut shape = Shape::default();
        self.gather(schema, &mut shape);
        shape
    }

    fn resolve(&self, schema: &'s Json) -> &'s Json {
        let target = schema["$ref"].as_str().and_then(|reference| reference.strip_prefix('#'));
        target.and_then(|pointer| self.root.pointer(pointer)).map_or(schema, |found| self.resolve(found))
    }

    fn gather(&self, schema: &'s Json, shape: &mut Shape<'s>) {
        let schema = self.resolve(schema);
        for union in ["anyOf", "oneOf"] {
            if let Some(branches) = schema[union].as_array() {
                branches.iter().for_each(|branch| self.gather(branch, shape));
                return;
            }
        }
        if let Some(word) = schema["const"].as_str() {
            shape.words.push(word);
            return;
        }
        // A list of numbers is one of the bounds of its type.
        if let Some(words) = schema["enum"].as_array().filter(|words| words.iter().any(Json::is_string)) {
            shape.words.extend(words.iter().filter_map(Json::as_str));
            return;
        }
        for kind in kinds(schema) {
            match kind {
                "null" => {}
                "array" => shape.list = Some(schema),
                "object" => shape.tables.push(schema),
                _ => shape.scalars.push(schema),
            }
        }
        shape.anything |= kinds(schema).is_empty();
    }

    /// The property that is a word of its own in each of several tables.
    pub(super) fn tag(&self, tables: &[&'s Json]) -> Option<Tag<'s>> {
        if tables.len() < 2 {
            return None;
        }
        let (key, _) = properties(tables[0])?
            .iter()
            .find(|(key, _)| tables.iter().all(|table| self.word_of(table, key).is_some()))?;
        let branches = tables.iter().filter_map(|table| Some((self.word_of(table, key)?, *table)));
        Some(Tag { key, branches: branches.collect() })
    }

    fn word_of(&self, table: &'s Json, key: &str) -> Option<&'s str> {
        self.resolve(properties(table)?.get(key)?)["const"].as_str()
    }

    pub(super) fn property(&self, table: &'s Json, key: &str) -> Property<'s> {
        if let Some(schema) = properties(table).and_then(|properties| properties.get(key)) {
            return schema[SECRET_IN_FILE]
                .as_str()
                .map_or(Property::Known(schema), |secret| Property::SecretFile(schema, secret));
        }
        let patterns = table["patternProperties"].as_object().into_iter().flat_map(Map::keys);
        if patterns.filter_map(|pattern| pattern.strip_prefix('^')).any(|start| key.starts_with(start)) {
            return Property::Ignored;
        }
        match &table["additionalProperties"] {
            Json::Bool(false) => Property::Unknown,
            schema @ Json::Object(_) => Property::Each(schema),
            _ => Property::Free,
        }
    }

    /// The keys that a table knows.
    pub(super) fn keys(&self, table: &'s Json) -> Vec<&'s str> {
        properties(table).into_iter().flat_map(Map::keys).map(String::as_str).collect()
    }
}

fn properties(table: &Json) -> Option<&Map<String, Json>> {
    table["properties"].as_object()
}

fn kinds(schema: &Json) -> Vec<&str> {
    match &schema["type"] {
        Json::String(kind) => vec![kind],
        Json::Array(kinds) => kinds.iter().filter_map(Json::as_str).collect(),
        _ => Vec::new(),
    }
}

impl Shape<'_> {
    pub(super) fn takes_scalars(&self) -> bool {
        !self.scalars.is_empty() || !self.words.is_empty()
    }

    pub(super) fn takes_lists(&self) -> bool {
        self.list.is_some()
    }

    pub(super) fn takes_anything(&self) -> bool {
        self.anything
    }

    pub(super) fn is_secret(&self) -> bool {
        self.scalars.iter().any(|schema| schema["writeOnly"] == true)
    }

    /// What is expected here, for people.
    pub(super) fn describe(&self) -> String {
        let mut parts: Vec<&str> = Vec::new();
        for kind in self.scalars.iter().flat_map(|schema| kinds(schema)) {
            parts.push(match kind {
                "integer" => "a whole number",
                "number" => "a number",
                "boolean" => "true or false",
                "string" => "a string",
                _ => continue,
            });
        }
        if !self.words.is_empty() {
            parts.push("a word");
        }
        if self.list.is_some() {
            parts.push("a list");
        }
        if !self.tables.is_empty() {
            parts.push("a table");
        }
        parts.join(" or ")
    }
}

/// What stands at a place, for people: the file's own text, never a substituted value, no secret, no
/// credentials inside a URL.
pub(super) fn found(node: &Node, shape: &Shape<'_>) -> String {
    match &node.value {
        Value::List(_) => "a list".to_owned(),
        Value::Table(_) => "a table".to_owned(),
        Value::Scalar(scalar) if scalar.is_nothing() && !scalar.substituted_whole => "nothing".to_owned(),
        Value::Scalar(_) if shape.is_secret() => "a secret".to_owned(),
        Value::Scalar(scalar) if scalar.quoted => format!("`\"{}\"`", quoted(&scalar.written)),
        Value::Scalar(scalar) => format!("`{}`", quoted(&scalar.written)),
    }
}

const QUOTED_AT_MOST: usize = 60;

/// A text of the file, fit for a message: one line, not too long, without credentials.
pub(crate) fn quoted(written: &str) -> String {
    let line = without_credentials(written.lines().next().unwrap_or_default());
    let cut: String = line.chars().take(QUOTED_AT_MOST).collect();
    if cut.len() < line.len() || written.lines().count() > 1 { format!("{cut}…") } else { cut }
}

/// `scheme://user:password@host` and `user:password@host` lose what stands before the `@`.
fn without_credentials(text: &str) -> String {
    let mut cleaned = text.to_owned();
    let Some(at) = text.rfind('@') else { return cleaned };
    let start = text[..at].rfind("://").map_or(0, |scheme| scheme + 3);
    if start > 0 || text[..at].contains(':') {
        cleaned.replace_range(start..at, "***");
    }
    cleaned
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn quotes_are_short_and_hold_no_credentials() {
        assert_eq!(quoted("https://user:hunter2@kong:8444/x"), "https://***@kong:8444/x");
        assert_eq!(quoted("user:hunter2@nacos:8848"), "***@nacos:8848");
        assert_eq!(quoted("DEFAULT_GROUP@@orders"), "DEFAULT_GROUP@@orders");
        assert_eq!(quoted("two\nlines"), "two…");
        assert_eq!(quoted(&"长".repeat(61)), format!("{}…", "长".repeat(60)));
    }
}
