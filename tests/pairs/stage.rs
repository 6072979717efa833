//! What all stories share.

use std::any::Any;
use std::io::{self, Write as _};
use std::time::Duration;

use causeway::model::Address;
use futures::future::BoxFuture;
use futures::stream::{self, StreamExt};
use tokio::sync::Semaphore;
use tokio::time::Instant;

use crate::conformance::Inst;
use crate::site::Entry;

/// A metadata key that every type can hold.
pub const LANE: &str = "lane";

/// So many stories are told at a time, whoever tells them.
const AT_A_TIME: usize = 4;
static TURNS: Semaphore = Semaphore::const_new(AT_A_TIME);

pub fn address(instance: &Inst) -> Address {
    Address::new(instance.host.clone(), instance.port)
}

/// What stands at an instance's address.
pub fn at<'a>(entries: &'a [Entry], instance: &Inst) -> Vec<&'a Entry> {
    entries.iter().filter(|entry| entry.address == address(instance)).collect()
}

/// Whether exactly what an application registered stands at its address.
pub fn is_native(entries: &[Entry], instance: &Inst) -> bool {
    let [entry] = &at(entries, instance)[..] else { return false };
    !entry.is_copy() && entry.metadata.get(LANE) == instance.metadata.get(LANE)
}

pub type Story = BoxFuture<'static, ()>;

/// Tells each story to its end, good or bad, says how long it took, and fails when one of them did.
pub async fn tell_all(stories: Vec<(String, Story)>) {
    let count = stories.len();
    let told = stream::iter(stories).map(|(name, story)| told(name, story)).buffer_unordered(count);
    let failed: Vec<String> = told.filter_map(std::future::ready).collect().await;
    say(&format!("{} of {count} stories came to a good end", count - failed.len()));
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

/// What went wrong, if anything did.
async fn told(name: String, story: Story) -> Option<String> {
    let _turn = TURNS.acquire().await.unwrap();
    let begun = Instant::now();
    let failure = tokio::spawn(story).await.err().map(|error| words(error.into_panic()));
    let took = Duration::from_millis(u64::try_from(begun.elapsed().as_millis()).unwrap());
    say(&format!("{name}: {} after {took:?}", failure.as_deref().unwrap_or("good")));
    Some(format!("{name}: {}", failure?))
}

/// Past what keeps the output of good tests back.
pub fn say(what: &str) {
    io::stdout().write_all(format!("{what}\n").as_bytes()).unwrap();
}

fn words(panic: Box<dyn Any + Send>) -> String {
    let of_str = |panic: Box<dyn Any + Send>| panic.downcast::<&str>().map_or("no words", |text| *text);
    panic.downcast::<String>().map_or_else(|panic| of_str(panic).to_owned(), |text| *text)
}
