//! A Polaris that copies are written to.
//!
//! ```text
//!  write ─ Discover ─ whose is what stands there? ─▶ taken
//!                          └▶ puts: POST, 100 at a time ─▶ removals: isolate, then delete, 100 at a time
//! ```
//!
//! A copy has an id of its own and no health check: it stays until it is removed, is as healthy as its origin, and stands beside a
//! native instance at its address, which no write of ours can hit.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use causeway_gateways::Retry;
use reqwest::Method;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::address;
use super::answer::Answer;
use super::batch::{EXISTS, NO_CHANGE, NO_INSTANCE, Outcome};
use super::client::Client;
use super::form::{Form, advice, isolation, name};
use super::{CAPABILITIES, PolarisError, PolarisSettings};
use crate::model::{Instance, ServiceKey, Snapshot};
use crate::registries::on_demand::OnDemand;
use crate::registries::server::Server;
use crate::registries::{
    Capabilities, Change, Destination, InstanceCopy, Life, Renewed, WriteError, Written,
};

/// The most items that one request may have.
const BATCH: usize = 100;
/// Services that are written at once.
const WIDTH: usize = 8;
const INSTANCES: &str = "/naming/v1/instances";
const DELETION: &str = "/naming/v1/instances/delete";

/// A Polaris as a destination.
pub struct PolarisDestination {
    settings: PolarisSettings,
    servers: Vec<Server>,
    client: OnDemand<Client>,
}

/// What came of one change.
type Wrote = Result<Written, WriteError>;
/// A change with its place among all of a call.
type Numbered<'a> = (usize, &'a Change);

impl PolarisDestination {
    /// A Polaris that hasn't been connected to yet.
    ///
    /// # Errors
    /// As [`super::Polaris::new`].
    pub fn new(settings: PolarisSettings) -> Result<Self, PolarisError> {
        let servers = address::servers(&settings.addresses, settings.tls.is_some())?;
        Client::new(&settings, servers.clone())?;
        Ok(Self { settings, servers, client: OnDemand::new() })
    }

    /// What stands in a service. One that is to be put into is created first where it is missing.
    async fn look(
        &self,
        key: &ServiceKey,
        changes: &[Change],
    ) -> Result<(Arc<Client>, Snapshot), PolarisError> {
        let make = || Client::new(&self.settings, self.servers.clone()).map(Arc::new);
        let client = self.client.get(make)?;
        if let Answer::All(snapshot, _) = client.instances(key, "").await? {
            return Ok((client, snapshot));
        }
        if changes.iter().any(is_put) {
            create(&client, key).await?;
        }
        Ok((client, Snapshot::empty(key.clone())))
    }
}

fn is_put(change: &Change) -> bool {
    matches!(change, Change::Put(_))
}

fn copies<'a>(batch: &[Numbered<'a>]) -> Vec<&'a InstanceCopy> {
    batch.iter().map(|(_, change)| &**change.copy()).collect()
}

