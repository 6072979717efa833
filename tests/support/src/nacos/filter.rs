//! HTTP in front of a real Nacos that leaves parts of it out: an older version, or a user with fewer rights.

use std::net::SocketAddr;

use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::http_client;
use crate::process::Failure;

/// The largest body that is passed on, in bytes.
const BODY_LIMIT: usize = 16 << 20;

/// What is answered without asking the server: the path's beginning and the status.
pub type Refused = &'static [(&'static str, u16)];

/// A filter on a loopback port. Dropping it ends it.
#[derive(Debug)]
pub struct HttpFilter {
    address: SocketAddr,
    task: JoinHandle<()>,
}

#[derive(Clone)]
struct Filtered {
    base: String,
    refused: Refused,
    client: reqwest::Client,
}

impl HttpFilter {
    /// Passes on to `server` (`host:port`) what isn't refused.
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn start(server: &str, refused: Refused) -> Result<Self, Failure> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let state = Filtered { base: format!("http://{server}"), refused, client: http_client() };
        let app = axum::Router::new().fallback(pass).with_state(state);
        let task = tokio::spawn(async move {
            // It is ended by abort.
            let _ = axum::serve(listener, app).await;
        });
        Ok(Self { address, task })
    }

    /// `host:port`.
    pub fn address(&self) -> String {
        self.address.to_string()
    }
}

impl Drop for HttpFilter {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn pass(State(filtered): State<Filtered>, request: Request) -> Response {
    let path = request.uri().path();
    if let Some((_, status)) = filtered.refused.iter().find(|(prefix, _)| path.starts_with(prefix)) {
        return StatusCode::from_u16(*status).unwrap_or(StatusCode::IM_A_TEAPOT).into_response();
    }
    match forward(&filtered, request).await {
        Ok(answer) => answer,
        Err(error) => (StatusCode::BAD_GATEWAY, error.to_string()).into_response(),
    }
}

async fn forward(filtered: &Filtered, request: Request) -> Result<Response, Failure> {
    let (parts, body) = request.into_parts();
    let target = parts.uri.path_and_query().map_or("/", |target| target.as_str());
    let kept = ["accesstoken", "authorization", "content-type"];
    let headers: HeaderMap = kept
        .iter()
        .filter_map(|name| Some((name.parse().ok()?, parts.headers.get(*name)?.clone())))
        .collect();
    let sent = filtered.client.request(parts.method, format!("{}{target}", filtered.base)).headers(headers);
    let answer = sent.body(to_bytes(body, BODY_LIMIT).await?).send().await?;
    let status = answer.status();
    Ok((status, Body::from(answer.bytes().await?)).into_response())
}
