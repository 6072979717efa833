//! Nacos' gRPC messages: one envelope without a package, with JSON in it (`nacos_grpc_service.proto`).

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use super::info::ServiceInfo;
use super::names::ServiceName;

/// The envelope of every request, answer and push.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Payload {
    #[prost(message, optional, tag = "2")]
    pub(super) metadata: Option<Metadata>,
    #[prost(message, optional, tag = "3")]
    pub(super) body: Option<prost_types::Any>,
}

/// What the body is, and headers such as credentials.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Metadata {
    /// The Java class without its package.
    #[prost(string, tag = "3")]
    pub(super) kind: String,
    #[prost(btree_map = "string, string", tag = "7")]
    pub(super) headers: BTreeMap<String, String>,
    #[prost(string, tag = "8")]
    pub(super) client_ip: String,
}

impl Payload {
    fn new(kind: &str, headers: BTreeMap<String, String>, body: &Value) -> Self {
        let metadata = Metadata { kind: kind.to_owned(), headers, client_ip: String::new() };
        let body = prost_types::Any { type_url: String::new(), value: body.to_string().into_bytes() };
        Self { metadata: Some(metadata), body: Some(body) }
    }

    fn kind(&self) -> &str {
        self.metadata.as_ref().map_or("", |metadata| &metadata.kind)
    }

    fn body(&self) -> &[u8] {
        self.body.as_ref().map_or(&[], |body| &body.value)
    }
}

/// A request of ours.
#[derive(Clone, Debug)]
pub(super) struct Request {
    /// For error messages.
    pub(super) what: String,
    /// What credentials that sign are to be about.
    pub(super) resource: String,
    kind: &'static str,
    body: Value,
}

impl Request {
    fn new(what: impl Into<String>, kind: &'static str, body: Value) -> Self {
        Self { what: what.into(), resource: String::new(), kind, body }
    }

    /// Asks for the connection's id; the first request.
    pub(super) fn server_check() -> Self {
        Self::new("the server check", "ServerCheckRequest", json!({ "module": "internal" }))
    }

    /// Binds the stream to the connection; sent on the stream, first.
    pub(super) fn connection_setup(namespace: &str) -> Self {
        let body = json!({
            "module": "internal",
            "clientVersion": concat!("Causeway:v", env!("CARGO_PKG_VERSION")),
            "tenant": namespace,
            "labels": { "source": "sdk", "module": "naming", "AppName": "causeway" },
            "abilityTable": { "fuzzyWatch": true },
        });
        Self::new("the connection setup", "ConnectionSetupRequest", body)
    }

    /// Whether the connection is registered.
    pub(super) fn health_check() -> Self {
        Self::new("the health check", "HealthCheckRequest", json!({ "module": "internal" }))
    }

    /// Begins or ends the pushes of one service. The answer already carries its instances.
    pub(super) fn subscribe(namespace: &str, service: &ServiceName, subscribe: bool) -> Self {
        let body = json!({
            "module": "naming",
            "namespace": namespace,
            "groupName": service.group,
            "serviceName": service.name,
            "clusters": "",
            "subscribe": subscribe,
        });
        let what = format!("the subscription of {service}");
        Self { resource: service.to_string(), ..Self::new(what, "SubscribeServiceRequest", body) }
    }

    /// Asks to be told of new services (3.x).
    pub(super) fn fuzzy_watch(namespace: &str) -> Self {
        let body = json!({
            "module": "naming",
            "namespace": namespace,
            "groupKeyPattern": format!("{namespace}>>*>>*"),
            "receivedGroupKeys": [],
            "watchType": "WATCH",
            "initializing": true,
        });
        Self::new("the watch for new services", "NamingFuzzyWatchRequest", body)
    }

    /// The envelope.
    pub(super) fn payload(&self, id: u64, headers: BTreeMap<String, String>) -> Payload {
        let mut body = self.body.clone();
        body["requestId"] = json!(id.to_string());
        Payload::new(self.kind, headers, &body)
    }
}

