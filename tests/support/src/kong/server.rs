//! What all connections work on, and how a request becomes an answer.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::http::header::CONTENT_TYPE;
use axum::http::{Method, Response};
use bytes::Bytes;
use tokio::sync::Notify;

use super::answer::Answer;
use super::call::{Call, MAX_BODY};
use super::handlers::{self, Node};
use super::health::Health;
use super::store::Store;
use crate::stand_in::{Asked, Faults, Log, Refusal, StandIn};

/// The header that carries a token.
const TOKEN_HEADER: &str = "Kong-Admin-Token";

/// What all connections work on.
pub(super) struct Shared {
    pub(super) stores: Mutex<BTreeMap<String, Store>>,
    pub(super) health: Health,
    pub(super) node_id: String,
    pub(super) faults: Faults,
    pub(super) log: Log,
    pub(super) token: Mutex<Option<String>>,
    pub(super) workspace: String,
    pub(super) db_less: bool,
    /// Requests since the node was started.
    pub(super) served: AtomicU64,
    /// Told after every handled request.
    pub(super) handled: Notify,
}

impl Shared {
    pub(super) fn stores(&self) -> MutexGuard<'_, BTreeMap<String, Store>> {
        self.stores.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Handles a call in the workspace that its path begins with, else in the default one.
    pub(super) fn handle(&self, mut call: Call) -> Answer {
        let workspace = self.take_workspace(&mut call);
        let answer = {
            let mut stores = self.stores();
            let store = stores.entry(workspace).or_default();
            handlers::handle(
                &mut Node {
                    store,
                    health: &self.health,
                    node_id: &self.node_id,
                    db_less: self.db_less,
                    served: self.served.fetch_add(1, Ordering::Relaxed),
                },
                &call,
            )
        };
        self.handled.notify_waiters();
        answer
    }

    /// Without a configured workspace any prefix is an unknown path, as on the free edition; with one,
    /// `/default/…` and no prefix mean the default workspace, as the enterprise edition documents.
    fn take_workspace(&self, call: &mut Call) -> String {
        let first = call.path.first().map_or("", String::as_str);
        match first {
            _ if self.workspace.is_empty() => String::new(),
            "default" => {
                call.path.remove(0);
                String::new()
            }
            name if name == self.workspace => call.path.remove(0),
            _ => String::new(),
        }
    }

    /// How long the real Kong would work for a request that touches an upstream with many targets.
    fn work_on(&self, asked: &Asked) -> Duration {
        let cost = self.faults.cost_per_target();
        if cost.is_zero() {
            return Duration::ZERO;
        }
        let mut call = call(asked.clone());
        let workspace = self.take_workspace(&mut call);
        let scanned =
            self.stores().get(&workspace).map_or(0, |store| handlers::scanned_targets(store, &call));
        cost * u32::try_from(scanned).unwrap_or(u32::MAX)
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
        MAX_BODY
    }

    fn is_read(&self, method: &Method, _target: &str) -> bool {
        matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
    }

    fn work(&self, asked: &Asked) -> Duration {
        self.work_on(asked)
    }

    fn answer(&self, asked: Asked) -> Option<Response<Bytes>> {
        let authorised = authorised(self, asked.header(TOKEN_HEADER));
        let answer = if authorised { self.handle(call(asked)) } else { unauthorised() };
        Some(answer.into_response())
    }

    fn refusal(&self, refusal: Refusal) -> Response<Bytes> {
        let answer = match refusal {
            Refusal::Status(500) => super::errors::unexpected(),
            Refusal::Status(status) => Answer::html(status),
            Refusal::Answer(status, body) => Answer::json(status, body),
            Refusal::TooManyRequests(wait) => Answer::message(429, "API rate limit exceeded")
                .with_header("Retry-After", wait.as_secs().to_string()),
        };
        answer.into_response()
    }
}

fn call(asked: Asked) -> Call {
    let content_type = asked.header(CONTENT_TYPE.as_str()).map(str::to_owned);
    Call::new(asked.method, &asked.target, content_type, asked.body)
}

fn authorised(shared: &Shared, token: Option<&str>) -> bool {
    let wanted = shared.token.lock().unwrap_or_else(PoisonError::into_inner);
    wanted.as_deref().is_none_or(|wanted| token == Some(wanted))
}

/// The free edition knows no tokens; these are the words of the enterprise edition's documentation.
fn unauthorised() -> Answer {
    Answer::message(401, "Invalid credentials. Token or User credentials required")
}
