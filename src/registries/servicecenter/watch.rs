//! Reads one of the servers again and again, and tells the view what changed.

use std::collections::BTreeSet;
use std::sync::Arc;

use tokio::time::{Instant, sleep_until};

use super::answer::{Described, Found};
use super::copy::{LocalCopy, Question};
use super::directory::Directory;
use super::http::{Http, Place};
use super::schedule::Schedule;
use super::truth::{StoredProperties, are_suspect};
use super::{ServiceCenterError, ServiceCenterSettings};
use crate::guard::Scope;
use crate::model::ServiceKey;
use crate::registries::troubles::{EachFailed, Troubles};
use crate::registries::{Interest, View};

/// One watch of one service-center.
pub(super) struct Watch {
    http: Http,
    environment: String,
    /// Applications to read, where only some are.
    only: BTreeSet<String>,
    interest: Arc<dyn Interest>,
    view: Arc<View>,
    schedule: Schedule,
    /// The last complete list.
    directory: Directory,
    stored: StoredProperties,
    copy: LocalCopy,
    /// Services that moved and haven't been told yet.
    pending: BTreeSet<ServiceKey>,
    /// Services that the server can't show.
    unreadable: BTreeSet<ServiceKey>,
    /// Environments with services, told since the one that is read has none.
    overlooked: BTreeSet<String>,
    troubles: Troubles<EachFailed<ServiceCenterError>>,
}

impl Watch {
    pub(super) fn new(
        settings: &ServiceCenterSettings,
        interest: Arc<dyn Interest>,
        view: Arc<View>,
    ) -> Result<Self, ServiceCenterError> {
        Ok(Self {
            http: Http::new(settings)?,
            environment: settings.environment.clone(),
            only: settings.namespaces.iter().cloned().collect(),
            interest,
            troubles: Troubles::new(Arc::clone(&view)),
            view,
            schedule: Schedule::new(settings.poll_interval, Instant::now()),
            directory: Directory::default(),
            stored: StoredProperties::default(),
            copy: LocalCopy::default(),
            pending: BTreeSet::new(),
            unreadable: BTreeSet::new(),
            overlooked: BTreeSet::new(),
        })
    }

    /// Never returns; dropping it is the end.
    pub(super) async fn run(&mut self) {
        loop {
            sleep_until(self.schedule.next()).await;
            self.turn().await;
        }
    }

    /// Asks each server in turn, beginning with the one that answered last, until one answers. They have one store, so revisions of
    /// one are good for another.
    async fn turn(&mut self) {
        let mut errors = Vec::new();
        for _ in 0..self.http.servers() {
            let asked = self.http.current();
            match self.read().await {
                Ok(()) => return self.troubles.sound(&Scope::Source),
                Err(error) => errors.push(error),
            }
            self.http.turn_from(asked);
        }
        self.schedule.failed(Instant::now());
        // Whoever answers next may have lost its data meanwhile.
        self.copy.forget_revisions();
        self.troubles.failed(Scope::Source, EachFailed(errors));
    }

    async fn read(&mut self) -> Result<(), ServiceCenterError> {
        if self.schedule.list_is_due(Instant::now()) {
            self.list().await?;
        }
        let begun = Instant::now();
        for questions in self.copy.questions() {
            self.find(questions).await?;
        }
        self.tell_pending();
        self.schedule.found(begun, Instant::now());
        Ok(())
    }

    async fn list(&mut self) -> Result<(), ServiceCenterError> {
        let begun = Instant::now();
        let mut listed = self.http.services(Place::Cache).await?;
        self.doubts_what_was_renewed();
        if self.stored.doubts(&listed, begun) {
            listed = self.http.services(Place::Store).await?;
            self.stored.learn(&listed, Instant::now());
        }
        self.stored.restore(&mut listed);
        let directory = Directory::of(listed, &self.environment);
        if directory.is_set_back_since(&self.directory) {
            self.start_anew();
        }
        self.pending.extend(directory.differing(&self.directory));
        self.directory = directory;
        self.tell_names();
        self.tell_overlooked();
        self.schedule.listed(begun, Instant::now());
        Ok(())
    }

    /// The server may have been started anew, which is told before anything of what it shows.
    fn doubts_what_was_renewed(&mut self) -> bool {
        let renewed = self.http.was_renewed();
        if renewed {
            self.start_anew();
        }
        renewed
    }

    /// The server may have lost what it knew.
    fn start_anew(&mut self) {
        self.view.reset(Scope::Source);
        self.copy.forget_revisions();
    }

