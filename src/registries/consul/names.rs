//! Keeps the list of services. It decides which there are, and whether the source can be read at all.

use std::collections::BTreeSet;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use backon::ExponentialBackoff;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::ConsulError;
use super::entry::parse_names;
use super::follower::Note;
use super::http::{Answer, Query};
use super::index::{Cursor, Step};
use super::shared::{Shared, retry_waits};
use crate::guard::Scope;
use crate::registries::troubles::Troubles;
use crate::registries::{Beginning, Interest};

/// The servers' own service, in every catalogue from the first moment on. It is never carried.
const OWN_SERVICE: &str = "consul";
/// How long the query waits for a change. It is the pulse too: a path that swallows everything, and rights that are taken away,
/// are noticed within this time and a little.
const WAIT: Duration = Duration::from_secs(10);
/// Between two readings while services come and go.
const GAP: Duration = Duration::from_millis(100);
/// Between two readings that something suspicious asks for: a failure elsewhere, or an answer that wasn't held back.
const SUSPICION_GAP: Duration = Duration::from_secs(1);
/// A server that goes ends all queries, though not at the very same moment.
const TOGETHER: Duration = Duration::from_millis(200);
const FIRST_RETRY: Duration = Duration::from_millis(200);
const LAST_RETRY: Duration = Duration::from_secs(5);
/// A failure that comes sooner may be of a connection alone; then it is tried on another before it is told.
const QUICK: Duration = Duration::from_secs(5);
/// A refused connection is told when it lasts.
const BUSY_PATIENCE: u32 = 3;

/// Reads the list for as long as it is polled.
pub(super) struct NamesLoop {
    shared: Arc<Shared>,
    notes: mpsc::UnboundedSender<Note>,
    query: Query,
    /// All wanted services, when their names are known beforehand.
    exact: Option<BTreeSet<String>>,
    cursor: Cursor,
    /// No suspicion counts before.
    calm_until: Instant,
    /// The server has held an answer back, as it does unless something on the way doesn't wait.
    held: bool,
    /// A query that it was to hold back ended: it may have been started anew, without what it knew.
    doubtful: bool,
    failures: u32,
    troubles: Troubles<ConsulError>,
    waits: ExponentialBackoff,
}

impl NamesLoop {
    pub(super) fn new(shared: Arc<Shared>, notes: mpsc::UnboundedSender<Note>) -> Self {
        let query = Query {
            what: "the list of services".to_owned(),
            path: "/catalog/services".to_owned(),
            filter: None,
            sorted: false,
            wait: WAIT,
        };
        let exact = exact(&*shared.interest, &shared.namespace);
        let waits = retry_waits(FIRST_RETRY, LAST_RETRY);
        Self {
            troubles: Troubles::new(Arc::clone(&shared.view)),
            shared,
            notes,
            query,
            exact,
            cursor: Cursor::default(),
            calm_until: Instant::now(),
            held: false,
            doubtful: false,
            failures: 0,
            waits,
        }
    }

    /// Never returns; dropping it is the end.
    pub(super) async fn run(mut self) {
        loop {
            let (index, begun) = (self.cursor.request(), Instant::now());
            let Some(answer) = self.answer(index).await else {
                self.look_again();
                continue;
            };
            let took = begun.elapsed();
            match answer.and_then(|answer| self.whole(&answer).map(|names| (names, answer.index))) {
                Ok((names, at)) => {
                    let step = self.cursor.answered(at, index.map(|_| took));
                    self.on_names(names, step).await;
                }
                Err(error) => {
                    if index.is_some() && matches!(error, ConsulError::Unreachable { .. }) {
                        self.doubtful |= std::mem::take(&mut self.held);
                    }
                    self.on_failure(error, took).await;
                }
            }
        }
    }

    /// The answer to one query; `None` when another query has failed, while this one goes on.
    async fn answer(&self, index: Option<u64>) -> Option<Result<Answer, ConsulError>> {
        let answer = self.shared.http.get(&self.query, index);
        if index.is_none() {
            return Some(answer.await);
        }
        let suspicion = async {
            sleep_until(self.calm_until).await;
            self.shared.suspicion.notified().await;
        };
        unless_it_goes_on(answer, suspicion).await
    }

    fn look_again(&mut self) {
        self.calm_until = Instant::now() + SUSPICION_GAP;
        self.cursor.ask_at_once();
    }

    /// What is listed meanwhile can wait; that a query failed can't.
    async fn wait_while_put_off(&mut self) {
        let shared = Arc::clone(&self.shared);
        tokio::select! {
            () = shared.view.put_off().over() => {}
            () = shared.suspicion.notified() => self.look_again(),
        }
    }

    /// The names in an answer that holds all of them.
    fn whole(&self, answer: &Answer) -> Result<BTreeSet<String>, ConsulError> {
        let (server, what) = (answer.server.clone(), self.query.what.clone());
        let names = parse_names(&answer.body).map_err(|reason| ConsulError::Unreadable {
            server: server.clone(),
            what: what.clone(),
            reason,
        })?;
        if answer.default_deny && !names.contains(OWN_SERVICE) {
            return Err(ConsulError::Withheld { server, what });
        }
        if names.is_empty() {
            let reason = "it doesn't list even itself yet".to_owned();
            return Err(ConsulError::NotReady { server, reason });
        }
        Ok(names)
    }

