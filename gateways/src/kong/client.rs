//! One request to the Admin API: over whichever address serves, paced, counted, and repeated while that may
//! help.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use backon::{ExponentialBuilder, Retryable as _};
use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use reqwest::{Method, Response, StatusCode};
use serde_json::Value;
use tokio::time::Instant;
use url::Url;

use super::answer::{Cause, Meaning, Refusal};
use super::limiter::{Limiter, Signal};
use super::settings::{KongSettings, SettingsError};
use super::stats::Stats;
use crate::{Fields, http};

/// A request is repeated so often before its failure is reported; whoever planned it goes on from there.
const REPEATS: usize = 4;
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

pub(super) struct Client {
    http: reqwest::Client,
    bases: Vec<Url>,
    /// Of the bases, the one in use.
    current: AtomicUsize,
    limiter: Limiter,
    stats: Arc<Stats>,
}

/// What is asked of Kong.
pub(super) struct Request<'a> {
    pub(super) method: Method,
    /// Not yet encoded.
    pub(super) path: Vec<&'a str>,
    pub(super) query: Vec<(&'static str, String)>,
    pub(super) body: Body<'a>,
    /// The one of the bases that is to answer; any, where none is given.
    pub(super) node: Option<usize>,
}

/// What is sent along.
#[derive(Clone, Copy)]
pub(super) enum Body<'a> {
    None,
    /// An entity, or fields of one.
    Json(&'a Fields),
    /// A whole document. The answer to it repeats all of it many times over, and is not read when it is a success.
    Yaml(&'a str),
}

/// A success.
pub(super) struct Answer {
    /// Null where the answer has none.
    pub(super) body: Value,
    /// What the server calls itself.
    pub(super) server: Option<String>,
}

impl<'a> Request<'a> {
    pub(super) fn get(path: impl IntoIterator<Item = &'a str>) -> Self {
        let path = path.into_iter().collect();
        Self { method: Method::GET, path, query: Vec::new(), body: Body::None, node: None }
    }

    pub(super) fn write(method: Method, path: Vec<&'a str>, body: Option<&'a Fields>) -> Self {
        Self { method, path, query: Vec::new(), body: body.map_or(Body::None, Body::Json), node: None }
    }

    /// Replaces everything on a node without a database, unless it holds this very text already.
    pub(super) fn load(document: &'a str) -> Self {
        let flag = |name| (name, "1".to_owned());
        Self {
            method: Method::POST,
            path: vec!["config"],
            query: vec![flag("check_hash"), flag("flatten_errors")],
            body: Body::Yaml(document),
            node: None,
        }
    }

    /// A success of this request whose body isn't what it should be.
    pub(super) fn unreadable(&self) -> Refusal {
        let request = format!("{} /{}", self.method, self.path.join("/"));
        Refusal { request, cause: Cause::Unreadable("it holds no entity".into()) }
    }

    fn url(&self, base: &Url) -> Url {
        let mut url = base.clone();
        // A base always is one of http or https, which have segments.
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(&self.path);
        }
        if !self.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&self.query);
        }
        url
    }
}

impl Client {
    pub(super) fn new(settings: &KongSettings) -> Result<Self, SettingsError> {
        Self::counting(settings, Arc::default())
    }

    /// One whose requests are counted with those of another.
    pub(super) fn counting(settings: &KongSettings, stats: Arc<Stats>) -> Result<Self, SettingsError> {
        let bases = settings.bases()?;
        let http = settings.client(&bases)?;
        let limiter = Limiter::new(settings.concurrency);
        Ok(Self { http, bases, current: AtomicUsize::new(0), limiter, stats })
    }

    pub(super) fn stats(&self) -> &Arc<Stats> {
        &self.stats
    }

    pub(super) fn limiter(&self) -> &Limiter {
        &self.limiter
    }

    /// How many addresses there are.
    pub(super) fn nodes(&self) -> usize {
        self.bases.len()
    }

    /// One of the addresses, as it is told.
    pub(super) fn address(&self, node: usize) -> String {
        self.bases[node].as_str().trim_end_matches('/').to_owned()
    }

