//! Reads one service: waiting for a change, or at once when its turn comes.

use std::time::Duration;

use tokio::time::Instant;

use super::ConsulError;
use super::entry::{parse_instances, snapshot};
use super::http::{Answer, Query, instances_path};
use super::index::{Cursor, Step};
use super::shared::Shared;
use crate::guard::Scope;
use crate::model::ServiceKey;

/// How long a query waits for a change. One that is given up holds its connection at the server until then.
pub(super) const WAIT: Duration = Duration::from_secs(10);
/// A failure says something of the service itself when it lasts while the list can be read.
const PATIENCE: u32 = 3;

/// What a reading found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// Nothing has changed.
    Same,
    /// Nothing has changed, but the answer wasn't held back.
    Hurried,
    /// It was read for the first time, or again to the same effect.
    Read,
    /// It shows something else than before.
    Changed,
    /// The index went back, so the answer counts for nothing.
    Reset,
}

/// One service's place in its answers.
pub(super) struct Reader {
    key: ServiceKey,
    query: Query,
    cursor: Cursor,
    /// Of the server, when it was last asked.
    outages: u64,
    failures: u32,
}

impl Reader {
    pub(super) fn new(shared: &Shared, service: &str) -> Self {
        let query = Query {
            filter: shared.filter.clone(),
            sorted: true,
            wait: WAIT,
            ..Query::at_once(format!("the instances of {service}"), instances_path(service))
        };
        let outages = shared.outages();
        Self { key: shared.key(service), query, cursor: Cursor::default(), outages, failures: 0 }
    }

    pub(super) fn service(&self) -> &str {
        &self.key.service
    }

    /// Reads it, and tells the view what it shows.
    ///
    /// # Errors
    /// What failed. The view hears of it when it lasts.
    pub(super) async fn read(&mut self, shared: &Shared, may_wait: bool) -> Result<Found, ConsulError> {
        // After an outage, the same index may be that of other data.
        let outages = shared.outages();
        if std::mem::replace(&mut self.outages, outages) != outages {
            self.cursor.ask_at_once();
        }
        let index = self.cursor.request().filter(|_| may_wait);
        let begun = Instant::now();
        let found = match shared.http.get(&self.query, index).await {
            Ok(answer) => self.take(shared, &answer, index.map(|_| begun.elapsed())),
            Err(error) => Err(error),
        };
        match &found {
            Ok(_) => self.failures = 0,
            Err(error) => self.failed(shared, error),
        }
        found
    }

    /// The source could not be read, so the failures said nothing of this service.
    pub(super) fn forgive(&mut self) {
        self.failures = 0;
    }

    fn take(
        &mut self,
        shared: &Shared,
        answer: &Answer,
        waited: Option<Duration>,
    ) -> Result<Found, ConsulError> {
        shared.http.believe(answer, &self.query)?;
        match self.cursor.answered(answer.index, waited) {
            Step::Unchanged => return Ok(Found::Same),
            Step::Hurried => return Ok(Found::Hurried),
            Step::Reset => {
                shared.view.reset(Scope::Service(self.key.clone()));
                return Ok(Found::Reset);
            }
            Step::Changed => {}
        }
        let instances = parse_instances(&answer.body).map_err(|reason| ConsulError::Unreadable {
            server: answer.server.clone(),
            what: self.query.what.clone(),
            reason,
        })?;
        let now = snapshot(self.key.clone(), instances, answer.index);
        let before = shared.view.reading(&self.key).map(|reading| reading.snapshot);
        let changed = before.is_some_and(|before| !before.same_instances(&now));
        shared.view.publish(now);
        Ok(if changed { Found::Changed } else { Found::Read })
    }

    fn failed(&mut self, shared: &Shared, error: &ConsulError) {
        self.cursor.ask_at_once();
        self.failures += 1;
        // A refused connection says nothing of the service: it is read in turn, or a little later.
        let about_it = !matches!(error, ConsulError::Busy { .. });
        if about_it && self.failures >= PATIENCE && *shared.sound.borrow() {
            shared.view.set_unknown(Scope::Service(self.key.clone()), error.to_string());
        }
    }
}
