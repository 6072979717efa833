//! A gateway in use: what stands there as far as we know, read once, kept by our own writes, audited.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use causeway_gateways::{Applied, Gateway, GatewayError, Listed, Plan, ReadScope, Retry, World, tags};
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;

use crate::config;
use crate::model::ServiceKey;

/// What a flow has to look at again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GatewayEvent {
    /// Everything was read: every service is compared anew.
    Audited,
    /// What stands for one service of a registry is not what we thought.
    Drifted {
        /// The registry's name.
        registry: String,
        /// The service.
        key: ServiceKey,
    },
}

/// Whether a gateway can be worked with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// It has not been read yet.
    Reading,
    /// It was read, and answers.
    Ready,
    /// Its last answer was a failure that is tried again, with its words.
    Failing(String),
}

/// A gateway in use, shared by all tasks that write to it.
pub struct GatewayHandle {
    /// Its configuration.
    pub config: config::Gateway,
    pub(super) gateway: Arc<dyn Gateway>,
    pub(super) owner: String,
    listed: Listed,
    world: Mutex<World>,
    read_once: watch::Sender<bool>,
    condition: watch::Sender<Condition>,
    subscribers: Mutex<Vec<mpsc::UnboundedSender<GatewayEvent>>>,
    questions: Mutex<Questions>,
    /// The last question that was answered.
    answered: tokio::sync::Mutex<u64>,
}

/// Questions of who uses what that no reading has begun to answer yet.
#[derive(Default)]
struct Questions {
    last: u64,
    upstreams: BTreeSet<String>,
}

impl Questions {
    fn ask(&mut self, upstreams: BTreeSet<String>) -> u64 {
        self.upstreams.extend(upstreams);
        self.last += 1;
        self.last
    }

    fn take(&mut self) -> (u64, BTreeSet<String>) {
        (self.last, std::mem::take(&mut self.upstreams))
    }
}

impl GatewayHandle {
    /// A handle; `filled` are the upstreams that tasks may have filled, beside those that bear this owner's tag.
    pub fn new(config: config::Gateway, gateway: Arc<dyn Gateway>, owner: &str, filled: Listed) -> Arc<Self> {
        let mut listed = filled;
        listed.tags.insert(tags::owner_tag(owner));
        Arc::new(Self {
            config,
            gateway,
            owner: owner.to_owned(),
            listed,
            world: Mutex::default(),
            read_once: watch::channel(false).0,
            condition: watch::channel(Condition::Reading).0,
            subscribers: Mutex::default(),
            questions: Mutex::default(),
            answered: tokio::sync::Mutex::default(),
        })
    }

    /// What stands there, for a short look.
    pub fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it can be worked with.
    pub fn condition(&self) -> Condition {
        self.condition.borrow().clone()
    }

    /// Events from now on.
    pub fn subscribe(&self) -> mpsc::UnboundedReceiver<GatewayEvent> {
        let (sender, receiver) = mpsc::unbounded_channel();
        self.subscribers.lock().unwrap_or_else(PoisonError::into_inner).push(sender);
        receiver
    }

    /// Waits until it was read once and answers.
    pub async fn until_ready(&self) {
        let mut condition = self.condition.subscribe();
        // The sender lives as long as `self`.
        let _ = condition.wait_for(|condition| *condition == Condition::Ready).await;
    }

    /// Reads everything once, in place of what was known.
    ///
    /// # Errors
    /// The gateway's; what was known stays.
    pub async fn read_all(&self) -> Result<(), GatewayError> {
        self.read(ReadScope::All(self.listed.clone())).await?;
        self.read_once.send_replace(true);
        Ok(())
    }

    /// Compares everything with what is known; lists the targets of an upstream only where ids disagree.
    pub(super) async fn audit(&self) -> Result<(), GatewayError> {
        let owner = tags::owner_tag(&self.owner);
        let known = self.world().targets_with(&owner);
        self.read(ReadScope::Audit { listed: self.listed.clone(), owner, known }).await
    }

