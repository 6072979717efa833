//! What happens on one connection: watches are set, everything is read, and what is told of is read again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures::future::{BoxFuture, FutureExt};
use futures::stream::{AbortHandle, FuturesUnordered, StreamExt};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};
use zookeeper_client::{AddWatchMode, Client, Error, EventType, SessionState, StateWatcher, WatchedEvent};

use super::ZookeeperError;
use super::agenda::Agenda;
use super::place::{Children, Place};
use super::reader::{Reader, RootRead};
use super::tree::Work;
use super::watcher::Watcher;
use super::watches::Watches;

/// What is refused, or can't be told from anything else yet, is tried again at this pace.
const RETRY: Duration = Duration::from_secs(5);
/// Everything is read again once in this time: since 3.9.2 servers keep events to themselves when the rights to read are taken
/// away, so silence alone proves nothing.
const ROUND: Duration = Duration::from_secs(30);
/// But no more than fifty places a second.
const SHORTEST_GAP: Duration = Duration::from_millis(20);

/// Why a session is over.
pub(super) enum End {
    /// The server is older than 3.6.
    NoRecursiveWatches,
    /// It failed, before or after everything was read once.
    Failed { error: ZookeeperError, had_worked: bool },
}

enum Read {
    Root(RootRead),
    Place(Option<Children>),
}

struct Done {
    work: Work,
    read: Result<Read, ZookeeperError>,
}

/// One session at work.
pub(super) struct Session<'a> {
    of: &'a mut Watcher,
    client: Client,
    states: StateWatcher,
    watches: Watches,
    /// The watches of roots that were empty, each of the root alone.
    shallow: BTreeMap<usize, AbortHandle>,
    reader: Reader,
    agenda: Agenda,
    running: FuturesUnordered<BoxFuture<'static, Done>>,
    refused: BTreeSet<Work>,
    /// Places of which something has to be told.
    fresh: BTreeSet<String>,
    /// The list of services may be another one.
    names_changed: bool,
    last_audited: Work,
    next_audit: Instant,
    had_worked: bool,
}

impl<'a> Session<'a> {
    pub(super) fn new(of: &'a mut Watcher, client: Client) -> Self {
        let watches = Watches::new();
        let one_shots = (!of.recursive_watches).then(|| watches.one_shots());
        Self {
            of,
            states: client.state_watcher(),
            reader: Reader::new(client.clone(), one_shots),
            client,
            watches,
            shallow: BTreeMap::new(),
            agenda: Agenda::default(),
            running: FuturesUnordered::new(),
            refused: BTreeSet::new(),
            fresh: BTreeSet::new(),
            names_changed: true,
            last_audited: Work::Root(0),
            next_audit: Instant::now() + ROUND,
            had_worked: false,
        }
    }

    /// Runs until the connection is over.
    pub(super) async fn run(mut self) -> End {
        let mut retry = interval(RETRY);
        retry.set_missed_tick_behavior(MissedTickBehavior::Delay);
        if let Err(end) = self.begin().await {
            return end;
        }
        let view = Arc::clone(&self.of.view);
        loop {
            let put_off = view.put_off().is_in_force();
            self.start_readings(put_off);
            tokio::select! {
                state = self.states.changed() => if state != SessionState::SyncConnected {
                    return self.failed(lost(state));
                },
                // What is told meanwhile would only be noted, and there is much of it.
                event = self.watches.next(), if !put_off => self.on_events(event),
                Some(done) = self.running.next(), if !self.running.is_empty() => {
                    if let Err(error) = self.on_done(done) {
                        return self.failed(error);
                    }
                }
                _ = retry.tick() => std::mem::take(&mut self.refused).into_iter().for_each(|work| self.agenda.wake(work)),
                () = sleep_until(self.next_audit) => self.audit(),
                () = view.put_off().over(), if put_off => {}
            }
        }
    }

    fn failed(&self, error: ZookeeperError) -> End {
        End::Failed { error, had_worked: self.had_worked }
    }

    /// Watches come before readings, so that nothing falls between.
    async fn begin(&mut self) -> Result<(), End> {
        let of_root = |error: &Error| ZookeeperError::of_node("/", error);
        match self.client.check_stat("/").await {
            Ok(Some(_)) => {}
            Ok(None) => {
                let chroot = self.of.settings.ensemble.chroot.clone();
                return Err(self.failed(ZookeeperError::NoChroot(chroot)));
            }
            Err(error) => return Err(self.failed(of_root(&error))),
        }
        // A follower may lag behind what another server has shown us.
        self.client.sync("/").await.map_err(|error| self.failed(of_root(&error)))?;
        for index in 0..self.of.tree.roots.len() {
            if self.of.recursive_watches {
                self.watch_root(index).await?;
            }
            self.agenda.first(Work::Root(index));
        }
        self.of.tree.places.values_mut().for_each(Place::doubt_all);
        Ok(())
    }

    /// While a root is empty only its children are watched: whoever fills it is told of each service, and not of each node.
    async fn watch_root(&mut self, index: usize) -> Result<(), End> {
        let path = &self.of.tree.roots[index].root.path;
        match self.client.watch(path, AddWatchMode::Persistent).await {
            Ok(watcher) => {
                self.shallow.insert(index, self.watches.add(watcher));
                Ok(())
            }
            Err(Error::Unimplemented) => Err(End::NoRecursiveWatches),
            Err(error) => Err(self.failed(ZookeeperError::of_node(path, &error))),
        }
    }

