//! What applications call: one instance at a time.

use serde_json::json;

use super::super::answers::{Answer, Outcome, one};
use super::super::codes::OK;
use super::super::messages::{CLIENT, INSTANCE, Row};
use super::super::store::object;
use super::Node;
use super::instances::{id_of, put};
use crate::stand_in::Asked;

fn with_one(asked: &Asked, act: impl FnOnce(&Row) -> Result<Row, u32>) -> Option<Answer> {
    let row = match INSTANCE.read_one(&asked.body) {
        Ok(row) => row,
        Err(why) => return Some(one(Outcome::undecodable(&why), None)),
    };
    let (code, told) = act(&row).map_or_else(|code| (code, row.clone()), |told| (OK, told));
    Some(one(code, Some(("instance", INSTANCE.whole(&told)))))
}

pub(super) fn register(node: &mut Node<'_>, asked: &Asked) -> Option<Answer> {
    with_one(asked, |row| put(node, row))
}

pub(super) fn deregister(node: &mut Node<'_>, asked: &Asked) -> Option<Answer> {
    with_one(asked, |row| {
        node.store.delete_instance(&id_of(row)?);
        Ok(row.clone())
    })
}

pub(super) fn heartbeat(node: &mut Node<'_>, asked: &Asked) -> Option<Answer> {
    with_one(asked, |row| {
        node.store.beat(&id_of(row)?);
        Ok(row.clone())
    })
}

pub(super) fn report(_: &mut Node<'_>, asked: &Asked) -> Option<Answer> {
    Some(match CLIENT.read_one(&asked.body) {
        Err(why) => one(Outcome::undecodable(&why), None),
        Ok(row) => {
            let mut told = object(json!({ "type": "UNKNOWN" }));
            told.extend(row.get("host").map(|host| ("host".to_owned(), host.clone())));
            one(OK, Some(("client", CLIENT.whole(&told))))
        }
    })
}
