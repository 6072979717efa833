//! Asks, and tells the view what came of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use super::PolarisError;
use super::answer::Answer;
use super::client::{AT_ONCE, Client};
use super::names::wanted;
use super::schedule::Schedule;
use super::settings::Scopes;
use crate::guard::Scope;
use crate::model::{ServiceKey, Snapshot};
use crate::registries::troubles::Troubles;
use crate::registries::{Interest, View};

/// Before something that failed is asked again.
const RETRY: Duration = Duration::from_secs(1);

/// Something that is asked for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Target {
    /// The services of a namespace, or of all of them where it is empty.
    Names(String),
    /// A service's instances.
    Service(ServiceKey),
}

/// What came of a question.
enum Answered {
    Names(String, Result<Answer<BTreeSet<ServiceKey>>, PolarisError>),
    Service(ServiceKey, Result<Answer<Snapshot>, PolarisError>),
}

/// One watch on one registry.
pub(super) struct Poller {
    client: Arc<Client>,
    interest: Arc<dyn Interest>,
    view: Arc<View>,
    scopes: Scopes,
    schedule: Schedule<Target>,
    /// What each target was last answered with.
    revisions: BTreeMap<Target, String>,
    /// The services that are asked for.
    services: BTreeSet<ServiceKey>,
    /// Services that could not be read, since when, where the next list of names tells whether it is they or the server.
    suspects: BTreeMap<ServiceKey, (Instant, PolarisError)>,
    troubles: Troubles<PolarisError>,
    calls: JoinSet<(Instant, Answered)>,
}

impl Poller {
    pub(super) fn new(
        client: Arc<Client>,
        interest: Arc<dyn Interest>,
        view: Arc<View>,
        scopes: Scopes,
    ) -> Self {
        let troubles = Troubles::new(Arc::clone(&view));
        Self {
            client,
            interest,
            view,
            scopes,
            schedule: Schedule::new(Instant::now()),
            revisions: BTreeMap::new(),
            services: BTreeSet::new(),
            suspects: BTreeMap::new(),
            troubles,
            calls: JoinSet::new(),
        }
    }

    /// Never returns; dropping the future is fine.
    pub(super) async fn run(&mut self) {
        self.begin();
        loop {
            let next = self.schedule.next().filter(|_| self.calls.len() < AT_ONCE);
            tokio::select! {
                Some(answered) = self.calls.join_next() => {
                    // A call can't be cancelled while this runs, and doesn't panic.
                    if let Ok((asked, answered)) = answered {
                        self.doubt_what_was_renewed();
                        self.heed(asked, answered);
                    }
                }
                () = sleep_until(next.unwrap_or_else(Instant::now)), if next.is_some() => self.ask(),
                // No namespace is wanted that may be read.
                else => std::future::pending().await,
            }
        }
    }

    /// Ends what is under way and waits until it has ended.
    pub(super) async fn end(mut self) {
        self.calls.shutdown().await;
    }

    fn begin(&mut self) {
        let now = Instant::now();
        match &self.scopes {
            Scopes::Every => self.schedule.add(Target::Names(String::new()), now),
            Scopes::Only(namespaces) => {
                self.view.set_namespaces(namespaces.clone());
                for namespace in namespaces {
                    self.schedule.add(Target::Names(namespace.clone()), now);
                }
            }
        }
    }

    fn ask(&mut self) {
        let now = Instant::now();
        let Some(target) = self.schedule.take(now) else { return };
        let revision = self.revisions.get(&target).cloned().unwrap_or_default();
        let client = Arc::clone(&self.client);
        match target {
            // What was never read is read at once.
            target if !revision.is_empty() && self.view.put_off().is_in_force() => {
                self.schedule.answered(&target, now, now, Duration::ZERO);
            }
            // The list of names tells first when the server can be read again.
            Target::Service(key) if self.is_unreadable(&key) => {
                self.schedule.answered(&Target::Service(key), now, now, RETRY);
            }
            Target::Service(key) => drop(self.calls.spawn(async move {
                let answer = client.instances(&key, &revision).await;
                (now, Answered::Service(key, answer))
            })),
            Target::Names(namespace) => drop(self.calls.spawn(async move {
                let answer = client.services(&namespace, &revision).await;
                (now, Answered::Names(namespace, answer))
            })),
        }
    }

    fn is_unreadable(&self, key: &ServiceKey) -> bool {
        let namespace = Scope::Namespace(key.namespace.clone());
        self.troubles.of(&Scope::Source).or_else(|| self.troubles.of(&namespace)).is_some()
    }

    /// The server may have been started anew, without what it knew: that is told before anything of what it shows.
    fn doubt_what_was_renewed(&mut self) {
        if self.client.was_renewed() {
            self.view.reset(Scope::Source);
            self.revisions.clear();
        }
    }

