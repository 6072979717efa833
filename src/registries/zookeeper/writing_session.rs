//! The one session that copies live with.

use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::timeout;
use zookeeper_client::{Client, Error, SessionState, StateWatcher};

use super::ZookeeperError;
use super::probe;
use super::settings::Checked;

/// How long a connection is given to end when we leave.
const LEAVING: Duration = Duration::from_secs(1);

/// Gives out the session, and a new one when it has ended.
pub(super) struct WritingSession {
    settings: Checked,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    client: Option<Client>,
    left: bool,
}

impl WritingSession {
    pub(super) fn new(settings: Checked) -> Self {
        Self { settings, state: Mutex::default() }
    }

    /// The client of the session, if it is connected.
    ///
    /// # Errors
    /// No server serves us at present, or we have left.
    pub(super) async fn client(&self) -> Result<Client, ZookeeperError> {
        let mut state = self.state.lock().await;
        if state.left {
            return Err(ZookeeperError::Lost("it is being left".to_owned()));
        }
        match state.client.as_ref().map(|client| (client, client.state())) {
            Some((client, SessionState::SyncConnected)) => return Ok(client.clone()),
            // It looks for a server by itself until the session has ended for certain.
            Some((_, session)) if !session.is_terminated() => {
                drop(state);
                return Err(self.unreachable().await);
            }
            _ => {}
        }
        let client = self.connect().await?;
        state.client = Some(client.clone());
        Ok(client)
    }

    /// Ends the connection and leaves the session to its timeout, with the copies that live with it.
    pub(super) async fn leave(&self) {
        let client = {
            let mut state = self.state.lock().await;
            state.left = true;
            state.client.take()
        };
        if let Some(client) = client {
            let watcher = client.state_watcher();
            drop(client);
            // A server that doesn't answer finds out by itself.
            let _ = timeout(LEAVING, ended(watcher)).await;
        }
    }

    /// Why nobody serves us.
    pub(super) async fn unreachable(&self) -> ZookeeperError {
        ZookeeperError::Unreachable(probe::reasons(&self.settings.ensemble.servers).await)
    }

    async fn connect(&self) -> Result<Client, ZookeeperError> {
        let settings = &self.settings;
        let connector = Client::connector().with_session_timeout(settings.session_timeout);
        // Detached: a session that were closed would take its copies along.
        let mut connector = connector.with_fail_eagerly().with_detached();
        if let Some(digest) = &settings.digest {
            connector = connector.with_auth("digest", digest.expose().as_bytes());
        }
        match connector.connect(&settings.ensemble.connect_string()).await {
            Ok(client) => Ok(client),
            Err(Error::AuthFailed) => Err(ZookeeperError::Login),
            Err(error) => {
                tracing::debug!(%error, "no session to write with");
                Err(self.unreachable().await)
            }
        }
    }
}

/// Waits until a session has ended for good.
pub(super) async fn ended(mut session: StateWatcher) {
    while !session.state().is_terminated() && !session.changed().await.is_terminated() {}
}

/// Waits until a session isn't connected.
pub(super) async fn disconnected(mut session: StateWatcher) {
    while session.state() == SessionState::SyncConnected
        && session.changed().await == SessionState::SyncConnected
    {}
}
