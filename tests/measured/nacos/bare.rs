//! A subscriber that does nothing but acknowledge, over Nacos' gRPC (`nacos_grpc_service.proto`).

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::uri::PathAndQuery;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::sleep;
use tokio_stream::wrappers::ReceiverStream;
use tonic::client::Grpc;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Streaming};
use tonic_prost::ProstCodec;

use crate::propagation::Watcher;

const UNARY: PathAndQuery = PathAndQuery::from_static("/Request/request");
const STREAM: PathAndQuery = PathAndQuery::from_static("/BiRequestStream/requestBiStream");
const SUCCESS: u64 = 200;
/// The server takes a moment to bind the stream to the connection.
const SETUP_TRIES: u32 = 500;
const SETUP_STEP: Duration = Duration::from_millis(10);

#[derive(Clone, PartialEq, prost::Message)]
struct Payload {
    #[prost(message, optional, tag = "2")]
    metadata: Option<Metadata>,
    #[prost(message, optional, tag = "3")]
    body: Option<prost_types::Any>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Metadata {
    #[prost(string, tag = "3")]
    kind: String,
}

impl Payload {
    fn new(kind: &str, body: &Value) -> Self {
        let body = prost_types::Any { type_url: String::new(), value: body.to_string().into_bytes() };
        Self { metadata: Some(Metadata { kind: kind.to_owned() }), body: Some(body) }
    }

    fn kind(&self) -> &str {
        self.metadata.as_ref().map_or("", |metadata| &metadata.kind)
    }

    fn into_body(self) -> Vec<u8> {
        self.body.map(|body| body.value).unwrap_or_default()
    }
}

/// A connection with one subscription.
pub struct Bare {
    pushes: Streaming<Payload>,
    acknowledge: mpsc::Sender<Payload>,
    /// What has to be acknowledged.
    last: Option<Payload>,
}

impl Bare {
    /// Subscribes a service in the default group.
    pub async fn subscribe(address: &str, namespace: &str, service: &str) -> Self {
        let endpoint = Endpoint::from_shared(format!("http://{address}")).unwrap();
        let channel = endpoint.connect().await.unwrap();
        let checked = ask(&channel, "ServerCheckRequest", &json!({ "module": "internal" })).await;
        assert_eq!(checked["resultCode"], SUCCESS, "{checked}");

        let (acknowledge, outgoing) = mpsc::channel(16);
        let labels = json!({ "source": "sdk", "module": "naming" });
        let setup = json!({ "module": "internal", "clientVersion": "bare", "tenant": namespace,
            "labels": labels, "abilityTable": {} });
        acknowledge.send(Payload::new("ConnectionSetupRequest", &setup)).await.unwrap();
        let mut grpc = Grpc::new(channel.clone());
        grpc.ready().await.unwrap();
        let codec: ProstCodec<Payload, Payload> = ProstCodec::default();
        let outgoing = Request::new(ReceiverStream::new(outgoing));
        let pushes = grpc.streaming(outgoing, STREAM, codec).await.unwrap().into_inner();

        let wanted = json!({ "module": "naming", "namespace": namespace, "groupName": "DEFAULT_GROUP",
            "serviceName": service, "clusters": "", "subscribe": true });
        for _ in 0..SETUP_TRIES {
            if ask(&channel, "SubscribeServiceRequest", &wanted).await["resultCode"] == SUCCESS {
                return Self { pushes, acknowledge, last: None };
            }
            sleep(SETUP_STEP).await;
        }
        panic!("the server doesn't take the subscription of {service}");
    }
}

async fn ask(channel: &Channel, kind: &str, body: &Value) -> Value {
    let mut grpc = Grpc::new(channel.clone());
    grpc.ready().await.unwrap();
    let codec: ProstCodec<Payload, Payload> = ProstCodec::default();
    let answer = grpc.unary(Request::new(Payload::new(kind, body)), UNARY, codec).await.unwrap();
    serde_json::from_slice(&answer.into_inner().into_body()).unwrap()
}

impl Bare {
    async fn acknowledge(&self, push: Payload) {
        let kind = push.kind().replace("Request", "Response");
        let body: Value = serde_json::from_slice(&push.into_body()).unwrap();
        let body = json!({ "resultCode": SUCCESS, "requestId": body["requestId"] });
        self.acknowledge.send(Payload::new(&kind, &body)).await.unwrap();
    }
}

#[async_trait]
impl Watcher for Bare {
    /// The next push. It is acknowledged when it has been noted.
    async fn next(&mut self) -> Bytes {
        if let Some(push) = self.last.take() {
            self.acknowledge(push).await;
        }
        let push = self.pushes.message().await.unwrap().expect("the stream goes on");
        self.last = Some(push.clone());
        push.into_body().into()
    }
}
