//! Faults that a test orders: slowness, refusals, lost and broken answers.
//!
//! A script names the next faults one by one. Chances strike by seed: the decision depends on the seed, the
//! request (method, path, body) and how often that same request came before, so a run is the same again
//! however its requests interleave, and a repeated request gets a new decision.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::http::Method;
use serde_json::Value;

/// What happens to one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// Not handled; answered with this status and the body that the server has for it (500, 502, 503, 504, …).
    Status(u16),
    /// Not handled; answered with this status and JSON body, such as an error that only a race brings.
    Answer(u16, Value),
    /// Not handled; answered with 429 and `Retry-After` in whole seconds.
    TooManyRequests(Duration),
    /// Not handled; the connection is reset.
    Reset,
    /// Not handled and never answered; the connection stays open.
    Hang,
    /// Handled after this delay.
    Slow(Duration),
    /// Handled, and a write committed; then the connection is closed without an answer.
    LostAnswer,
    /// Handled, and a write committed; then half of the answer's body is sent and the connection closed.
    TruncatedBody,
}

/// The requests that a fault may strike.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// Every request.
    All,
    /// Requests that change nothing: GET and HEAD, and what else a server has for reading.
    Reads,
    /// All others.
    Writes,
    /// One method on the paths (with their query) that contain a text.
    On(Method, String),
    /// Requests whose body contains a text.
    Saying(String),
}

impl Scope {
    fn includes(&self, method: &Method, path: &str, body: &[u8], read: bool) -> bool {
        match self {
            Self::All => true,
            Self::Reads => read,
            Self::Writes => !read,
            Self::On(wanted, part) => wanted == method && path.contains(part.as_str()),
            Self::Saying(part) => String::from_utf8_lossy(body).contains(part.as_str()),
        }
    }
}

/// The orders in force. All methods take effect for the next request.
#[derive(Default)]
pub struct Faults {
    orders: Mutex<Orders>,
}

#[derive(Default)]
struct Orders {
    latency: Duration,
    cost_per_target: Duration,
    script: VecDeque<(Scope, Option<Fault>)>,
    seed: u64,
    chances: Vec<(Scope, f64, Fault)>,
    seen: BTreeMap<u64, u64>,
}

impl Faults {
    /// Every request takes this long before it is handled.
    pub fn set_latency(&self, latency: Duration) {
        self.orders().latency = latency;
    }

    /// For Kong: what each target already in an upstream adds to a request about one of its targets, as the real Kong's
    /// work grows with it: once for a write by id, twice for one by address, once for a read by address. On a
    /// real Kong 3.9.1 it was about 90 µs.
    pub fn set_cost_per_target(&self, cost: Duration) {
        self.orders().cost_per_target = cost;
    }

    /// Orders one step for the next request in `scope`: a fault, or none to let that one pass. Steps are taken
    /// in the order in which they were ordered, each once, and before any chance.
    pub fn next(&self, scope: Scope, fault: impl Into<Option<Fault>>) {
        self.orders().script.push_back((scope, fault.into()));
    }

    /// Orders `fault` for the next `times` requests in `scope`.
    pub fn next_times(&self, times: usize, scope: &Scope, fault: &Fault) {
        for _ in 0..times {
            self.next(scope.clone(), fault.clone());
        }
    }

    /// The seed by which chances strike.
    pub fn set_seed(&self, seed: u64) {
        let mut orders = self.orders();
        orders.seed = seed;
        orders.seen.clear();
    }

    /// From now on `fault` strikes each request in `scope` with `probability` (0 to 1). The first chance that
    /// strikes a request is the one that counts.
    pub fn chance(&self, scope: Scope, probability: f64, fault: Fault) {
        self.orders().chances.push((scope, probability, fault));
    }

    /// Withdraws every order: script, chances, latency and cost.
    pub fn clear(&self) {
        *self.orders() = Orders::default();
    }

    /// How many steps of the script are still waiting for their request.
    pub fn pending(&self) -> usize {
        self.orders().script.len()
    }

    pub(crate) fn latency(&self) -> Duration {
        self.orders().latency
    }

    pub(crate) fn cost_per_target(&self) -> Duration {
        self.orders().cost_per_target
    }

