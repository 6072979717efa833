//! From a TCP connection to an answer and back, with the faults that were ordered.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, Response};
use bytes::Bytes;
use futures::StreamExt;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;

use super::conn::{Connection, ResetSwitch};
use super::faults::{Fault, Faults};
use super::record::Log;
use crate::ports::Ports;

/// For how long a port that was just given up is tried again.
const REBIND_LIMIT: Duration = Duration::from_secs(60);

/// One request with its body.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) method: Method,
    /// The path with its query, as it was sent.
    pub(crate) target: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Asked {
    /// A header as text.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// What a fault answers in place of the server.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// A status with the body that this server has for it.
    Status(u16),
    /// A status with this body.
    Answer(u16, Value),
    /// 429 with `Retry-After`.
    TooManyRequests(Duration),
}

/// A server that is stood in for.
pub(crate) trait StandIn: Send + Sync + 'static {
    fn faults(&self) -> &Faults;
    fn log(&self) -> &Log;
    /// Of a body no more is kept than one byte beyond this, which tells that there was more.
    fn largest_body(&self) -> usize;
    /// Whether a request changes nothing.
    fn is_read(&self, method: &Method, target: &str) -> bool;
    /// How long the server works on a request, beside the latency that is ordered.
    fn work(&self, asked: &Asked) -> Duration;
    /// The answer, which is whole for HEAD too; none closes the connection.
    fn answer(&self, asked: Asked) -> Option<Response<Bytes>>;
    fn refusal(&self, refusal: Refusal) -> Response<Bytes>;
}

/// A stand-in that listens, until it is dropped.
pub(crate) struct Listening {
    /// Its own while it is stopped, too.
    ports: Ports,
    tls: Option<TlsAcceptor>,
    server: Mutex<Option<JoinHandle<()>>>,
}

impl Listening {
    /// Listens on a free port of 127.0.0.1.
    ///
    /// # Panics
    /// When no port can be had; a test can't go on without.
    pub(crate) async fn start(stand_in: Arc<impl StandIn>, tls: Option<TlsAcceptor>) -> Self {
        let ports = Ports::reserve("the stand-in", &[0]);
        let ports = ports.unwrap_or_else(|error| panic!("no port for the stand-in: {error}"));
        let listening = Self { ports, tls, server: Mutex::default() };
        listening.listen(stand_in).await;
        listening
    }

    pub(crate) fn addr(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.ports.base()))
    }

    /// Stops listening and cuts every connection.
    pub(crate) async fn stop(&self) {
        let server = self.server().take();
        if let Some(server) = server {
            server.abort();
            // Waits until the port is free; the result is the abort just ordered.
            let _ = server.await;
        }
    }

    /// Listens again on the same port.
    ///
    /// # Panics
    /// When something else has taken the port.
    pub(crate) async fn restart(&self, stand_in: Arc<impl StandIn>) {
        self.stop().await;
        self.listen(stand_in).await;
    }

    async fn listen(&self, stand_in: Arc<impl StandIn>) {
        let addr = self.addr();
        let listener = bind(addr).await.unwrap_or_else(|error| panic!("{addr} is taken: {error}"));
        let server = tokio::spawn(serve(stand_in, listener, self.tls.clone()));
        *self.server() = Some(server);
    }

    fn server(&self) -> MutexGuard<'_, Option<JoinHandle<()>>> {
        self.server.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        if let Some(server) = self.server().take() {
            server.abort();
        }
    }
}

/// A port that was just given up may take a moment to become free: a child that a test starts has it from its fork to its exec.
async fn bind(addr: SocketAddr) -> io::Result<TcpListener> {
    let until = Instant::now() + REBIND_LIMIT;
    loop {
        match TcpListener::bind(addr).await {
            Err(_) if Instant::now() < until => tokio::time::sleep(Duration::from_millis(20)).await,
            bound => return bound,
        }
    }
}

/// The connection ends here, without an answer.
#[derive(Debug)]
struct Unanswered;

impl std::fmt::Display for Unanswered {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the connection ends without an answer")
    }
}

impl std::error::Error for Unanswered {}

