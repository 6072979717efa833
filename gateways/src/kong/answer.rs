//! What Kong's answers mean, as a table.

use std::fmt;
use std::time::Duration;

use serde_json::Value;

use crate::Retry;

/// Kong's own error codes, the field `code` of an error body.
const PRIMARY_KEY_VIOLATION: u64 = 3;
const FOREIGN_KEY_VIOLATION: u64 = 4;
const UNSUPPORTED: u64 = 12;

/// A request that did not get what it asked for.
#[derive(Clone, Debug)]
pub(super) struct Refusal {
    /// Method and URL.
    pub(super) request: String,
    pub(super) cause: Cause,
}

#[derive(Clone, Debug)]
pub(super) enum Cause {
    /// No connection, or none that lasted.
    Unreachable(String),
    /// No answer in time.
    Timeout(String),
    /// A success whose body cannot be read: what was written may stand.
    Unreadable(String),
    /// An answer other than success.
    Status {
        status: u16,
        /// Kong's code, where the body has one.
        code: Option<u64>,
        /// Whether the body's `fields` name the id.
        names_id: bool,
        /// Kong's own words.
        words: String,
        retry_after: Option<Duration>,
        /// What is wrong with single entities of a document (`flattened_errors`).
        entities: Vec<Value>,
    },
}

/// What to make of a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// The same request may succeed in a moment.
    Repeat,
    /// The credentials are refused; that is put right by somebody, and takes longer.
    Denied,
    /// The id or the name is taken, perhaps by an earlier try of the same request.
    Taken,
    /// What is addressed, or what it belongs to, is not there (any more), or still in use.
    Stale,
    /// The user's error.
    Wrong,
}

/// By status, and Kong's code where that decides. The first line that fits counts; what none fits is the
/// user's error.
const TABLE: [(std::ops::RangeInclusive<u16>, Option<u64>, Meaning); 10] = [
    (400..=400, Some(PRIMARY_KEY_VIOLATION), Meaning::Taken),
    (400..=400, Some(FOREIGN_KEY_VIOLATION), Meaning::Stale),
    (401..=401, None, Meaning::Denied),
    (403..=403, None, Meaning::Denied),
    (404..=404, None, Meaning::Stale),
    (408..=408, None, Meaning::Repeat),
    (409..=409, None, Meaning::Taken),
    (429..=429, None, Meaning::Repeat),
    (500..=500, None, Meaning::Repeat),
    (502..=504, None, Meaning::Repeat),
];

impl Refusal {
    pub(super) fn meaning(&self) -> Meaning {
        let Cause::Status { status, code, names_id, .. } = &self.cause else { return Meaning::Repeat };
        let fits = |line: &&(std::ops::RangeInclusive<u16>, Option<u64>, Meaning)| {
            line.0.contains(status) && (line.1.is_none() || line.1 == *code)
        };
        match TABLE.iter().find(fits) {
            // A null weight is a "primary key violation" too, but names no id.
            Some((_, Some(PRIMARY_KEY_VIOLATION), _)) if !names_id => Meaning::Wrong,
            Some((_, _, meaning)) => *meaning,
            None => Meaning::Wrong,
        }
    }

    /// When to try again what failed so.
    pub(super) fn retry(&self) -> Retry {
        match self.meaning() {
            Meaning::Repeat | Meaning::Denied => Retry::Backoff(self.retry_after()),
            Meaning::Taken | Meaning::Stale => Retry::ReadAgain,
            Meaning::Wrong => Retry::Never,
        }
    }

    pub(super) fn retry_after(&self) -> Option<Duration> {
        match &self.cause {
            Cause::Status { retry_after, .. } => *retry_after,
            _ => None,
        }
    }

    pub(super) fn status(&self) -> Option<u16> {
        match self.cause {
            Cause::Status { status, .. } => Some(status),
            _ => None,
        }
    }

    pub(super) fn names_id(&self) -> bool {
        matches!(self.cause, Cause::Status { names_id: true, .. })
    }

    /// Whether another address may do better.
    pub(super) fn is_of_the_node(&self) -> bool {
        match self.cause {
            Cause::Unreachable(_) | Cause::Timeout(_) => true,
            Cause::Unreadable(_) => false,
            Cause::Status { status, .. } => matches!(status, 502..=504),
        }
    }

