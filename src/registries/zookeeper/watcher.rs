//! Keeps a session, and tells the view what is read on it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use tokio::time::{sleep, timeout};
use zookeeper_client::{Client, Error, StateWatcher};

use super::ZookeeperError;
use super::place::Place;
use super::probe;
use super::session::{End, Session};
use super::settings::Checked;
use super::tree::Tree;
use crate::guard::Scope;
use crate::model::ServiceKey;
use crate::registries::troubles::Troubles;
use crate::registries::{Interest, View};

const FIRST_RETRY: Duration = Duration::from_millis(100);
const LAST_RETRY: Duration = Duration::from_secs(5);
/// A server that doesn't answer for two fifths of this is given up.
const SESSION_TIMEOUT: Duration = Duration::from_secs(10);
/// How long the servers are given to take note that we leave.
const CLOSING: Duration = Duration::from_secs(1);

/// Watches one ZooKeeper for as long as it is polled.
pub(super) struct Watcher {
    pub(super) settings: Checked,
    pub(super) interest: Arc<dyn Interest>,
    pub(super) view: Arc<View>,
    pub(super) tree: Tree,
    /// Until a server says that it knows none.
    pub(super) recursive_watches: bool,
    troubles: Troubles<ZookeeperError>,
    session: Option<StateWatcher>,
}

impl Watcher {
    pub(super) fn new(settings: Checked, interest: Arc<dyn Interest>, view: Arc<View>) -> Self {
        Self {
            tree: Tree::new(&settings),
            settings,
            interest,
            troubles: Troubles::new(Arc::clone(&view)),
            view,
            recursive_watches: true,
            session: None,
        }
    }

    /// Never returns; dropping the future is fine.
    pub(super) async fn run(&mut self) {
        let mut waits = retry_waits();
        loop {
            match self.connected().await {
                End::NoRecursiveWatches => {
                    self.recursive_watches = false;
                    let registry = self.view.registry();
                    tracing::info!(
                        "registry {registry}: its servers are older than 3.6, so each node is watched by itself"
                    );
                }
                End::Failed { error, had_worked } => {
                    if had_worked {
                        waits = retry_waits();
                    }
                    self.troubles.failed(Scope::Source, error);
                    sleep(waits.next().unwrap_or(LAST_RETRY)).await;
                }
            }
        }
    }

    /// Waits until the servers know that we have left.
    pub(super) async fn end(&mut self) {
        if let Some(mut session) = self.session.take() {
            let closed = async {
                while !session.state().is_terminated() && !session.changed().await.is_terminated() {}
            };
            // A server that doesn't answer finds out by itself.
            let _ = timeout(CLOSING, closed).await;
        }
    }

    async fn connected(&mut self) -> End {
        // Each session ends with its connection, so none has to outlive it: readers own no nodes.
        let mut connector = Client::connector().with_session_timeout(SESSION_TIMEOUT).with_fail_eagerly();
        if let Some(digest) = &self.settings.digest {
            connector = connector.with_auth("digest", digest.expose().as_bytes());
        }
        match connector.connect(&self.settings.ensemble.connect_string()).await {
            Ok(client) => {
                self.session = Some(client.state_watcher());
                Box::pin(Session::new(self, client).run()).await
            }
            Err(Error::AuthFailed) => End::Failed { error: ZookeeperError::Login, had_worked: false },
            Err(error) => {
                tracing::debug!(registry = self.view.registry(), %error, "no session");
                let reasons = probe::reasons(&self.settings.ensemble.servers).await;
                End::Failed { error: ZookeeperError::Unreachable(reasons), had_worked: false }
            }
        }
    }

    // ---- what the view is told

    /// Tells what is in the tree: the list of services where it may have changed, and what stands at these places.
    pub(super) fn tell(&mut self, names_changed: bool, places: &BTreeSet<String>) {
        let namespace = self.tree.namespace();
        let hidden = self.tree.hidden().map(|(_, trouble)| trouble.clone());
        let trouble = self.tree.trouble().cloned();
        if names_changed && hidden.is_none() && trouble.is_none() {
            self.view.set_namespaces(BTreeSet::from([namespace.to_owned()]));
            self.view.set_names(namespace, self.tree.names(self.interest.as_ref()));
        }
        for place in places.iter().filter_map(|path| self.tree.places.get(path)) {
            self.tell_place(place);
        }
        for (scope, trouble) in [(Scope::Namespace(namespace.to_owned()), hidden), (Scope::Source, trouble)] {
            match trouble {
                Some(error) => self.troubles.failed(scope, error),
                None => self.troubles.sound(&scope),
            }
        }
    }

    fn tell_place(&self, place: &Place) {
        if let Some(trouble) = &place.trouble {
            for key in self.keys(place) {
                self.view.set_unknown(Scope::Service(key), trouble.to_string());
            }
            return;
        }
        for (_, snapshot) in place.snapshots(self.tree.layout(), self.tree.namespace()) {
            if self.interest.wants(&snapshot.key) {
                self.view.publish(snapshot);
            }
        }
    }

    /// A place is gone, and what couldn't be read of it can't be missed.
    pub(super) fn withdraw(&self, place: &Place) {
        if place.trouble.is_some() {
            self.keys(place).for_each(|key| self.view.set_known(&Scope::Service(key)));
        }
    }

    fn keys(&self, place: &Place) -> impl Iterator<Item = ServiceKey> {
        let services = place.services(self.tree.layout()).into_iter();
        let keys = services.map(|service| ServiceKey::new(self.tree.namespace(), service));
        keys.filter(|key| self.interest.wants(key))
    }
}

fn retry_waits() -> ExponentialBackoff {
    let builder = ExponentialBuilder::new().with_min_delay(FIRST_RETRY).with_max_delay(LAST_RETRY);
    builder.with_jitter().without_max_times().build()
}