    /// Sends a request, and again while the answer asks for that; what one node is asked, only once.
    pub(super) async fn send(&self, request: &Request<'_>) -> Result<Answer, Refusal> {
        if request.node.is_some() {
            return self.send_once(request).await;
        }
        let pauses = ExponentialBuilder::default()
            .with_min_delay(FIRST_PAUSE)
            .with_max_delay(LONGEST_PAUSE)
            .with_max_times(REPEATS)
            .with_jitter();
        (|| self.send_once(request))
            .retry(pauses)
            .sleep(tokio::time::sleep)
            .when(is_worth_repeating)
            .adjust(|refusal, pause| pause.map(|pause| pause.max(refusal.retry_after().unwrap_or_default())))
            .await
    }

    /// Sends a request, and whatever comes of it is the answer.
    pub(super) async fn send_once(&self, request: &Request<'_>) -> Result<Answer, Refusal> {
        let current = self.current.load(Ordering::Relaxed);
        let url = request.url(&self.bases[request.node.unwrap_or(current) % self.bases.len()]);
        let permit = self.limiter.acquire().await;
        let sent = Instant::now();
        let told = format!("{} {url}", request.method);
        let result = self.exchange(request, url).await;
        let took = sent.elapsed();
        tracing::debug!(request = told, ?took, failure = ?result.as_ref().err(), "asked Kong");
        let result = result.map_err(|cause| Refusal { request: told, cause });
        let refusal = result.as_ref().err();
        permit.done(signal(refusal, took));
        self.stats.count(&request.method, refusal.map_or(Some(200), Refusal::status));
        if request.node.is_none() && refusal.is_some_and(Refusal::is_of_the_node) {
            // Of many that fail together only one moves on.
            let next = current.wrapping_add(1);
            let _ = self.current.compare_exchange(current, next, Ordering::Relaxed, Ordering::Relaxed);
        }
        result
    }

    async fn exchange(&self, request: &Request<'_>, url: Url) -> Result<Answer, Cause> {
        let mut builder = self.http.request(request.method.clone(), url);
        builder = match request.body {
            Body::None => builder,
            Body::Json(fields) => builder.json(fields),
            Body::Yaml(text) => builder.header(CONTENT_TYPE, "application/yaml").body(text.to_owned()),
        };
        let response = builder.send().await.map_err(unanswered)?;
        let status = response.status();
        let retry_after = retry_after(&response);
        let succeeded = status.is_success() || status == StatusCode::NOT_MODIFIED;
        let server = response.headers().get("server").and_then(|v| v.to_str().ok()).map(str::to_owned);
        if succeeded && matches!(request.body, Body::Yaml(_)) {
            return Ok(Answer { body: Value::Null, server });
        }
        let body = response.bytes().await;
        if !succeeded {
            // The status is known, so a body that broke off loses only Kong's words.
            return Err(Cause::of_answer(status.as_u16(), &body.unwrap_or_default(), retry_after));
        }
        let body = body.map_err(|error| Cause::Unreadable(http::words(error)))?;
        if body.is_empty() {
            return Ok(Answer { body: Value::Null, server });
        }
        let body = serde_json::from_slice(&body).map_err(|error| Cause::Unreadable(error.to_string()))?;
        Ok(Answer { body, server })
    }
}

/// What the outcome of a request says about Kong's load.
fn signal(refusal: Option<&Refusal>, took: Duration) -> Signal {
    match refusal {
        Some(refusal) if refusal.pushes_back() => Signal::PushedBack,
        Some(Refusal { cause: Cause::Unreachable(_), .. }) => Signal::None,
        _ => Signal::Answered(took),
    }
}

fn is_worth_repeating(refusal: &Refusal) -> bool {
    refusal.meaning() == Meaning::Repeat && refusal.retry_after().unwrap_or_default() <= LONGEST_PAUSE
}

fn unanswered(error: reqwest::Error) -> Cause {
    let cause = if error.is_timeout() { Cause::Timeout } else { Cause::Unreachable };
    cause(http::words(error))
}

/// Kong's own plugins and the proxies before it send seconds, not dates.
fn retry_after(response: &Response) -> Option<Duration> {
    let value = response.headers().get(RETRY_AFTER)?.to_str().ok()?;
    value.trim().parse().ok().map(Duration::from_secs)
}
