//! Queries to any of the configured servers.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use causeway_gateways::http::client_builder;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Response, StatusCode};
use serde::Deserialize;
use serde_json::Value;

use super::places::MOST_PLACES;
use super::{ConsulError, ConsulSettings};
use crate::registries::http::{CONNECT_TIMEOUT, path_segment, quoted, root_cause};
use crate::registries::server::Server;
use crate::registries::tls::Trust;

/// For an answer at once. A list of 10,000 services from a busy server takes a while.
const TIMEOUT: Duration = Duration::from_secs(10);
/// What an answer may take beyond its wait, to which the server adds up to a sixteenth.
const MARGIN: Duration = Duration::from_secs(4);
/// Connections at rest: as many as there are queries, since all of these may be answered at once and be asked again a moment later.
/// They count in the server's limit as the others do, so none is begun while one is at rest.
const IDLE_CONNECTIONS: usize = MOST_PLACES + 16;

/// The body of an answer without entries.
const NOTHING: &[u8] = b"[]";

const INDEX: HeaderName = HeaderName::from_static("x-consul-index");
const FILTERED: HeaderName = HeaderName::from_static("x-consul-results-filtered-by-acls");
const DEFAULT_POLICY: HeaderName = HeaderName::from_static("x-consul-default-acl-policy");
const KNOWN_LEADER: HeaderName = HeaderName::from_static("x-consul-knownleader");
const TOKEN: HeaderName = HeaderName::from_static("x-consul-token");

/// One query.
#[derive(Clone, Debug)]
pub(super) struct Query {
    /// For people.
    pub(super) what: String,
    /// Behind `/v1`, encoded.
    pub(super) path: String,
    pub(super) filter: Option<String>,
    /// Answers are sorted by their distance from the agent that is asked. That is of no use here, but keeps a server from answering
    /// a waiting query out of its stream of events (its default for health), where it doesn't tell whether there is a leader.
    pub(super) sorted: bool,
    /// How long it may wait for a change.
    pub(super) wait: Duration,
}

impl Query {
    /// One that is answered at once, with all that there is.
    pub(super) fn at_once(what: String, path: String) -> Self {
        Self { what, path, filter: None, sorted: false, wait: Duration::ZERO }
    }
}

/// Where a service's instances are.
pub(super) fn instances_path(service: &str) -> String {
    format!("/health/service/{}", path_segment(service))
}

/// A good and whole answer.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub(super) server: String,
    pub(super) index: u64,
    /// Whoever has no right to something is shown nothing, without a word.
    pub(super) default_deny: bool,
    pub(super) body: bytes::Bytes,
}

/// Why an operation of a transaction could not be carried out.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(super) struct Refusal {
    /// Which operation.
    #[serde(rename = "OpIndex")]
    pub(super) operation: usize,
    /// The server's words.
    #[serde(rename = "What")]
    pub(super) words: String,
}

/// HTTP to several servers of one cluster: the one that answered last is asked first.
pub(super) struct Http {
    client: reqwest::Client,
    servers: Vec<Server>,
    current: AtomicUsize,
    datacenter: Option<String>,
    /// A token is sent, so the server tells when it leaves something out.
    pub(super) has_token: bool,
}

impl Http {
    pub(super) fn new(settings: &ConsulSettings) -> Result<Self, ConsulError> {
        let trust = Trust::read(settings.tls.as_ref()).map_err(ConsulError::Settings)?;
        let mut headers = HeaderMap::new();
        if let Some(token) = &settings.token {
            let unusable = |_| ConsulError::Settings("`token` can't be sent in a header".to_owned());
            let mut value = HeaderValue::from_str(token.expose()).map_err(unusable)?;
            value.set_sensitive(true);
            headers.insert(TOKEN, value);
        }
        let has_token = !headers.is_empty();
        let builder = client_builder()
            .http1_only()
            .default_headers(headers)
            .connect_timeout(CONNECT_TIMEOUT)
            .pool_max_idle_per_host(IDLE_CONNECTIONS);
        Ok(Self {
            client: trust.http(builder).map_err(ConsulError::Settings)?,
            servers: settings.servers()?,
            current: AtomicUsize::new(0),
            datacenter: settings.datacenter.clone(),
            has_token,
        })
    }

