//! YAML to the tree: anchors, aliases and merge keys are resolved, scalars are kept as written.

use std::collections::BTreeMap;

use granit_parser::{Event, Marker, Parser, ScalarStyle, Span, StrInput, Tag};

use super::node::{Kind, Node, Place};

/// How many nodes aliases may copy in all: a bound on "billion laughs".
const MAX_COPIED: usize = 1_000_000;
const MAX_DEPTH: usize = 100;

/// A text that cannot be understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {}, column {}: {reason}", at.line, at.column)]
pub(crate) struct Broken {
    pub(super) at: Place,
    pub(super) reason: String,
}

impl Broken {
    pub(super) fn new(at: Place, reason: impl Into<String>) -> Self {
        Self { at, reason: reason.into() }
    }
}

/// The one document of a text; a map without entries for an empty text.
pub(super) fn parse(text: &str) -> Result<Node, Broken> {
    let mut builder = Builder { parser: Parser::new_from_str(text), anchors: BTreeMap::new(), copied: 0 };
    let root = builder.document()?;
    builder.no_more()?;
    if root.is_null() { Ok(Node::map()) } else { Ok(root) }
}

struct Builder<'t> {
    parser: Parser<'t, StrInput<'t>>,
    /// Whole nodes, with the number of their nodes.
    anchors: BTreeMap<usize, (Node, usize)>,
    copied: usize,
}

impl<'t> Builder<'t> {
    fn document(&mut self) -> Result<Node, Broken> {
        loop {
            match self.next()? {
                (Event::StreamStart | Event::DocumentStart(..), _) => {}
                (Event::StreamEnd, _) => return Ok(Node::map()),
                (event, at) => return self.node(event, at, 0),
            }
        }
    }

    fn no_more(&mut self) -> Result<(), Broken> {
        loop {
            match self.next()? {
                (Event::DocumentEnd, _) => {}
                (Event::StreamEnd, _) => return Ok(()),
                (_, at) => return Err(Broken::new(at, "a second document begins here; one file holds one")),
            }
        }
    }

    fn next(&mut self) -> Result<(Event<'t>, Place), Broken> {
        match self.parser.next_event() {
            Some(Ok((event, span))) => Ok((event, start(&span))),
            Some(Err(error)) => Err(Broken::new(place(error.marker()), error.info())),
            None => Ok((Event::StreamEnd, Place::default())),
        }
    }

    fn node(&mut self, event: Event<'t>, at: Place, depth: usize) -> Result<Node, Broken> {
        if depth > MAX_DEPTH {
            return Err(Broken::new(at, format!("nested deeper than {MAX_DEPTH} levels")));
        }
        let (anchor, kind) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                let is_text = style != ScalarStyle::Plain || is_text(tag.as_deref(), at)?;
                let text = text.into_owned();
                (anchor, if is_text { Kind::Text(text) } else { Kind::Plain(text) })
            }
            Event::SequenceStart(_, anchor, tag) => {
                is_text(tag.as_deref(), at)?;
                (anchor, Kind::List(self.items(depth)?))
            }
            Event::MappingStart(_, anchor, tag) => {
                is_text(tag.as_deref(), at)?;
                (anchor, Kind::Map(self.entries(depth)?))
            }
            Event::Alias(anchor) => return self.alias(anchor, at),
            _ => return Err(Broken::new(at, "expected a value")),
        };
        let node = Node { at, kind };
        if anchor != 0 {
            let size = size(&node);
            self.anchors.insert(anchor, (node.clone(), size));
        }
        Ok(node)
    }

    fn items(&mut self, depth: usize) -> Result<Vec<Node>, Broken> {
        let mut items = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, _) => return Ok(items),
                (event, at) => items.push(self.node(event, at, depth + 1)?),
            }
        }
    }

    fn entries(&mut self, depth: usize) -> Result<Vec<(String, Node)>, Broken> {
        let (mut entries, mut merged) = (Vec::<(String, Node)>::new(), Vec::new());
        loop {
            let (event, key_at) = self.next()?;
            if event == Event::MappingEnd {
                break;
            }
            let key = self.node(event, key_at, depth + 1)?;
            let (event, at) = self.next()?;
            let value = self.node(event, at, depth + 1)?;
            let name = match key.kind {
                Kind::Plain(text) if text == "<<" => {
                    merge(value, &mut merged)?;
                    continue;
                }
                Kind::Plain(text) | Kind::Text(text) => text,
                _ => return Err(Broken::new(key_at, "a key must be a word")),
            };
            if entries.iter().any(|(other, _)| *other == name) {
                return Err(Broken::new(key_at, format!("the key `{name}` stands here twice")));
            }
            entries.push((name, value));
        }
        // A map's own keys win over merged ones, wherever the `<<` stands.
        for (name, value) in merged {
            if !entries.iter().any(|(other, _)| *other == name) {
                entries.push((name, value));
            }
        }
        Ok(entries)
    }

    fn alias(&mut self, anchor: usize, at: Place) -> Result<Node, Broken> {
        let Some((node, size)) = self.anchors.get(&anchor) else {
            return Err(Broken::new(at, "this alias stands inside of what it names"));
        };
        self.copied += size;
        if self.copied > MAX_COPIED {
            return Err(Broken::new(at, format!("aliases copy more than {MAX_COPIED} values")));
        }
        Ok(node.clone())
    }
}

fn merge(value: Node, into: &mut Vec<(String, Node)>) -> Result<(), Broken> {
    match value.kind {
        Kind::Map(entries) => into.extend(entries),
        Kind::List(items) => {
            for item in items {
                merge(item, into)?;
            }
        }
        _ => return Err(Broken::new(value.at, "`<<` takes a map, or a list of maps")),
    }
    Ok(())
}

/// Whether a tag makes text of a scalar. One that no reader of Kong's documents knows is refused: it could
/// not be kept.
fn is_text(tag: Option<&Tag>, at: Place) -> Result<bool, Broken> {
    let Some(tag) = tag else { return Ok(false) };
    match (tag.is_yaml_core_schema(), tag.suffix()) {
        (true, "str") => Ok(true),
        (true, "null" | "bool" | "int" | "float" | "seq" | "map") => Ok(false),
        _ => Err(Broken::new(at, format!("the tag `{tag}` is not known here, and could not be kept"))),
    }
}

fn size(node: &Node) -> usize {
    let entries: usize = node.entries().iter().map(|(_, node)| size(node)).sum();
    1 + entries + node.items().iter().map(size).sum::<usize>()
}

fn start(span: &Span) -> Place {
    place(&span.start)
}

/// The parser counts columns from 0.
fn place(marker: &Marker) -> Place {
    Place { line: marker.line(), column: marker.col() + 1 }
}
