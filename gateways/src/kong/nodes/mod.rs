//! The nodes of a Kong without a database, which all hold the same document.
//!
//! ```text
//!  look: /status of each ─▶ known hash · empty or come back: lacks it · loaded by somebody else: GET /config
//!  put:  the first alone, which finds what is bad in the document; then the others together
//! ```

mod node;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures::future::join_all;
use tokio::time::Instant;

use super::client::Client;
use super::settings::{KongSettings, SettingsError};
use super::stats::Stats;
use crate::declarative::{Document, Look, Pace, Place, Refusal};
use crate::{GatewayError, NodeState, Retry, tags};
use node::{Node, hash};

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
    /// The hashes of documents that mean what is to stand there.
    accepted: BTreeSet<String>,
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
            accepted: BTreeSet::new(),
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
    async fn first(&mut self) -> Result<Option<Document>, GatewayError> {
        let mut seen = BTreeSet::new();
        let mut found: Option<Document> = None;
        for node in &self.nodes {
            let Some(holds) = node.holds().filter(|hash| seen.insert((*hash).to_owned())) else { continue };
            let Some(document) = node.fetch().await? else { continue };
            let document = document.for_nodes(&self.owner);
            match &mut found {
                None => {
                    self.accepted = BTreeSet::from([holds.to_owned()]);
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
                        self.accepted.clear();
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
            None => Ok(found),
        }
    }

    /// What somebody else has loaded into a node.
    async fn other(&mut self) -> Result<Option<Document>, GatewayError> {
        let accepted = &self.accepted;
        let Some(node) = self.nodes.iter_mut().find_map(|node| node.take_given(accepted).then_some(node))
        else {
            return Ok(None);
        };
        let Some(document) = node.fetch().await? else { return Ok(None) };
        tracing::info!(
            node = node.address(),
            "somebody loaded another document: what is not ours is as it says from now on"
        );
        self.accepted = node.holds().map(str::to_owned).into_iter().collect();
        Ok(Some(document.for_nodes(&self.owner)))
    }

    /// Those that answer and hold neither a document of this hash nor one that is as good.
    fn lacking(&mut self, hash: &str, as_good: &BTreeSet<String>) -> Vec<&mut Node> {
        let lacks = |node: &&mut Node| {
            node.is_up() && node.holds().is_none_or(|holds| holds != hash && !as_good.contains(holds))
        };
        self.nodes.iter_mut().filter(lacks).collect()
    }

    /// The text for the nodes. What waits in it is told once.
    fn text(&mut self, document: &Document) -> String {
        let (text, waiting) = document.loadable();
        for waits in waiting.difference(&self.waiting) {
            tracing::info!(%waits, "it is left out of the document until what it belongs to is there");
        }
        self.waiting = waiting;
        text
    }
}

#[async_trait]
impl Place for Nodes {
    async fn look(&mut self, how: Look) -> Result<Option<Document>, GatewayError> {
        let is_recent = self.looked.is_some_and(|at| at.elapsed() < RECENT);
        if how == Look::Recent && is_recent {
            return Ok(None);
        }
        self.looked = None;
        self.probe().await?;
        let found = if self.settled { self.other().await? } else { self.first().await? };
        self.looked = Some(Instant::now());
        Ok(found)
    }

    fn outdated(&mut self) {
        self.accepted.clear();
    }

    async fn put(&mut self, document: &Document) -> Result<(), Refusal> {
        let text = self.text(document);
        let hash = hash(&text);
        let mut rest = self.lacking(&hash, &BTreeSet::new()).into_iter();
        let mut failed = None;
        for node in rest.by_ref() {
            match node.load(&text, &hash).await {
                Ok(()) => {
                    failed = None;
                    break;
                }
                Err(Refusal::Whole(error)) if error.retry != Retry::Never => failed = Some(error),
                Err(of_document) => {
                    self.publish();
                    return Err(of_document);
                }
            }
        }
        join_all(rest.map(|node| give(node, &text, &hash))).await;
        self.publish();
        let is_held = self.nodes.iter().any(|node| node.holds() == Some(&hash));
        match failed.filter(|_| !is_held) {
            Some(error) => Err(Refusal::Whole(error)),
            None => {
                self.settled = true;
                self.accepted = BTreeSet::from([hash]);
                Ok(())
            }
        }
    }

    async fn mend(&mut self, document: &Document) {
        let as_good = self.accepted.clone();
        // The text is made only when one lacks it.
        if self.lacking("", &as_good).is_empty() {
            return;
        }
        let text = self.text(document);
        let hash = hash(&text);
        let lacking = self.lacking(&hash, &as_good).into_iter().filter(|node| !node.has_refused(&hash));
        join_all(lacking.map(|node| give(node, &text, &hash))).await;
        if self.nodes.iter().any(|node| node.holds() == Some(&hash)) {
            self.accepted.insert(hash);
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
async fn give(node: &mut Node, text: &str, hash: &str) {
    match node.load(text, hash).await {
        Ok(()) => tracing::info!(node = node.address(), "the node was given the document"),
        Err(Refusal::Entities(_, words)) => node.note(Some(words)),
        Err(Refusal::Whole(error)) => node.note(Some(error.message)),
    }
}
