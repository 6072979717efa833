//! Kong's Admin API, as real Kongs 3.9.1 answer it. With a database objects are written one by one; without one the nodes
//! are given whole documents. Which it is, is found out from Kong itself.
//!
//! ```text
//!  read ──┐                        ┌─▶ limiter (how many at once) ─▶ address in use ─▶ Kong
//!         ├─ client: one request ──┤
//!  write ─┘  repeated with backoff └─▶ answer: a table of what it means ─▶ Retry
//!  nodes: a place for documents (see `declarative`), over clients of one address each
//! ```

mod answer;
mod client;
mod entity;
mod health;
pub(crate) mod ids;
mod limiter;
mod nodes;
mod read;
mod settings;
mod stats;
mod write;

use std::collections::BTreeSet;
use std::sync::PoisonError;

use async_trait::async_trait;
use tokio::sync::OnceCell;

pub use settings::{KongSettings, SettingsError, Token};
pub use stats::RequestCount;

use crate::apply::apply;
use crate::declarative::{Declarative, all_failed};
use crate::{Applied, Gateway, GatewayError, NodeHealth, NodeState, Plan, ReadScope, Retry, World};
use answer::{Cause, Refusal};
use client::{Client, Request};
use nodes::{Nodes, States};

/// A Kong reached by its Admin API.
pub struct KongGateway {
    client: Client,
    workspace: Option<String>,
    width: usize,
    mode: OnceCell<Mode>,
    /// What is worked with when there is no database.
    document: Declarative<Nodes>,
    states: States,
}

/// Where a Kong keeps its configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Database,
    /// In the memory of each node.
    Document,
}

impl KongGateway {
    /// A client for these settings. Nothing is sent yet.
    ///
    /// # Errors
    /// When an address, the CA file or the token cannot be used.
    pub fn new(settings: KongSettings) -> Result<Self, SettingsError> {
        let client = Client::new(&settings)?;
        let (nodes, states) = Nodes::new(&settings, client.stats())?;
        let document = Declarative::new(nodes, settings.base, &settings.owner);
        let (workspace, width) = (settings.workspace, settings.concurrency);
        Ok(Self { client, workspace, width, mode: OnceCell::new(), document, states })
    }

    /// How many requests may be under way at once at present.
    pub fn concurrency(&self) -> usize {
        self.client.limiter().limit()
    }

    /// What Kong says itself; asked until somebody answers.
    async fn mode(&self) -> Result<Mode, GatewayError> {
        let ask = async || match self.client.send(&Request::get([])).await {
            Ok(answer) if answer.body.pointer("/configuration/database") == Some(&"off".into()) => {
                tracing::info!("this Kong runs without a database: its nodes are given whole documents");
                Ok(Mode::Document)
            }
            Ok(_) => Ok(Mode::Database),
            // Only with a database are there users who may not see this, and workspaces that have no such page.
            Err(Refusal { cause: Cause::Status { status: 403 | 404, .. }, .. }) => Ok(Mode::Database),
            Err(refusal) => Err(self.unread(&refusal)),
        };
        self.mode.get_or_try_init(ask).await.copied()
    }

    fn has_no_database(&self) -> bool {
        self.mode.get() == Some(&Mode::Document)
    }

    /// Without a reading nothing can be done, so it is tried again whatever the reason.
    fn unread(&self, refusal: &Refusal) -> GatewayError {
        let hint = match &self.workspace {
            Some(workspace) if refusal.status() == Some(404) => {
                format!("; is there a workspace {workspace}?")
            }
            _ => String::new(),
        };
        GatewayError { message: format!("{refusal}{hint}"), retry: Retry::Backoff(refusal.retry_after()) }
    }
}

#[async_trait]
impl Gateway for KongGateway {
    async fn read(&self, scope: &ReadScope) -> Result<World, GatewayError> {
        match self.mode().await? {
            Mode::Document => self.document.read(scope).await,
            Mode::Database => {
                Box::pin(self.client.read(scope)).await.map_err(|refusal| self.unread(&refusal))
            }
        }
    }

    async fn apply(&self, plan: &Plan) -> Applied {
        let make = |change| Box::pin(self.client.make(self.workspace.as_deref(), change));
        match self.mode().await {
            Ok(Mode::Document) => self.document.apply(plan).await,
            Ok(Mode::Database) => apply(plan, self.width, make).await,
            Err(error) => all_failed(&plan.changes, &error),
        }
    }

    async fn check(&self) -> Result<String, GatewayError> {
        if self.mode().await? == Mode::Document {
            return self.document.check().await;
        }
        // A list of the workspace's own, so that token and workspace are tried too.
        let mut request = Request::get(["services"]);
        request.query.push(("size", "1".into()));
        let answer = self.client.send(&request).await.map_err(|refusal| self.unread(&refusal))?;
        Ok(answer.server.unwrap_or_else(|| "an unnamed version".into()))
    }

    fn width(&self) -> usize {
        if self.has_no_database() { self.document.width() } else { crate::gateway::WIDTH }
    }

    async fn tend(&self) {
        if self.has_no_database() {
            return self.document.tend().await;
        }
        std::future::pending().await
    }

    fn nodes(&self) -> Vec<NodeState> {
        self.states.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn health(&self, upstreams: &BTreeSet<String>) -> Vec<NodeHealth> {
        Box::pin(self.client.health(upstreams)).await
    }

    fn requests(&self) -> Vec<RequestCount> {
        self.client.stats().all()
    }
}
