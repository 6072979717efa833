//! Reading everything once, for commands that look or make a single pass.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use causeway_gateways::GatewayError;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::supervisor::Supervisor;

impl Supervisor {
    /// Reads registries and gateways once, for commands that look or make a single pass. The watches end with the token.
    ///
    /// # Errors
    /// A gateway that cannot be read, by name. A registry that cannot be read is no error: its view says what is unknown.
    pub async fn read_once(
        self: &Arc<Self>,
        patience: Duration,
        stop: &CancellationToken,
    ) -> Result<(), String> {
        self.watch_once(patience, stop).await;
        match self.read_gateways().await.into_iter().next() {
            Some((name, error)) => Err(format!("gateway {name} cannot be read: {error}")),
            None => Ok(()),
        }
    }

    /// Reads every gateway, and tells the guards what stands in those that could be read. Answers why the others could not.
    pub async fn read_gateways(&self) -> BTreeMap<String, GatewayError> {
        let mut failed = BTreeMap::new();
        for (name, gateway) in &self.gateways {
            match gateway.read_all().await {
                Ok(()) => gateway.mark_ready(),
                Err(error) => drop(failed.insert(name.clone(), error)),
            }
        }
        for flow in self.flows.iter().filter(|flow| flow.gateway.was_read()) {
            flow.take_stock();
        }
        failed
    }

    /// Watches until every registry was tried, or patience ends, and tells the guards what stands in those that are written.
    pub async fn watch_once(self: &Arc<Self>, patience: Duration, stop: &CancellationToken) {
        self.watch(stop);
        for source in self.sources() {
            let mut progress = source.view().progress();
            // Whatever is not read by then is unknown, and said to be.
            let _ = timeout(patience, progress.wait_for(|progress| progress.settled)).await;
        }
        self.copies.iter().for_each(|flow| flow.take_stock());
    }
}
