//! Texts with placeholders in braces, such as `/{service}`.

use super::words::did_you_mean;

/// A text in which placeholders stand for parts of what it is made for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    pieces: Vec<Piece>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Literal(String),
    Of(Placeholder),
}

/// What may stand in braces.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Placeholder {
    /// The configured name of the source registry.
    Source,
    /// The service's namespace.
    Namespace,
    /// The service's name.
    Service,
    /// The instance group's name.
    Group,
    /// The value that every instance of the group has for this metadata key.
    Metadata(String),
}

/// What begins the placeholder of a metadata key.
const METADATA: &str = "metadata.";
/// Those of a service.
const OF_SERVICE: [(&str, Placeholder); 3] = [
    ("source", Placeholder::Source),
    ("namespace", Placeholder::Namespace),
    ("service", Placeholder::Service),
];

/// For what a template is rendered, which says the placeholders that it may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum About {
    Service,
    Group,
}

impl Template {
    /// Reads a template, or says what is wrong as the rest of a sentence that begins with the text.
    pub(crate) fn parse(text: &str, about: About) -> Result<Self, String> {
        let (mut pieces, mut literal) = (Vec::new(), String::new());
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}']) {
            let (before, from) = rest.split_at(at);
            literal.push_str(before);
            let brace = &from[..1];
            if from[1..].starts_with(brace) {
                literal.push_str(brace);
                rest = &from[2..];
                continue;
            }
            let end = from.find('}').filter(|_| brace == "{");
            let Some(end) = end else {
                return Err(format!(
                    "has a `{brace}` without its partner (`{brace}{brace}` is a brace itself)"
                ));
            };
            if !literal.is_empty() {
                pieces.push(Piece::Literal(std::mem::take(&mut literal)));
            }
            pieces.push(Piece::Of(placeholder(&from[1..end], about)?));
            rest = &from[end + 1..];
        }
        literal.push_str(rest);
        if !literal.is_empty() {
            pieces.push(Piece::Literal(literal));
        }
        Ok(Self { pieces })
    }

    /// The text with what `fill` gives for each placeholder.
    ///
    /// # Errors
    /// The first placeholder for which there is nothing.
    pub fn render(&self, fill: impl Fn(&Placeholder) -> Option<String>) -> Result<String, Placeholder> {
        let piece = |piece: &Piece| match piece {
            Piece::Literal(text) => Ok(text.clone()),
            Piece::Of(placeholder) => fill(placeholder).ok_or_else(|| placeholder.clone()),
        };
        self.pieces.iter().map(piece).collect()
    }

    /// Whether the text as written begins so, whatever the placeholders stand for.
    pub fn begins_with(&self, text: &str) -> bool {
        matches!(self.pieces.first(), Some(Piece::Literal(literal)) if literal.starts_with(text))
    }

    /// Whether a placeholder occurs.
    pub(crate) fn names(&self, placeholder: &Placeholder) -> bool {
        self.pieces.iter().any(|piece| matches!(piece, Piece::Of(it) if it == placeholder))
    }

    /// An example of what this becomes, for checks of form.
    pub(crate) fn example(&self) -> String {
        self.render(|_| Some("x".to_owned())).unwrap_or_default()
    }
}

fn placeholder(name: &str, about: About) -> Result<Placeholder, String> {
    if let Some((_, found)) = OF_SERVICE.iter().find(|(known, _)| *known == name) {
        return Ok(found.clone());
    }
    let of_group = match name.strip_prefix(METADATA) {
        Some("") => return Err("has `{metadata.}` without a key".to_owned()),
        Some(key) => Some(Placeholder::Metadata(key.to_owned())),
        None => (name == "group").then_some(Placeholder::Group),
    };
    match (of_group, about) {
        (Some(found), About::Group) => Ok(found),
        (Some(_), About::Service) => {
            Err(format!("holds `{{{name}}}`, which may stand under `group_headers` only"))
        }
        (None, _) => Err(unknown(name, about)),
    }
}

fn unknown(name: &str, about: About) -> String {
    let mut known: Vec<&str> = OF_SERVICE.iter().map(|(known, _)| *known).collect();
    if about == About::Group {
        known.extend(["group", "metadata.KEY"]);
    }
    let near = did_you_mean(name, known.iter().copied());
    let near = near.replace(" `", " `{").replace("`?", "}`?");
    let list = known.iter().map(|known| format!("{{{known}}}")).collect::<Vec<_>>().join(", ");
    let hint = if near.is_empty() { format!(" (there are: {list}; `{{{{` is a brace itself)") } else { near };
    format!("has the unknown placeholder `{{{name}}}`{hint}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered(text: &str) -> String {
        let template = Template::parse(text, About::Group).unwrap();
        let fill = |placeholder: &Placeholder| match placeholder {
            Placeholder::Metadata(key) => Some(format!("[{key}]")),
            other => Some(format!("{other:?}").to_lowercase()),
        };
        template.render(fill).unwrap()
    }

    #[test]
    fn placeholders_are_filled_and_double_braces_are_braces() {
        assert_eq!(rendered("{source}.{namespace}/{service}~{group}"), "source.namespace/service~group");
        assert_eq!(rendered("v{metadata.a.b}"), "v[a.b]");
        assert_eq!(rendered(r"~/{service}/\d{{3}}"), r"~/service/\d{3}");
        assert_eq!(rendered(""), "");
    }

    #[test]
    fn what_is_wrong_is_told_with_what_was_meant() {
        for (text, about, told) in [
            (
                "/{servce}",
                About::Service,
                "has the unknown placeholder `{servce}` (did you mean `{service}`?)",
            ),
            (
                "/{x}",
                About::Service,
                "has the unknown placeholder `{x}` (there are: {source}, {namespace}, {service}; `{{` is a brace itself)",
            ),
            ("{gruop}", About::Group, "has the unknown placeholder `{gruop}` (did you mean `{group}`?)"),
            ("/{group}", About::Service, "holds `{group}`, which may stand under `group_headers` only"),
            ("{metadata.}", About::Group, "has `{metadata.}` without a key"),
            ("/{service", About::Service, "has a `{` without its partner (`{{` is a brace itself)"),
            ("/a}", About::Service, "has a `}` without its partner (`}}` is a brace itself)"),
        ] {
            assert_eq!(Template::parse(text, about).unwrap_err(), told);
        }
    }

    #[test]
    fn a_placeholder_for_which_there_is_nothing_is_named() {
        let template = Template::parse("{service}-{metadata.zone}", About::Group).unwrap();
        let fill = |placeholder: &Placeholder| (*placeholder == Placeholder::Service).then(|| "s".to_owned());
        assert_eq!(template.render(fill), Err(Placeholder::Metadata("zone".to_owned())));
    }
}
