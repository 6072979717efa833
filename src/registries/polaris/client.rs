//! Polaris' HTTP API, at any of the configured servers.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use causeway_gateways::http::client_builder;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::answer::{self, Answer, Odd};
use super::batch::{self, Outcome};
use super::{PolarisError, PolarisSettings};
use crate::config::Secret;
use crate::model::{ServiceKey, Snapshot};
use crate::registries::http::{CONNECT_TIMEOUT, root_cause};
use crate::registries::polling::Polling;
use crate::registries::server::Server;
use crate::registries::tls::Trust;

const DISCOVER: &str = "/v1/Discover";
const TOKEN_HEADER: &str = "X-Polaris-Token";
/// The server answers from memory, so that more than this means that it doesn't answer.
const TIMEOUT: Duration = Duration::from_secs(8);
/// A connection over which nothing is asked for so long is not needed any more.
const IDLE: Duration = Duration::from_secs(30);
/// Questions that a watch has under way at once. As many connections are kept at rest: who begins one and is then given another
/// that has come to rest meanwhile leaves a spare one behind.
pub(super) const AT_ONCE: usize = 16;

/// A client of one cluster: the server that answered last is asked first.
pub(super) struct Client {
    http: Polling,
    servers: Vec<Server>,
    token: Option<Secret>,
    current: AtomicUsize,
}

/// What one server said.
struct Reply {
    server: String,
    status: StatusCode,
    body: Bytes,
}

impl Client {
    pub(super) fn new(settings: &PolarisSettings, servers: Vec<Server>) -> Result<Self, PolarisError> {
        let trust = Trust::read(settings.tls.as_ref()).map_err(PolarisError::Settings)?;
        let builder = client_builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(TIMEOUT)
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(AT_ONCE);
        let http = Polling::new(&trust, builder).map_err(PolarisError::Settings)?;
        Ok(Self { http, servers, token: settings.token.clone(), current: AtomicUsize::new(0) })
    }

    /// A service's instances, when they aren't those of `revision`.
    pub(super) async fn instances(
        &self,
        key: &ServiceKey,
        revision: &str,
    ) -> Result<Answer<Snapshot>, PolarisError> {
        let service = json!({ "namespace": key.namespace, "name": key.service, "revision": revision });
        let what = format!("the instances of {key}");
        let question = json!({ "type": "INSTANCE", "service": service });
        let reply = self.ask(Method::POST, DISCOVER, &question, &what).await?;
        let read = answer::instances(&reply.body, key);
        read.map_err(|odd| self.error(reply, &what, odd))
    }

    /// The services of a namespace, or of all where it is empty, when they aren't those of `revision`.
    pub(super) async fn services(
        &self,
        namespace: &str,
        revision: &str,
    ) -> Result<Answer<BTreeSet<ServiceKey>>, PolarisError> {
        let service = json!({ "namespace": namespace, "name": "", "revision": revision });
        let what = "the list of services";
        let question = json!({ "type": "SERVICES", "service": service });
        let reply = self.ask(Method::POST, DISCOVER, &question, what).await?;
        let read = answer::services(&reply.body);
        read.map_err(|odd| self.error(reply, what, odd))
    }

    /// As [`Polling::was_renewed`].
    pub(super) fn was_renewed(&self) -> bool {
        self.http.was_renewed()
    }

    /// Changes things by the OpenAPI, at most 100 at a time: what came of each, in their order.
    pub(super) async fn change(
        &self,
        method: Method,
        path: &str,
        items: &[Value],
        what: &str,
    ) -> Result<Vec<Outcome>, PolarisError> {
        let reply = self.ask(method, path, &json!(items), what).await?;
        if is_denied(reply.status) {
            let odd = batch::refusal(&reply.body);
            return Err(self.error(reply, what, odd));
        }
        let read = batch::outcomes(&reply.body, items.len());
        read.map_err(|odd| self.error(reply, what, odd))
    }

    /// The error of an item that the server refused a moment ago.
    pub(super) fn refused(&self, what: &str, outcome: Outcome) -> PolarisError {
        let server = &self.servers[self.current.load(Ordering::Relaxed)];
        let Outcome { code, info } = outcome;
        PolarisError::Refused { server: server.label.clone(), what: what.to_owned(), code, message: info }
    }

