//! Watches one service by a waiting query after the other.

use std::sync::Arc;
use std::time::Duration;

use backon::ExponentialBackoff;
use tokio::sync::mpsc;
use tokio::time::sleep;

use super::ConsulError;
use super::index::HELD;
use super::reader::{Found, Reader};
use super::shared::{Shared, retry_waits};

/// Between two queries: a service that changes all the time isn't asked for all the time, and the connection of the first is at rest
/// again for the second. Where it isn't yet, another one is begun, and of those the server allows only so many.
const GAP: Duration = Duration::from_millis(10);
const FIRST_RETRY: Duration = Duration::from_secs(1);
const LAST_RETRY: Duration = Duration::from_secs(5);

/// What a query tells whoever gives out the places.
#[derive(Debug)]
pub(super) enum Note {
    /// The service changed.
    Changed(String),
    /// The server has no room for so many connections.
    Busy(ConsulError),
}

/// Watches one service until it is dropped.
pub(super) struct Follower {
    pub(super) shared: Arc<Shared>,
    pub(super) reader: Reader,
    pub(super) notes: mpsc::UnboundedSender<Note>,
}

impl Follower {
    /// Never returns, unless nobody listens any more.
    pub(super) async fn run(mut self) {
        let mut waits = retry_waits(FIRST_RETRY, LAST_RETRY);
        while !self.notes.is_closed() {
            match self.reader.read(&self.shared, true).await {
                Ok(found) => {
                    waits = retry_waits(FIRST_RETRY, LAST_RETRY);
                    self.on_found(found).await;
                }
                Err(error) => self.on_failure(error, &mut waits).await,
            }
        }
    }

    async fn on_found(&self, found: Found) {
        match found {
            Found::Changed => {
                // The end of whoever listens is the end of this too.
                let _ = self.notes.send(Note::Changed(self.reader.service().to_owned()));
            }
            Found::Hurried => sleep(HELD).await,
            Found::Same | Found::Read | Found::Reset => {}
        }
        sleep(GAP).await;
    }

    async fn on_failure(&mut self, error: ConsulError, waits: &mut ExponentialBackoff) {
        if matches!(error, ConsulError::Busy { .. }) {
            // As above.
            let _ = self.notes.send(Note::Busy(error));
        } else {
            self.shared.suspicion.notify_one();
        }
        sleep(waits.next().unwrap_or(LAST_RETRY)).await;
        let mut sound = self.shared.sound.subscribe();
        if !*sound.borrow() {
            // The sender is ours.
            let _ = sound.wait_for(|sound| *sound).await;
            self.reader.forgive();
        }
    }
}
