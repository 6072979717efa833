//! A gateway whose whole world is one document: plans that come together go in together.
//!
//! ```text
//!  apply ─┐                                  ┌─ look: has somebody else put something there?
//!  apply ─┼─▶ one leads: rest, gather, then ─┼─ the changes of all plans, into a copy of what is known
//!  apply ─┘   (the others wait for it)       └─ put; what is refused is left out, and all again
//! ```

use std::collections::BTreeMap;
use std::future::ready;
use std::path::PathBuf;
use std::sync::{Mutex as StdMutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::{Mutex, oneshot};
use tokio::time::{Instant, sleep, sleep_until};

use super::base::Base;
use super::document::Document;
use super::place::{BadEntity, Found, Look, Place, Refusal};
use crate::apply::apply;
use crate::{
    Applied, ApplyError, Change, Failure, Gateway, GatewayError, ObjectKey, Plan, ReadScope, Retry, World,
    Write, tags,
};

/// A document is looked after this often.
const LOOK_AFTER: Duration = Duration::from_secs(1);
/// Plans are gathered for no longer than this, however many still come.
const GATHER_AT_MOST: Duration = Duration::from_secs(1);
/// Gateways say first what is wrong with single entities, and then what is wrong between them.
const TRIES: usize = 5;

/// A declarative document as a gateway.
pub(crate) struct Declarative<P> {
    /// The tag of everything of ours.
    owner: String,
    waiting: StdMutex<Vec<Job>>,
    /// When the last document was put, and how long that took. Held by whoever puts the next.
    lead: Mutex<Option<(Instant, Duration)>>,
    state: Mutex<State<P>>,
}

struct Job {
    plan: Plan,
    done: oneshot::Sender<Applied>,
}

struct State<P> {
    place: P,
    base: Base,
    /// What is to stand there; none while nothing does.
    known: Option<Document>,
}

/// Objects that the gateway refuses, each with its words.
type Refused = BTreeMap<ObjectKey, String>;

impl<P: Place> Declarative<P> {
    pub(crate) fn new(place: P, base: Option<PathBuf>, owner: &str) -> Self {
        Self {
            owner: tags::owner_tag(owner),
            waiting: StdMutex::default(),
            lead: Mutex::default(),
            state: Mutex::new(State { place, base: Base::new(base), known: None }),
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Vec<Job>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Rests after the last document, then waits until no further plan comes.
    async fn gather(&self, last: Option<(Instant, Duration)>) {
        let pace = self.state.lock().await.place.pace();
        if let Some((ended, took)) = last {
            sleep_until(ended + took.max(pace.rest)).await;
        }
        let begun = Instant::now();
        let mut known = 0;
        while !pace.gather.is_zero() && begun.elapsed() < GATHER_AT_MOST {
            let waiting = self.waiting().len();
            if waiting == known {
                break;
            }
            known = waiting;
            sleep(pace.gather).await;
        }
    }

    /// Leads: puts everything that waits, and tells each what came of its plan.
    async fn lead(&self, last: &mut Option<(Instant, Duration)>) {
        self.gather(*last).await;
        let mut state = self.state.lock().await;
        let jobs = std::mem::take(&mut *self.waiting());
        let plans: Vec<&Plan> = jobs.iter().map(|job| &job.plan).collect();
        let began = Instant::now();
        let applied = state.write(&self.owner, &plans).await;
        *last = Some((Instant::now(), began.elapsed()));
        for (job, applied) in jobs.into_iter().zip(applied) {
            // Whoever no longer waits does not need the answer.
            let _ = job.done.send(applied);
        }
    }
}

#[async_trait]
impl<P: Place> Gateway for Declarative<P> {
    async fn read(&self, scope: &ReadScope) -> Result<World, GatewayError> {
        let mut state = self.state.lock().await;
        state.look(&self.owner, Look::Recent).await?;
        Ok(state.known.as_ref().map(|document| document.world(scope)).unwrap_or_default())
    }

    async fn apply(&self, plan: &Plan) -> Applied {
        if plan.is_empty() {
            return Applied::default();
        }
        let (done, mut answer) = oneshot::channel();
        self.waiting().push(Job { plan: plan.clone(), done });
        let mut last = self.lead.lock().await;
        if let Ok(applied) = answer.try_recv() {
            return applied;
        }
        self.lead(&mut last).await;
        drop(last);
        // One that was cut off may have taken our plan with it.
        answer.await.unwrap_or_else(|_| all_failed(&plan.changes, &cut_off()))
    }

    async fn check(&self) -> Result<String, GatewayError> {
        let mut state = self.state.lock().await;
        state.look(&self.owner, Look::Fresh).await?;
        Ok(state.place.describe())
    }

    /// One document takes them all.
    fn width(&self) -> usize {
        usize::MAX
    }

    async fn tend(&self) {
        loop {
            sleep(LOOK_AFTER).await;
            let mut state = self.state.lock().await;
            // That nobody answers is found, and told, by those who want something.
            let Ok(changed) = state.look(&self.owner, Look::Fresh).await else { continue };
            if let State { place, known: Some(known), .. } = &mut *state {
                place.mend(known).await;
            }
            if changed {
                return;
            }
        }
    }
}

impl<P: Place> State<P> {
    /// Takes over what somebody else has put there, or into the base, and what of ours has arrived late; answers
    /// whether there was anything.
    async fn look(&mut self, owner: &str, how: Look) -> Result<bool, GatewayError> {
        let (found, is_ours_kept) = match self.place.look(how).await? {
            Found::Nothing => (None, true),
            Found::Others(found) => (Some(found), self.place.remembers_ours()),
            // It was made of all that was known, and what it took out is to stay out.
            Found::Sent(found) => (Some(found), false),
        };
        let base = self
            .base
            .refresh(|document| self.place.adapted(document).without_ours(owner), || self.place.empty());
        let base = base.await?;
        if found.is_none() && !base.is_some_and(|(_, is_new)| is_new) {
            return Ok(false);
        }
        let mut document = match (base, &found) {
            (Some((base, _)), _) => base.clone(),
            (None, Some(found)) => found.clone(),
            (None, None) => return Ok(false),
        };
        if let Some(found) = &found {
            document.take_ours(found, owner);
        }
        if let Some(known) = &self.known
            && is_ours_kept
        {
            document.take_ours(known, owner);
        }
        if found.is_none_or(|found| found.text() != document.text()) {
            self.place.outdated();
        }
        self.known = Some(document);
        Ok(true)
    }

    /// Puts the changes of plans into one document, and what is refused of them not.
    async fn write(&mut self, owner: &str, plans: &[&Plan]) -> Vec<Applied> {
        if let Err(error) = self.look(owner, Look::Fresh).await {
            return failed(plans, &error);
        }
        let mut refused = Refused::new();
        for _ in 0..TRIES {
            let known = self.known.as_ref();
            let (document, applied) =
                changed(known.cloned().unwrap_or_else(|| self.place.empty()), plans, &refused).await;
            let is_new = known.is_none_or(|known| known.text() != document.text());
            if !is_new || applied.iter().all(|applied| applied.done.is_empty()) {
                return applied;
            }
            match self.place.put(&document).await {
                Ok(()) => {
                    self.known = Some(document);
                    return applied;
                }
                Err(Refusal::Whole(error)) => return failed(plans, &error),
                Err(Refusal::Entities(entities, words)) => {
                    let before = refused.len();
                    refused.extend(attributed(&entities, plans));
                    if refused.len() == before {
                        return failed(plans, &not_ours(&words));
                    }
                }
            }
        }
        failed(plans, &not_ours("one refusal followed another"))
    }
}

/// A document with the changes of plans, but for those of refused objects; and what came of each plan.
async fn changed(document: Document, plans: &[&Plan], refused: &Refused) -> (Document, Vec<Applied>) {
    let document = StdMutex::new(document);
    let make = |change: &Change| match refused.get(&change.key) {
        Some(words) if !matches!(change.write, Write::Delete { .. }) => Err(ApplyError {
            message: format!(
                "left out, since the gateway refuses it: {words}; all else went in, and it is tried again at the next audit"
            ),
            retry: Retry::Never,
        }),
        _ => document.lock().unwrap_or_else(PoisonError::into_inner).apply(change),
    };
    let mut applied = Vec::with_capacity(plans.len());
    for plan in plans {
        applied.push(apply(plan, 1, |change| ready(make(change))).await);
    }
    (document.into_inner().unwrap_or_else(PoisonError::into_inner), applied)
}

/// The changes of plans that refused entities come from. A target is refused without its upstream: whatever sends the
/// same is as bad.
fn attributed(entities: &[BadEntity], plans: &[&Plan]) -> Refused {
    let mut refused = Refused::new();
    let changes = || plans.iter().flat_map(|plan| &plan.changes);
    for bad in entities {
        let found = changes().filter(|change| is_of(change, bad));
        refused.extend(found.map(|change| (change.key.clone(), bad.words.clone())));
    }
    refused
}

fn is_of(change: &Change, bad: &BadEntity) -> bool {
    let (Write::Create(fields) | Write::Patch { fields, .. }) = &change.write else { return false };
    if change.key.kind().as_str() != bad.kind {
        return false;
    }
    match &change.key {
        ObjectKey::Target(_, address) => {
            let same_weight =
                fields.get("weight").is_none_or(|weight| bad.entity.get("weight") == Some(weight));
            bad.entity["target"] == address.as_str() && same_weight
        }
        ObjectKey::Upstream(name) | ObjectKey::Service(name) | ObjectKey::Route(name) => {
            bad.entity["name"] == name.as_str()
        }
    }
}

fn failed(plans: &[&Plan], error: &GatewayError) -> Vec<Applied> {
    plans.iter().map(|plan| all_failed(&plan.changes, error)).collect()
}

/// Every change failed for one reason.
pub(crate) fn all_failed(changes: &[Change], error: &GatewayError) -> Applied {
    let failure = |change: &Change| Failure {
        change: change.clone(),
        error: ApplyError { message: error.message.clone(), retry: error.retry },
    };
    Applied { done: Vec::new(), failed: changes.iter().map(failure).collect() }
}

/// What the document holds of somebody else's is never left out: a plugin that guards a service may be among it.
fn not_ours(words: &str) -> GatewayError {
    GatewayError {
        message: format!(
            "the document is refused as a whole, and what stands there stays: {words}; it is tried again at the next audit"
        ),
        retry: Retry::Never,
    }
}

fn cut_off() -> GatewayError {
    GatewayError {
        message: "the write of the document was cut off; it is tried again".into(),
        retry: Retry::Backoff(None),
    }
}