    /// Asks one server after the other until one answers that isn't behind a gateway that can't reach it.
    async fn ask(
        &self,
        method: Method,
        path: &str,
        question: &Value,
        what: &str,
    ) -> Result<Reply, PolarisError> {
        let first = self.current.load(Ordering::Relaxed);
        let mut last = PolarisError::Settings("no Polaris address is configured".to_owned());
        for turn in 0..self.servers.len() {
            let index = (first + turn) % self.servers.len();
            match self.ask_one(&self.servers[index], (&method, path), question, what).await {
                Ok(reply) if is_absent(reply.status) => {
                    let reason = format!("status {}", reply.status.as_u16());
                    last = PolarisError::Unreachable { server: reply.server, reason };
                }
                Ok(reply) => {
                    self.current.store(index, Ordering::Relaxed);
                    return Ok(reply);
                }
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    async fn ask_one(
        &self,
        server: &Server,
        (method, path): (&Method, &str),
        question: &Value,
        what: &str,
    ) -> Result<Reply, PolarisError> {
        let request = self.http.request(method.clone(), format!("{}{path}", server.base));
        let mut request = request.json(question);
        if let Some(token) = &self.token {
            request = request.header(TOKEN_HEADER, token.expose());
        }
        let failed = |error: reqwest::Error| {
            let server = server.label.clone();
            if error.is_timeout() && !error.is_connect() {
                PolarisError::Silent { server, what: what.to_owned(), within: TIMEOUT }
            } else {
                PolarisError::Unreachable { server, reason: root_cause(&error.without_url()) }
            }
        };
        let (status, body) = self.http.exchange(request).await.map_err(failed)?;
        Ok(Reply { server: server.label.clone(), status, body })
    }

    fn error(&self, reply: Reply, what: &str, odd: Odd) -> PolarisError {
        let Reply { server, status, .. } = reply;
        let what = what.to_owned();
        let (code, message) = match odd {
            Odd::Code(code, message) => (code, message),
            Odd::Unreadable(reason) if status.is_success() => {
                return PolarisError::Unreadable { server, what, reason };
            }
            Odd::Unreadable(_) => (u32::from(status.as_u16()), "no answer of Polaris'".to_owned()),
        };
        match status {
            status if is_denied(status) && self.token.is_none() => {
                PolarisError::TokenMissing { server, message }
            }
            status if is_denied(status) => PolarisError::TokenRefused { server, message },
            _ => PolarisError::Refused { server, what, code, message },
        }
    }
}

fn is_denied(status: StatusCode) -> bool {
    matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN)
}

fn is_absent(status: StatusCode) -> bool {
    matches!(status, StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT)
}

#[cfg(test)]
mod tests {
    use causeway_test_support::polaris::PolarisStandIn;
    use causeway_test_support::proxy::{Mode, Proxy};
    use futures::future::join_all;
    use tokio::time::{Instant, sleep};

    use super::super::address;
    use super::*;

    /// Far longer than anything takes, for a busy machine.
    const LIMIT: Duration = Duration::from_secs(60);

    async fn until(what: &str, holds: impl Fn() -> bool) {
        let until = Instant::now() + LIMIT;
        while !holds() {
            assert!(Instant::now() < until, "{what}");
            sleep(Duration::from_millis(5)).await;
        }
    }

    #[tokio::test]
    async fn of_many_connections_few_are_kept_at_rest() {
        let server = PolarisStandIn::start().await;
        let proxy = Proxy::start(&server.address()).await.unwrap();
        let settings = PolarisSettings { addresses: vec![proxy.address()], ..PolarisSettings::default() };
        let servers = address::servers(&settings.addresses, false).unwrap();
        let client = Client::new(&settings, servers).unwrap();
        // Nobody is answered before all have asked, so that each has a connection of its own.
        proxy.set(Mode::Pause);
        let questions = join_all((0..AT_ONCE * 3).map(|_| client.services("", "")));
        let answered = async {
            until("all have asked", || proxy.open() == AT_ONCE * 3).await;
            proxy.set(Mode::Pass);
        };
        let (answers, ()) = tokio::join!(questions, answered);
        assert!(answers.iter().all(Result::is_ok));
        until("the spare ones are ended", || proxy.open() <= AT_ONCE).await;
        assert!(client.services("", "").await.is_ok());
        assert_eq!(proxy.ever_open(), AT_ONCE * 3, "the others are kept");
    }
}
