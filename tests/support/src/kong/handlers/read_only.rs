//! What a node without a database answers to writes of single entities.

use axum::http::Method;

use super::{Node, Place};
use crate::kong::answer::Answer;
use crate::kong::errors;
use crate::kong::store::{Kind, id_of, is_uuid};

/// The refusal of a write, or none when the place is not one of entities.
pub(super) fn refusal(node: &Node<'_>, place: &Place<'_>, method: &Method) -> Option<Answer> {
    if *method == Method::GET {
        return None;
    }
    let missing = |kind, key| node.store.find(kind, key).is_none();
    Some(match *place {
        Place::Children(parents, parent, _) | Place::Child(parents, parent, ..)
            if missing(parents, parent) =>
        {
            errors::not_found()
        }
        Place::Targets(upstream) | Place::Target(upstream, _) if missing(Kind::Upstreams, upstream) => {
            errors::not_found()
        }
        Place::List(kind) | Place::Children(_, _, kind) => refuse("create", kind, ""),
        Place::Targets(_) => refuse("create", Kind::Targets, ""),
        Place::Target(upstream, target) => target_refusal(node, method, upstream, target),
        Place::Entity(kind, key) | Place::Child(_, _, kind, key) => entity_refusal(node, method, kind, key),
        _ => return None,
    })
}

fn target_refusal(node: &Node<'_>, method: &Method, upstream: &str, target: &str) -> Answer {
    let id = node.store.find(Kind::Upstreams, upstream).map(id_of).unwrap_or_default();
    if node.store.find_target(&id, target).is_none() {
        return errors::not_found();
    }
    refuse(if *method == Method::DELETE { "remove" } else { "update" }, Kind::Targets, "")
}

fn entity_refusal(node: &Node<'_>, method: &Method, kind: Kind, key: &str) -> Answer {
    let field = if is_uuid(key) { "id" } else { kind.endpoint_key() };
    let by = if is_uuid(key) { String::new() } else { format!(" by '{field}'") };
    match *method {
        Method::PATCH if node.store.find(kind, key).is_none() => errors::nothing_to_patch(field, key),
        Method::PATCH => refuse("update", kind, &by),
        Method::DELETE => refuse("remove", kind, &by),
        _ => refuse("create or update", kind, &by),
    }
}

fn refuse(what: &str, kind: Kind, by: &str) -> Answer {
    errors::read_only(&format!("{what} '{}' entities{by}", kind.name()))
}
