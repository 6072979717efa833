//! The walk of a document along its schema: tells every mistake of shape, and types the scalars.
//!
//! Whatever passes can be read by serde; a property test holds the walk against another implementation of
//! JSON Schema.

mod scalar;
mod shape;

use std::collections::BTreeMap;
use std::ptr;
use std::rc::Rc;

use serde_json::{Map, Value as Json};

use self::shape::{Property, Schema, Shape};
pub(crate) use self::shape::{SECRET_IN_FILE, quoted};
use super::{
    mistakes::{Findings, Path},
    tree::{Entry, Node, Scalar, Value},
    words::{did_you_mean, nearest},
};

/// Whose manners the reader of a document has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manners {
    /// A quoted truth value is a mistake.
    Strict,
    /// A quoted truth value is taken, with a warning.
    Lenient,
}

/// Reads the file of a secret, or says why it can't.
pub(crate) type ReadFile<'r> = &'r dyn Fn(&str) -> Result<String, String>;

/// Walks `root` along `schema`, taking secrets from their files. What comes back is whole only when no mistake
/// was added.
pub(crate) fn check(
    root: &Node,
    schema: &Json,
    manners: Manners,
    read_file: ReadFile<'_>,
    findings: &mut Findings,
) -> Json {
    let mut walk =
        Walk { schema: Schema::new(schema), shapes: BTreeMap::new(), manners, read_file, findings };
    walk.node(root, schema, &Path::default()).unwrap_or(Json::Null)
}

struct Walk<'s, 'f> {
    schema: Schema<'s>,
    /// Those of places that were come to before, by their schemas: a list's entries are all of one.
    shapes: BTreeMap<*const Json, Rc<Shape<'s>>>,
    manners: Manners,
    read_file: ReadFile<'f>,
    findings: &'f mut Findings,
}