/// Any answer to a request of ours; fields that its type doesn't have are empty.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Answer {
    pub(super) result_code: i64,
    pub(super) error_code: i64,
    pub(super) message: Option<String>,
    pub(super) connection_id: Option<String>,
    pub(super) service_info: Option<ServiceInfo>,
}

impl Answer {
    /// The request was carried out.
    pub(super) const SUCCESS: i64 = 200;
    /// The server isn't serving yet.
    pub(super) const STARTING: i64 = 300;
    /// The connection is not, or no longer, registered.
    pub(super) const UNREGISTERED: i64 = 301;
    /// The server has no handler for the request: an older version.
    pub(super) const NO_HANDLER: i64 = 302;
    /// The credentials don't do.
    pub(super) const FORBIDDEN: i64 = 403;

    /// Reads an answer.
    pub(super) fn parse(payload: &Payload) -> Result<Self, String> {
        serde_json::from_slice(payload.body()).map_err(|error| error.to_string())
    }
}

/// What the server sends by itself.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum ServerRequest {
    /// A subscribed service, whole.
    Service(Box<ServiceInfo>),
    /// A service came into being.
    NewService(ServiceName),
    /// We are to reconnect, to another server when one is named.
    Reset(Option<(String, u16)>),
    /// Nothing that concerns us beyond the acknowledgement.
    Other,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ServerRequestBody {
    request_id: String,
    service_info: Option<ServiceInfo>,
    service_key: String,
    changed_type: String,
    server_ip: Option<String>,
    server_port: Option<String>,
}

impl ServerRequest {
    /// Reads what came on the stream, and the acknowledgement that the server waits for, if any.
    pub(super) fn parse(payload: &Payload) -> Result<(Self, Option<Payload>), String> {
        let kind = payload.kind();
        let body: ServerRequestBody =
            serde_json::from_slice(payload.body()).map_err(|error| format!("{kind}: {error}"))?;
        let acknowledgement = acknowledgement(kind, &body.request_id);
        let request = match kind {
            "NotifySubscriberRequest" => {
                let info = body.service_info.ok_or("NotifySubscriberRequest: no serviceInfo")?;
                Self::Service(Box::new(info))
            }
            "NamingFuzzyWatchChangeNotifyRequest" if body.changed_type == "ADD_SERVICE" => {
                service_of_key(&body.service_key).map_or(Self::Other, Self::NewService)
            }
            "ConnectResetRequest" => Self::Reset(named_server(&body)),
            _ => Self::Other,
        };
        Ok((request, acknowledgement))
    }
}

/// Answers and the setup's acknowledgement, which carries no id, want none.
fn acknowledgement(kind: &str, request_id: &str) -> Option<Payload> {
    let base = kind.strip_suffix("Request").filter(|_| !request_id.is_empty())?;
    let body = json!({ "resultCode": 200, "errorCode": 0, "success": true, "requestId": request_id });
    Some(Payload::new(&format!("{base}Response"), BTreeMap::new(), &body))
}

/// `namespace@@group@@name`
fn service_of_key(key: &str) -> Option<ServiceName> {
    let (_, service) = key.split_once("@@")?;
    service.contains("@@").then(|| ServiceName::from_answer("", service))
}

