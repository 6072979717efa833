//! Eureka as a destination. Each copy is an instance of its own, with a lease that is renewed.
//!
//! ```text
//!  write ── the application's list ──▶ slots, several at a time ── look, steps, look again ──▶ server
//!  renew ── one heartbeat a copy ────────────────────────────────────────────────────────────▶
//! ```

mod form;
mod slots;
mod steps;

use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use causeway_gateways::Retry;
use futures::stream::{self, StreamExt};
use tokio_util::sync::CancellationToken;

use self::form::{Form, Lease, instance_path, standing_id};
use self::slots::Slots;
use super::answer::InstanceInfo;
use super::http::Http;
use super::{CAPABILITIES, EurekaError, EurekaSettings};
use crate::model::{Instance, ServiceKey};
use crate::registries::server::Server;
use crate::registries::{
    Capabilities, Change, Destination, InstanceCopy, Life, Renewed, WriteError, Written,
};

/// Services that are written at the same time,
const WIDTH: usize = 4;
/// For how long a server answers from its cache by default.
const RESPONSE_CACHE: Duration = Duration::from_secs(30);
/// and copies of each, or renewals.
const AT_ONCE: usize = 4;

type Outcome = Result<Written, WriteError>;

/// A Eureka as a destination.
pub struct EurekaDestination {
    http: Http,
    servers: Vec<Server>,
    /// Which of them is written to.
    current: AtomicUsize,
    namespace: String,
    settings: EurekaSettings,
}

impl EurekaDestination {
    /// A Eureka that hasn't been connected to yet.
    ///
    /// # Errors
    /// As for [`super::Eureka::new`].
    pub fn new(settings: EurekaSettings) -> Result<Self, EurekaError> {
        Ok(Self {
            http: Http::new(&settings)?,
            servers: settings.servers()?,
            current: AtomicUsize::new(0),
            namespace: settings.namespace()?,
            settings,
        })
    }

    fn turn(&self) -> Turn<'_> {
        let number = self.current.load(Ordering::Relaxed);
        let server = &self.servers[number % self.servers.len()];
        let EurekaSettings { renew_every, lease, .. } = &self.settings;
        let lease = Lease { renewal: renew_every.as_secs().max(1), duration: lease.as_secs().max(1) };
        let slots = Slots { http: &self.http, server, lease };
        Turn { slots, number, current: &self.current, broken: OnceLock::new() }
    }

    async fn list(&self, turn: &Turn<'_>, key: &ServiceKey) -> Result<Vec<InstanceInfo>, EurekaError> {
        if key.namespace != self.namespace {
            return Err(EurekaError::Settings(format!(
                "this Eureka has no namespace {}: all its services are written under {}",
                key.namespace, self.namespace
            )));
        }
        turn.ask(turn.slots.list(key)).await
    }
}

/// One server's turn. Once it can't be reached it is asked no more, and another has the next turn.
struct Turn<'a> {
    slots: Slots<'a>,
    number: usize,
    current: &'a AtomicUsize,
    broken: OnceLock<EurekaError>,
}

impl Turn<'_> {
    async fn ask<T>(&self, request: impl Future<Output = Result<T, EurekaError>>) -> Result<T, EurekaError> {
        if let Some(error) = self.broken.get() {
            return Err(error.clone());
        }
        let answer = request.await;
        if let Err(error @ (EurekaError::Unreachable { .. } | EurekaError::Forbidden { .. })) = &answer {
            // Of all that fail at once only the first moves on.
            let (number, order) = (self.number, Ordering::Relaxed);
            let _ = self.current.compare_exchange(number, number + 1, order, order);
            let _ = self.broken.set(error.clone());
        }
        answer
    }

    async fn write(&self, change: &Change, listed: &[InstanceInfo]) -> Outcome {
        let written = match change {
            Change::Put(copy) => self.ask(self.slots.put(copy, listed)).await,
            Change::Remove(copy) => self.ask(self.slots.remove(copy, listed)).await,
        };
        written.map_err(|error| failure(change, &error))
    }

    async fn renew(&self, copy: &InstanceCopy) -> Result<Renewed, WriteError> {
        let path = instance_path(&copy.key.service, &standing_id(copy));
        match self.ask(self.slots.renew(&path)).await {
            Ok(true) => Ok(Renewed::Alive),
            Ok(false) => Ok(Renewed::Lost),
            Err(error) => Err(told(copy, "renewed", &error)),
        }
    }
}

