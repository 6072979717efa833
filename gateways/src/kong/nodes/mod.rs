//! The nodes of a Kong without a database, which all hold the same document.
//!
//! ```text
//!  look: /status of each ─▶ known hash · sent, and arrived late · empty or come back: lacks it · loaded by somebody else: GET /config
//!  put:  the first alone, which finds what is bad in the document; then the others together
//! ```

mod node;
mod ours;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures::future::join_all;
use tokio::time::Instant;

use super::client::Client;
use super::settings::{KongSettings, SettingsError};
use super::stats::Stats;
use crate::declarative::{Document, Found, Look, Pace, Place, Refusal};
use crate::{GatewayError, NodeState, Retry, tags};
use node::{Load, Node};
use ours::{Ours, Standing};

/// What was seen this long ago is good enough for a plan; before anything is written, it is looked again.
const RECENT: Duration = Duration::from_secs(1);

/// Changes that come closer to each other than this go in together.
const GATHER: Duration = Duration::from_millis(50);

/// How each node stands, for whoever asks while they are at work.
pub(super) type States = Arc<Mutex<Vec<NodeState>>>;

pub(super) struct Nodes {
    nodes: Vec<Node>,
    /// The owner's tag.
    owner: String,
    /// What is not ours is in a file.
    has_base: bool,
    /// What is to stand there is known: it was found at a node, or put there.
    settled: bool,
    ours: Ours,
    /// What was last said to wait in the document.
    waiting: BTreeSet<String>,
    looked: Option<Instant>,
    interval: Duration,
    states: States,
}

impl Nodes {
    /// Their requests are counted in `stats`.
    pub(super) fn new(settings: &KongSettings, stats: &Arc<Stats>) -> Result<(Self, States), SettingsError> {
        let node = |address: &String| {
            let alone = KongSettings { addresses: vec![address.clone()], ..settings.clone() };
            Ok(Node::new(Client::counting(&alone, stats.clone())?, address))
        };
        let nodes = settings.addresses.iter().map(node).collect::<Result<Vec<_>, _>>()?;
        let states = States::default();
        let nodes = Self {
            nodes,
            owner: tags::owner_tag(&settings.owner),
            has_base: settings.base.is_some(),
            settled: false,
            ours: Ours::default(),
            waiting: BTreeSet::new(),
            looked: None,
            interval: settings.document_interval,
            states: states.clone(),
        };
        Ok((nodes, states))
    }

    fn publish(&self) {
        let states = self.nodes.iter().map(Node::state).collect();
        *self.states.lock().unwrap_or_else(PoisonError::into_inner) = states;
    }

    async fn probe(&mut self) -> Result<(), GatewayError> {
        let none_is_up = !self.nodes.iter().any(Node::is_up);
        let asked = self.nodes.iter_mut().filter(|node| node.is_up() || none_is_up || node.is_due());
        join_all(asked.map(Node::probe)).await;
        self.publish();
        if self.nodes.iter().any(Node::is_up) {
            return Ok(());
        }
        let troubles = self.nodes.iter().map(Node::trouble).collect::<Vec<_>>().join("; ");
        Err(GatewayError { message: troubles, retry: Retry::Backoff(None) })
    }

    /// What stands there, when it is not known yet: all that the first node holds that holds anything, and what is
    /// ours at the others.
    async fn first(&mut self) -> Result<Found, GatewayError> {
        let mut seen = BTreeSet::new();
        let mut found: Option<Document> = None;
        for node in &self.nodes {
            let Some(holds) = node.holds().filter(|hash| seen.insert((*hash).to_owned())) else { continue };
            let Some(document) = node.fetch().await? else { continue };
            let document = document.for_nodes(&self.owner);
            match &mut found {
                None => {
                    self.ours.settled(holds);
                    found = Some(document);
                }
                Some(first) => {
                    tracing::warn!(
                        node = node.address(),
                        "it holds another document than the first node: what is not ours is taken from the first"
                    );
                    let before = first.text();
                    first.take_ours(&document, &self.owner);
                    if first.text() != before {
                        self.ours.none_is_right();
                    }
                }
            }
        }
        self.settled = found.is_some();
        let absent = self.nodes.iter().find(|node| !node.is_up());
        match absent.filter(|_| found.is_none() && !self.has_base) {
            // It may be the one that holds what is not ours.
            Some(absent) => Err(GatewayError {
                message: format!(
                    "every node that answers is empty, and what {} holds is not known ({}); nothing is written before it answers, unless `base` says what is not ours",
                    absent.address(),
                    absent.trouble()
                ),
                retry: Retry::Backoff(None),
            }),
            None => Ok(found.map_or(Found::Nothing, Found::Others)),
        }
    }

    /// What was sent when nobody could say what became of it, and a node shows now.
    fn arrived(&mut self) -> Result<Option<Document>, GatewayError> {
        let Some(text) = self.ours.arrived(self.nodes.iter().filter_map(Node::holds)) else {
            return Ok(None);
        };
        tracing::info!(
            "a document that was not known to be taken has been taken: it is what stands from now on"
        );
        let document = Document::read(&text).map_err(|broken| GatewayError {
            message: format!("a document that was sent cannot be understood: {broken}"),
            retry: Retry::Backoff(None),
        })?;
        Ok(document.map(|document| document.for_nodes(&self.owner)))
    }