    async fn on_names(&mut self, names: BTreeSet<String>, step: Step) {
        match step {
            Step::Reset => {
                self.doubtful = false;
                self.shared.note_outage();
                self.shared.view.reset(Scope::Source);
            }
            Step::Hurried => {
                self.doubtful |= std::mem::take(&mut self.held);
                self.shared.note_outage();
                sleep_until(self.calm_until).await;
                self.look_again();
            }
            Step::Changed => {
                // What has been told as unreadable is doubted as soon as it can be read again.
                if std::mem::take(&mut self.doubtful) && self.troubles.of(&Scope::Source).is_none() {
                    self.shared.view.reset(Scope::Source);
                }
                self.tell(self.wanted(names));
                self.recovered();
                sleep(GAP).await;
                self.wait_while_put_off().await;
            }
            Step::Unchanged => {
                self.held = true;
                self.recovered();
            }
        }
    }

    fn wanted(&self, names: BTreeSet<String>) -> BTreeSet<String> {
        let wanted =
            |name: &String| name != OWN_SERVICE && self.shared.interest.wants(&self.shared.key(name));
        names.into_iter().filter(wanted).collect()
    }

    fn tell(&self, names: BTreeSet<String>) {
        self.shared.view.set_names(&self.shared.namespace, names.clone());
        self.shared.names.send_if_modified(|old| {
            let changed = **old != names;
            *old = Arc::new(names);
            changed
        });
        self.shared.note_move();
    }

    fn recovered(&mut self) {
        (self.failures, self.waits) = (0, retry_waits(FIRST_RETRY, LAST_RETRY));
        self.troubles.sound(&Scope::Source);
        self.shared.sound.send_if_modified(|sound| !std::mem::replace(sound, true));
    }

    async fn on_failure(&mut self, error: ConsulError, after: Duration) {
        self.cursor.ask_at_once();
        self.failures += 1;
        if error.is_narrow()
            && let Some(exact) = &self.exact
        {
            // What the token may read is asked for by name, and each answer says whether it is whole.
            self.tell(exact.clone());
            self.recovered();
            sleep(WAIT).await;
            return;
        }
        let busy = matches!(error, ConsulError::Busy { .. });
        if busy {
            // Without this query nothing is known, so the others make room for it. Whoever listens ends with it.
            let _ = self.notes.send(Note::Busy(error.clone()));
        } else {
            self.shared.note_outage();
        }
        let patience = if busy { BUSY_PATIENCE } else { 2 };
        let told = self.troubles.of(&Scope::Source).is_some();
        if told || self.failures >= patience || after > QUICK || !error.is_passing() {
            self.unreadable(error);
        }
        sleep(self.waits.next().unwrap_or(LAST_RETRY)).await;
    }

    fn unreadable(&mut self, error: ConsulError) {
        self.shared.sound.send_if_modified(|sound| std::mem::replace(sound, false));
        self.troubles.failed(Scope::Source, error);
    }
}

/// The end of a query, if it has one by the time that another one has failed, or soon after: then both failed for one reason, which
/// would be lost with this one's end.
async fn unless_it_goes_on<T>(
    query: impl Future<Output = T>,
    other_failed: impl Future<Output = ()>,
) -> Option<T> {
    let mut query = pin!(query);
    tokio::select! {
        end = &mut query => Some(end),
        () = other_failed => timeout(TOGETHER, query).await.ok(),
    }
}

/// All wanted services, when every name is known beforehand.
fn exact(interest: &dyn Interest, namespace: &str) -> Option<BTreeSet<String>> {
    let whole = |beginning: Beginning| match beginning {
        Beginning::Whole(name) => Some(name),
        Beginning::Part(_) => None,
    };
    let names: BTreeSet<String> = interest.beginnings().into_iter().map(whole).collect::<Option<_>>()?;
    let wanted = |name: &String| interest.wants(&crate::model::ServiceKey::new(namespace, name));
    Some(names.into_iter().filter(wanted).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ServiceKey;

    struct Wanted(Vec<Beginning>);

    impl Interest for Wanted {
        fn namespaces(&self) -> Option<BTreeSet<String>> {
            None
        }

        fn wants(&self, key: &ServiceKey) -> bool {
            key.namespace == "default"
        }

        fn beginnings(&self) -> BTreeSet<Beginning> {
            self.0.iter().cloned().collect()
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_query_that_ends_with_another_one_is_heard_out() {
        let ends = async |own: Option<u64>, other: u64| {
            let query = async {
                match own {
                    Some(at) => sleep(Duration::from_millis(at)).await,
                    None => std::future::pending().await,
                }
            };
            unless_it_goes_on(query, sleep(Duration::from_millis(other))).await.is_some()
        };
        assert!(ends(Some(10), 20).await);
        assert!(ends(Some(20), 10).await, "the server has gone, and this query tells of it");
        assert!(!ends(None, 10).await, "only the other one's connection is gone");
    }

    #[test]
    fn names_are_known_beforehand_only_without_patterns() {
        let (whole, part) = (Beginning::Whole("orders".into()), Beginning::Part("pay".into()));
        let orders = Some(BTreeSet::from(["orders".to_owned()]));
        assert_eq!(exact(&Wanted(vec![whole.clone()]), "default"), orders);
        assert_eq!(exact(&Wanted(vec![whole.clone()]), "other"), Some(BTreeSet::new()));
        assert_eq!(exact(&Wanted(vec![whole, part]), "default"), None);
    }
}
