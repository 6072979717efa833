//! From a path to what becomes of the store.

mod account;
mod client;
mod console;
mod discover;
mod instances;
mod namespaces;
mod query;
mod services;

use axum::http::Method;
use serde_json::Value;

use super::answers::{Answer, Outcome, denied_batch, discovered, list, no_batch, one};
use super::codes::{BAD_NAMESPACE, BAD_SERVICE, DENIED, EMPTY_REQUEST, TOO_MANY};
use super::messages::{Message, Row};
use super::store::{Store, text};
use crate::stand_in::Asked;

pub(super) use account::Account;

/// The most items that one request may have.
const MOST_ITEMS: usize = 100;
/// The longest name of a service.
const LONGEST_NAME: usize = 128;

/// What a request works on.
pub(super) struct Node<'a> {
    pub(super) store: &'a mut Store,
    pub(super) account: &'a Account,
    /// Whether the server asks for a token.
    pub(super) guarded: bool,
}

impl Node<'_> {
    /// Who owns what the caller creates.
    fn owner(&self) -> &str {
        if self.guarded { &self.account.id } else { "" }
    }

    /// Who owns what is created since an instance needs it.
    fn implied_owner(&self) -> &str {
        if self.guarded { &self.account.id } else { "Polaris" }
    }
}

/// How a request without a valid token is answered.
#[derive(Clone, Copy)]
enum Denial {
    /// It needs none.
    Never,
    List,
    Batch,
    /// As a batch, with fewer words.
    ShortBatch,
    /// As a batch of one.
    Items,
    One,
    Discover,
}

impl Denial {
    fn answer(self) -> Option<Answer> {
        let (short, long) = (Outcome::from(DENIED), Outcome::with(DENIED, "invalid token"));
        match self {
            Self::Never => None,
            Self::List => Some(list(long, None, 0)),
            Self::Batch => Some(no_batch(long)),
            Self::ShortBatch => Some(no_batch(short)),
            Self::Items => Some(denied_batch(&short, &long)),
            Self::One => Some(one(long, None)),
            Self::Discover => {
                let told = Outcome { code: DENIED, info: "invalid token".to_owned() };
                Some(discovered(told, "UNKNOWN", Value::Null))
            }
        }
    }
}

type Handler = fn(&mut Node<'_>, &Asked) -> Option<Answer>;

/// Everything that is imitated. The configuration center isn't.
const ROUTES: &[(Method, &str, Denial, Handler)] = &[
    (Method::GET, "/", Denial::Never, |_, _| Some(Answer::text(200, "Polaris Server"))),
    (Method::GET, "/core/v1/auth/status", Denial::Never, account::status),
    (Method::POST, "/core/v1/user/login", Denial::Never, account::login),
    (Method::GET, "/core/v1/namespaces", Denial::List, namespaces::list),
    (Method::GET, "/naming/v1/namespaces", Denial::List, namespaces::list),
    (Method::POST, "/naming/v1/namespaces", Denial::Batch, namespaces::create),
    (Method::PUT, "/naming/v1/namespaces", Denial::Batch, namespaces::update),
    (Method::POST, "/naming/v1/namespaces/delete", Denial::Batch, namespaces::delete),
    (Method::GET, "/naming/v1/services", Denial::List, services::list),
    (Method::GET, "/naming/v1/services/all", Denial::List, services::all),
    (Method::GET, "/naming/v1/services/count", Denial::List, services::count),
    (Method::POST, "/naming/v1/services", Denial::ShortBatch, services::create),
    (Method::PUT, "/naming/v1/services", Denial::Batch, services::update),
    (Method::POST, "/naming/v1/services/delete", Denial::Batch, services::delete),
    (Method::GET, "/naming/v1/instances", Denial::List, console::list),
    (Method::GET, "/naming/v1/instances/count", Denial::List, console::count),
    (Method::GET, "/naming/v1/instances/labels", Denial::List, console::labels),
    (Method::POST, "/naming/v1/instances", Denial::Items, instances::create),
    (Method::PUT, "/naming/v1/instances", Denial::Batch, instances::update),
    (Method::POST, "/naming/v1/instances/delete", Denial::Items, instances::delete),
    (Method::POST, "/naming/v1/instances/delete/host", Denial::Items, instances::delete_host),
    (Method::PUT, "/naming/v1/instances/isolate/host", Denial::Batch, instances::isolate_host),
    (Method::POST, "/v1/Discover", Denial::Discover, discover::discover),
    (Method::POST, "/v1/RegisterInstance", Denial::One, client::register),
    (Method::POST, "/v1/DeregisterInstance", Denial::One, client::deregister),
    (Method::POST, "/v1/Heartbeat", Denial::Never, client::heartbeat),
    (Method::POST, "/v1/ReportClient", Denial::Never, client::report),
];

/// What the API answers; nothing where the real one panics, which closes the connection.
pub(super) fn handle(node: &mut Node<'_>, asked: &Asked, token: Option<&str>) -> Option<Answer> {
    let path = asked.target.split('?').next().unwrap_or_default();
    let mut on_path = ROUTES.iter().filter(|(_, known, ..)| *known == path).peekable();
    if on_path.peek().is_none() {
        return Some(Answer::text(404, "404: Page Not Found"));
    }
    let Some((_, _, denial, handler)) = on_path.find(|(method, ..)| *method == asked.method) else {
        return Some(Answer::text(405, "405: Method Not Allowed"));
    };
    if node.guarded
        && !node.account.accepts(token, &asked.body)
        && let Some(denied) = denial.answer()
    {
        return Some(denied);
    }
    handler(node, asked)
}

/// The messages of a batch, unless it is refused as a whole.
fn batch(message: &Message, asked: &Asked) -> Result<Vec<Row>, Answer> {
    match message.read_list(&asked.body) {
        Err(why) => Err(no_batch(Outcome::undecodable(&why))),
        Ok(rows) if rows.is_empty() => Err(no_batch(EMPTY_REQUEST)),
        Ok(rows) if rows.len() > MOST_ITEMS => Err(no_batch(TOO_MANY)),
        Ok(rows) => Ok(rows),
    }
}

/// Takes a batch's items one by one.
fn each(message: &Message, asked: &Asked, act: impl FnOnce(Vec<Row>) -> Answer) -> Option<Answer> {
    Some(batch(message, asked).map_or_else(|refused| refused, act))
}

fn check_namespace(row: &Row, field: &str) -> Result<String, u32> {
    let name = text(row, field);
    if is_plain(name) { Ok(name.to_owned()) } else { Err(BAD_NAMESPACE) }
}

fn check_service(row: &Row, field: &str) -> Result<String, u32> {
    let name = text(row, field);
    if is_plain(name) && name.len() <= LONGEST_NAME { Ok(name.to_owned()) } else { Err(BAD_SERVICE) }
}

/// Not empty, and only letters, digits and `-./:_`.
fn is_plain(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "-./:_".contains(c))
}