    fn heed(&mut self, asked: Instant, answered: Answered) {
        let now = Instant::now();
        let (target, failed) = match answered {
            Answered::Names(namespace, answer) => {
                let failed = answer.is_err();
                self.heed_names(&namespace, asked, answer);
                (Target::Names(namespace), failed)
            }
            Answered::Service(key, answer) => {
                let failed = answer.is_err();
                // One that left the list meanwhile is known to be gone.
                if self.services.contains(&key) {
                    self.heed_service(&key, answer);
                }
                (Target::Service(key), failed)
            }
        };
        self.schedule.answered(&target, asked, now, if failed { RETRY } else { Duration::ZERO });
    }

    fn heed_names(
        &mut self,
        namespace: &str,
        asked: Instant,
        answer: Result<Answer<BTreeSet<ServiceKey>>, PolarisError>,
    ) {
        let scope = match namespace {
            "" => Scope::Source,
            namespace => Scope::Namespace(namespace.to_owned()),
        };
        match answer {
            Err(error) if error.is_the_servers() => self.troubles.failed(Scope::Source, error),
            Err(error) => self.troubles.failed(scope, error),
            Ok(answer) => {
                if let Answer::All(listed, revision) = answer {
                    self.revisions.insert(Target::Names(namespace.to_owned()), revision);
                    self.follow(namespace, &listed);
                }
                self.readable(&scope, namespace, asked);
            }
        }
    }

    /// A list was read that was asked for at this time: the server answers, and what still can't be read is unreadable by itself.
    fn readable(&mut self, scope: &Scope, namespace: &str, asked: Instant) {
        let now = Instant::now();
        let of_list = |key: &ServiceKey| namespace.is_empty() || key.namespace == namespace;
        let was_away = [&Scope::Source, scope].iter().any(|scope| self.troubles.of(scope).is_some());
        if was_away {
            self.troubles.sound(&Scope::Source);
            self.troubles.sound(scope);
            self.suspects.retain(|key, _| !of_list(key));
            for key in &self.services {
                self.schedule.hurry(&Target::Service(key.clone()), now);
            }
            return;
        }
        let judged =
            |key: &ServiceKey, (since, _): &mut (Instant, PolarisError)| of_list(key) && *since <= asked;
        let judged: Vec<_> = self.suspects.extract_if(.., judged).collect();
        for (key, (_, error)) in judged {
            self.troubles.failed(Scope::Service(key), error);
        }
    }

    fn follow(&mut self, asked: &str, listed: &BTreeSet<ServiceKey>) {
        let names = wanted(asked, listed, self.interest.as_ref());
        if self.scopes == Scopes::Every {
            self.view.set_namespaces(names.keys().cloned().collect());
        }
        let of_list = |key: &ServiceKey| asked.is_empty() || key.namespace == asked;
        let mut now_there = BTreeSet::new();
        for (namespace, services) in names {
            now_there.extend(services.iter().map(|service| ServiceKey::new(&namespace, service)));
            self.view.set_names(&namespace, services);
        }
        let gone = |key: &ServiceKey| of_list(key) && !now_there.contains(key);
        for key in self.services.extract_if(.., |key| gone(key)).collect::<Vec<_>>() {
            self.troubles.sound(&Scope::Service(key.clone()));
            self.suspects.remove(&key);
            let target = Target::Service(key);
            self.revisions.remove(&target);
            self.schedule.remove(&target);
        }
        for key in now_there {
            self.schedule.add(Target::Service(key.clone()), Instant::now());
            self.services.insert(key);
        }
    }

    fn heed_service(&mut self, key: &ServiceKey, answer: Result<Answer<Snapshot>, PolarisError>) {
        let target = Target::Service(key.clone());
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) => return self.heed_failure(key, error),
        };
        self.suspects.remove(key);
        self.troubles.sound(&Scope::Service(key.clone()));
        match answer {
            Answer::Unchanged => {}
            Answer::All(snapshot, revision) => {
                self.view.publish(snapshot);
                self.revisions.insert(target, revision);
            }
            // The server says so itself: nothing is registered, and that is all there is to read.
            Answer::Gone => {
                self.view.publish(Snapshot::empty(key.clone()));
                self.revisions.remove(&target);
            }
        }
    }

    fn heed_failure(&mut self, key: &ServiceKey, error: PolarisError) {
        if error.is_the_servers() {
            self.troubles.failed(Scope::Source, error);
        } else if error.may_be_the_servers() {
            let now = Instant::now();
            let list = if self.scopes == Scopes::Every { String::new() } else { key.namespace.clone() };
            self.suspects.entry(key.clone()).or_insert((now, error));
            self.schedule.hurry(&Target::Names(list), now);
        } else {
            self.troubles.failed(Scope::Service(key.clone()), error);
        }
    }
}
