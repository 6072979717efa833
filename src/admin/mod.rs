//! The admin server: health, metrics, and the JSON API.
//!
//! ```text
//! GET  /healthz         200 while the process runs
//! GET  /readyz          200 once each task's first pass is done or its registry is reported unreachable, else 503
//! GET  /metrics         OpenMetrics text
//! GET  /api/v1/status   Status as JSON
//! GET  /api/v1/why?service=S   Why the services of this name (`S` or `NAMESPACE/S`) stand as they do, as JSON
//! GET  /api/v1/migration?task=T   How far the applications of a task between two registries have moved, as JSON
//! POST /api/v1/release  {"registry": NAME}: every level of that registry is set to what is shown now
//! ```

mod auth;
mod handlers;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::config::Secret;
pub use crate::reconcile::Backend;

/// The admin server could not be started.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {listen} for the admin API: {source}; free the address or set `admin.listen`")]
pub struct ListenError {
    listen: SocketAddr,
    source: std::io::Error,
}

/// A server that listens and does not serve yet.
pub struct Server {
    listener: TcpListener,
    app: Router,
}

impl Server {
    /// Binds the address, so that a taken one is told before anything is started.
    ///
    /// # Errors
    /// The address cannot be bound.
    pub async fn bind(
        listen: SocketAddr,
        token: Option<Secret>,
        backend: Arc<dyn Backend>,
    ) -> Result<Self, ListenError> {
        let listener = TcpListener::bind(listen).await.map_err(|source| ListenError { listen, source })?;
        Ok(Self { listener, app: routes(token, backend) })
    }

    /// The address it listens on.
    pub fn address(&self) -> Option<SocketAddr> {
        self.listener.local_addr().ok()
    }

    /// Serves until `stop`.
    pub async fn serve(self, stop: CancellationToken) {
        let served =
            axum::serve(self.listener, self.app).with_graceful_shutdown(stop.cancelled_owned()).await;
        if let Err(error) = served {
            tracing::error!(%error, "the admin API has ended; the tasks go on without it");
        }
    }
}

fn routes(token: Option<Secret>, backend: Arc<dyn Backend>) -> Router {
    let guarded = Router::new()
        .route("/metrics", get(handlers::metrics))
        .route("/api/v1/status", get(handlers::status))
        .route("/api/v1/why", get(handlers::why))
        .route("/api/v1/migration", get(handlers::migration))
        .route("/api/v1/release", post(handlers::release))
        .route_layer(axum::middleware::from_fn_with_state(token.map(Arc::new), auth::require_token));
    Router::new()
        .route("/healthz", get(handlers::healthz))
        .route("/readyz", get(handlers::readyz))
        .merge(guarded)
        .with_state(backend)
}
