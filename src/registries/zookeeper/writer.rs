//! A ZooKeeper that copies are written to.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use backon::{BackoffBuilder, ExponentialBuilder};
use causeway_gateways::Retry;
use futures::stream::{self, StreamExt};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use zookeeper_client::{Acl, Client, Error};

use super::form::{Forms, Node};
use super::nodes::{Cause, NodeError, Nodes};
use super::session_copies::SessionCopies;
use super::settings::Checked;
use super::steps::{Seen, Standing, Step, steps};
use super::writing_session::{WritingSession, disconnected, ended};
use super::{ZookeeperError, ZookeeperSettings, capabilities};
use crate::config::ZookeeperLayout;
use crate::model::{Instance, ServiceKey};
use crate::registries::{
    Capabilities, Change, Destination, InstanceCopy, Life, Renewed, WriteError, Written,
};

/// Services that are written at the same time.
const WIDTH: usize = 32;
/// Changes of one service, and renewals, that are under way at once.
const AT_ONCE: usize = 64;
/// So many renewals fit in a session's timeout.
const RENEWALS: u32 = 3;
const FIRST_RETRY: Duration = Duration::from_millis(100);
const LAST_RETRY: Duration = Duration::from_secs(5);

/// A ZooKeeper as a destination. Copies live with one session, or are persistent.
pub struct ZookeeperDestination {
    layout: ZookeeperLayout,
    forms: Forms,
    persistent: bool,
    session_timeout: Duration,
    authenticated: bool,
    chroot: String,
    session: WritingSession,
    on_session: Mutex<SessionCopies>,
}

impl ZookeeperDestination {
    /// A ZooKeeper that hasn't been connected to yet.
    ///
    /// # Errors
    /// What in the settings can't be used: addresses, half a pair of credentials, several namespaces, a layout that can't be written.
    pub fn new(settings: &ZookeeperSettings) -> Result<Self, ZookeeperError> {
        let settings: Checked = settings.check()?;
        Ok(Self {
            layout: settings.layout,
            forms: Forms::new(&settings)?,
            persistent: settings.persistent,
            session_timeout: settings.session_timeout,
            authenticated: settings.digest.is_some(),
            chroot: settings.ensemble.chroot.clone(),
            session: WritingSession::new(settings),
            on_session: Mutex::default(),
        })
    }