fn named_server(body: &ServerRequestBody) -> Option<(String, u16)> {
    let host = body.server_ip.as_deref().filter(|host| !host.trim().is_empty())?;
    Some((host.to_owned(), body.server_port.as_deref()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use prost::Message;

    use super::*;

    fn pushed(kind: &str, body: &str) -> Result<(ServerRequest, Option<Payload>), String> {
        let body = serde_json::from_str(body).unwrap();
        ServerRequest::parse(&Payload::new(kind, BTreeMap::new(), &body))
    }

    #[test]
    fn the_envelope_has_the_protocols_bytes() {
        let headers = BTreeMap::from([("k".to_owned(), "v".to_owned())]);
        let bytes = Payload::new("T", headers, &json!({})).encode_to_vec();
        // metadata (2): type (3) "T", headers (7) {1: "k", 2: "v"}; body (3): value (2) "{}"
        let wanted =
            [0x12, 11, 0x1a, 1, b'T', 0x3a, 6, 0x0a, 1, b'k', 0x12, 1, b'v', 0x1a, 4, 0x12, 2, b'{', b'}'];
        assert_eq!(bytes, wanted);
    }

    #[test]
    fn pushes_are_read_and_acknowledged_under_their_own_name() {
        let body = r#"{"requestId":"7","serviceKey":"public@@TRADE@@orders","changedType":"ADD_SERVICE"}"#;
        let (request, ack) = pushed("NamingFuzzyWatchChangeNotifyRequest", body).unwrap();
        let orders = ServiceName { group: "TRADE".into(), name: "orders".into() };
        assert_eq!(request, ServerRequest::NewService(orders));
        let ack = ack.unwrap();
        assert_eq!(ack.kind(), "NamingFuzzyWatchChangeNotifyResponse");
        let body: Value = serde_json::from_slice(ack.body()).unwrap();
        assert_eq!((&body["requestId"], &body["resultCode"]), (&json!("7"), &json!(200)));
    }

    #[test]
    fn a_reset_may_name_a_server() {
        let reset = |body| pushed("ConnectResetRequest", body).unwrap().0;
        let named = reset(r#"{"requestId":"1","serverIp":"10.0.0.2","serverPort":"8848"}"#);
        assert_eq!(named, ServerRequest::Reset(Some(("10.0.0.2".into(), 8848))));
        assert_eq!(
            reset(r#"{"requestId":"1","serverIp":null,"serverPort":null}"#),
            ServerRequest::Reset(None)
        );
    }

    #[test]
    fn the_setups_acknowledgement_wants_none() {
        assert_eq!(
            pushed("SetupAckRequest", r#"{"abilityTable":{}}"#).unwrap(),
            (ServerRequest::Other, None)
        );
        assert!(pushed("NotifySubscriberRequest", r#"{"requestId":"1"}"#).is_err());
    }

    #[test]
    fn fuzz_nacos_messages() {
        let bodies = [
            (
                "NamingFuzzyWatchChangeNotifyRequest",
                r#"{"requestId":"7","serviceKey":"public@@TRADE@@orders","changedType":"ADD_SERVICE"}"#,
            ),
            ("ConnectResetRequest", r#"{"requestId":"1","serverIp":"10.0.0.2","serverPort":"8848"}"#),
            (
                "NotifySubscriberRequest",
                r#"{"requestId":"1","serviceInfo":{"name":"orders","groupName":"G","hosts":[{"ip":"h","port":80}]}}"#,
            ),
            (
                "QueryServiceResponse",
                r#"{"resultCode":200,"serviceInfo":{"name":"orders","groupName":"G","hosts":[]}}"#,
            ),
        ];
        let envelope = |(kind, body): &(&str, &str)| {
            let body = serde_json::from_str(body).unwrap();
            Payload::new(kind, BTreeMap::new(), &body).encode_to_vec()
        };
        let envelopes: Vec<Vec<u8>> = bodies.iter().map(envelope).collect();
        let read = |payload: &Payload| drop((Answer::parse(payload), ServerRequest::parse(payload)));
        let seeds: Vec<&[u8]> = envelopes
            .iter()
            .map(Vec::as_slice)
            .chain(bodies.iter().map(|(_, body)| body.as_bytes()))
            .collect();
        crate::fuzz::fuzz(&seeds, |bytes| {
            if let Ok(payload) = Payload::decode(bytes) {
                read(&payload);
            }
            for (kind, _) in bodies {
                let body = prost_types::Any { type_url: String::new(), value: bytes.to_vec() };
                let metadata = Metadata { kind: kind.to_owned(), ..Metadata::default() };
                read(&Payload { metadata: Some(metadata), body: Some(body) });
            }
        });
    }
}
