//! The forms of Polaris' answers. Every field of a form is there; what isn't set is null or empty.

use axum::http::Response;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, SERVER};
use bytes::Bytes;
use serde_json::{Value, json};

use super::codes::{self, BAD_REQUEST, OK, info};
use super::messages::{Message, Row};

/// A code with its words, the usual or other ones.
#[derive(Debug, Clone)]
pub(super) struct Outcome {
    pub(super) code: u32,
    pub(super) info: String,
}

impl From<u32> for Outcome {
    fn from(code: u32) -> Self {
        Self { code, info: info(code).to_owned() }
    }
}

impl Outcome {
    /// The usual words, and more.
    pub(super) fn with(code: u32, more: &str) -> Self {
        Self { code, info: format!("{}: {more}", info(code)) }
    }

    /// A body that can't be read.
    pub(super) fn undecodable(why: &str) -> Self {
        Self { code: codes::UNDECODABLE, info: format!("request decode failed: {why}") }
    }
}

/// A status with JSON or text.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Value,
}

impl Answer {
    /// JSON under the status that its code says.
    fn coded(outcome: &Outcome, mut body: Value) -> Self {
        body["code"] = json!(outcome.code);
        body["info"] = json!(outcome.info);
        Self { status: u16::try_from(outcome.code / 1000).unwrap_or(500), body }
    }

    pub(super) fn text(status: u16, text: &str) -> Self {
        Self { status, body: Value::from(text) }
    }

    pub(super) fn into_response(self) -> Response<Bytes> {
        let (kind, bytes) = match &self.body {
            Value::String(text) => ("text/plain", Bytes::from(text.clone())),
            json => ("application/json", Bytes::from(json.to_string())),
        };
        let builder = Response::builder().status(self.status).header(SERVER, "polaris-stand-in");
        let builder = builder.header(CONTENT_TYPE, kind).header(CONTENT_LENGTH, bytes.len());
        builder.body(bytes).unwrap_or_default()
    }
}

/// The answer about one thing, such as `("instance", …)`.
pub(super) fn one(outcome: impl Into<Outcome>, thing: Option<(&str, Value)>) -> Answer {
    let outcome = outcome.into();
    Answer::coded(&outcome, one_of_many(&outcome, thing))
}

fn one_of_many(outcome: &Outcome, thing: Option<(&str, Value)>) -> Value {
    let mut body = json!({
        "code": outcome.code, "info": outcome.info, "client": null, "namespace": null, "service": null,
        "instance": null, "routing": null, "alias": null, "rateLimit": null, "circuitBreaker": null,
        "configRelease": null, "user": null, "userGroup": null, "authStrategy": null, "relation": null,
        "loginResponse": null, "modifyAuthStrategy": null, "modifyUserGroup": null, "resources": null,
        "optionSwitch": null, "instanceLabels": null, "data": null, "serviceContract": null,
    });
    if let Some((name, value)) = thing {
        body[name] = value;
    }
    body
}

/// What became of the items of a request, in its order.
pub(super) struct Batch {
    name: &'static str,
    message: &'static Message,
    items: Vec<(Outcome, Row)>,
}

impl Batch {
    /// For messages of one kind, which stand in the answer under this name.
    pub(super) fn new(name: &'static str, message: &'static Message) -> Self {
        Self { name, message, items: Vec::new() }
    }

    pub(super) fn add(&mut self, outcome: impl Into<Outcome>, row: Row) {
        self.items.push((outcome.into(), row));
    }

    /// Under the items' common code, or else as a bad request.
    pub(super) fn by_common_code(self) -> Answer {
        let first = self.items.first().map_or(OK, |(outcome, _)| outcome.code);
        let alike = self.items.iter().all(|(outcome, _)| outcome.code == first);
        self.under(if alike { first } else { BAD_REQUEST })
    }

    /// Under the highest code of an item that failed.
    pub(super) fn by_worst_code(self) -> Answer {
        let worst =
            self.items.iter().map(|(outcome, _)| outcome.code).filter(|code| code / 1000 != 200).max();
        self.under(worst.unwrap_or(OK))
    }

    fn under(self, code: u32) -> Answer {
        let thing = |row: &Row| Some((self.name, self.message.whole(row)));
        let responses: Vec<Value> =
            self.items.iter().map(|(outcome, row)| one_of_many(outcome, thing(row))).collect();
        Answer::coded(&code.into(), json!({ "size": responses.len(), "responses": responses }))
    }
}

/// A batch that is refused as a whole.
pub(super) fn no_batch(outcome: impl Into<Outcome>) -> Answer {
    Answer::coded(&outcome.into(), json!({ "size": 0, "responses": [] }))
}

/// A batch of which each item is refused in the same way, and none named.
pub(super) fn denied_batch(outcome: &Outcome, item: &Outcome) -> Answer {
    Answer::coded(outcome, json!({ "size": 1, "responses": [one_of_many(item, None)] }))
}

/// A page of a list under its name, and how many there are in all.
pub(super) fn list(outcome: impl Into<Outcome>, page: Option<(&str, Vec<Value>)>, amount: usize) -> Answer {
    let mut body = json!({
        "amount": amount, "size": 0, "namespaces": [], "services": [], "instances": [], "routings": [],
        "aliases": [], "rateLimits": [], "configWithServices": [], "users": [], "userGroups": [],
        "authStrategies": [], "clients": [], "data": [], "summary": null,
    });
    if let Some((name, items)) = page {
        body["size"] = json!(items.len());
        body[name] = Value::Array(items);
    }
    Answer::coded(&outcome.into(), body)
}

/// The answer of Discover, with the fields that `set` gives beside the rest, which is unset.
pub(super) fn discovered(outcome: impl Into<Outcome>, kind: &str, set: Value) -> Answer {
    let mut body = json!({
        "type": kind, "service": null, "instances": [], "routing": null, "rateLimit": null,
        "circuitBreaker": null, "services": [], "namespaces": [], "faultDetector": null, "aliasFor": null,
    });
    if let Value::Object(set) = set {
        set.into_iter().for_each(|(name, value)| body[name] = value);
    }
    Answer::coded(&outcome.into(), body)
}