    fn on_session(&self) -> MutexGuard<'_, SessionCopies> {
        self.on_session.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn nodes<'a>(&self, client: &'a Client) -> Nodes<'a> {
        Nodes::new(client, self.persistent, self.authenticated)
    }

    /// Does something on a session, for as long as that is connected: a request would wait for the next connection otherwise, and tell
    /// nobody meanwhile.
    async fn while_connected<T>(
        &self,
        client: &Client,
        work: impl Future<Output = Result<T, WriteError>>,
    ) -> Result<T, WriteError> {
        tokio::select! {
            done = work => return done,
            () = disconnected(client.state_watcher()) => {}
        }
        Err(away(self.session.unreachable().await))
    }

    // ---- writing

    async fn write_on<'c>(
        &self,
        client: &Client,
        key: &ServiceKey,
        changes: &'c [Change],
    ) -> Result<Outcomes, WriteError> {
        let folder = self.forms.folder(key).map_err(never)?;
        let nodes = self.nodes(client);
        let puts = changes.iter().any(|change| matches!(change, Change::Put(_)));
        let rights = if puts { nodes.make(&folder.path).await } else { Ok(Vec::new()) };
        let rights = match rights {
            Ok(rights) => rights,
            Err(error) => return Err(self.told(error).await),
        };
        let standing = match nodes.standing(&folder).await {
            Ok(standing) => standing,
            Err(error) => return Err(self.told(error).await),
        };
        let mut outcomes = Outcomes::new();
        for removals in [false, true] {
            let of_kind = |(_, change): &(usize, &Change)| matches!(change, Change::Remove(_)) == removals;
            let (nodes, standing, rights) = (&nodes, &standing, &rights);
            let one = |(place, change): (usize, &'c Change)| async move {
                (place, self.change(nodes, change, standing, rights).await)
            };
            let work: Vec<_> = changes.iter().enumerate().filter(of_kind).map(one).collect();
            outcomes.extend(stream::iter(work).buffer_unordered(AT_ONCE).collect::<Outcomes>().await);
        }
        Ok(outcomes)
    }

    async fn change(
        &self,
        nodes: &Nodes<'_>,
        change: &Change,
        standing: &[Standing],
        rights: &[Acl],
    ) -> Result<Written, WriteError> {
        let copy = change.copy();
        let node = self.forms.node(copy).map_err(never)?;
        if let Change::Remove(_) = change {
            self.on_session().forget(copy);
        }
        let Some(steps) = steps(change, &node, standing, nodes.session()) else {
            self.on_session().forget(copy);
            return Ok(Written::Taken);
        };
        for step in steps {
            if let Err(error) = nodes.carry_out(step, rights).await {
                return Err(self.told(error).await);
            }
        }
        if let Change::Put(_) = change {
            self.hold(Arc::clone(copy), nodes.session());
        }
        Ok(Written::Done)
    }

    fn hold(&self, copy: impl Into<Arc<InstanceCopy>>, session: i64) {
        if !self.persistent {
            self.on_session().keep(copy, session);
        }
    }

    /// An error for people; what only says that the connection is gone is told with what keeps us from another.
    async fn told(&self, error: NodeError) -> WriteError {
        let NodeError { doing, path, cause } = error;
        let (why, retry) = match cause {
            Cause::HiddenRights => (
                "its passwords' hashes aren't shown to us, so no copy can be given the same rights; give the user the right `a` \
                 there"
                    .to_owned(),
                Retry::Never,
            ),
            Cause::Client(Error::NoNode) if path == "/" => {
                (ZookeeperError::NoChroot(self.chroot.clone()).to_string(), Retry::Never)
            }
            Cause::Client(Error::NoAuth) => (
                "not authorized; check `user` and `password`, and that they may read, create and delete in the folder (`rcd`) \
                 and write the copies in it (`w`)"
                    .to_owned(),
                Retry::Never,
            ),
            Cause::Client(
                error @ (Error::NoNode | Error::NodeExists | Error::BadVersion | Error::RuntimeInconsistent),
            ) => (format!("{error}; somebody else was quicker"), Retry::ReadAgain),
            Cause::Client(error @ (Error::BadArguments(_) | Error::InvalidAcl)) => (error.to_string(), Retry::Never),
            Cause::Client(
                error @ (Error::ConnectionLoss | Error::SessionExpired | Error::ClientClosed | Error::Custom(_)),
            ) => (format!("{error}; {}", self.session.unreachable().await), Retry::Backoff(None)),
            Cause::Client(error) => (error.to_string(), Retry::Backoff(None)),
        };
        WriteError { message: format!("{doing} {path} fails: {why}"), retry }
    }

    // ---- renewing

    async fn renew_on(&self, client: &Client, copies: &[InstanceCopy]) -> Result<Renewals, WriteError> {
        let nodes = self.nodes(client);
        let work: Vec<_> = copies.iter().map(|copy| self.renew_one(&nodes, copy)).collect();
        Ok(stream::iter(work).buffered(AT_ONCE).collect().await)
    }

    /// A copy that lives with this session lives on; what another session left is taken over in one step.
    async fn renew_one(&self, nodes: &Nodes<'_>, copy: &InstanceCopy) -> Result<Renewed, WriteError> {
        let node = self.forms.node(copy).map_err(never)?;
        let standing = match nodes.look(&node.folder, node.name.clone()).await {
            Ok(standing) => standing,
            Err(error) => return Err(self.told(error).await),
        };
        let renewed = match standing {
            Some(standing) if standing.session == nodes.session() => Renewed::Alive,
            Some(standing) => self.take_over(nodes, copy, node, standing).await?,
            None => Renewed::Lost,
        };
        match renewed {
            Renewed::Alive => self.hold(copy.clone(), nodes.session()),
            Renewed::Lost => self.on_session().forget(copy),
        }
        Ok(renewed)
    }

    /// Makes a node anew as it stands, if it is the copy's.
    async fn take_over(
        &self,
        nodes: &Nodes<'_>,
        copy: &InstanceCopy,
        node: Node,
        standing: Standing,
    ) -> Result<Renewed, WriteError> {
        let is_ours = steps(&Change::remove(copy.clone()), &node, std::slice::from_ref(&standing), 0);
        if is_ours.is_none_or(|steps| steps.is_empty()) {
            return Ok(Renewed::Lost);
        }
        let seen = Seen { path: node.path(), version: standing.version };
        let holds_data = node.folder.holds_data();
        let node = if holds_data { Node { data: standing.data, ..node } } else { node };
        let taken = async {
            let rights = nodes.make(&node.folder.path).await?;
            nodes.carry_out(Step::Replace(vec![seen], node.clone()), &rights).await
        };
        match taken.await {
            Ok(()) => Ok(Renewed::Alive),
            Err(error) => match self.told(error).await {
                WriteError { retry: Retry::ReadAgain, .. } => Ok(Renewed::Lost),
                error => Err(error),
            },
        }
    }

    // ---- tending

    /// Keeps a session, and makes again on a new one what lived with the one before.
    async fn keep(&self) {
        let waits = || ExponentialBuilder::new().with_min_delay(FIRST_RETRY).with_max_delay(LAST_RETRY);
        let mut retry = waits().with_jitter().without_max_times().build();
        loop {
            match self.session.client().await {
                Ok(client) if self.restore(client.session_id().0).await => {
                    retry = waits().with_jitter().without_max_times().build();
                    ended(client.state_watcher()).await;
                }
                Ok(_) => sleep(retry.next().unwrap_or(LAST_RETRY)).await,
                Err(error) => {
                    tracing::debug!(%error, "the session of copies in a ZooKeeper is away");
                    sleep(retry.next().unwrap_or(LAST_RETRY)).await;
                }
            }
        }
    }

    /// Whether everything that was left behind is there again, or somebody else's is in its place.
    async fn restore(&self, session: i64) -> bool {
        let left = self.on_session().left_behind(session);
        let mut whole = true;
        for (key, puts) in left {
            let failed: Vec<WriteError> =
                self.write(&key, &puts).await.into_iter().filter_map(Result::err).collect();
            if let Some(error) = failed.first() {
                tracing::warn!(service = %key, copies = failed.len(), "copies that lived with an ended session can't be put again yet: {error}");
                whole = false;
            }
        }
        whole
    }
}