fn numbered(batch: &[Numbered<'_>], outcomes: Vec<Wrote>) -> impl Iterator<Item = (usize, Wrote)> {
    let places: Vec<usize> = batch.iter().map(|(at, _)| *at).collect();
    places.into_iter().zip(outcomes)
}

/// Whether somebody else has an instance where the copy would stand.
fn is_taken(standing: &Snapshot, copy: &InstanceCopy) -> bool {
    let address = &copy.instance.address;
    let mut copies = standing.copies.get(address).into_iter().flatten();
    standing.is_native(address) || copies.any(|entry| copy.is_hindered_by(entry))
}

/// Creates the service, and its namespace before it. That there is one already is fine.
async fn create(client: &Client, key: &ServiceKey) -> Result<(), PolarisError> {
    let comment = "created by Causeway";
    let steps = [
        ("/naming/v1/namespaces", json!({ "name": key.namespace, "comment": comment })),
        (
            "/naming/v1/services",
            json!({ "namespace": key.namespace, "name": key.service, "comment": comment }),
        ),
    ];
    for (path, item) in steps {
        let what = format!("the creation of {key}");
        let outcome = client.change(Method::POST, path, &[item], &what).await?.remove(0);
        if !outcome.is_fine() && outcome.code != EXISTS {
            return Err(client.refused(&what, outcome));
        }
    }
    Ok(())
}

async fn put(client: &Client, copies: &[&InstanceCopy]) -> Vec<Wrote> {
    let items: Vec<Value> = copies.iter().map(|copy| Form::of(copy).registration()).collect();
    let answered = client.change(Method::POST, INSTANCES, &items, "registrations").await;
    each(client, copies, answered, "the registration of")
}

/// Isolates and then deletes. What isn't there needs neither.
async fn remove(client: &Client, copies: &[&InstanceCopy]) -> Vec<Wrote> {
    let isolated = match isolate(client, copies).await {
        Ok(outcomes) => outcomes,
        Err(error) => return each(client, copies, Err(error), "the isolation of"),
    };
    let fine = copies.iter().zip(&isolated).filter(|(_, outcome)| outcome.is_fine());
    let there: Vec<&InstanceCopy> = fine.map(|(copy, _)| *copy).collect();
    let mut deleted = delete(client, &there).await.into_iter();
    let of_each = copies.iter().zip(isolated).map(|(copy, outcome)| match outcome.code {
        NO_INSTANCE => Ok(Written::Done),
        _ if outcome.is_fine() => deleted.next().unwrap_or(Ok(Written::Done)),
        _ => judged(client, copy, outcome, "the isolation of"),
    });
    of_each.collect()
}

async fn delete(client: &Client, copies: &[&InstanceCopy]) -> Vec<Wrote> {
    if copies.is_empty() {
        return Vec::new();
    }
    let items: Vec<Value> = copies.iter().map(|copy| name(copy)).collect();
    let answered = client.change(Method::POST, DELETION, &items, "deletions").await;
    each(client, copies, answered, "the deletion of")
}

/// Isolates copies with a change of their weight, so that it is a change of each.
async fn isolate(client: &Client, copies: &[&InstanceCopy]) -> Result<Vec<Outcome>, PolarisError> {
    let items = |copies: &[&InstanceCopy], weight: u32| -> Vec<Value> {
        copies.iter().map(|copy| isolation(copy, weight)).collect()
    };
    let mut outcomes = client.change(Method::PUT, INSTANCES, &items(copies, 0), "isolations").await?;
    let unchanged: Vec<usize> = (0..copies.len()).filter(|at| outcomes[*at].code == NO_CHANGE).collect();
    if !unchanged.is_empty() {
        let again: Vec<&InstanceCopy> = unchanged.iter().map(|at| copies[*at]).collect();
        let changed = client.change(Method::PUT, INSTANCES, &items(&again, 1), "isolations").await?;
        unchanged.into_iter().zip(changed).for_each(|(at, outcome)| outcomes[at] = outcome);
    }
    Ok(outcomes)
}

fn each(
    client: &Client,
    copies: &[&InstanceCopy],
    answered: Result<Vec<Outcome>, PolarisError>,
    what: &str,
) -> Vec<Wrote> {
    match answered {
        Ok(outcomes) => {
            let pairs = copies.iter().zip(outcomes);
            pairs.map(|(copy, outcome)| judged(client, copy, outcome, what)).collect()
        }
        Err(error) => copies.iter().map(|copy| Err(failure(&error, copy))).collect(),
    }
}

fn judged(client: &Client, copy: &InstanceCopy, outcome: Outcome, what: &str) -> Wrote {
    if outcome.is_fine() {
        return Ok(Written::Done);
    }
    let what = format!("{what} {} in {}", copy.instance.address, copy.key);
    Err(failure(&client.refused(&what, outcome), copy))
}

fn failure(error: &PolarisError, copy: &InstanceCopy) -> WriteError {
    let advice = match error {
        PolarisError::Refused { code, .. } => advice(*code, copy),
        _ => None,
    };
    let advice = advice.map(|advice| format!("; {advice}")).unwrap_or_default();
    let retry = if error.is_the_users() { Retry::Never } else { Retry::Backoff(None) };
    WriteError { message: format!("{error}{advice}"), retry }
}

#[async_trait]
impl Destination for PolarisDestination {
    fn capabilities(&self) -> &'static Capabilities {
        &CAPABILITIES
    }

    fn life(&self) -> Life {
        Life::Permanent
    }

    fn as_shown(&self, copy: &InstanceCopy) -> Instance {
        Form::of(copy).shown()
    }

    fn width(&self) -> usize {
        WIDTH
    }

    async fn write(&self, key: &ServiceKey, changes: &[Change]) -> Vec<Wrote> {
        let (client, standing) = match self.look(key, changes).await {
            Ok(seen) => seen,
            Err(error) => return changes.iter().map(|change| Err(failure(&error, change.copy()))).collect(),
        };
        let taken = |change: &Change| is_put(change) && is_taken(&standing, change.copy());
        let all = changes.iter().enumerate();
        let (taken, free): (Vec<Numbered<'_>>, Vec<_>) = all.partition(|(_, change)| taken(change));
        let (puts, removals): (Vec<Numbered<'_>>, Vec<_>) =
            free.into_iter().partition(|(_, change)| is_put(change));
        let mut outcomes: BTreeMap<usize, Wrote> =
            taken.into_iter().map(|(at, _)| (at, Ok(Written::Taken))).collect();
        for batch in puts.chunks(BATCH) {
            outcomes.extend(numbered(batch, put(&client, &copies(batch)).await));
        }
        for batch in removals.chunks(BATCH) {
            outcomes.extend(numbered(batch, remove(&client, &copies(batch)).await));
        }
        outcomes.into_values().collect()
    }

    async fn renew(&self, copies: &[InstanceCopy]) -> Vec<Result<Renewed, WriteError>> {
        copies.iter().map(|_| Ok(Renewed::Alive)).collect()
    }

    async fn tend(&self, stop: CancellationToken) {
        stop.cancelled().await;
        self.client.release();
    }
}
