//! One gRPC connection: the handshake, unary requests, and what the server sends by itself.
//!
//! A connection is never mended: tonic's channel would reconnect without the setup that makes the server know us, so each try
//! has a channel of its own, and what it pushes is read from that connection only. The end of the stream says that it is
//! over; unary requests go on being answered for a moment.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use http::uri::PathAndQuery;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::task::AbortOnDropHandle;
use tonic::client::Grpc;
use tonic::transport::{Channel, Endpoint};
use tonic_prost::ProstCodec;

use super::NacosError;
use super::address::Server;
use super::auth::{Auth, Grant};
use super::http::Http;
use super::info::ServiceInfo;
use super::names::ServiceName;
use super::proto::{Answer, Payload, Request, ServerRequest};
use super::tls::encrypted;
use crate::registries::http::root_cause;
use crate::registries::tls::Trust;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
const CALL_TIMEOUT: Duration = Duration::from_secs(10);
/// The server takes a moment to bind the stream to the connection.
const SETUP_LIMIT: Duration = Duration::from_secs(5);
const SETUP_STEP: Duration = Duration::from_millis(10);
/// A server asks whoever is silent for 20 s whether it is still there, and some of them then end the connection of whoever answers
/// at once (seen on 3.1.0: its latch opens before the answer is noted). So nobody may be silent: Nacos' own clients speak each 5 s.
const ACTIVE_INTERVAL: Duration = Duration::from_secs(5);
/// Finds a dead path within 15 s. The server tolerates pings at this pace.
const PING_INTERVAL: Duration = Duration::from_secs(10);
const PING_TIMEOUT: Duration = Duration::from_secs(5);
/// A service of 20,000 instances takes 7 MB.
const MAX_MESSAGE: usize = 256 << 20;
/// Enough for a push of every service of a large namespace without making the server wait.
const PUSH_QUEUE: usize = 4096;
const SEND_QUEUE: usize = 256;
const UNARY: PathAndQuery = PathAndQuery::from_static("/Request/request");
const STREAM: PathAndQuery = PathAndQuery::from_static("/BiRequestStream/requestBiStream");

/// What a connection tells.
#[derive(Debug)]
pub(super) enum Push {
    /// A subscribed service, whole.
    Service(Box<ServiceInfo>),
    /// A service came into being.
    NewService(ServiceName),
    /// The server wants us elsewhere, or anew.
    Reset(Option<(String, u16)>),
    /// It is over.
    Ended(NacosError),
}

/// Sends requests over one connection.
#[derive(Clone)]
pub(super) struct Client {
    channel: Channel,
    server: Arc<str>,
    ids: Arc<AtomicU64>,
}

/// One connection for one namespace. Dropping it ends it.
pub(super) struct Connection {
    pub(super) client: Client,
    pushes: mpsc::Receiver<Push>,
    _stream: AbortOnDropHandle<()>,
}

impl Connection {
    /// Connects, shakes hands and waits until the server knows the connection.
    pub(super) async fn open(server: &Server, trust: &Trust, namespace: &str) -> Result<Self, NacosError> {
        let channel = connect(server, trust).await?;
        let client = Client { channel, server: server.label.as_str().into(), ids: Arc::default() };
        let answer = client.call(&Request::server_check(), &Grant::default()).await?;
        if answer.connection_id.is_none() {
            return Err(NacosError::Starting { server: server.label.clone() });
        }
        let (sender, receiver) = mpsc::channel(SEND_QUEUE);
        let setup = client.payload(&Request::connection_setup(namespace), &Grant::default());
        // It has to be the first message, and there is room for it: the queue is new.
        let _ = sender.try_send(setup);
        let (pushes_in, pushes) = mpsc::channel(PUSH_QUEUE);
        let stream = Stream { client: client.clone(), acknowledge: sender, pushes: pushes_in };
        let stream = AbortOnDropHandle::new(tokio::spawn(stream.run(ReceiverStream::new(receiver))));
        client.wait_until_registered().await?;
        Ok(Self { client, pushes, _stream: stream })
    }

    /// The next thing that the server tells.
    pub(super) async fn next(&mut self) -> Push {
        self.pushes.recv().await.unwrap_or_else(|| Push::Ended(self.client.lost("the stream ended")))
    }
}

async fn connect(server: &Server, trust: &Trust) -> Result<Channel, NacosError> {
    let unreachable = |error: tonic::transport::Error| NacosError::Unreachable {
        server: format!("{} (gRPC at {})", server.label, server.grpc),
        reason: root_cause(&error),
    };
    let endpoint = Endpoint::from_shared(server.grpc.clone()).map_err(unreachable)?;
    let endpoint = endpoint
        .connect_timeout(CONNECT_TIMEOUT)
        .http2_keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_TIMEOUT)
        .keep_alive_while_idle(true);
    let endpoint =
        if server.grpc_tls() { encrypted(endpoint, trust).map_err(unreachable)? } else { endpoint };
    match timeout(CONNECT_TIMEOUT, endpoint.connect()).await {
        Ok(channel) => channel.map_err(unreachable),
        Err(_) => Err(NacosError::Unreachable {
            server: format!("{} (gRPC at {})", server.label, server.grpc),
            reason: format!("no connection within {} s", CONNECT_TIMEOUT.as_secs()),
        }),
    }
}

