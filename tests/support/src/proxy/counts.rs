//! What a proxy has carried.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Connections that are open.
#[derive(Debug, Default)]
pub(super) struct Open {
    pub(super) now: AtomicUsize,
    pub(super) ever: AtomicUsize,
    pub(super) most: AtomicUsize,
    carried: Mutex<Carried>,
}

/// How long nothing was carried when a connection was opened.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rests {
    /// Just before that.
    pub now: Duration,
    /// The longest time on the connections that were there, since the one before was opened.
    pub before: Duration,
}

/// When bytes were carried.
#[derive(Debug, Default)]
pub(super) struct Carried {
    pub(super) at: Option<Instant>,
    /// The longest time between two, since a connection was opened.
    pub(super) longest_rest: Duration,
    pub(super) last: Rests,
}

impl Carried {
    pub(super) fn rest(&self) -> Duration {
        self.at.map_or(Duration::ZERO, |at| at.elapsed())
    }
}

impl Open {
    pub(super) fn rests(&self) -> MutexGuard<'_, Carried> {
        self.carried.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn add(&self) {
        let mut carried = self.rests();
        carried.last = Rests { now: carried.rest(), before: std::mem::take(&mut carried.longest_rest) };
        drop(carried);
        let now = self.now.fetch_add(1, Ordering::SeqCst) + 1;
        self.ever.fetch_add(1, Ordering::SeqCst);
        self.most.fetch_max(now, Ordering::SeqCst);
    }

    pub(super) fn carries(&self) {
        let mut carried = self.rests();
        carried.longest_rest = carried.longest_rest.max(carried.rest());
        carried.at = Some(Instant::now());
    }

    pub(super) fn remove(&self) {
        self.now.fetch_sub(1, Ordering::SeqCst);
    }
}

/// How often each HTTP status was answered.
#[derive(Debug, Default)]
pub(super) struct Answers(Mutex<BTreeMap<u16, usize>>);

impl Answers {
    /// Notes what a server sends. Clients here ask one after the other on a connection, so an answer begins a read of its own.
    pub(super) fn note(&self, read: &[u8]) {
        let status = read.strip_prefix(b"HTTP/1.1 ").and_then(|rest| rest.get(..3));
        let status = status.and_then(|digits| std::str::from_utf8(digits).ok()?.parse().ok());
        if let Some(status) = status {
            *self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(status).or_default() += 1;
        }
    }

    pub(super) fn all(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).values().sum()
    }

    pub(super) fn of(&self, status: u16) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&status).copied().unwrap_or_default()
    }
}
