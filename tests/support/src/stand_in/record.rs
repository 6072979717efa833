//! The requests that came in: a log and counts.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use axum::http::Method;
use bytes::Bytes;
use serde_json::Value;
use tokio::time::Instant;

/// One request.
#[derive(Debug, Clone)]
pub struct Recorded {
    /// The method, upper case.
    pub method: String,
    /// The path with its query, as it was sent.
    pub path: String,
    /// The body: JSON when it is, else a string; null when there was none.
    pub body: Value,
    /// The status of the answer; none while it is handled, and when a fault kept it from being answered.
    pub status: Option<u16>,
    /// When it came in.
    pub at: Instant,
    /// When its answer was ready; none as for the status.
    pub answered_at: Option<Instant>,
}

/// A request as it came in; it is made readable when a test asks for it.
struct Arrived {
    method: Method,
    path: String,
    body: Bytes,
    status: Option<u16>,
    at: Instant,
    answered_at: Option<Instant>,
}

impl Arrived {
    fn recorded(&self) -> Recorded {
        Recorded {
            method: self.method.to_string(),
            path: self.path.clone(),
            body: readable(&self.body),
            status: self.status,
            at: self.at,
            answered_at: self.answered_at,
        }
    }
}

/// Every request since the start or the last reset, in the order of arrival.
#[derive(Default)]
pub(crate) struct Log {
    counts_only: bool,
    entries: Mutex<Entries>,
}

#[derive(Default)]
struct Entries {
    next: u64,
    arrived: BTreeMap<u64, Arrived>,
    reads: u64,
    writes: u64,
    in_flight: usize,
    most_in_flight: usize,
}

/// A request that is being handled, until it is dropped.
pub(crate) struct Open<'a> {
    log: &'a Log,
    number: u64,
}

impl Open<'_> {
    pub(crate) fn answered(&self, status: u16) {
        if let Some(arrived) = self.log.entries().arrived.get_mut(&self.number) {
            arrived.status = Some(status);
            arrived.answered_at = Some(Instant::now());
        }
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.log.entries().in_flight -= 1;
    }
}

impl Log {
    /// A log that keeps no requests but counts them when `counts_only`.
    pub(crate) fn new(counts_only: bool) -> Self {
        Self { counts_only, ..Self::default() }
    }

    /// Notes a request.
    pub(crate) fn open(&self, method: &Method, path: &str, body: &Bytes, is_read: bool) -> Open<'_> {
        let mut entries = self.entries();
        if is_read {
            entries.reads += 1;
        } else {
            entries.writes += 1;
        }
        entries.in_flight += 1;
        entries.most_in_flight = entries.most_in_flight.max(entries.in_flight);
        let number = entries.next;
        entries.next += 1;
        if !self.counts_only {
            let arrived = Arrived {
                method: method.clone(),
                path: path.to_owned(),
                body: body.clone(),
                status: None,
                at: Instant::now(),
                answered_at: None,
            };
            entries.arrived.insert(number, arrived);
        }
        Open { log: self, number }
    }

    pub(crate) fn all(&self) -> Vec<Recorded> {
        self.entries().arrived.values().map(Arrived::recorded).collect()
    }

    pub(crate) fn reads(&self) -> u64 {
        self.entries().reads
    }

    pub(crate) fn writes(&self) -> u64 {
        self.entries().writes
    }

    pub(crate) fn most_in_flight(&self) -> usize {
        self.entries().most_in_flight
    }

    pub(crate) fn clear(&self) {
        let mut entries = self.entries();
        (entries.reads, entries.writes) = (0, 0);
        entries.most_in_flight = entries.in_flight;
        entries.arrived.clear();
    }

    fn entries(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn readable(body: &[u8]) -> Value {
    if body.is_empty() {
        return Value::Null;
    }
    serde_json::from_slice(body).unwrap_or_else(|_| Value::from(String::from_utf8_lossy(body)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open<'a>(log: &'a Log, method: Method, path: &str) -> Open<'a> {
        log.open(&method, path, &Bytes::new(), method == Method::GET)
    }

    #[tokio::test]
    async fn counts_reads_and_writes_apart_and_forgets_both() {
        let log = Log::default();
        open(&log, Method::GET, "/services?size=1").answered(200);
        drop(log.open(&Method::POST, "/services", &Bytes::from_static(br#"{"name":"a"}"#), false));
        drop(open(&log, Method::DELETE, "/services/a"));
        assert_eq!((log.reads(), log.writes()), (1, 2));
        let all = log.all();
        assert_eq!(all[0].status, Some(200));
        assert!(all[0].answered_at.is_some_and(|answered| answered >= all[0].at));
        assert_eq!((all[1].status, &all[1].body["name"]), (None, &Value::from("a")));
        log.clear();
        assert_eq!((log.reads(), log.writes(), log.all().len()), (0, 0, 0));
    }

    #[tokio::test]
    async fn an_answer_after_a_reset_is_not_noted_under_another_request() {
        let log = Log::default();
        let before = open(&log, Method::GET, "/a");
        log.clear();
        let _after = open(&log, Method::GET, "/b");
        before.answered(500);
        assert_eq!(log.all()[0].status, None);
    }

    #[tokio::test]
    async fn tells_how_many_requests_were_handled_at_once() {
        let log = Log::new(true);
        let first = open(&log, Method::GET, "/a");
        drop(open(&log, Method::GET, "/b"));
        drop(first);
        drop(open(&log, Method::GET, "/c"));
        assert_eq!((log.most_in_flight(), log.reads(), log.all().len()), (2, 3, 0));
        log.clear();
        assert_eq!(log.most_in_flight(), 0);
    }
}