impl<'s> Walk<'s, '_> {
    /// Checks a value; none when it is no good.
    fn node(&mut self, node: &Node, schema: &'s Json, path: &Path) -> Option<Json> {
        let shape = self.shape(schema);
        match &node.value {
            Value::Scalar(scalar) if shape.takes_scalars() => self.scalar(node, scalar, &shape, path),
            Value::List(items) if shape.takes_lists() => self.list(node, items, &shape, path),
            Value::Table(entries) if !shape.tables.is_empty() => {
                let table = self.choose(node, entries, &shape, path)?;
                self.table(node, entries, table, path)
            }
            _ if shape.takes_anything() => Some(anything(node)),
            _ => {
                let found = shape::found(node, &shape);
                let message = format!("expected {}, found {found}", shape.describe());
                self.findings.mistake(node.at, path, message);
                None
            }
        }
    }

    fn shape(&mut self, schema: &'s Json) -> Rc<Shape<'s>> {
        let known = self.shapes.entry(ptr::from_ref(schema));
        Rc::clone(known.or_insert_with(|| Rc::new(self.schema.shape(schema))))
    }

    fn scalar(&mut self, node: &Node, scalar: &Scalar, shape: &Shape<'s>, path: &Path) -> Option<Json> {
        match scalar::typed(scalar, shape, self.manners) {
            Ok(typed) => {
                if let Some(warning) = typed.warning {
                    self.findings.warning(node.at, path, warning);
                }
                Some(typed.value)
            }
            Err(message) => {
                self.findings.mistake(node.at, path, message);
                None
            }
        }
    }

    fn list(&mut self, node: &Node, items: &[Node], shape: &Shape<'s>, path: &Path) -> Option<Json> {
        let list = shape.list?;
        let least = list["minItems"].as_u64().unwrap_or(0);
        if (items.len() as u64) < least {
            self.findings.mistake(node.at, path, "needs at least one entry");
        }
        let checked = items.iter().enumerate().filter_map(|(index, item)| match &list["items"] {
            Json::Null => Some(anything(item)),
            schema => self.node(item, schema, &path.index(index)),
        });
        Some(Json::Array(checked.collect()))
    }

    /// Of several kinds of table, the one that the tag names.
    fn choose(&mut self, node: &Node, entries: &[Entry], shape: &Shape<'s>, path: &Path) -> Option<&'s Json> {
        let Some(tag) = self.schema.tag(&shape.tables) else {
            return shape.tables.first().copied();
        };
        let words: Vec<&str> = tag.branches.iter().map(|(word, _)| *word).collect();
        if let Some(entry) = entries.iter().find(|entry| entry.key == tag.key && !entry.value.is_nothing()) {
            let said = entry.value.text().unwrap_or_default();
            let chosen = tag.branches.iter().find(|(word, _)| *word == said);
            if chosen.is_none() {
                let message = scalar::none_of(&entry.value, &words);
                self.findings.mistake(entry.value.at, &path.key(tag.key), message);
            }
            return chosen.map(|(_, table)| *table);
        }
        self.tell_missing_tag(node, entries, tag.key, &words, path);
        None
    }

    fn tell_missing_tag(&mut self, node: &Node, entries: &[Entry], tag: &str, words: &[&str], path: &Path) {
        let misspelt = entries.iter().find(|entry| nearest(&entry.key, [tag]).is_some() && entry.key != tag);
        if let Some(entry) = misspelt {
            let message = format!("unknown key `{}` (did you mean `{tag}`?)", entry.key);
            self.findings.mistake(entry.key_at, &path.key(&entry.key), message);
        } else {
            let message = format!("`{tag}` is missing (one of {})", words.join(", "));
            self.findings.mistake(node.at, path, message);
        }
    }

    fn table(&mut self, node: &Node, entries: &[Entry], table: &'s Json, path: &Path) -> Option<Json> {
        let mut checked = Map::new();
        let mut meant: Vec<&str> = Vec::new();
        for entry in entries {
            let path = path.key(&entry.key);
            let value = match self.schema.property(table, &entry.key) {
                Property::Known(_) | Property::SecretFile(..) if entry.value.is_nothing() => None,
                Property::Known(schema) | Property::Each(schema) => {
                    self.node(&entry.value, schema, &path).map(|value| (entry.key.clone(), value))
                }
                Property::SecretFile(schema, secret) => {
                    let content = self.secret_file(node, entry, schema, secret, &path);
                    content.map(|content| (secret.to_owned(), content))
                }
                Property::Free => Some((entry.key.clone(), anything(&entry.value))),
                Property::Ignored => None,
                Property::Unknown => {
                    meant.extend(self.unknown_key(entry, table, &path));
                    None
                }
            };
            checked.extend(value);
        }
        self.tell_missing(node, entries, table, &meant, path);
        Some(Json::Object(checked))
    }

    /// Tells of an unknown key; returns the key that was meant, when one is near.
    fn unknown_key(&mut self, entry: &Entry, table: &'s Json, path: &Path) -> Option<&'s str> {
        let known = self.schema.keys(table);
        let hint = did_you_mean(&entry.key, known.iter().copied());
        self.findings.mistake(entry.key_at, path, format!("unknown key `{}`{hint}", entry.key));
        nearest(&entry.key, known)
    }

    fn secret_file(
        &mut self,
        table: &Node,
        entry: &Entry,
        schema: &'s Json,
        secret: &str,
        path: &Path,
    ) -> Option<Json> {
        let file = self.node(&entry.value, schema, path)?;
        if table.get(secret).is_some() {
            let message = format!("stands beside `{secret}`: only one of them can hold");
            self.findings.mistake(entry.key_at, path, message);
            return None;
        }
        let content = (self.read_file)(file.as_str().unwrap_or_default());
        let content = content.map(|content| content.trim_end_matches(['\r', '\n']).to_owned());
        match content {
            Ok(content) if !content.is_empty() => return Some(Json::String(content)),
            Ok(_) => self.tell_file(&entry.value, path, "is empty"),
            Err(why) => self.tell_file(&entry.value, path, &format!("cannot be read: {why}")),
        }
        None
    }

    fn tell_file(&mut self, file: &Node, path: &Path, what: &str) {
        let written = file.as_scalar().map_or("", |scalar| scalar.written.as_str());
        self.findings.mistake(file.at, path, format!("the file `{}` {what}", quoted(written)));
    }

    /// A misspelt key is told once: as unknown, not as missing too.
    fn tell_missing(&mut self, node: &Node, entries: &[Entry], table: &Json, meant: &[&str], path: &Path) {
        let required = table["required"].as_array().into_iter().flatten().filter_map(Json::as_str);
        for key in required.filter(|key| node.get(key).is_none() && !meant.contains(key)) {
            let here: Vec<&str> = entries.iter().map(|entry| entry.key.as_str()).collect();
            let here = if here.is_empty() { String::new() } else { format!(" (here: {})", here.join(", ")) };
            self.findings.mistake(node.at, path, format!("`{key}` is missing{here}"));
        }
    }
}

/// A value that the schema says nothing about: scalars are typed as YAML's core schema does.
fn anything(node: &Node) -> Json {
    match &node.value {
        Value::Scalar(scalar) => scalar::untyped(scalar),
        Value::List(items) => items.iter().map(anything).collect(),
        Value::Table(entries) => {
            let pairs = entries.iter().map(|entry| (entry.key.clone(), anything(&entry.value)));
            Json::Object(pairs.collect())
        }
    }
}

#[cfg(test)]
mod mutation;