type Outcomes = BTreeMap<usize, Result<Written, WriteError>>;
type Renewals = Vec<Result<Renewed, WriteError>>;

fn never(message: String) -> WriteError {
    WriteError { message, retry: Retry::Never }
}

fn away(error: ZookeeperError) -> WriteError {
    WriteError { message: error.to_string(), retry: Retry::Backoff(None) }
}

#[async_trait]
impl Destination for ZookeeperDestination {
    fn capabilities(&self) -> &'static Capabilities {
        capabilities(self.layout)
    }

    fn life(&self) -> Life {
        if self.persistent {
            return Life::Permanent;
        }
        Life::Lease { renew_every: self.session_timeout / RENEWALS, expires_after: self.session_timeout }
    }

    fn as_shown(&self, copy: &InstanceCopy) -> Instance {
        self.forms.as_shown(copy)
    }

    fn width(&self) -> usize {
        WIDTH
    }

    async fn write(&self, key: &ServiceKey, changes: &[Change]) -> Vec<Result<Written, WriteError>> {
        let outcomes = match self.session.client().await {
            Ok(client) => self.while_connected(&client, self.write_on(&client, key, changes)).await,
            Err(error) => Err(away(error)),
        };
        match outcomes {
            Ok(outcomes) => outcomes.into_values().collect(),
            Err(error) => vec![Err(error); changes.len()],
        }
    }

    /// Only one process may renew: each takes over what lives with another's session.
    async fn renew(&self, copies: &[InstanceCopy]) -> Vec<Result<Renewed, WriteError>> {
        if self.persistent {
            return vec![Ok(Renewed::Alive); copies.len()];
        }
        let renewed = match self.session.client().await {
            Ok(client) => self.while_connected(&client, self.renew_on(&client, copies)).await,
            Err(error) => Err(away(error)),
        };
        renewed.unwrap_or_else(|error| vec![Err(error); copies.len()])
    }

    /// The session is left to its timeout, so that whoever comes next finds the copies there.
    async fn tend(&self, stop: CancellationToken) {
        stop.run_until_cancelled(self.keep()).await;
        self.session.leave().await;
    }
}
