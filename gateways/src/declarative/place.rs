//! What can hold a declarative document.

use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;

use super::document::Document;
use crate::GatewayError;

/// Where a declarative document lives: a file, or the nodes of a Kong without a database.
#[async_trait]
pub(crate) trait Place: Send + Sync + 'static {
    /// The document that stands there and was not known to. Touches nothing.
    async fn look(&mut self, how: Look) -> Result<Found, GatewayError>;

    /// What was last found there is not what is to stand there: it has to be put.
    fn outdated(&mut self);

    /// Puts a document there in the place of what stands.
    async fn put(&mut self, document: &Document) -> Result<(), Refusal>;

    /// Puts a document where a part of the place has lost it. What cannot be mended is told, and tried again.
    async fn mend(&mut self, document: &Document);

    /// What stands there before anything does.
    fn empty(&self) -> Document;

    /// A document as it is kept here.
    fn adapted(&self, document: Document) -> Document;

    /// Whether what is ours stays when somebody else puts a document there without it. A person who edits a file took
    /// it out on purpose; a document loaded into a node is the whole of what its author knows.
    fn remembers_ours(&self) -> bool;

    /// How fast documents may follow each other.
    fn pace(&self) -> Pace;

    /// What it is, for people.
    fn describe(&self) -> String;
}

/// What a look finds.
pub(crate) enum Found {
    /// Nothing that was not known.
    Nothing,
    /// A document that somebody else has put there since the last look.
    Others(Document),
    /// One that was put there from here, when it could not be said whether it was taken.
    Sent(Document),
}

/// How much a look may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Look {
    /// What was seen a moment ago is good enough.
    Recent,
    /// As it stands now.
    Fresh,
}

/// How fast documents may follow each other, beside that none comes faster than the last one took.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    /// Plans are waited for until none has come for this long.
    pub(crate) gather: Duration,
    /// The least time between the end of one document and the next.
    pub(crate) rest: Duration,
}

/// Why a document was not taken.
pub(crate) enum Refusal {
    /// As a whole.
    Whole(GatewayError),
    /// Because of some of its entities, with everything that was said.
    Entities(Vec<BadEntity>, String),
}

/// An entity that was refused.
pub(crate) struct BadEntity {
    /// `service`, `upstream`, `target`, …
    pub(crate) kind: String,
    /// As it was sent.
    pub(crate) entity: Value,
    /// What is wrong with it, in the gateway's own words.
    pub(crate) words: String,
}
