//! Keeps one connection for a namespace, and on it a session that subscribes what is wanted.

use std::sync::Arc;
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use tokio::sync::{Notify, mpsc, watch};
use tokio::time::sleep;

use super::address::Server;
use super::connection::Connection;
use super::names::Namespace;
use super::names_loop::Names;
use super::session::{End, Session};
use super::{Health, Leg, NacosError, Shared};
use crate::guard::Scope;
use crate::registries::{Interest, View};

const FIRST_RETRY: Duration = Duration::from_millis(100);
const LAST_RETRY: Duration = Duration::from_secs(5);

/// Watches one namespace for as long as it is polled.
pub(super) struct Subscriber {
    pub(super) shared: Arc<Shared>,
    pub(super) namespace: Namespace,
    pub(super) interest: Arc<dyn Interest>,
    pub(super) view: Arc<View>,
    pub(super) health: Arc<Health>,
    pub(super) wake: Arc<Notify>,
    pub(super) names: watch::Receiver<Arc<Names>>,
    /// The services whose full listing shows more than pushes do.
    pub(super) hidden: mpsc::UnboundedReceiver<String>,
}

impl Subscriber {
    /// Never returns, unless nobody lists names any more; dropping it is the end.
    pub(super) async fn run(mut self) {
        let mut waits = retry_waits();
        let mut turn = 0;
        let mut named: Option<Server> = None;
        while self.something_wanted().await {
            let servers = &self.shared.servers;
            let server = named.take().unwrap_or_else(|| servers[turn % servers.len()].clone());
            let error = match self.connected(&server).await {
                End::Reset(elsewhere) => {
                    named = elsewhere.and_then(|(host, port)| self.shared.server(&server, &host, port));
                    waits = retry_waits();
                    NacosError::Unreachable {
                        server: server.label,
                        reason: "it asked us to connect anew".to_owned(),
                    }
                }
                End::Failed { error, had_worked } => {
                    if had_worked {
                        waits = retry_waits();
                    } else {
                        turn += 1;
                    }
                    error
                }
            };
            self.failed(&error);
            sleep(waits.next().unwrap_or(LAST_RETRY)).await;
        }
    }

    /// Waits until there is a service to subscribe; without one there is nothing that a connection could fail at.
    async fn something_wanted(&mut self) -> bool {
        if self.names.borrow().is_empty() {
            self.health.sound(Leg::Stream);
        }
        self.names.wait_for(|names| !names.is_empty()).await.is_ok()
    }

    async fn connected(&mut self, server: &Server) -> End {
        match Connection::open(server, &self.shared.trust, &self.namespace.id).await {
            Ok(connection) => {
                self.shared.api.forget().await;
                Session::new(self, connection).run().await
            }
            Err(error) => End::Failed { error, had_worked: false },
        }
    }

    fn failed(&self, error: &NacosError) {
        self.health.failed(Leg::Stream, error);
        if matches!(error, NacosError::Starting { .. }) {
            self.view.reset(Scope::Namespace(self.namespace.key.clone()));
        }
    }
}

fn retry_waits() -> ExponentialBackoff {
    let builder = ExponentialBuilder::new().with_min_delay(FIRST_RETRY).with_max_delay(LAST_RETRY);
    builder.with_jitter().without_max_times().build()
}