    // ---- readings

    fn start_readings(&mut self, put_off: bool) {
        while let Some(work) = self.agenda.start(put_off) {
            let reader = self.reader.clone();
            let tree = &mut self.of.tree;
            let reading: BoxFuture<'static, Done> = match &work {
                Work::Root(index) => {
                    let root = tree.roots[*index].root.clone();
                    let is_shallow = self.shallow.contains_key(index);
                    Box::pin(async move {
                        let read = reader.root(&root.path, root.form, is_shallow).await;
                        Done { work, read: read.map(Read::Root) }
                    })
                }
                Work::Place(path) => {
                    let (path, settled) = (path.clone(), tree.places.get_mut(path).and_then(Place::settled));
                    Box::pin(async move {
                        let read = reader.place(&path, settled).await.map(Read::Place);
                        Done { work, read }
                    })
                }
            };
            self.running.push(reading);
        }
    }

    /// Takes in an event, and those that are there already.
    fn on_events(&mut self, first: WatchedEvent) {
        let mut next = Some(first);
        while let Some(event) = next {
            self.on_event(&event);
            next = self.watches.next().now_or_never();
        }
    }

    fn on_event(&mut self, event: &WatchedEvent) {
        let children_changed = event.event_type == EventType::NodeChildrenChanged;
        if event.event_type != EventType::Session {
            for work in self.of.tree.affected(&event.path, children_changed) {
                self.agenda.wake(work);
            }
        }
    }

    fn audit(&mut self) {
        let tree = &mut self.of.tree;
        if let Some(work) = tree.next_work(&self.last_audited) {
            if let Work::Place(path) = &work
                && let Some(place) = tree.places.get_mut(path)
            {
                place.doubt_all();
            }
            self.agenda.wake(work.clone());
            self.last_audited = work;
        }
        let all = u32::try_from(tree.roots.len() + tree.places.len()).unwrap_or(u32::MAX);
        self.next_audit = Instant::now() + (ROUND / all.max(1)).max(SHORTEST_GAP);
    }

    /// Takes in a reading; an error is the session's end.
    fn on_done(&mut self, done: Done) -> Result<(), ZookeeperError> {
        let Done { work, read } = done;
        self.agenda.done(&work);
        match (read, &work) {
            (Ok(Read::Root(read)), Work::Root(index)) => self.on_root(*index, read),
            (Ok(Read::Place(children)), Work::Place(path)) => self.on_place(path, children),
            (Err(error), _) if error.is_of_node() => self.on_refused(work, error),
            (Err(error), _) => return Err(error),
            _ => {}
        }
        self.tell();
        Ok(())
    }

    fn on_root(&mut self, index: usize, read: RootRead) {
        let RootRead { form, children, deep } = read;
        if let Some(watcher) = deep {
            self.watches.add(watcher);
            if let Some(shallow) = self.shallow.remove(&index) {
                shallow.abort();
            }
        }
        let interest = self.of.interest.as_ref();
        self.of.tree.roots[index].root.form = form;
        let (places, gone) = self.of.tree.list(index, &children, interest);
        for (path, place) in gone {
            self.agenda.forget(&Work::Place(path));
            self.of.withdraw(&place);
        }
        places.into_iter().for_each(|path| self.agenda.first(Work::Place(path)));
        self.names_changed = true;
        if form.is_none() {
            self.refused.insert(Work::Root(index));
        }
    }

    fn on_place(&mut self, path: &str, children: Option<Children>) {
        let layout = self.of.tree.layout();
        let Some(place) = self.of.tree.places.get_mut(path) else {
            self.agenda.forget(&Work::Place(path.to_owned()));
            return;
        };
        let was_known = place.read_once;
        let before: BTreeSet<String> = place.services(layout).into_iter().map(str::to_owned).collect();
        for told in place.take(children) {
            tracing::warn!("registry {}: {path}/{told}", self.of.view.registry());
        }
        let same = place.services(layout).into_iter().eq(before.iter().map(String::as_str));
        self.names_changed |= !same || !was_known;
        self.fresh.insert(path.to_owned());
    }

    fn on_refused(&mut self, work: Work, error: ZookeeperError) {
        match &work {
            Work::Root(index) => self.of.tree.roots[*index].trouble = Some(error),
            Work::Place(path) => {
                if let Some(place) = self.of.tree.places.get_mut(path) {
                    place.doubt_all();
                    place.trouble = Some(error);
                    self.fresh.insert(path.clone());
                }
            }
        }
        self.refused.insert(work);
    }

    /// Tells what was read, once everything known of was tried.
    fn tell(&mut self) {
        if !self.agenda.all_tried() {
            return;
        }
        self.of.tell(std::mem::take(&mut self.names_changed), &std::mem::take(&mut self.fresh));
        self.had_worked |= self.of.tree.trouble().is_none();
    }
}

fn lost(state: SessionState) -> ZookeeperError {
    let why = match state {
        SessionState::Expired => "the servers have ended the session",
        SessionState::AuthFailed => return ZookeeperError::Login,
        SessionState::ConnectedReadOnly => "the server has lost its ensemble",
        _ => "the server closed it, or doesn't answer",
    };
    ZookeeperError::Lost(why.to_owned())
}
