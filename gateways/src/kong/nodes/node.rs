//! One node of a Kong without a database: which document it holds, and giving it another.

use std::sync::Arc;
use std::time::Duration;

use md5::{Digest as _, Md5};
use serde_json::Value;
use tokio::time::{Instant, sleep, timeout};

use super::ours::{Ours, Standing};
use crate::declarative::{BadEntity, Document, Refusal as NotTaken};
use crate::kong::answer::{Cause, Refusal};
use crate::kong::client::{Client, Request};
use crate::{GatewayError, NodeState, Retry};

/// What `/status` shows of a node that holds nothing.
const EMPTY: &str = "00000000000000000000000000000000";
/// A node that says nothing for this long is taken for down, so that it does not hold up the others.
const PATIENCE: Duration = Duration::from_secs(3);
/// One that is down is asked again after a second, then after twice as long each time, up to this.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// A document that was taken shows within this time. The node is slow to answer meanwhile: it has just loaded it.
const SETTLES: Duration = Duration::from_secs(15);

pub(super) struct Node {
    pub(super) client: Client,
    address: String,
    up: bool,
    /// The hash of the document that it last showed.
    hash: Option<String>,
    /// It could not be reached since it last answered, so it may have been started anew; one that is only slow was not.
    away: bool,
    /// Somebody has loaded what it holds while it was running.
    given: bool,
    /// The requests that it has counted since its start.
    requests: u64,
    /// What it calls itself.
    pub(super) server: Option<String>,
    /// The hash of a document that it would not take.
    refused: Option<String>,
    trouble: Option<String>,
    /// When one that is down is asked again, and after how many tries.
    again: Option<(Instant, u32)>,
}

/// A document as it is sent.
pub(super) struct Load {
    pub(super) text: Arc<str>,
    /// As Kong takes it of a document that came as text.
    pub(super) hash: String,
    is_empty: bool,
}

impl Load {
    pub(super) fn new(document: &Document) -> Self {
        let text = document.text();
        let hash = Md5::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
        Self { text: text.into(), hash, is_empty: document.is_empty() }
    }

    /// The hashes that a node may show which holds it: of what holds nothing Kong takes none.
    pub(super) fn hashes(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.hash.as_str()).chain(self.is_empty.then_some(EMPTY))
    }

    fn is_shown(&self, hash: &str) -> bool {
        self.hashes().any(|it| it == hash)
    }
}

impl Node {
    pub(super) fn new(client: Client, address: &str) -> Self {
        Self {
            client,
            address: address.to_owned(),
            up: false,
            hash: None,
            away: true,
            given: false,
            requests: 0,
            server: None,
            refused: None,
            trouble: None,
            again: None,
        }
    }

    pub(super) fn state(&self) -> NodeState {
        NodeState { address: self.address.clone(), trouble: self.trouble.clone() }
    }

    pub(super) fn address(&self) -> &str {
        &self.address
    }

    pub(super) fn is_up(&self) -> bool {
        self.up
    }

    /// Whether one that is down is to be asked again.
    pub(super) fn is_due(&self) -> bool {
        self.again.is_none_or(|(at, _)| at <= Instant::now())
    }

    /// The hash that it shows, if it answers.
    pub(super) fn shows(&self) -> Option<&str> {
        self.hash.as_deref().filter(|_| self.up)
    }

    /// Whether it answers and shows this document.
    pub(super) fn shows_load(&self, load: &Load) -> bool {
        self.shows().is_some_and(|hash| load.is_shown(hash))
    }

    /// The hash of what it holds, if it answers and holds anything.
    pub(super) fn holds(&self) -> Option<&str> {
        self.shows().filter(|hash| *hash != EMPTY)
    }

    /// Whether somebody has loaded a document into it since this was last asked, and one that is not ours. What it was
    /// started with does not count: that is nobody's wish.
    pub(super) fn take_given(&mut self, ours: &Ours) -> bool {
        let is_foreign = self.holds().is_some_and(|hash| ours.standing(hash) == Standing::Foreign);
        std::mem::take(&mut self.given) && is_foreign
    }

    pub(super) fn has_refused(&self, hash: &str) -> bool {
        self.refused.as_deref() == Some(hash)
    }

    /// Why it does not answer.
    pub(super) fn trouble(&self) -> String {
        self.trouble.clone().unwrap_or_default()
    }

    /// Looks which document it holds.
    pub(super) async fn probe(&mut self) {
        match self.status(PATIENCE).await {
            Ok((hash, requests)) => {
                let is_other = self.hash.as_ref() != Some(&hash);
                let has_begun_anew = std::mem::take(&mut self.away) || requests < self.requests;
                self.given = !has_begun_anew && (is_other || self.given);
                let is_back = !std::mem::replace(&mut self.up, true);
                (self.hash, self.requests, self.again) = (Some(hash), requests, None);
                if is_back || is_other || self.refused.is_none() {
                    self.note(None);
                }
            }
            Err(refusal) => self.is_down(&refusal),
        }
    }