impl Client {
    /// Asks with our credentials, and once more with fresh ones when they are refused.
    pub(super) async fn ask(
        &self,
        request: &Request,
        auth: &Auth,
        http: &Http,
    ) -> Result<Answer, NacosError> {
        let grant = auth.grant(http, &request.resource).await?;
        match self.call(request, &grant).await {
            Err(NacosError::Denied { .. }) if auth.refused(&grant).await => {
                let grant = auth.grant(http, &request.resource).await?;
                self.call(request, &grant).await
            }
            answer => answer,
        }
    }

    async fn call(&self, request: &Request, grant: &Grant) -> Result<Answer, NacosError> {
        let payload = self.payload(request, grant);
        let mut grpc = Grpc::new(self.channel.clone()).max_decoding_message_size(MAX_MESSAGE);
        let exchange = async {
            grpc.ready().await.map_err(|error| self.lost(&root_cause(&error)))?;
            let codec: ProstCodec<Payload, Payload> = ProstCodec::default();
            let answer = grpc.unary(tonic::Request::new(payload), UNARY, codec).await;
            answer.map_err(|status| self.lost(&words(&status)))
        };
        let answer = timeout(CALL_TIMEOUT, exchange).await;
        let answer = answer.map_err(|_| self.lost(&format!("no answer to {}", request.what)))??;
        let answer = Answer::parse(answer.get_ref()).map_err(|reason| NacosError::Unreadable {
            server: self.server.to_string(),
            what: request.what.clone(),
            reason,
        })?;
        self.checked(answer, request)
    }

    fn checked(&self, answer: Answer, request: &Request) -> Result<Answer, NacosError> {
        if answer.result_code == Answer::SUCCESS {
            return Ok(answer);
        }
        let (server, what) = (self.server.to_string(), request.what.clone());
        let message = answer.message.unwrap_or_default();
        Err(match answer.error_code {
            Answer::STARTING => NacosError::Starting { server },
            Answer::UNREGISTERED => self.lost("the server has dropped the connection"),
            Answer::NO_HANDLER => NacosError::Unsupported { server, what },
            Answer::FORBIDDEN => NacosError::Denied { server, what, message },
            code => NacosError::Refused { server, what, code, message },
        })
    }

    async fn wait_until_registered(&self) -> Result<(), NacosError> {
        let until = Instant::now() + SETUP_LIMIT;
        loop {
            match self.call(&Request::health_check(), &Grant::default()).await {
                Ok(_) => return Ok(()),
                Err(error) if Instant::now() > until => return Err(error),
                Err(_) => sleep(SETUP_STEP).await,
            }
        }
    }

    fn payload(&self, request: &Request, grant: &Grant) -> Payload {
        request.payload(self.ids.fetch_add(1, Ordering::Relaxed), grant.grpc_headers().collect())
    }

    fn lost(&self, reason: &str) -> NacosError {
        NacosError::Unreachable { server: self.server.to_string(), reason: reason.to_owned() }
    }
}

/// A status' own words; those of what caused it say more.
fn words(status: &tonic::Status) -> String {
    match std::error::Error::source(status) {
        Some(source) => root_cause(source),
        None => format!("{} ({:?})", status.message(), status.code()),
    }
}

/// The task that reads the stream and acknowledges.
struct Stream {
    client: Client,
    acknowledge: mpsc::Sender<Payload>,
    pushes: mpsc::Sender<Push>,
}

impl Stream {
    async fn run(self, outgoing: ReceiverStream<Payload>) {
        let end = tokio::select! {
            read = self.read(outgoing) => match read {
                Ok(()) => self.client.lost("the server ended the stream"),
                Err(error) => error,
            },
            error = self.stay_active() => error,
        };
        // Nobody is left to tell when the connection was dropped meanwhile.
        let _ = self.pushes.send(Push::Ended(end)).await;
    }

    async fn read(&self, outgoing: ReceiverStream<Payload>) -> Result<(), NacosError> {
        let lost = |status: tonic::Status| self.client.lost(&words(&status));
        let mut grpc = Grpc::new(self.client.channel.clone()).max_decoding_message_size(MAX_MESSAGE);
        grpc.ready().await.map_err(|error| self.client.lost(&root_cause(&error)))?;
        let codec: ProstCodec<Payload, Payload> = ProstCodec::default();
        let stream = grpc.streaming(tonic::Request::new(outgoing), STREAM, codec).await.map_err(lost)?;
        let mut stream = stream.into_inner();
        while let Some(payload) = stream.message().await.map_err(lost)? {
            self.on_message(&payload).await?;
        }
        Ok(())
    }

    /// Ends when the server doesn't know the connection any more, or doesn't answer.
    async fn stay_active(&self) -> NacosError {
        loop {
            sleep(ACTIVE_INTERVAL).await;
            if let Err(error) = self.client.call(&Request::health_check(), &Grant::default()).await {
                return error;
            }
        }
    }

    async fn on_message(&self, payload: &Payload) -> Result<(), NacosError> {
        let (request, acknowledgement) =
            ServerRequest::parse(payload).map_err(|reason| NacosError::Unreadable {
                server: self.client.server.to_string(),
                what: "the connection".to_owned(),
                reason,
            })?;
        if let Some(acknowledgement) = acknowledgement {
            // A stream that takes no more messages ends, and says so itself.
            let _ = self.acknowledge.send(acknowledgement).await;
        }
        let push = match request {
            ServerRequest::Service(info) => Push::Service(info),
            ServerRequest::NewService(name) => Push::NewService(name),
            ServerRequest::Reset(server) => Push::Reset(server),
            ServerRequest::Other => return Ok(()),
        };
        // As above: nobody is left to tell.
        let _ = self.pushes.send(push).await;
        Ok(())
    }
}
