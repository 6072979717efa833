//! Kong's Admin API with a database, as real Kongs 3.9.1 answer it.
//!
//! ```text
//!  read ──┐                        ┌─▶ limiter (how many at once) ─▶ address in use ─▶ Kong
//!         ├─ client: one request ──┤
//!  write ─┘  repeated with backoff └─▶ answer: a table of what it means ─▶ Retry
//! ```

mod answer;
mod client;
mod entity;
mod ids;
mod limiter;
mod read;
mod settings;
mod stats;
mod write;

use async_trait::async_trait;

pub use settings::{KongSettings, SettingsError, Token};
pub use stats::RequestCount;

use crate::apply::apply;
use crate::{Applied, Gateway, GatewayError, Plan, ReadScope, Retry, World};
use answer::Refusal;
use client::{Client, Request};

/// A Kong reached by its Admin API.
pub struct KongGateway {
    client: Client,
    workspace: Option<String>,
    width: usize,
}

impl KongGateway {
    /// A client for these settings. Nothing is sent yet.
    ///
    /// # Errors
    /// When an address, the CA file or the token cannot be used.
    pub fn new(settings: KongSettings) -> Result<Self, SettingsError> {
        let client = Client::new(&settings)?;
        Ok(Self { client, workspace: settings.workspace, width: settings.concurrency })
    }

    /// How many requests may be under way at once at present.
    pub fn concurrency(&self) -> usize {
        self.client.limiter().limit()
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
        Box::pin(self.client.read(scope)).await.map_err(|refusal| self.unread(&refusal))
    }

    async fn apply(&self, plan: &Plan) -> Applied {
        apply(plan, self.width, |change| Box::pin(self.client.make(self.workspace.as_deref(), change))).await
    }

    async fn check(&self) -> Result<String, GatewayError> {
        // A list of the workspace's own, so that token and workspace are tried too.
        let mut request = Request::get(["services"]);
        request.query.push(("size", "1".into()));
        let answer = self.client.send(&request).await.map_err(|refusal| self.unread(&refusal))?;
        Ok(answer.server.unwrap_or_else(|| "an unnamed version".into()))
    }

    fn requests(&self) -> Vec<RequestCount> {
        self.client.stats().all()
    }
}
