//! A YAML tree that keeps of every scalar what it was written as, so that what is somebody else's means to
//! every reader what it meant before: `yes`, `0755` and `1.10` are read in different ways by Kong and by
//! decK.

use serde_json::{Number, Value};

/// A place in a text, both counted from 1; 0 for what was not read from one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Place {
    pub(super) line: usize,
    pub(super) column: usize,
}

#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) at: Place,
    pub(super) kind: Kind,
}

#[derive(Clone, Debug)]
pub(super) enum Kind {
    /// An unquoted scalar: what it is depends on who reads it.
    Plain(String),
    /// A scalar that is text for every reader.
    Text(String),
    List(Vec<Node>),
    /// In the order in which it was written.
    Map(Vec<(String, Node)>),
}

impl From<Kind> for Node {
    fn from(kind: Kind) -> Self {
        Self { at: Place::default(), kind }
    }
}

impl Node {
    pub(super) fn text(text: &str) -> Self {
        Kind::Text(text.to_owned()).into()
    }

    pub(super) fn list(items: impl IntoIterator<Item = Node>) -> Self {
        Kind::List(items.into_iter().collect()).into()
    }

    pub(super) fn map() -> Self {
        Kind::Map(Vec::new()).into()
    }

    /// An unquoted nothing, `~` or `null`.
    pub(super) fn is_null(&self) -> bool {
        matches!(&self.kind, Kind::Plain(text) if matches!(text.as_str(), "" | "~" | "null" | "Null" | "NULL"))
    }

    /// A scalar's text, however it was written.
    pub(super) fn scalar(&self) -> Option<&str> {
        match &self.kind {
            Kind::Plain(_) if self.is_null() => None,
            Kind::Plain(text) | Kind::Text(text) => Some(text),
            Kind::List(_) | Kind::Map(_) => None,
        }
    }

    pub(super) fn entries(&self) -> &[(String, Node)] {
        match &self.kind {
            Kind::Map(entries) => entries,
            _ => &[],
        }
    }

    /// The items of a list; none of anything else.
    pub(super) fn items(&self) -> &[Node] {
        match &self.kind {
            Kind::List(items) => items,
            _ => &[],
        }
    }

    pub(super) fn items_mut(&mut self) -> Option<&mut Vec<Node>> {
        match &mut self.kind {
            Kind::List(items) => Some(items),
            _ => None,
        }
    }

    pub(super) fn get(&self, name: &str) -> Option<&Node> {
        self.entries().iter().find(|(key, _)| key == name).map(|(_, node)| node)
    }

    /// The text of a field.
    pub(super) fn field(&self, name: &str) -> Option<&str> {
        self.get(name)?.scalar()
    }

    pub(super) fn get_mut(&mut self, name: &str) -> Option<&mut Node> {
        match &mut self.kind {
            Kind::Map(entries) => entries.iter_mut().find(|(key, _)| key == name).map(|(_, node)| node),
            _ => None,
        }
    }

    pub(super) fn set(&mut self, name: &str, node: Node) {
        if let Some(stands) = self.get_mut(name) {
            *stands = node;
        } else if let Kind::Map(entries) = &mut self.kind {
            entries.push((name.to_owned(), node));
        }
    }

    pub(super) fn unset(&mut self, name: &str) {
        self.retain(|key, _| key != name);
    }

    /// Keeps of a map what is wanted.
    pub(super) fn retain(&mut self, mut wanted: impl FnMut(&str, &Node) -> bool) {
        if let Kind::Map(entries) = &mut self.kind {
            entries.retain(|(key, node)| wanted(key, node));
        }
    }

    /// A copy of a map without one of its fields.
    pub(super) fn clone_without(&self, name: &str) -> Self {
        let entries = self.entries().iter().filter(|(key, _)| key != name);
        Self { at: self.at, kind: Kind::Map(entries.cloned().collect()) }
    }

    /// The list in a field, made where there is none.
    pub(super) fn list_mut(&mut self, name: &str) -> &mut Vec<Node> {
        if !matches!(self.get(name), Some(Node { kind: Kind::List(_), .. })) {
            self.set(name, Kind::List(Vec::new()).into());
        }
        match self.get_mut(name).and_then(Node::items_mut) {
            Some(items) => items,
            // Only maps are asked, and it was just put there.
            None => unreachable!("a list in a field of a map"),
        }
    }

    /// As a value of Kong's, by the words that YAML 1.1 and 1.2 both know.
    pub(super) fn value(&self) -> Value {
        match &self.kind {
            Kind::Text(text) => text.as_str().into(),
            Kind::Plain(text) => plain(text),
            Kind::List(items) => items.iter().map(Node::value).collect(),
            Kind::Map(entries) => entries.iter().map(|(key, node)| (key.clone(), node.value())).collect(),
        }
    }

    pub(super) fn of(value: &Value) -> Self {
        match value {
            Value::Null => Kind::Plain("null".into()).into(),
            Value::Bool(_) | Value::Number(_) => Kind::Plain(value.to_string()).into(),
            Value::String(text) => Self::text(text),
            Value::Array(items) => Kind::List(items.iter().map(Self::of).collect()).into(),
            Value::Object(fields) => {
                Kind::Map(fields.iter().map(|(key, value)| (key.clone(), Self::of(value))).collect()).into()
            }
        }
    }
}

fn plain(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "true" | "True" | "TRUE" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" => return true.into(),
        "false" | "False" | "FALSE" | "no" | "No" | "NO" | "off" | "Off" | "OFF" => return false.into(),
        _ => {}
    }
    if let Ok(number) = text.parse::<i64>() {
        return number.into();
    }
    let is_number = text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '-' | '+' | '.'));
    let number = text.parse::<f64>().ok().filter(|_| is_number).and_then(Number::from_f64);
    number.map_or_else(|| text.into(), Value::Number)
}