    /// The fault of one request, if any.
    pub(crate) fn decide(&self, method: &Method, path: &str, body: &[u8], is_read: bool) -> Option<Fault> {
        let mut orders = self.orders();
        let step = orders.script.iter().position(|(scope, _)| scope.includes(method, path, body, is_read));
        if let Some((_, fault)) = step.and_then(|at| orders.script.remove(at)) {
            return fault;
        }
        if orders.chances.is_empty() {
            return None;
        }
        let request = fingerprint(method, path, body);
        let seen = orders.seen.entry(request).or_default();
        let count = *seen;
        *seen += 1;
        let draw = |index: usize| unit(mix(orders.seed ^ mix(request ^ mix(count ^ mix(index as u64)))));
        let mut chances = orders.chances.iter().enumerate();
        let struck = chances
            .find(|(index, (scope, p, _))| scope.includes(method, path, body, is_read) && draw(*index) < *p);
        struck.map(|(_, (_, _, fault))| fault.clone())
    }

    fn orders(&self) -> MutexGuard<'_, Orders> {
        self.orders.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// FNV-1a over what makes a request the same request.
fn fingerprint(method: &Method, path: &str, body: &[u8]) -> u64 {
    let parts = [method.as_str().as_bytes(), b" ", path.as_bytes(), b" ", body];
    parts.concat().iter().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// The finaliser of splitmix64: spreads every bit of `x` over the result.
pub(crate) fn mix(x: u64) -> u64 {
    let x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// A number from 0 up to but not 1.
pub(crate) fn unit(x: u64) -> f64 {
    (x >> 11) as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strikes(faults: &Faults, paths: &[&str]) -> Vec<bool> {
        paths.iter().map(|path| faults.decide(&Method::POST, path, b"{}", false).is_some()).collect()
    }

    fn with_seed(seed: u64) -> Faults {
        let faults = Faults::default();
        faults.set_seed(seed);
        faults.chance(Scope::Writes, 0.3, Fault::Reset);
        faults
    }

    #[test]
    fn a_script_strikes_in_order_and_only_in_scope() {
        let faults = Faults::default();
        faults.next(Scope::Writes, Fault::Reset);
        faults.next(Scope::Writes, None);
        faults.next(Scope::On(Method::DELETE, "/upstreams/b".to_owned()), Fault::Status(503));
        assert_eq!(faults.decide(&Method::GET, "/services", b"", true), None);
        assert_eq!(faults.decide(&Method::DELETE, "/upstreams/b", b"", false), Some(Fault::Reset));
        assert_eq!(faults.decide(&Method::DELETE, "/upstreams/a", b"", false), None);
        assert_eq!(faults.decide(&Method::POST, "/upstreams/b", b"", false), None);
        assert_eq!(faults.decide(&Method::DELETE, "/upstreams/b", b"", false), Some(Fault::Status(503)));
        assert_eq!(faults.decide(&Method::DELETE, "/upstreams/b", b"", false), None);
        assert_eq!(faults.pending(), 0);
    }

    #[test]
    fn chances_depend_on_the_seed_and_not_on_the_interleaving() {
        let paths: Vec<String> = (0..200).map(|n| format!("/upstreams/u{n}/targets")).collect();
        let forward: Vec<&str> = paths.iter().map(String::as_str).collect();
        let backward: Vec<&str> = forward.iter().rev().copied().collect();
        let first = strikes(&with_seed(7), &forward);
        let mut reversed = strikes(&with_seed(7), &backward);
        reversed.reverse();
        assert_eq!(first, reversed);
        assert_ne!(first, strikes(&with_seed(8), &forward));
        let struck = first.iter().filter(|struck| **struck).count();
        assert!((40..=80).contains(&struck), "{struck} of 200 at 0.3");
    }

    #[test]
    fn a_repeated_request_is_decided_anew() {
        let outcomes = strikes(&with_seed(7), &["/services"; 40]);
        assert!(outcomes.contains(&true) && outcomes.contains(&false), "{outcomes:?}");
    }

    #[test]
    fn reads_are_outside_the_scope_of_writes() {
        let faults = Faults::default();
        faults.chance(Scope::Writes, 1.0, Fault::LostAnswer);
        assert_eq!(faults.decide(&Method::GET, "/services", b"", true), None);
        assert_eq!(faults.decide(&Method::PUT, "/services/a", b"", false), Some(Fault::LostAnswer));
        faults.clear();
        assert_eq!(faults.decide(&Method::PUT, "/services/a", b"", false), None);
    }
}
