//! Reads one of the servers again and again, and tells the view what changed.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval};

use super::answer::Applications;
use super::copy::LocalCopy;
use super::http::Http;
use super::schedule::{List, Schedule};
use super::{EurekaError, EurekaSettings};
use crate::guard::Scope;
use crate::model::{ServiceKey, Snapshot};
use crate::registries::server::Server;
use crate::registries::troubles::{EachFailed, Troubles};
use crate::registries::{Interest, View};

/// One watch of one Eureka.
pub(super) struct Watch {
    http: Http,
    servers: Vec<Server>,
    /// Which of them is asked.
    current: usize,
    names: Naming,
    poll_interval: Duration,
    interest: Arc<dyn Interest>,
    view: Arc<View>,
    copy: LocalCopy,
    schedule: Schedule,
    troubles: Troubles<EachFailed<EurekaError>>,
}

/// From applications to services' keys.
struct Naming {
    namespace: String,
    keep_case: bool,
}

impl Naming {
    fn key(&self, app: &str) -> ServiceKey {
        let service = if self.keep_case { app.to_owned() } else { app.to_lowercase() };
        ServiceKey::new(&self.namespace, service)
    }
}

impl Watch {
    pub(super) fn new(
        settings: &EurekaSettings,
        interest: Arc<dyn Interest>,
        view: Arc<View>,
    ) -> Result<Self, EurekaError> {
        Ok(Self {
            http: Http::new(settings)?,
            servers: settings.servers()?,
            current: 0,
            names: Naming { namespace: settings.namespace()?, keep_case: settings.keep_case },
            poll_interval: settings.poll_interval,
            interest,
            troubles: Troubles::new(Arc::clone(&view)),
            view,
            copy: LocalCopy::default(),
            schedule: Schedule::default(),
        })
    }

    /// Never returns; dropping it is the end.
    pub(super) async fn run(&mut self) {
        self.tell_namespaces();
        let mut ticks = interval(self.poll_interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            self.poll().await;
        }
    }

    /// Tasks may name namespaces that a Eureka doesn't have: there is nothing in them.
    fn tell_namespaces(&self) {
        let mut namespaces = self.interest.namespaces().unwrap_or_default();
        for namespace in namespaces.iter().filter(|namespace| **namespace != self.names.namespace) {
            self.view.set_names(namespace, BTreeSet::new());
        }
        namespaces.insert(self.names.namespace.clone());
        self.view.set_namespaces(namespaces);
    }

    /// Asks each server in turn, beginning with the one that answered last, until one answers.
    async fn poll(&mut self) {
        let mut errors = Vec::new();
        for _ in 0..self.servers.len() {
            if !errors.is_empty() && self.troubles.of(&Scope::Source).is_none() {
                // Peers don't hold the same at every moment.
                self.view.reset(Scope::Source);
            }
            match self.read().await {
                Ok(()) => return self.troubles.sound(&Scope::Source),
                Err(error) => errors.push(error),
            }
            self.current = (self.current + 1) % self.servers.len();
            self.schedule.lost();
        }
        self.troubles.failed(Scope::Source, EachFailed(errors));
    }

    async fn read(&mut self) -> Result<(), EurekaError> {
        match self.schedule.next() {
            List::Full => self.read_full().await,
            List::Delta => self.read_delta().await,
        }
    }

    async fn read_full(&mut self) -> Result<(), EurekaError> {
        let all = self.http.read(&self.servers[self.current], List::Full).await?;
        if self.http.was_renewed() {
            self.view.reset(Scope::Source);
        }
        let now = Instant::now();
        self.copy.replace(all, wanted(&*self.interest, &self.names), now);
        self.schedule.read_full(now);
        self.tell_names();
        let apps: Vec<String> = self.copy.apps().map(str::to_owned).collect();
        self.tell(apps);
        Ok(())
    }

    async fn read_delta(&mut self) -> Result<(), EurekaError> {
        let delta = match self.http.read(&self.servers[self.current], List::Delta).await {
            Err(EurekaError::Forbidden { .. } | EurekaError::Refused { status: 404, .. }) => {
                self.schedule.refused_delta();
                return self.read_full().await;
            }
            answer => answer?,
        };
        // Both have to be asked.
        let renewed = self.http.was_renewed();
        if self.schedule.started_anew(delta.version) || renewed {
            self.view.reset(Scope::Source);
            return self.read_full().await;
        }
        if self.schedule.full_is_due(Instant::now()) {
            return self.read_full().await;
        }
        self.schedule.read_delta(Instant::now());
        self.take(delta).await
    }

    /// Takes a delta. Where we then don't hold what the server holds, everything is read.
    async fn take(&mut self, delta: Applications) -> Result<(), EurekaError> {
        let hash = delta.hash.clone();
        let touched = self.copy.amend(delta, wanted(&*self.interest, &self.names), Instant::now());
        if hash.is_some_and(|hash| hash != self.copy.hash()) {
            return self.read_full().await;
        }
        if !touched.is_empty() {
            self.tell_names();
            self.tell(touched);
        }
        Ok(())
    }

    fn tell_names(&self) {
        let keys = self.copy.apps().map(|app| self.names.key(app));
        let wanted = keys.filter(|key| self.interest.wants(key));
        self.view.set_names(&self.names.namespace, wanted.map(|key| key.service).collect());
    }

    fn tell(&self, apps: impl IntoIterator<Item = String>) {
        let keys = apps.into_iter().map(|app| (self.names.key(&app), app));
        for (key, app) in keys.filter(|(key, _)| self.interest.wants(key)) {
            self.view.publish(Snapshot::new(key, self.copy.instances(&app)));
        }
    }
}

/// Whether somebody wants an application's instances.
fn wanted<'a>(interest: &'a dyn Interest, names: &'a Naming) -> impl Fn(&str) -> bool + 'a {
    |app| interest.wants(&names.key(app))
}
