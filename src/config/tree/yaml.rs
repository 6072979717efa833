//! YAML to the tree: events of granit-parser, with anchors, aliases and merge keys resolved.

use std::{collections::BTreeMap, ops::Range};

use granit_parser::{Event, Parser, ScalarStyle, ScanError, StrInput, Tag};

use super::{Entry, MAX_DEPTH, Node, Syntax, Value};

/// How many nodes aliases may copy in all: far beyond any real document, and a bound on "billion laughs".
const MAX_COPIED: usize = 200_000;

pub(super) fn parse(text: &str) -> Result<Node, Syntax> {
    let parser = Parser::new_from_str(text);
    let mut builder = Builder { text, parser, anchors: BTreeMap::new(), copied: 0 };
    let root = builder.document()?;
    builder.no_second_document()?;
    Ok(root)
}

struct Builder<'t> {
    text: &'t str,
    parser: Parser<'t, StrInput<'t>>,
    anchors: BTreeMap<usize, Anchor>,
    copied: usize,
}

enum Anchor {
    /// Its node is still being read: an alias to it here would contain itself.
    Open,
    Closed {
        node: Node,
        nodes: usize,
        height: usize,
    },
}

impl<'t> Builder<'t> {
    fn document(&mut self) -> Result<Node, Syntax> {
        loop {
            match self.next()? {
                (Event::StreamStart | Event::DocumentStart(..), _) => {}
                (Event::StreamEnd, _) => return Ok(Node::scalar(0, "", false)),
                (event, span) => return self.node(event, span.start, 0),
            }
        }
    }

    fn no_second_document(&mut self) -> Result<(), Syntax> {
        loop {
            match self.next()? {
                (Event::DocumentEnd, _) => {}
                (Event::StreamEnd, _) => return Ok(()),
                (_, span) => {
                    return Err(Syntax::new(span.start, "a second document begins here: one file holds one"));
                }
            }
        }
    }

    fn next(&mut self) -> Result<(Event<'t>, Range<usize>), Syntax> {
        let end = self.text.len();
        match self.parser.next_event() {
            Some(Ok((event, span))) => Ok((event, span.byte_range().unwrap_or(end..end))),
            Some(Err(error)) => Err(self.scan_error(&error)),
            None => Ok((Event::StreamEnd, end..end)),
        }
    }

    fn scan_error(&self, error: &ScanError) -> Syntax {
        let at = error.marker().byte_offset().unwrap_or(self.text.len());
        Syntax::new(at, error.info())
    }