#[async_trait]
impl Destination for EurekaDestination {
    fn capabilities(&self) -> &'static Capabilities {
        &CAPABILITIES
    }

    fn life(&self) -> Life {
        Life::Lease { renew_every: self.settings.renew_every, expires_after: self.settings.lease }
    }

    fn as_shown(&self, copy: &InstanceCopy) -> Instance {
        Form::of(copy).shown()
    }

    /// Servers answer from a cache of 30 s by default, which the source reads at its interval.
    fn shows_within(&self, _services: usize) -> Duration {
        RESPONSE_CACHE + self.settings.poll_interval * 2
    }

    fn width(&self) -> usize {
        WIDTH
    }

    async fn write(&self, key: &ServiceKey, changes: &[Change]) -> Vec<Outcome> {
        let turn = self.turn();
        let listed = match self.list(&turn, key).await {
            Ok(listed) => listed,
            Err(error) => return changes.iter().map(|change| Err(failure(change, &error))).collect(),
        };
        let mut order: Vec<usize> = (0..changes.len()).collect();
        order.sort_by_key(|index| matches!(changes[*index], Change::Remove(_)));
        let puts = order.partition_point(|index| matches!(changes[*index], Change::Put(_)));
        let mut outcomes = vec![Ok(Written::Done); changes.len()];
        let (turn, listed) = (&turn, listed.as_slice());
        for part in [&order[..puts], &order[puts..]] {
            let write = |&index: &usize| async move { (index, turn.write(&changes[index], listed).await) };
            let writes: Vec<_> = part.iter().map(write).collect();
            let mut writes = stream::iter(writes).buffer_unordered(AT_ONCE);
            while let Some((index, outcome)) = writes.next().await {
                tell_what_is_left_out(&changes[index], &outcome);
                outcomes[index] = outcome;
            }
        }
        outcomes
    }

    async fn renew(&self, copies: &[InstanceCopy]) -> Vec<Result<Renewed, WriteError>> {
        let turn = self.turn();
        let renewals: Vec<_> = copies.iter().map(|copy| turn.renew(copy)).collect();
        stream::iter(renewals).buffered(AT_ONCE).collect().await
    }

    async fn tend(&self, stop: CancellationToken) {
        stop.cancelled().await;
    }
}

fn failure(change: &Change, error: &EurekaError) -> WriteError {
    match change {
        Change::Put(copy) => told(copy, "written", error),
        Change::Remove(copy) => told(copy, "removed", error),
    }
}

fn told(copy: &InstanceCopy, what: &str, error: &EurekaError) -> WriteError {
    let message = format!("the copy {} of {} can't be {what}: {error}", copy.instance.address, copy.key);
    let retry = match error {
        EurekaError::Settings(_) => Retry::Never,
        EurekaError::Refused { status: 400..=428, .. } => Retry::Never,
        // Rights are given by people, without a word to us.
        _ => Retry::Backoff(None),
    };
    WriteError { message, retry }
}

fn tell_what_is_left_out(change: &Change, outcome: &Outcome) {
    let (Change::Put(copy), Ok(Written::Done)) = (change, outcome) else { return };
    let keys = Form::of(copy).left_out;
    if !keys.is_empty() {
        let (address, service) = (&copy.instance.address, &copy.key.service);
        tracing::warn!(
            ?keys,
            "{address} of {service} is copied without metadata that holds control characters: it would make the server's XML unreadable"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_mends_is_not_tried_again() {
        let remove = Change::remove(InstanceCopy::example("default", "orders"));
        let (server, what) = (|| "s:1".to_owned(), "a removal");
        let refused =
            |status| EurekaError::Refused { server: server(), what, status, message: "m".to_owned() };
        let cases = [
            (refused(400), Retry::Never),
            (refused(429), Retry::Backoff(None)),
            (refused(503), Retry::Backoff(None)),
            (EurekaError::Settings("s".to_owned()), Retry::Never),
            (EurekaError::Denied { server: server() }, Retry::Backoff(None)),
            (EurekaError::Ignored { server: server(), shown: "DOWN".to_owned() }, Retry::Backoff(None)),
        ];
        for (error, retry) in cases {
            assert_eq!(failure(&remove, &error).retry, retry, "{error}");
        }
        let csrf = EurekaError::ReadOnly { server: server(), what, status: 401 };
        assert_eq!(
            failure(&remove, &csrf).message,
            "the copy 10.0.0.1:80 of default/orders can't be removed: s:1 lets us read, and refuses a removal (401): `user` may not \
             write, or its Spring Security protects /eureka/** against CSRF, which has to be switched off there"
        );
    }
}