    /// Asks the current server. When that fails, another is the current one for the next try.
    ///
    /// # Errors
    /// Whatever isn't a good and whole answer.
    pub(super) async fn get(&self, query: &Query, index: Option<u64>) -> Result<Answer, ConsulError> {
        self.by_turns(|server| self.get_from(server, query, index)).await
    }

    /// Carries out operations on the catalogue, all or none. What it refused of them, if anything; then it did none.
    ///
    /// # Errors
    /// Whatever isn't such an answer.
    pub(super) async fn transact(&self, operations: &[&Value]) -> Result<Vec<Refusal>, ConsulError> {
        self.by_turns(|server| self.transact_on(server, operations)).await
    }

    /// Whether an empty answer means that there is nothing. With a token the server says when it leaves something out.
    ///
    /// # Errors
    /// It may just be kept from us.
    pub(super) fn believe(&self, answer: &Answer, query: &Query) -> Result<(), ConsulError> {
        if answer.body.trim_ascii() == NOTHING && answer.default_deny && !self.has_token {
            let (server, what) = (answer.server.clone(), query.what.clone());
            return Err(ConsulError::Withheld { server, what });
        }
        Ok(())
    }

    async fn by_turns<'a, T, F>(&'a self, ask: impl FnOnce(&'a Server) -> F) -> Result<T, ConsulError>
    where
        F: Future<Output = Result<T, ConsulError>>,
    {
        let turn = self.current.load(Ordering::Relaxed);
        let answer = ask(&self.servers[turn % self.servers.len()]).await;
        if let Err(
            ConsulError::Unreachable { .. } | ConsulError::NotReady { .. } | ConsulError::Refused { .. },
        ) = answer
        {
            // Of all that fail at once only the first moves on.
            let _ = self.current.compare_exchange(turn, turn + 1, Ordering::Relaxed, Ordering::Relaxed);
        }
        answer
    }

    async fn transact_on(&self, server: &Server, operations: &[&Value]) -> Result<Vec<Refusal>, ConsulError> {
        let unreachable = |error: reqwest::Error| unreachable(server, &error, TIMEOUT);
        let what = || "a transaction".to_owned();
        let request = self.client.put(format!("{}/v1/txn", server.base)).query(&self.everywhere());
        let response = request.json(operations).timeout(TIMEOUT).send().await.map_err(unreachable)?;
        match response.status() {
            StatusCode::OK => Ok(Vec::new()),
            StatusCode::CONFLICT => {
                let body = response.bytes().await.map_err(unreachable)?;
                let unreadable = |reason: String| ConsulError::Unreadable {
                    server: server.label.clone(),
                    what: what(),
                    reason,
                };
                parse_refusals(&body).map_err(unreadable)
            }
            _ => Err(refusal(server, what(), response).await),
        }
    }

    /// The parameters of every request.
    fn everywhere(&self) -> Vec<(&'static str, String)> {
        self.datacenter.iter().map(|datacenter| ("dc", datacenter.clone())).collect()
    }

    async fn get_from(
        &self,
        server: &Server,
        query: &Query,
        index: Option<u64>,
    ) -> Result<Answer, ConsulError> {
        let mut parameters = self.everywhere();
        if let Some(filter) = &query.filter {
            parameters.push(("filter", filter.clone()));
        }
        if query.sorted {
            parameters.push(("near", "_agent".to_owned()));
        }
        let mut timeout = TIMEOUT;
        if let Some(index) = index {
            parameters.push(("index", index.to_string()));
            parameters.push(("wait", format!("{}s", query.wait.as_secs())));
            timeout = query.wait * 17 / 16 + MARGIN;
        }
        let unreachable = |error: reqwest::Error| unreachable(server, &error, timeout);
        let url = format!("{}/v1{}", server.base, query.path);
        let request = self.client.get(url).query(&parameters).timeout(timeout);
        let response = request.send().await.map_err(unreachable)?;
        let (status, headers) = (response.status(), response.headers().clone());
        if status != StatusCode::OK {
            return Err(refusal(server, query.what.clone(), response).await);
        }
        let body = response.bytes().await.map_err(unreachable)?;
        judge(server, query, &headers, body)
    }
}

fn unreachable(server: &Server, error: &reqwest::Error, timeout: Duration) -> ConsulError {
    ConsulError::Unreachable { server: server.label.clone(), reason: reason(error, timeout) }
}

fn reason(error: &reqwest::Error, timeout: Duration) -> String {
    if error.is_timeout() && !error.is_connect() {
        return format!("no answer within {} s", timeout.as_secs());
    }
    root_cause(error)
}

async fn refusal(server: &Server, what: String, response: Response) -> ConsulError {
    let (server, status) = (server.label.clone(), response.status());
    // The status tells enough when the words are lost.
    let message = quoted(&response.text().await.unwrap_or_default());
    match status {
        StatusCode::TOO_MANY_REQUESTS => ConsulError::Busy { server },
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => ConsulError::Denied { server, what, message },
        status => ConsulError::Refused { server, what, status: status.as_u16(), message },
    }
}

/// What a transaction that was not carried out says, operation by operation.
fn parse_refusals(body: &[u8]) -> Result<Vec<Refusal>, String> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Answer {
        errors: Vec<Refusal>,
    }
    let Answer { errors } = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    if errors.is_empty() {
        return Err("it was not carried out, and names no reason".to_owned());
    }
    let short = |refusal: Refusal| Refusal { words: quoted(&refusal.words), ..refusal };
    Ok(errors.into_iter().map(short).collect())
}