    /// What stands there now and was not known to.
    async fn other(&mut self) -> Result<Found, GatewayError> {
        if let Some(document) = self.arrived()? {
            return Ok(Found::Sent(document));
        }
        let ours = &self.ours;
        let Some(node) = self.nodes.iter_mut().find_map(|node| node.take_given(ours).then_some(node)) else {
            return Ok(Found::Nothing);
        };
        let Some(document) = node.fetch().await? else { return Ok(Found::Nothing) };
        tracing::info!(
            node = node.address(),
            "somebody loaded another document: what is not ours is as it says from now on"
        );
        if let Some(holds) = node.holds() {
            self.ours.settled(holds);
        }
        Ok(Found::Others(document.for_nodes(&self.owner)))
    }

    /// Whether a node that answers holds no document that means what is to stand there.
    fn any_lacks(&self) -> bool {
        let is_right = |hash| self.ours.standing(hash) == Standing::Right;
        self.nodes.iter().filter_map(Node::shows).any(|hash| !is_right(hash))
    }

    /// What is sent to the nodes. What waits in it is told once.
    fn load_of(&mut self, document: &Document) -> Load {
        let (document, waiting) = document.loadable();
        for waits in waiting.difference(&self.waiting) {
            tracing::info!(%waits, "it is left out of the document until what it belongs to is there");
        }
        self.waiting = waiting;
        Load::new(&document)
    }
}

#[async_trait]
impl Place for Nodes {
    async fn look(&mut self, how: Look) -> Result<Found, GatewayError> {
        let is_recent = self.looked.is_some_and(|at| at.elapsed() < RECENT);
        if how == Look::Recent && is_recent {
            return Ok(Found::Nothing);
        }
        self.looked = None;
        self.probe().await?;
        let found = if self.settled { self.other().await? } else { self.first().await? };
        self.looked = Some(Instant::now());
        Ok(found)
    }

    fn outdated(&mut self) {
        self.ours.none_is_right();
    }

    async fn put(&mut self, document: &Document) -> Result<(), Refusal> {
        let load = self.load_of(document);
        self.ours.sending(&load.hash, &load.text);
        let mut rest = self.nodes.iter_mut().filter(|node| node.is_up() && !node.shows_load(&load));
        let mut failed = None;
        for node in rest.by_ref() {
            match node.load(&load).await {
                Ok(()) => {
                    failed = None;
                    break;
                }
                Err(Refusal::Whole(error)) if error.retry != Retry::Never => failed = Some(error),
                Err(of_document) => {
                    self.ours.refused(&load.hash);
                    self.publish();
                    return Err(of_document);
                }
            }
        }
        join_all(rest.map(|node| give(node, &load))).await;
        self.publish();
        let is_held = self.nodes.iter().any(|node| node.shows_load(&load));
        match failed.filter(|_| !is_held) {
            Some(error) => Err(Refusal::Whole(error)),
            None => {
                self.settled = true;
                self.ours.settled(&load.hash);
                load.hashes().for_each(|hash| self.ours.means_the_same(hash));
                Ok(())
            }
        }
    }

    async fn mend(&mut self, document: &Document) {
        // The text is made only when one lacks it.
        if !self.any_lacks() {
            return;
        }
        let load = self.load_of(document);
        self.ours.repeating(&load.hash);
        let (nodes, ours) = (&mut self.nodes, &self.ours);
        let lacks = |node: &Node| {
            let is_right = |hash| ours.standing(hash) == Standing::Right;
            node.shows().is_some_and(|hash| !is_right(hash))
                && !node.shows_load(&load)
                && !node.has_refused(&load.hash)
        };
        let lacking = nodes.iter_mut().filter(|node| lacks(node));
        join_all(lacking.map(|node| give(node, &load))).await;
        if self.nodes.iter().any(|node| node.shows_load(&load)) {
            load.hashes().for_each(|hash| self.ours.means_the_same(hash));
            self.settled = true;
        }
        self.publish();
    }

    fn empty(&self) -> Document {
        Document::for_an_empty_node()
    }

    fn adapted(&self, document: Document) -> Document {
        document.for_nodes(&self.owner)
    }

    fn remembers_ours(&self) -> bool {
        true
    }

    fn pace(&self) -> Pace {
        Pace { gather: GATHER, rest: self.interval }
    }

    fn describe(&self) -> String {
        let up = self.nodes.iter().filter(|node| node.is_up());
        let server = up.clone().find_map(|node| node.server.clone());
        let (up, all) = (up.count(), self.nodes.len());
        format!("{} without a database, {up} of {all} nodes answer", server.unwrap_or_else(|| "Kong".into()))
    }
}

/// Gives a node the document. What keeps it from taking it is noted there.
async fn give(node: &mut Node, load: &Load) {
    match node.load(load).await {
        Ok(()) => tracing::info!(node = node.address(), "the node was given the document"),
        Err(Refusal::Entities(_, words)) => node.note(Some(words)),
        Err(Refusal::Whole(error)) => node.note(Some(error.message)),
    }
}
