//! HTTP to any of the configured servers.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use causeway_gateways::http::client_builder;
use reqwest::{Method, StatusCode};

use super::NacosError;
use super::address::Server;
use crate::registries::http::{CONNECT_TIMEOUT, quoted, root_cause};
use crate::registries::tls::Trust;

/// A page of 10,000 services from a busy server takes a while.
const TIMEOUT: Duration = Duration::from_secs(15);

/// One request, to whichever server answers.
#[derive(Clone, Debug)]
pub(super) struct Call {
    pub(super) method: Method,
    /// Behind the context path.
    pub(super) path: &'static str,
    pub(super) query: Vec<(&'static str, String)>,
    pub(super) form: Vec<(&'static str, String)>,
    pub(super) headers: Vec<(&'static str, String)>,
}

impl Call {
    pub(super) fn get(path: &'static str) -> Self {
        Self { method: Method::GET, path, query: Vec::new(), form: Vec::new(), headers: Vec::new() }
    }

    pub(super) fn post(path: &'static str, form: Vec<(&'static str, String)>) -> Self {
        Self { method: Method::POST, form, ..Self::get(path) }
    }

    #[must_use]
    pub(super) fn query(mut self, key: &'static str, value: impl ToString) -> Self {
        self.query.push((key, value.to_string()));
        self
    }
}

/// What a server answered.
#[derive(Clone, Debug)]
pub(super) struct Reply {
    pub(super) server: String,
    pub(super) status: StatusCode,
    pub(super) body: bytes::Bytes,
}

impl Reply {
    /// The body for an error message.
    pub(super) fn words(&self) -> String {
        let text = String::from_utf8_lossy(&self.body);
        let told = serde_json::from_str::<serde_json::Value>(&text).ok();
        // Spring's own errors carry a time as well, so that no two of them are alike.
        let field = |name: &str| told.as_ref().and_then(|json| json[name].as_str());
        let message = match (field("message").or_else(|| field("error")), field("data")) {
            // What v3 says itself where it wraps an error of its own.
            (Some("server error"), Some(data)) => data.to_owned(),
            (Some(message), Some(data)) => format!("{message}: {data}"),
            (message, _) => message.unwrap_or(&text).to_owned(),
        };
        let short = quoted(&message);
        if short.is_empty() { format!("status {}", self.status.as_u16()) } else { short }
    }
}

/// HTTP to several servers of one cluster: the one that answered last is asked first.
pub(super) struct Http {
    client: reqwest::Client,
    servers: Vec<Server>,
    current: AtomicUsize,
}

impl Http {
    pub(super) fn new(servers: Vec<Server>, trust: &Trust) -> Result<Self, NacosError> {
        let builder = client_builder().connect_timeout(CONNECT_TIMEOUT).timeout(TIMEOUT);
        Ok(Self {
            client: trust.http(builder).map_err(NacosError::Settings)?,
            servers,
            current: AtomicUsize::new(0),
        })
    }

    /// Sends it to one server after the other until one answers and is neither starting nor behind a gateway that can't
    /// reach it.
    pub(super) async fn send(&self, call: &Call) -> Result<Reply, NacosError> {
        let first = self.current.load(Ordering::Relaxed);
        let mut last = NacosError::Settings("no Nacos address is configured".to_owned());
        for turn in 0..self.servers.len() {
            let index = (first + turn) % self.servers.len();
            match self.send_to(&self.servers[index], call).await {
                Ok(reply) if absent(reply.status) => {
                    let (server, reason) = (reply.server.clone(), reply.words());
                    last = NacosError::Unreachable { server, reason };
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

    async fn send_to(&self, server: &Server, call: &Call) -> Result<Reply, NacosError> {
        let url = format!("{}{}", server.http, call.path);
        let mut request = self.client.request(call.method.clone(), url).query(&call.query);
        for (name, value) in &call.headers {
            request = request.header(*name, value);
        }
        if !call.form.is_empty() {
            request = request.form(&call.form);
        }
        let unreachable = |error: reqwest::Error| NacosError::Unreachable {
            server: server.label.clone(),
            reason: root_cause(&error.without_url()),
        };
        let answer = request.send().await.map_err(unreachable)?;
        let status = answer.status();
        let body = answer.bytes().await.map_err(unreachable)?;
        Ok(Reply { server: server.label.clone(), status, body })
    }
}

fn absent(status: StatusCode) -> bool {
    matches!(status, StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_person_wants_to_know_of_an_error_is_quoted() {
        let words = |body: &'static str| {
            Reply { server: "s".into(), status: StatusCode::FORBIDDEN, body: body.into() }.words()
        };
        assert_eq!(
            words(
                r#"{"timestamp":"2026-11-21T08:57:24.923+00:00","status":403,"error":"Forbidden","path":"/x"}"#
            ),
            "Forbidden"
        );
        assert_eq!(words(r#"{"code":403,"message":"no right"}"#), "no right");
        assert_eq!(
            words(r#"{"code":30000,"message":"server error","data":"cluster x is not found!"}"#),
            "cluster x is not found!"
        );
        assert_eq!(
            words(r#"{"code":21001,"message":"weight error","data":"too much"}"#),
            "weight error: too much"
        );
        assert_eq!(words(" caused by: x \n"), "caused by: x");
        assert_eq!(words(""), "status 403");
        assert_eq!(words("é".repeat(300).leak()).chars().count(), 200);
    }
}