    /// The hash of what it holds, and the requests that it has counted.
    async fn status(&mut self, patience: Duration) -> Result<(String, u64), Refusal> {
        let request = Request::get(["status"]);
        let answer = timeout(patience, self.client.send_once(&request)).await.unwrap_or_else(|_| {
            let cause = Cause::Timeout(format!("none within {patience:?}"));
            Err(Refusal { request: format!("GET {}/status", self.address), cause })
        });
        self.away |= matches!(&answer, Err(Refusal { cause, .. }) if !matches!(cause, Cause::Timeout(_)));
        let answer = answer?;
        self.server = answer.server;
        let hash = answer.body["configuration_hash"].as_str().map(str::to_owned);
        let requests = answer.body.pointer("/server/total_requests").and_then(Value::as_u64);
        Ok((hash.ok_or_else(|| request.unreadable())?, requests.unwrap_or_default()))
    }

    /// Everything that it holds.
    pub(super) async fn fetch(&self) -> Result<Option<Document>, GatewayError> {
        let failed = |message: String| GatewayError { message, retry: Retry::Backoff(None) };
        let request = Request::get(["config"]);
        let answer = self.client.send(&request).await.map_err(|refusal| failed(refusal.to_string()))?;
        let text = answer.body["config"].as_str().ok_or_else(|| failed(request.unreadable().to_string()))?;
        Document::read(text).map_err(|broken| {
            failed(format!("GET {}/config: what it holds cannot be understood: {broken}", self.address))
        })
    }

    /// Gives it a document, and looks that it shows.
    pub(super) async fn load(&mut self, load: &Load) -> Result<(), NotTaken> {
        let answer = self.client.send_once(&Request::load(&load.text)).await;
        if let Err(refusal) = &answer
            && let Some(not_taken) = refusal_of_document(refusal)
        {
            self.refused = Some(load.hash.clone());
            return Err(not_taken);
        }
        let shown = self.until_shown(load, answer.is_ok()).await;
        match (answer, shown) {
            // Whatever became of the answer, it is there.
            (_, Ok(true)) => {
                (self.up, self.given, self.refused) = (true, false, None);
                self.note(None);
                Ok(())
            }
            (Err(refusal), _) | (Ok(_), Err(refusal)) => {
                self.is_down(&refusal);
                Err(NotTaken::Whole(GatewayError {
                    message: format!("{refusal}; it is tried again"),
                    retry: Retry::Backoff(refusal.retry_after()),
                }))
            }
            (Ok(_), Ok(false)) => {
                let message = format!(
                    "{}: it took the document, and shows another one: does anybody else load documents? it is tried again",
                    self.address
                );
                self.note(Some(message.clone()));
                Err(NotTaken::Whole(GatewayError { message, retry: Retry::Backoff(None) }))
            }
        }
    }

    /// Waits a while until it shows a document; where the answer was none, only looks.
    async fn until_shown(&mut self, load: &Load, was_taken: bool) -> Result<bool, Refusal> {
        let begun = Instant::now();
        loop {
            let (shown, requests) = self.status(SETTLES).await?;
            self.requests = requests;
            if load.is_shown(&shown) {
                self.hash = Some(shown);
                return Ok(true);
            }
            if !was_taken || begun.elapsed() > SETTLES {
                return Ok(false);
            }
            sleep(Duration::from_millis(100)).await;
        }
    }

    fn is_down(&mut self, refusal: &Refusal) {
        let tries = self.again.map_or(0, |(_, tries)| tries);
        let pause = (Duration::from_secs(1) * 2_u32.pow(tries.min(8))).min(LONGEST_PAUSE);
        self.again = Some((Instant::now() + pause, tries + 1));
        self.up = false;
        self.note(Some(refusal.to_string()));
    }

    /// Tells a trouble once, and its end.
    pub(super) fn note(&mut self, trouble: Option<String>) {
        match (&self.trouble, &trouble) {
            (None, Some(reason)) => {
                tracing::warn!(node = %self.address, %reason, "the node does not hold what it should; the others go on, and it gets the document as soon as it takes it");
            }
            (Some(_), None) => tracing::info!(node = %self.address, "the node answers again"),
            _ => {}
        }
        self.trouble = trouble;
    }
}

/// What is wrong with the document, and not with the node.
fn refusal_of_document(refusal: &Refusal) -> Option<NotTaken> {
    let Cause::Status { status: 400 | 413, entities, words, .. } = &refusal.cause else { return None };
    if entities.is_empty() {
        let message = format!("{refusal}; what stands there stays, and it is tried again at the next audit");
        return Some(NotTaken::Whole(GatewayError { message, retry: Retry::Never }));
    }
    let bad: Vec<BadEntity> = entities.iter().map(bad_entity).collect();
    let each = bad.iter().map(|bad| format!("{} {}: {}", bad.kind, called(&bad.entity), bad.words));
    let words = format!("{words}; {}", each.collect::<Vec<_>>().join("; "));
    Some(NotTaken::Entities(bad, words))
}

fn bad_entity(flattened: &Value) -> BadEntity {
    let errors = flattened["errors"].as_array().into_iter().flatten();
    let words = errors.map(|error| {
        let message = error["message"].as_str().unwrap_or("no message");
        error["field"].as_str().map_or_else(|| message.to_owned(), |field| format!("{field}: {message}"))
    });
    BadEntity {
        kind: flattened["entity_type"].as_str().unwrap_or_default().to_owned(),
        words: words.collect::<Vec<_>>().join(", "),
        entity: flattened["entity"].clone(),
    }
}

fn called(entity: &Value) -> &str {
    ["name", "target", "username", "id"]
        .iter()
        .find_map(|field| entity[*field].as_str())
        .unwrap_or("without a name")
}