    fn node(&mut self, event: Event<'t>, at: usize, depth: usize) -> Result<Node, Syntax> {
        if depth > MAX_DEPTH {
            return Err(Syntax::new(at, format!("nested deeper than {MAX_DEPTH} levels")));
        }
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let quoted = !matches!(style, ScalarStyle::Plain) || is_text(tag.as_deref(), at)?;
                let node = Node::scalar(at, text, quoted);
                self.close(anchor, &node);
                Ok(node)
            }
            Event::SequenceStart(_, anchor, tag) => {
                is_text(tag.as_deref(), at)?;
                self.open(anchor);
                let node = Node { at, value: Value::List(self.items(depth)?) };
                self.close(anchor, &node);
                Ok(node)
            }
            Event::MappingStart(_, anchor, tag) => {
                is_text(tag.as_deref(), at)?;
                self.open(anchor);
                let node = Node { at, value: Value::Table(self.entries(depth)?) };
                self.close(anchor, &node);
                Ok(node)
            }
            Event::Alias(anchor) => self.alias(anchor, at, depth),
            _ => Err(Syntax::new(at, "expected a value")),
        }
    }

    fn items(&mut self, depth: usize) -> Result<Vec<Node>, Syntax> {
        let mut items = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, _) => return Ok(items),
                (event, span) => items.push(self.node(event, span.start, depth + 1)?),
            }
        }
    }

    fn entries(&mut self, depth: usize) -> Result<Vec<Entry>, Syntax> {
        let (mut entries, mut merged) = (Vec::new(), Vec::new());
        loop {
            let (event, Range { start: key_at, .. }) = self.next()?;
            if event == Event::MappingEnd {
                break;
            }
            let (key, quoted) = self.key(event, key_at, depth)?;
            let (event, span) = self.next()?;
            let at = if span.is_empty() { key_at } else { span.start };
            let value = self.node(event, at, depth + 1)?;
            if key == "<<" && !quoted {
                merge(value, &mut merged)?;
                continue;
            }
            entries.push(Entry { key, key_at, value });
        }
        // The table's own keys win over merged ones, wherever the `<<` stands.
        for entry in merged {
            if !entries.iter().any(|own: &Entry| own.key == entry.key) {
                entries.push(entry);
            }
        }
        Ok(entries)
    }

    fn key(&mut self, event: Event<'t>, at: usize, depth: usize) -> Result<(String, bool), Syntax> {
        match self.node(event, at, depth + 1)?.value {
            Value::Scalar(scalar) => Ok((scalar.text, scalar.quoted)),
            _ => Err(Syntax::new(at, "a key must be a word")),
        }
    }

    fn alias(&mut self, anchor: usize, at: usize, depth: usize) -> Result<Node, Syntax> {
        match self.anchors.get(&anchor) {
            Some(Anchor::Closed { node, nodes, height }) => {
                self.copied += nodes;
                if self.copied > MAX_COPIED {
                    return Err(Syntax::new(at, format!("aliases copy more than {MAX_COPIED} values")));
                }
                if depth + height > MAX_DEPTH {
                    return Err(Syntax::new(at, format!("nested deeper than {MAX_DEPTH} levels")));
                }
                Ok(node.clone())
            }
            _ => Err(Syntax::new(at, "this alias stands inside its own anchor")),
        }
    }

    fn open(&mut self, anchor: usize) {
        if anchor != 0 {
            self.anchors.insert(anchor, Anchor::Open);
        }
    }

    fn close(&mut self, anchor: usize, node: &Node) {
        if anchor != 0 {
            let (nodes, height) = measure(node);
            self.anchors.insert(anchor, Anchor::Closed { node: node.clone(), nodes, height });
        }
    }
}

/// Whether a tag makes its scalar text. Tags of other kinds than YAML's own mean nothing here.
fn is_text(tag: Option<&Tag>, at: usize) -> Result<bool, Syntax> {
    match tag {
        None => Ok(false),
        Some(tag) if tag.is_yaml_core_schema() => Ok(tag.is_yaml_core_schema_tag("str")),
        Some(_) => Err(Syntax::new(at, "tags (`!…`) have no meaning here")),
    }
}

/// Takes over the entries of a `<<`: a table, or a list of tables of which the first that has a key wins.
fn merge(value: Node, merged: &mut Vec<Entry>) -> Result<(), Syntax> {
    let at = value.at;
    match value.value {
        Value::Table(entries) => {
            for entry in entries {
                if !merged.iter().any(|earlier| earlier.key == entry.key) {
                    merged.push(entry);
                }
            }
            Ok(())
        }
        Value::List(items) if items.iter().all(|item| matches!(item.value, Value::Table(_))) => {
            items.into_iter().try_for_each(|item| merge(item, merged))
        }
        _ => Err(Syntax::new(at, "`<<` merges a table or a list of tables")),
    }
}

/// How many nodes there are and how many levels below the first.
fn measure(node: &Node) -> (usize, usize) {
    let children: Vec<(usize, usize)> = match &node.value {
        Value::Scalar(_) => return (1, 0),
        Value::List(items) => items.iter().map(measure).collect(),
        Value::Table(entries) => entries.iter().map(|entry| measure(&entry.value)).collect(),
    };
    let nodes = children.iter().map(|(nodes, _)| nodes).sum::<usize>();
    let height = children.iter().map(|(_, height)| height + 1).max().unwrap_or(0);
    (nodes + 1, height)
}
