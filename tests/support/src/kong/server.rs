//! From a TCP connection to a handler and back, with the faults that were ordered.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::header::CONTENT_TYPE;
use axum::http::{Request, Response};
use futures::StreamExt;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use super::answer::Answer;
use super::call::{Call, MAX_BODY};
use super::conn::{Connection, ResetSwitch};
use super::faults::{Fault, Faults};
use super::handlers::{self, Node};
use super::health::Health;
use super::record::Log;
use super::store::Store;

/// The header that carries a token.
const TOKEN_HEADER: &str = "Kong-Admin-Token";

/// What all connections work on.
pub(super) struct Shared {
    pub(super) stores: Mutex<BTreeMap<String, Store>>,
    pub(super) health: Health,
    pub(super) node_id: String,
    pub(super) faults: Faults,
    pub(super) log: Log,
    pub(super) token: Mutex<Option<String>>,
    pub(super) workspace: String,
    pub(super) db_less: bool,
    /// Told after every handled request.
    pub(super) handled: Notify,
}

/// The connection ends here, without an answer.
#[derive(Debug)]
struct Unanswered;

impl std::fmt::Display for Unanswered {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a fault was ordered: the connection ends without an answer")
    }
}

impl std::error::Error for Unanswered {}

impl Shared {
    pub(super) fn stores(&self) -> MutexGuard<'_, BTreeMap<String, Store>> {
        self.stores.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Handles a call in the workspace that its path begins with, else in the default one.
    pub(super) fn handle(&self, mut call: Call) -> Answer {
        let workspace = self.take_workspace(&mut call);
        let answer = {
            let mut stores = self.stores();
            let store = stores.entry(workspace).or_default();
            handlers::handle(
                &mut Node { store, health: &self.health, node_id: &self.node_id, db_less: self.db_less },
                &call,
            )
        };
        self.handled.notify_waiters();
        answer
    }

    /// Without a configured workspace any prefix is an unknown path, as on the free edition; with one,
    /// `/default/…` and no prefix mean the default workspace, as the enterprise edition documents.
    fn take_workspace(&self, call: &mut Call) -> String {
        let first = call.path.first().map_or("", String::as_str);
        match first {
            _ if self.workspace.is_empty() => String::new(),
            "default" => {
                call.path.remove(0);
                String::new()
            }
            name if name == self.workspace => call.path.remove(0),
            _ => String::new(),
        }
    }

    /// How long the real Kong would work for a request that touches an upstream with many targets.
    fn work(&self, call: &Call) -> Duration {
        let cost = self.faults.cost_per_target();
        if cost.is_zero() {
            return Duration::ZERO;
        }
        let mut call = call.clone();
        let workspace = self.take_workspace(&mut call);
        let scanned =
            self.stores().get(&workspace).map_or(0, |store| handlers::scanned_targets(store, &call));
        cost * u32::try_from(scanned).unwrap_or(u32::MAX)
    }
}