    /// Reads some upstreams, services and routes by name.
    pub(super) async fn read_names(
        &self,
        upstreams: BTreeSet<String>,
        services: BTreeSet<String>,
        routes: BTreeSet<String>,
    ) -> Result<(), GatewayError> {
        self.read(ReadScope::Names { upstreams, services, routes }).await
    }

    /// Reads who uses these upstreams, and what uses anything at all. Callers that wait at the same time share one reading, which
    /// begins after all of them asked.
    pub(super) async fn read_uses(&self, upstreams: BTreeSet<String>) -> Result<(), GatewayError> {
        let ticket = self.questions().ask(upstreams);
        let mut answered = self.answered.lock().await;
        if *answered >= ticket {
            return Ok(());
        }
        let (last, upstreams) = self.questions().take();
        let read = self.read(ReadScope::Uses { upstreams: upstreams.clone() }).await;
        match read {
            Ok(()) => *answered = last,
            Err(_) => self.questions().upstreams.extend(upstreams),
        }
        read
    }

    fn questions(&self) -> MutexGuard<'_, Questions> {
        self.questions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn read(&self, scope: ReadScope) -> Result<(), GatewayError> {
        let since = self.world().version();
        let reading = self.gateway.read(&scope).await;
        match reading {
            Ok(reading) => {
                self.world().merge(&scope, reading, since);
                self.succeeded();
                Ok(())
            }
            Err(error) => {
                self.failed(&error.message, error.retry);
                Err(error)
            }
        }
    }

    /// Carries out a plan, and keeps what came of it.
    pub async fn apply(&self, plan: &Plan) -> Applied {
        let applied = self.gateway.apply(plan).await;
        let mut world = self.world();
        for (change, effect) in &applied.done {
            world.record(change, effect);
        }
        drop(world);
        let broken = applied.failed.iter().find(|failure| matches!(failure.error.retry, Retry::Backoff(_)));
        match broken {
            Some(failure) => self.failed(&failure.error.message, failure.error.retry),
            None if !applied.done.is_empty() => self.succeeded(),
            None => {}
        }
        applied
    }

    /// It has been seen to answer: those that wait go on.
    pub(super) fn mark_ready(&self) {
        self.succeeded();
    }

    fn succeeded(&self) {
        if !*self.read_once.borrow() {
            return;
        }
        let before = self.condition.send_replace(Condition::Ready);
        if let Condition::Failing(_) = before {
            tracing::info!(gateway = %self.config.name, "answers again; what was to be written is written now");
        }
    }

    /// Asks whether it answers within `patience`, and keeps what came of it.
    pub(super) async fn check(&self, patience: Duration) {
        match timeout(patience, self.gateway.check()).await {
            Ok(Ok(_)) => self.succeeded(),
            Ok(Err(error)) => self.failed(&error.message, error.retry),
            Err(_) => self
                .failed(&format!("no answer to the health check within {patience:?}"), Retry::Backoff(None)),
        }
    }

    fn failed(&self, message: &str, retry: Retry) {
        if !matches!(retry, Retry::Backoff(_)) {
            return;
        }
        let before = self.condition.send_replace(Condition::Failing(message.to_owned()));
        if !matches!(before, Condition::Failing(_)) {
            tracing::warn!(
                gateway = %self.config.name, reason = message,
                "cannot be worked with; nothing is lost, it is tried again until it answers"
            );
        }
    }

    pub(super) fn tell(&self, event: &GatewayEvent) {
        let mut subscribers = self.subscribers.lock().unwrap_or_else(PoisonError::into_inner);
        subscribers.retain(|subscriber| subscriber.send(event.clone()).is_ok());
    }

    pub(super) async fn until_failing(&self) {
        let mut condition = self.condition.subscribe();
        let _ = condition.wait_for(|condition| matches!(condition, Condition::Failing(_))).await;
    }

    /// Whether it was ever read whole.
    pub fn was_read(&self) -> bool {
        *self.read_once.borrow()
    }

    /// How long an upstream is kept after it was last wanted.
    pub fn retire_after(&self) -> Duration {
        self.config.retire_after
    }
}
