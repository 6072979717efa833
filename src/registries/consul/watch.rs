//! Gives places to services, and reads in turn those that have none.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use futures::stream::{FuturesUnordered, StreamExt};
use tokio::sync::{mpsc, watch};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use super::ConsulError;
use super::follower::{Follower, Note};
use super::names::NamesLoop;
use super::places::{Moves, Places};
use super::reader::{Found, Reader};
use super::rotation::{Next, Rotation};
use super::shared::Shared;
use super::tables;
use crate::guard::Scope;

/// Services that are read at once at the same time, each on a connection.
const READING: usize = 8;
/// After refused connections, more are tried again at this pace.
const GROWTH: Duration = Duration::from_secs(60);
/// Refusals so close to one another are one.
const ONE_REFUSAL: Duration = Duration::from_secs(2);
/// After a failed reading in turn, the next waits for so long.
const PAUSE: Duration = Duration::from_secs(1);

type Done = (Reader, Result<Found, ConsulError>);

/// The watch of one Consul.
pub(super) struct Watch {
    shared: Arc<Shared>,
    places: Places,
    rotation: Rotation,
    /// Those that have a place.
    followers: BTreeMap<String, AbortHandle>,
    /// Those that have none, but for those being read.
    readers: BTreeMap<String, Reader>,
    reading: FuturesUnordered<BoxFuture<'static, Done>>,
    paused_until: Instant,
    last_refusal: Option<Instant>,
    tasks: JoinSet<()>,
    notes: (mpsc::UnboundedSender<Note>, mpsc::UnboundedReceiver<Note>),
    sound: watch::Receiver<bool>,
}

impl Watch {
    pub(super) fn new(shared: Arc<Shared>, places: usize) -> Self {
        let now = Instant::now();
        Self {
            places: Places::new(places),
            rotation: Rotation::new(now),
            followers: BTreeMap::new(),
            readers: BTreeMap::new(),
            reading: FuturesUnordered::new(),
            paused_until: now,
            last_refusal: None,
            tasks: JoinSet::new(),
            notes: mpsc::unbounded_channel(),
            sound: shared.sound.subscribe(),
            shared,
        }
    }

    /// Never returns; [`Watch::end`] is the end.
    pub(super) async fn run(&mut self) {
        let (mut names, mut moved) = (self.shared.names.subscribe(), self.shared.moved.subscribe());
        self.shared.view.set_namespaces([self.shared.namespace.clone()].into());
        self.tasks.spawn(NamesLoop::new(Arc::clone(&self.shared), self.notes.0.clone()).run());
        for table in tables::watches(&self.shared) {
            self.tasks.spawn(table);
        }
        let mut growth = interval(GROWTH);
        growth.set_missed_tick_behavior(MissedTickBehavior::Delay);
        growth.reset();
        loop {
            let next = self.dispatch();
            tokio::select! {
                Ok(()) = names.changed() => {
                    let moves = self.places.follow(&names.borrow_and_update(), Instant::now());
                    self.carry_out(moves);
                }
                Ok(()) = moved.changed() => self.rotation.moved(),
                Some(note) = self.notes.1.recv() => self.on_note(note),
                Some((reader, outcome)) = self.reading.next(), if !self.reading.is_empty() => self.on_read(reader, outcome),
                () = wait_until(next) => {}
                _ = growth.tick() => {
                    let moves = self.places.grow(Instant::now());
                    self.carry_out(moves);
                }
                Ok(()) = self.sound.changed() => {}
            }
        }
    }

    /// Ends everything, and waits until it is ended.
    pub(super) async fn end(mut self) {
        self.reading.clear();
        self.tasks.shutdown().await;
    }

    /// Begins the readings that are due; when the next one is.
    fn dispatch(&mut self) -> Option<Instant> {
        let now = Instant::now();
        if !*self.sound.borrow() {
            return None;
        }
        if now < self.paused_until {
            return Some(self.paused_until);
        }
        while self.reading.len() < READING {
            match self.rotation.next(now) {
                Next::At(at) => return Some(at),
                Next::Read(name) => {
                    // One that isn't there is just being read.
                    let Some(mut reader) = self.readers.remove(&name) else { continue };
                    let shared = Arc::clone(&self.shared);
                    self.reading.push(Box::pin(async move {
                        let outcome = reader.read(&shared, false).await;
                        (reader, outcome)
                    }));
                }
            }
        }
        None
    }

    fn carry_out(&mut self, moves: Moves) {
        for name in moves.gone {
            self.retire(&name);
            // One that was never read leaves no reading that its absence from the list would clear.
            self.shared.view.set_known(&Scope::Service(self.shared.key(&name)));
        }
        for name in moves.wait {
            self.retire(&name);
            self.readers.insert(name.clone(), Reader::new(&self.shared, &name));
            self.rotation.add(name);
        }
        for name in moves.enter {
            self.retire(&name);
            let reader = Reader::new(&self.shared, &name);
            let follower = Follower { shared: Arc::clone(&self.shared), reader, notes: self.notes.0.clone() };
            self.followers.insert(name, self.tasks.spawn(follower.run()));
        }
        self.reap();
        let crowded = self.places.are_full();
        self.shared.crowded.send_if_modified(|old| std::mem::replace(old, crowded) != crowded);
    }

    fn retire(&mut self, name: &str) {
        if let Some(follower) = self.followers.remove(name) {
            follower.abort();
        }
        self.readers.remove(name);
        self.rotation.remove(name);
    }

    /// Lets go of the tasks that have ended.
    fn reap(&mut self) {
        while self.tasks.try_join_next().is_some() {}
    }

    fn on_note(&mut self, note: Note) {
        match note {
            Note::Changed(service) => {
                let moves = self.places.changed(&service, Instant::now());
                self.carry_out(moves);
            }
            Note::Busy(error) => self.on_refusal(&error),
        }
    }

    fn on_refusal(&mut self, error: &ConsulError) {
        let now = Instant::now();
        self.paused_until = now + PAUSE;
        if self.last_refusal.is_some_and(|last| now < last + ONE_REFUSAL) {
            return;
        }
        let first = self.last_refusal.replace(now).is_none();
        let moves = self.places.shrink();
        self.carry_out(moves);
        let (registry, places) = (self.shared.view.registry(), self.places.limit());
        if first {
            tracing::warn!(
                "registry {registry}: {error}; {places} services are watched by queries that wait, the others are read in turn"
            );
        } else {
            tracing::debug!(registry, %error, places, "fewer connections");
        }
    }

    fn on_read(&mut self, reader: Reader, outcome: Result<Found, ConsulError>) {
        let name = reader.service().to_owned();
        let waits = self.places.is_waiting(&name);
        if waits {
            self.readers.insert(name.clone(), reader);
        }
        match outcome {
            Ok(Found::Same | Found::Hurried | Found::Read) => {}
            Ok(Found::Reset) => self.rotation.again(&name),
            Ok(Found::Changed) => {
                let moves = self.places.changed(&name, Instant::now());
                self.carry_out(moves);
            }
            Err(error) => {
                self.rotation.again(&name);
                self.paused_until = Instant::now() + PAUSE;
                match error {
                    ConsulError::Busy { .. } => self.on_refusal(&error),
                    _ => self.shared.suspicion.notify_one(),
                }
            }
        }
    }
}

async fn wait_until(next: Option<Instant>) {
    match next {
        Some(at) => sleep_until(at).await,
        None => std::future::pending().await,
    }
}
