//! What tells of changes. From ZooKeeper 3.6 on one recursive watch a root does, from when there is anything in it; before it, every
//! reading leaves a watch behind that fires once.
//!
//! The client library brings neither kind reliably over a lost connection (recursive ones stay silent for ever), so watches live
//! only as long as the connection: after each, everything is watched and read anew.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::future::BoxFuture;
use futures::stream::{AbortHandle, BoxStream, FuturesUnordered, SelectAll, StreamExt, abortable, unfold};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use zookeeper_client::{EventType, OneshotWatcher, PersistentWatcher, WatchedEvent};

/// What a one-shot watch is on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Watched {
    /// A node's children.
    Children(String),
    /// A node's data.
    Data(String),
    /// A node that isn't there yet.
    Coming(String),
}

/// Leaves one-shot watches behind readings: at most one on each thing, since one that hasn't fired yet is as good as a new one.
#[derive(Clone)]
pub(super) struct OneShots {
    armed: Arc<Mutex<BTreeSet<Watched>>>,
    watchers: UnboundedSender<(Watched, OneshotWatcher)>,
}

impl OneShots {
    fn lock(&self) -> MutexGuard<'_, BTreeSet<Watched>> {
        self.armed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the next reading has to leave a watch.
    pub(super) fn arm(&self, watched: &Watched) -> bool {
        self.lock().insert(watched.clone())
    }

    /// There is none after all, or it has fired.
    pub(super) fn disarm(&self, watched: &Watched) {
        self.lock().remove(watched);
    }

    /// The watch stands.
    pub(super) fn keep(&self, watched: Watched, watcher: OneshotWatcher) {
        // The other end goes only with the session, and then nobody waits for events either.
        let _ = self.watchers.send((watched, watcher));
    }
}

/// All watches of one session.
pub(super) struct Watches {
    lasting: SelectAll<BoxStream<'static, WatchedEvent>>,
    one_shots: OneShots,
    watchers: UnboundedReceiver<(Watched, OneshotWatcher)>,
    armed: FuturesUnordered<BoxFuture<'static, (Watched, WatchedEvent)>>,
}

impl Watches {
    pub(super) fn new() -> Self {
        let (sender, watchers) = unbounded_channel();
        let one_shots = OneShots { armed: Arc::default(), watchers: sender };
        Self { lasting: SelectAll::new(), one_shots, watchers, armed: FuturesUnordered::new() }
    }

    /// For readings that have to leave watches behind.
    pub(super) fn one_shots(&self) -> OneShots {
        self.one_shots.clone()
    }

    /// Takes in a watch that stays. It is over with its connection, or when it is aborted.
    pub(super) fn add(&mut self, watcher: PersistentWatcher) -> AbortHandle {
        let events = unfold(watcher, |mut watcher| async {
            let event = watcher.changed().await;
            (event.event_type != EventType::Session).then_some((event, watcher))
        });
        let (events, handle) = abortable(events);
        self.lasting.push(events.boxed());
        handle
    }

    /// The next event; may be dropped while it waits.
    pub(super) async fn next(&mut self) -> WatchedEvent {
        loop {
            tokio::select! {
                Some(event) = self.lasting.next(), if !self.lasting.is_empty() => return event,
                Some((watched, watcher)) = self.watchers.recv() => {
                    self.armed.push(Box::pin(async move { (watched, watcher.changed().await) }));
                }
                Some((watched, event)) = self.armed.next(), if !self.armed.is_empty() => {
                    self.one_shots.disarm(&watched);
                    return event;
                }
            }
        }
    }
}