    /// Whether Kong asks for fewer requests.
    pub(super) fn pushes_back(&self) -> bool {
        matches!(self.cause, Cause::Timeout(_) | Cause::Status { status: 429 | 503, .. })
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let request = &self.request;
        match &self.cause {
            Cause::Unreachable(why) => write!(f, "{request}: no answer: {why}"),
            Cause::Timeout(why) => write!(f, "{request}: no answer in time: {why}"),
            Cause::Unreadable(why) => write!(f, "{request}: an answer that cannot be read: {why}"),
            Cause::Status { status, code: Some(UNSUPPORTED), words, .. } => {
                write!(f, "{request} was answered {status}: {words}; this Kong runs without a database")
            }
            Cause::Status { status: status @ (401 | 403), words, .. } => {
                write!(
                    f,
                    "{request} was answered {status}: {words}; the token is refused, or may not do this"
                )
            }
            Cause::Status { status: 413, words, .. } => write!(
                f,
                "{request} was answered 413: {words}; Kong takes bodies up to `nginx_admin_client_max_body_size` (10m unless set): raise it in Kong's configuration"
            ),
            Cause::Status { status, words, .. } => write!(f, "{request} was answered {status}: {words}"),
        }
    }
}

impl Cause {
    /// Reads an answer other than success.
    pub(super) fn of_answer(status: u16, body: &[u8], retry_after: Option<Duration>) -> Self {
        let mut body: Value = serde_json::from_slice(body).unwrap_or_default();
        let entities = match body.get_mut("flattened_errors").map(Value::take) {
            Some(Value::Array(entities)) => entities,
            _ => Vec::new(),
        };
        let message = body.get("message").and_then(Value::as_str);
        // Kong's pages for 413 and 415 are HTML: the status says as much.
        let words = message.map_or_else(|| reason(status).to_owned(), str::to_owned);
        Self::Status {
            status,
            code: body.get("code").and_then(Value::as_u64),
            names_id: body.pointer("/fields/id").is_some(),
            words,
            retry_after,
            entities,
        }
    }
}

fn reason(status: u16) -> &'static str {
    reqwest::StatusCode::from_u16(status)
        .ok()
        .and_then(|status| status.canonical_reason())
        .unwrap_or("no message")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(status: u16, body: &str) -> Refusal {
        let cause = Cause::of_answer(status, body.as_bytes(), None);
        Refusal { request: "POST http://kong:8001/services".into(), cause }
    }

    #[test]
    fn recorded_answers_mean_what_they_should() {
        let html = "<html><body>413 Request Entity Too Large</body></html>";
        for (status, body, meaning) in [
            (
                409,
                r#"{"code":5,"fields":{"name":"a"},"message":"UNIQUE violation detected"}"#,
                Meaning::Taken,
            ),
            (400, r#"{"code":3,"fields":{"id":"x"},"message":"primary key violation"}"#, Meaning::Taken),
            (400, r#"{"code":3,"fields":{"weight":null},"message":"primary key violation"}"#, Meaning::Wrong),
            (400, r#"{"code":4,"fields":{"upstream":{"id":"x"}},"message":"foreign key"}"#, Meaning::Stale),
            (400, r#"{"code":2,"fields":{"host":"required"},"message":"schema violation"}"#, Meaning::Wrong),
            (404, r#"{"message":"Not found"}"#, Meaning::Stale),
            (401, r#"{"message":"Unauthorized"}"#, Meaning::Denied),
            (403, r#"{"message":"Forbidden"}"#, Meaning::Denied),
            (405, r#"{"code":12,"message":"operation unsupported"}"#, Meaning::Wrong),
            (413, html, Meaning::Wrong),
            (429, r#"{"message":"API rate limit exceeded"}"#, Meaning::Repeat),
            (500, r#"{"message":"An unexpected error occurred"}"#, Meaning::Repeat),
            (501, "", Meaning::Wrong),
            (502, html, Meaning::Repeat),
            (503, "", Meaning::Repeat),
            (504, "", Meaning::Repeat),
        ] {
            assert_eq!(refusal(status, body).meaning(), meaning, "{status} {body}");
        }
    }

    #[test]
    fn told_with_the_request_and_kongs_own_words() {
        let told = refusal(400, r#"{"code":2,"message":"schema violation (host: required field missing)"}"#)
            .to_string();
        assert_eq!(
            told,
            "POST http://kong:8001/services was answered 400: schema violation (host: required field missing)"
        );
        let too_large = refusal(413, "<html>").to_string();
        assert!(too_large.contains("was answered 413: Payload Too Large"), "{too_large}");
        assert!(too_large.contains("`nginx_admin_client_max_body_size`"), "{too_large}");
        assert!(refusal(405, r#"{"code":12,"message":"no"}"#).to_string().contains("without a database"));
    }
}
