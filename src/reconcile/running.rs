//! What runs, and how it is stopped.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use super::copies::CopyFlow;
use super::flow::Flow;
use crate::model::ServiceKey;

/// What runs, until [`Running::stop`]. Dropped, it ends where it stands.
pub struct Running {
    /// Ends the flows.
    pub(super) stop: CancellationToken,
    /// Ends what reads and looks after registries and gateways.
    pub(super) readers: CancellationToken,
    pub(super) workers: Vec<(Arc<dyn Work>, JoinHandle<()>)>,
    pub(super) others: Vec<JoinHandle<()>>,
}

/// A flow at work.
pub(super) trait Work: Send + Sync {
    /// The task's name.
    fn task(&self) -> &str;

    /// Services whose turn is under way.
    fn busy(&self) -> Vec<ServiceKey>;
}

impl Work for Flow {
    fn task(&self) -> &str {
        &self.task.name
    }

    fn busy(&self) -> Vec<ServiceKey> {
        Flow::busy(self)
    }
}

impl Work for CopyFlow {
    fn task(&self) -> &str {
        &self.way.task().name
    }

    fn busy(&self) -> Vec<ServiceKey> {
        CopyFlow::busy(self)
    }
}

impl Running {
    /// Begins no new turn, lets those under way end within `grace`, then stops watching. Answers what had to be cut off.
    pub async fn stop(mut self, grace: Duration) -> Vec<String> {
        self.stop.cancel();
        let deadline = Instant::now() + grace;
        let mut cut_off = Vec::new();
        for (flow, mut worker) in std::mem::take(&mut self.workers) {
            if tokio::time::timeout_at(deadline, &mut worker).await.is_err() {
                worker.abort();
                cut_off.extend(flow.busy().into_iter().map(|key| format!("{key} of task {}", flow.task())));
            }
        }
        self.readers.cancel();
        let ended = futures::future::join_all(std::mem::take(&mut self.others));
        let _ = timeout(Duration::from_secs(1), ended).await;
        cut_off
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.workers.iter().for_each(|(_, worker)| worker.abort());
        self.others.iter().for_each(JoinHandle::abort);
    }
}