/// Takes connections until it is aborted, which ends them too.
pub(super) async fn serve(shared: Arc<Shared>, listener: TcpListener, tls: Option<TlsAcceptor>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                if let Ok((stream, _)) = accepted {
                    let _ = stream.set_nodelay(true);
                    let reset = ResetSwitch::default();
                    let connection = Connection::new(stream, reset.clone());
                    connections.spawn(handshake(Arc::clone(&shared), connection, reset, tls.clone()));
                }
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn handshake(
    shared: Arc<Shared>,
    connection: Connection,
    reset: ResetSwitch,
    tls: Option<TlsAcceptor>,
) {
    match tls {
        None => serve_http(shared, connection, reset).await,
        // A client that does not trust the certificate hangs up here; that is its own affair.
        Some(tls) => {
            if let Ok(stream) = tls.accept(connection).await {
                serve_http(shared, stream, reset).await;
            }
        }
    }
}

async fn serve_http<S>(shared: Arc<Shared>, stream: S, reset: ResetSwitch)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(move |request: Request<hyper::body::Incoming>| {
        let (shared, reset) = (Arc::clone(&shared), reset.clone());
        async move { respond(&shared, &reset, request.map(Body::new)).await }
    });
    // An error here is a fault that was ordered or a client that went away.
    let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

async fn respond(
    shared: &Shared,
    reset: &ResetSwitch,
    request: Request<Body>,
) -> Result<Response<Body>, Unanswered> {
    let (parts, body) = request.into_parts();
    let body = read(body).await.map_err(|_| Unanswered)?;
    let target = parts.uri.path_and_query().map_or("/", |target| target.as_str());
    let header = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok());
    let open = shared.log.open(&parts.method, target, &body);
    let fault = shared.faults.decide(&parts.method, target, &body);
    let content_type = header(CONTENT_TYPE.as_str()).map(str::to_owned);
    let head = parts.method == axum::http::Method::HEAD;
    let call = Call::new(parts.method.clone(), target, content_type, body);
    tokio::time::sleep(shared.faults.latency() + shared.work(&call)).await;
    let answer = match instead(fault.as_ref(), reset).await? {
        Some(answer) => answer,
        None if !authorised(shared, header(TOKEN_HEADER)) => unauthorised(),
        None => shared.handle(call),
    };
    if fault == Some(Fault::LostAnswer) {
        return Err(Unanswered);
    }
    open.answered(answer.status);
    Ok(if fault == Some(Fault::TruncatedBody) { truncated(answer) } else { answer.into_response(head) })
}

/// The answer of a fault that keeps a request from being handled.
async fn instead(fault: Option<&Fault>, reset: &ResetSwitch) -> Result<Option<Answer>, Unanswered> {
    match fault {
        Some(Fault::Status(status)) if *status == 500 => Ok(Some(super::errors::unexpected())),
        Some(Fault::Status(status)) => Ok(Some(Answer::html(*status))),
        Some(Fault::Answer(status, body)) => Ok(Some(Answer::json(*status, body.clone()))),
        Some(Fault::TooManyRequests(wait)) => {
            let answer = Answer::message(429, "API rate limit exceeded");
            Ok(Some(answer.with_header("Retry-After", wait.as_secs().to_string())))
        }
        Some(Fault::Reset) => {
            reset.arm();
            Err(Unanswered)
        }
        Some(Fault::Hang) => std::future::pending().await,
        Some(Fault::Slow(delay)) => {
            tokio::time::sleep(*delay).await;
            Ok(None)
        }
        Some(Fault::LostAnswer | Fault::TruncatedBody) | None => Ok(None),
    }
}

/// Reads one byte beyond what nginx allows, and drops the rest: a client that is still sending would
/// otherwise miss the answer.
async fn read(body: Body) -> Result<Bytes, axum::Error> {
    let mut read = Vec::new();
    let mut frames = body.into_data_stream();
    while let Some(frame) = frames.next().await {
        let frame = frame?;
        let room = (MAX_BODY + 1).saturating_sub(read.len());
        read.extend_from_slice(&frame[..frame.len().min(room)]);
    }
    Ok(Bytes::from(read))
}

/// Half of the body under a Content-Length that promises all of it.
fn truncated(answer: Answer) -> Response<Body> {
    let bytes = answer.bytes();
    let half = bytes.slice(..bytes.len() / 2);
    let (parts, _) = answer.into_response(true).into_parts();
    let first = futures::stream::once(async move { Ok::<_, io::Error>(half) });
    // The pause lets the first half reach the client before the connection ends.
    let end = futures::stream::once(async {
        tokio::time::sleep(Duration::from_millis(5)).await;
        Err(io::Error::from(io::ErrorKind::ConnectionAborted))
    });
    Response::from_parts(parts, Body::from_stream(first.chain(end)))
}

fn authorised(shared: &Shared, token: Option<&str>) -> bool {
    let wanted = shared.token.lock().unwrap_or_else(PoisonError::into_inner);
    wanted.as_deref().is_none_or(|wanted| token == Some(wanted))
}

/// The free edition knows no tokens; these are the words of the enterprise edition's documentation.
fn unauthorised() -> Answer {
    Answer::message(401, "Invalid credentials. Token or User credentials required")
}