/// Whether a 200 holds all that there is. An index is taken from such an answer only.
fn judge(
    server: &Server,
    query: &Query,
    headers: &HeaderMap,
    body: bytes::Bytes,
) -> Result<Answer, ConsulError> {
    let text = |name: &HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let (server, what) = (server.label.clone(), query.what.clone());
    if text(&FILTERED) == Some("true") {
        return Err(ConsulError::Filtered { server, what });
    }
    if text(&KNOWN_LEADER) == Some("false") {
        return Err(ConsulError::NotReady { server, reason: "it knows no leader".to_owned() });
    }
    let Some(index) = text(&INDEX).and_then(|index| index.parse().ok()) else {
        let reason = format!("it carries no valid {INDEX}");
        return Err(ConsulError::Unreadable { server, what, reason });
    };
    Ok(Answer { server, index, default_deny: text(&DEFAULT_POLICY) == Some("deny"), body })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(headers: &[(&'static str, &'static str)]) -> Result<Answer, ConsulError> {
        let server = Server { label: "s:1".to_owned(), base: "http://s:1".to_owned() };
        let query = Query::at_once("it".to_owned(), String::new());
        let pairs = headers
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
        judge(&server, &query, &pairs.collect(), bytes::Bytes::new())
    }

    #[test]
    fn only_a_whole_answer_of_a_led_cluster_is_good() {
        let good = judged(&[("x-consul-index", "7"), ("x-consul-knownleader", "true")]).unwrap();
        assert_eq!((good.index, good.default_deny), (7, false));
        let denying = [("x-consul-index", "7"), ("x-consul-default-acl-policy", "deny")];
        assert!(judged(&denying).unwrap().default_deny);
        let told = |headers: &[(&'static str, &'static str)]| judged(headers).unwrap_err();
        let filtered = told(&[("x-consul-index", "7"), ("x-consul-results-filtered-by-acls", "true")]);
        assert!(matches!(filtered, ConsulError::Filtered { .. }) && filtered.is_narrow(), "{filtered}");
        let leaderless = told(&[("x-consul-index", "7"), ("x-consul-knownleader", "false")]);
        assert!(matches!(leaderless, ConsulError::NotReady { .. }), "{leaderless}");
        for index in [None, Some(("x-consul-index", "x"))] {
            let told = told(index.as_slice());
            assert!(matches!(told, ConsulError::Unreadable { .. }), "{told}");
        }
    }
}