/// Takes connections until it is aborted, which ends them too.
async fn serve(stand_in: Arc<impl StandIn>, listener: TcpListener, tls: Option<TlsAcceptor>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                if let Ok((stream, _)) = accepted {
                    let _ = stream.set_nodelay(true);
                    let reset = ResetSwitch::default();
                    let connection = Connection::new(stream, reset.clone());
                    connections.spawn(handshake(Arc::clone(&stand_in), connection, reset, tls.clone()));
                }
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn handshake(
    stand_in: Arc<impl StandIn>,
    connection: Connection,
    reset: ResetSwitch,
    tls: Option<TlsAcceptor>,
) {
    match tls {
        None => serve_http(stand_in, connection, reset).await,
        // A client that does not trust the certificate hangs up here; that is its own affair.
        Some(tls) => {
            if let Ok(stream) = tls.accept(connection).await {
                serve_http(stand_in, stream, reset).await;
            }
        }
    }
}

async fn serve_http<S>(stand_in: Arc<impl StandIn>, stream: S, reset: ResetSwitch)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(move |request: Request<hyper::body::Incoming>| {
        let (stand_in, reset) = (Arc::clone(&stand_in), reset.clone());
        async move { respond(stand_in.as_ref(), &reset, request.map(Body::new)).await }
    });
    // An error here is a fault that was ordered or a client that went away.
    let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

async fn respond(
    stand_in: &impl StandIn,
    reset: &ResetSwitch,
    request: Request<Body>,
) -> Result<Response<Body>, Unanswered> {
    let (parts, body) = request.into_parts();
    let body = read(body, stand_in.largest_body()).await.map_err(|_| Unanswered)?;
    let target = parts.uri.path_and_query().map_or("/", |target| target.as_str()).to_owned();
    let is_read = stand_in.is_read(&parts.method, &target);
    let open = stand_in.log().open(&parts.method, &target, &body, is_read);
    let fault = stand_in.faults().decide(&parts.method, &target, &body, is_read);
    let head = parts.method == Method::HEAD;
    let asked = Asked { method: parts.method, target, headers: parts.headers, body };
    tokio::time::sleep(stand_in.faults().latency() + stand_in.work(&asked)).await;
    let answer = match instead(fault.as_ref(), reset).await? {
        Some(refusal) => stand_in.refusal(refusal),
        None => stand_in.answer(asked).ok_or(Unanswered)?,
    };
    if fault == Some(Fault::LostAnswer) {
        return Err(Unanswered);
    }
    open.answered(answer.status().as_u16());
    Ok(if fault == Some(Fault::TruncatedBody) { truncated(answer) } else { whole(answer, head) })
}

/// What a fault that keeps a request from being handled answers.
async fn instead(fault: Option<&Fault>, reset: &ResetSwitch) -> Result<Option<Refusal>, Unanswered> {
    match fault {
        Some(Fault::Status(status)) => Ok(Some(Refusal::Status(*status))),
        Some(Fault::Answer(status, body)) => Ok(Some(Refusal::Answer(*status, body.clone()))),
        Some(Fault::TooManyRequests(wait)) => Ok(Some(Refusal::TooManyRequests(*wait))),
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

/// Reads one byte beyond what is allowed, and drops the rest: a client that is still sending would otherwise miss the answer.
async fn read(body: Body, largest: usize) -> Result<Bytes, axum::Error> {
    let mut read = Vec::new();
    let mut frames = body.into_data_stream();
    while let Some(frame) = frames.next().await {
        let frame = frame?;
        let room = (largest + 1).saturating_sub(read.len());
        read.extend_from_slice(&frame[..frame.len().min(room)]);
    }
    Ok(Bytes::from(read))
}

/// `head` leaves the body out but not its length.
fn whole(answer: Response<Bytes>, head: bool) -> Response<Body> {
    answer.map(|bytes| if head || bytes.is_empty() { Body::empty() } else { Body::from(bytes) })
}

/// Half of the body under a Content-Length that promises all of it.
fn truncated(answer: Response<Bytes>) -> Response<Body> {
    let (parts, bytes) = answer.into_parts();
    let half = bytes.slice(..bytes.len() / 2);
    let first = futures::stream::once(async move { Ok::<_, io::Error>(half) });
    // The pause lets the first half reach the client before the connection ends.
    let end = futures::stream::once(async {
        tokio::time::sleep(Duration::from_millis(5)).await;
        Err(io::Error::from(io::ErrorKind::ConnectionAborted))
    });
    Response::from_parts(parts, Body::from_stream(first.chain(end)))
}
