//! Consul as a destination. A task's copies stand on a node of its own, which has no agent, and live until they are removed.
//!
//! ```text
//!  what stands ──▶ decide ──works──▶ batches ──transactions──▶ catalogue
//!                    │                  ▲
//!                    └─ form: a copy    └─ population: is the node ours, is it empty?
//!                       in Consul's words
//! ```

mod batch;
mod decide;
mod failure;
mod form;
mod node;
mod population;

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use self::batch::{Batch, batches};
use self::decide::{Decision, decide};
use self::form::Form;
use self::node::Node;
use self::population::Population;
use super::entry::{Standing, parse_standing};
use super::http::{Http, Query, instances_path};
use super::{CAPABILITIES, ConsulError, ConsulSettings};
use crate::model::{Instance, ServiceKey};
use crate::registries::{
    Capabilities, Change, Destination, InstanceCopy, Life, Renewed, WriteError, Written,
};

/// Services that are written at the same time, each on a connection.
const WIDTH: usize = 8;
const DATACENTER: &str = "datacenter";

type Outcome = Result<Written, WriteError>;

/// A Consul as a destination.
pub struct ConsulDestination {
    http: Http,
    namespace: String,
    datacenter: Option<String>,
    population: Population,
}

impl ConsulDestination {
    /// A Consul that hasn't been connected to yet.
    ///
    /// # Errors
    /// As for [`super::Consul::new`].
    pub fn new(settings: &ConsulSettings) -> Result<Self, ConsulError> {
        Ok(Self {
            http: Http::new(settings)?,
            namespace: settings.namespace()?,
            datacenter: settings.datacenter.clone(),
            population: Population::default(),
        })
    }

    /// All entries of a service, whatever the source's filter.
    async fn look(&self, key: &ServiceKey) -> Result<Vec<Standing>, ConsulError> {
        let query = Query::at_once(format!("the instances of {}", key.service), instances_path(&key.service));
        let answer = self.http.get(&query, None).await?;
        self.http.believe(&answer, &query)?;
        let Query { what, .. } = query;
        parse_standing(&answer.body).map_err(|reason| ConsulError::Unreadable {
            server: answer.server,
            what,
            reason,
        })
    }

    /// What stands now, and the nodes that are written to are ours.
    async fn prepare(&self, key: &ServiceKey, changes: &[Change]) -> Result<Vec<Standing>, ConsulError> {
        if key.namespace != self.namespace {
            return Err(ConsulError::Settings(format!(
                "this Consul has no namespace {}: all its services are written under {}",
                key.namespace, self.namespace
            )));
        }
        let puts = changes.iter().filter(|change| matches!(change, Change::Put(_)));
        let nodes: BTreeSet<Node> = puts.map(|change| Node::of(&change.copy().mark)).collect();
        for node in &nodes {
            self.population.claim(&self.http, node).await?;
        }
        self.look(key).await
    }

    /// An outcome for each change, and how many services have left which nodes.
    async fn carry_out(
        &self,
        changes: &[Change],
        standing: &[Standing],
    ) -> (Vec<Outcome>, BTreeMap<Node, usize>) {
        let mut outcomes: Vec<Outcome> = vec![Ok(Written::Done); changes.len()];
        let (mut works, mut left) = (Vec::new(), BTreeMap::new());
        for (index, change) in changes.iter().enumerate() {
            match decide(index, change, standing) {
                Decision::Taken => outcomes[index] = Ok(Written::Taken),
                Decision::Gone => {}
                Decision::Work(work) => works.push(work),
            }
        }
        works.sort_by_key(|work| !work.needs_node);
        let mut broken = None;
        for mut batch in batches(works) {
            if broken.is_none() {
                broken = self.transact(&mut batch, changes, &mut outcomes).await.err();
            }
            for work in batch.works {
                match &broken {
                    Some(error) => outcomes[work.change] = Err(failure::of(&changes[work.change], error)),
                    None => *left.entry(work.node).or_default() += work.leave,
                }
            }
        }
        left.retain(|_, services| *services > 0);
        (outcomes, left)
    }

    /// Carries out a batch. What is refused fails alone and leaves it, and the rest is tried again without it.
    async fn transact(
        &self,
        batch: &mut Batch,
        changes: &[Change],
        outcomes: &mut [Outcome],
    ) -> Result<(), ConsulError> {
        while !batch.works.is_empty() {
            let nodes = batch.nodes();
            let operations = batch.works.iter().flat_map(|work| &work.operations);
            let operations: Vec<_> = nodes.iter().chain(operations).collect();
            let refusals = self.http.transact(&operations).await?;
            if refusals.is_empty() {
                return Ok(());
            }
            for (change, refusal) in batch.take_out(&refusals) {
                outcomes[change] = Err(failure::refused(&changes[change], refusal));
            }
        }
        Ok(())
    }
}

#[async_trait]
impl Destination for ConsulDestination {
    fn capabilities(&self) -> &'static Capabilities {
        &CAPABILITIES
    }

    fn life(&self) -> Life {
        Life::Permanent
    }

    fn as_shown(&self, copy: &InstanceCopy) -> Instance {
        let mut shown = Form::of(copy).shown(copy);
        shown.attributes.extend(self.datacenter.iter().map(|name| (DATACENTER.to_owned(), name.clone())));
        shown
    }

    /// The datacenter is the server's to say.
    fn differs(&self, copy: &InstanceCopy, standing: &Instance) -> bool {
        let mut standing = standing.clone();
        if self.datacenter.is_none() {
            standing.attributes.remove(DATACENTER);
        }
        self.as_shown(copy) != standing
    }

    fn width(&self) -> usize {
        WIDTH
    }

    async fn write(&self, key: &ServiceKey, changes: &[Change]) -> Vec<Outcome> {
        let stays = self.population.stays().await;
        let standing = match self.prepare(key, changes).await {
            Ok(standing) => standing,
            Err(error) => return changes.iter().map(|change| Err(failure::of(change, &error))).collect(),
        };
        let (outcomes, left) = self.carry_out(changes, &standing).await;
        drop(stays);
        for (node, services) in left {
            if let Err(error) = self.population.left(&self.http, &node, services).await {
                tracing::debug!(node = node.name, %error, "it may be empty, and stays");
            }
        }
        for (change, outcome) in changes.iter().zip(&outcomes) {
            if let (Change::Put(copy), Ok(Written::Done)) = (change, outcome) {
                tell_what_is_left_out(copy);
            }
        }
        outcomes
    }

    async fn renew(&self, copies: &[InstanceCopy]) -> Vec<Result<Renewed, WriteError>> {
        vec![Ok(Renewed::Alive); copies.len()]
    }

    async fn tend(&self, stop: CancellationToken) {
        stop.cancelled().await;
    }
}

fn tell_what_is_left_out(copy: &InstanceCopy) {
    let keys = Form::of(copy).left_out;
    if !keys.is_empty() {
        let (address, service) = (&copy.instance.address, &copy.key.service);
        tracing::warn!(
            ?keys,
            "{address} of {service} is copied without metadata that Consul can't hold: it takes 64 pairs, keys of 128 and values of 512 bytes"
        );
    }
}
