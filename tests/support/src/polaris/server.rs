//! What all connections work on, and how a request becomes an answer.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::http::{Method, Response};
use bytes::Bytes;
use serde_json::Value;

use super::answers::Answer;
use super::clock::Clock;
use super::handlers::{Account, Node, handle};
use super::store::Store;
use crate::stand_in::{Asked, Faults, Log, Refusal, StandIn};

/// The header that carries a token.
const TOKEN_HEADER: &str = "X-Polaris-Token";
/// Larger than any request of a hundred items.
const LARGEST_BODY: usize = 16 * 1024 * 1024;

/// One server.
pub(super) struct Shared {
    pub(super) store: Mutex<Store>,
    pub(super) account: Mutex<Account>,
    pub(super) guarded: bool,
    pub(super) clock: Arc<Clock>,
    pub(super) faults: Faults,
    pub(super) log: Log,
}

impl Shared {
    pub(super) fn store(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn account(&self) -> MutexGuard<'_, Account> {
        self.account.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Handles a request as one who is let in by `token`.
    pub(super) fn handle(&self, asked: &Asked, token: Option<&str>) -> Option<Answer> {
        let (mut store, account) = (self.store(), self.account());
        store.catch_up();
        handle(&mut Node { store: &mut store, account: &account, guarded: self.guarded }, asked, token)
    }
}

impl StandIn for Shared {
    fn faults(&self) -> &Faults {
        &self.faults
    }

    fn log(&self) -> &Log {
        &self.log
    }

    fn largest_body(&self) -> usize {
        LARGEST_BODY
    }

    fn is_read(&self, method: &Method, target: &str) -> bool {
        *method == Method::GET || target == "/v1/Discover"
    }

    fn work(&self, _: &Asked) -> Duration {
        Duration::ZERO
    }

    fn answer(&self, asked: Asked) -> Option<Response<Bytes>> {
        let token = asked.header(TOKEN_HEADER).map(str::to_owned);
        self.handle(&asked, token.as_deref()).map(Answer::into_response)
    }

    fn refusal(&self, refusal: Refusal) -> Response<Bytes> {
        match refusal {
            Refusal::Status(status) => Answer::text(status, &format!("{status}: ordered by a test")),
            Refusal::Answer(status, body) => Answer { status, body },
            Refusal::TooManyRequests(_) => Answer { status: 429, body: Value::Null },
        }
        .into_response()
    }
}