    fn tell_names(&mut self) {
        let reads = |key: &&ServiceKey| self.only.is_empty() || self.only.contains(&key.namespace);
        let wants = |key: &&ServiceKey| self.interest.wants(key);
        let wanted: BTreeSet<ServiceKey> =
            self.directory.keys().filter(reads).filter(wants).cloned().collect();
        self.copy.keep(&wanted);
        self.pending.retain(|key| wanted.contains(key));
        for gone in self.unreadable.extract_if(.., |key| !wanted.contains(key)) {
            self.view.set_known(&Scope::Service(gone));
        }
        let mut namespaces =
            if self.only.is_empty() { self.directory.namespaces() } else { self.only.clone() };
        // Tasks may name applications that aren't there: there is nothing in them.
        namespaces.extend(self.interest.namespaces().unwrap_or_default());
        for namespace in &namespaces {
            let inside = wanted.iter().filter(|key| key.namespace == *namespace);
            self.view.set_names(namespace, inside.map(|key| key.service.clone()).collect());
        }
        self.view.set_namespaces(namespaces);
    }

    /// A wrong `environment` looks like an empty registry, which nobody would be told of otherwise.
    fn tell_overlooked(&mut self) {
        let overlooked = self.directory.overlooked().cloned().unwrap_or_default();
        if !overlooked.is_empty() && overlooked != self.overlooked {
            tracing::warn!(
                registry = self.view.registry(),
                "service-center has no services in the environment `{}`, but in {}; see the registry's `environment`",
                self.environment,
                overlooked.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
            );
        }
        self.overlooked = overlooked;
    }

    /// Asks for some services, and takes what moved. What shows no properties counts only as the store has it.
    async fn find(&mut self, mut questions: Vec<Question>) -> Result<(), ServiceCenterError> {
        let mut found = self.http.find(&questions, Place::Cache).await?;
        if self.doubts_what_was_renewed() {
            // What has lost its data may come to the same revision again.
            questions.iter_mut().for_each(|question| question.revision.clear());
            found = self.http.find(&questions, Place::Cache).await?;
            self.schedule.list_at_once(Instant::now());
        }
        let (mut suspects, mut missing) = (Vec::new(), Vec::new());
        for (Question { key, .. }, found) in questions.into_iter().zip(found) {
            match found {
                Found::Shows { instances, .. } if are_suspect(&instances) => {
                    suspects.push(Question { key, revision: String::new() });
                }
                found => self.settle(key, found, &mut missing),
            }
        }
        if !suspects.is_empty() {
            let found = self.http.find(&suspects, Place::Store).await?;
            for (Question { key, .. }, found) in suspects.into_iter().zip(found) {
                self.settle(key, found, &mut missing);
            }
        }
        self.look_for(missing).await
    }

    fn settle(&mut self, key: ServiceKey, found: Found, missing: &mut Vec<(ServiceKey, String)>) {
        match found {
            Found::Unchanged => self.is_readable(&key),
            Found::Shows { revision, instances } => self.shows(key, revision, instances),
            Found::Missing { words } => missing.push((key, words)),
            Found::Failed { words } => self.is_unreadable(key, &words),
        }
    }

    fn shows(&mut self, key: ServiceKey, revision: String, instances: Vec<Described>) {
        self.is_readable(&key);
        self.copy.take(&key, revision, instances);
        self.pending.insert(key);
    }

    fn is_readable(&mut self, key: &ServiceKey) {
        if self.unreadable.remove(key) {
            self.view.set_known(&Scope::Service(key.clone()));
        }
    }

    fn is_unreadable(&mut self, key: ServiceKey, words: &str) {
        self.copy.forget(&key);
        self.view
            .set_unknown(Scope::Service(key.clone()), format!("service-center can't show {key}: {words}"));
        self.unreadable.insert(key);
    }

    /// Only a complete list says that a service is gone. It also tells of new versions, before their instances are.
    async fn look_for(&mut self, missing: Vec<(ServiceKey, String)>) -> Result<(), ServiceCenterError> {
        let uncovered = self.pending.iter().any(|key| !self.copy.is_covered(key, &self.directory));
        if missing.is_empty() && !uncovered {
            return Ok(());
        }
        self.list().await?;
        for (key, words) in missing {
            if self.copy.wants(&key) {
                self.is_unreadable(key, &words);
            }
        }
        Ok(())
    }

    fn tell_pending(&mut self) {
        for key in std::mem::take(&mut self.pending) {
            if let Some(snapshot) = self.copy.snapshot(&key, &self.directory) {
                self.view.publish(snapshot);
            }
        }
    }
}
