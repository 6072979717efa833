//! Routes: what each `route` says, and what becomes of them where they are laid over each other.

use super::Item;
use crate::config::{
    check::quoted,
    mistakes::{Findings, Path},
    template::{About, Placeholder, Template},
    tree::Node,
};

/// The keys that say which requests a route is for.
const CRITERIA: [&str; 4] = ["paths", "hosts", "methods", "headers"];
/// Protocols that no route may mix with the others.
const GRPC: [&str; 2] = ["grpc", "grpcs"];

/// Tells what is wrong with a table's own `route`.
pub(super) fn check(table: &Node, path: &Path, findings: &mut Findings) {
    let Some(route) = table.get("route") else { return };
    let path = path.key("route");
    check_headers(route, &path, findings);
    if let Some(protocols) = route.get("protocols") {
        let is_grpc = |protocol: &Node| protocol.text().is_some_and(|text| GRPC.contains(&text));
        let grpc = protocols.items().iter().filter(|protocol| is_grpc(protocol)).count();
        if grpc > 0 && grpc < protocols.items().len() {
            let message = "Kong takes http and https, or grpc and grpcs, but no mix of both";
            findings.mistake(protocols.at, &path.key("protocols"), message);
        }
    }
}

fn check_headers(route: &Node, path: &Path, findings: &mut Findings) {
    let mut seen: Vec<String> = Vec::new();
    for list in ["headers", "group_headers"] {
        let entries = route.get(list).map(Node::entries).unwrap_or_default();
        for entry in entries {
            let name = entry.key.to_ascii_lowercase();
            let message = if name == "host" {
                Some("hosts have a key of their own, `hosts`".to_owned())
            } else if name.is_empty()
                || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
            {
                Some(format!("`{}` is no name of a header: letters, digits, `-` and `_`", quoted(&entry.key)))
            } else if seen.contains(&name) {
                Some(format!("the header `{}` is named already", quoted(&entry.key)))
            } else {
                None
            };
            if let Some(message) = message {
                findings.mistake(entry.key_at, &path.key(list).key(&entry.key), message);
            }
            seen.push(name);
        }
    }
}

/// Tells what is wrong with the routes of an entry, which its own `route`, the task's and the defaults' make together.
/// `layers` has the nearest first.
pub(super) fn check_entry(layers: &[Item<'_>; 3], exact: bool, findings: &mut Findings) {
    let routes: Vec<Item<'_>> = layers
        .iter()
        .filter_map(|(path, table)| {
            Some((path.key("route"), table.get("route").filter(|route| route.as_scalar().is_none())?))
        })
        .collect();
    let Some((path, nearest)) = routes.first() else { return };
    let said = |key: &str| routes.iter().find_map(|(_, route)| route.get(key));
    if said("enable").and_then(Node::as_scalar).and_then(|scalar| scalar.as_bool()) == Some(false) {
        return;
    }
    let is_given =
        |key: &str| said(key).is_some_and(|list| !(list.items().is_empty() && list.entries().is_empty()));
    if !CRITERIA.into_iter().any(is_given) {
        let message =
            "a route needs `paths`, `hosts`, `methods` or `headers`: Kong makes none that matches everything";
        findings.mistake(nearest.at, path, message);
    } else if !exact && !tells_services_apart(said) {
        let message = format!(
            "neither each path nor each host nor a header names `{{service}}`, and {} may fit several services: only one \
             of them would get its route, the others are told as conflicts",
            layers[0].0
        );
        findings.warning(nearest.at, path, message);
    }
}

/// Whether routes of two services surely differ: in all their paths, all their hosts, or a header.
fn tells_services_apart<'t>(said: impl Fn(&str) -> Option<&'t Node>) -> bool {
    let all = |key: &str| {
        let list = said(key).map(Node::items).unwrap_or_default();
        !list.is_empty() && list.iter().all(names_service)
    };
    let headers = said("headers").map(Node::entries).unwrap_or_default();
    let header = |value: &Node| {
        names_service(value) || (!value.items().is_empty() && value.items().iter().all(names_service))
    };
    all("paths") || all("hosts") || headers.iter().any(|entry| header(&entry.value))
}

fn names_service(value: &Node) -> bool {
    let template = value.text().and_then(|text| Template::parse(text, About::Service).ok());
    template.is_some_and(|template| template.names(&Placeholder::Service))
}
