//! What the node's health checkers think of targets.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use serde_json::Value;

use super::store::Row;

/// Targets that are known to be down, by upstream id and address. No real check is made: a test says what it
/// would find.
#[derive(Default)]
pub(super) struct Health {
    down: Mutex<BTreeMap<(String, String), bool>>,
}

impl Health {
    pub(super) fn set(&self, upstream: &str, address: &str, up: bool) {
        let mut down = self.down.lock().unwrap_or_else(PoisonError::into_inner);
        down.insert((upstream.to_owned(), address.to_owned()), !up);
    }

    pub(super) fn is_up(&self, upstream: &str, address: &str) -> bool {
        let down = self.down.lock().unwrap_or_else(PoisonError::into_inner);
        !down.get(&(upstream.to_owned(), address.to_owned())).copied().unwrap_or_default()
    }
}

/// Whether an upstream has any check switched on, active or passive.
pub(super) fn checks(upstream: &Row) -> bool {
    let checks = &upstream["healthchecks"];
    let positive = |path: &str| checks.pointer(path).and_then(Value::as_f64).is_some_and(|n| n > 0.0);
    [
        "/active/healthy/interval",
        "/active/unhealthy/interval",
        "/passive/healthy/successes",
        "/passive/unhealthy/http_failures",
        "/passive/unhealthy/tcp_failures",
        "/passive/unhealthy/timeouts",
    ]
    .into_iter()
    .any(positive)
}
