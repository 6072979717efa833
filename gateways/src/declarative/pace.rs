//! How many documents changes cost, on virtual time: real machines plan as slowly as they like.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use futures::future::join_all;
use proptest::prelude::*;
use tokio::time::sleep;

use super::commit::Declarative;
use super::document::Document;
use super::place::{Found, Look, Pace, Place, Refusal};
use crate::{Change, Fields, Gateway, GatewayError, ObjectKey, Plan, Write};

const SECOND: Duration = Duration::from_secs(1);

/// A node that takes its time over each document.
struct SlowNode {
    takes: Duration,
    documents: Arc<AtomicUsize>,
}

#[async_trait]
impl Place for SlowNode {
    async fn look(&mut self, _: Look) -> Result<Found, GatewayError> {
        Ok(Found::Nothing)
    }

    fn outdated(&mut self) {}

    async fn put(&mut self, _: &Document) -> Result<(), Refusal> {
        sleep(self.takes).await;
        self.documents.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    async fn mend(&mut self, _: &Document) {}

    fn empty(&self) -> Document {
        Document::for_an_empty_node()
    }

    fn adapted(&self, document: Document) -> Document {
        document
    }

    fn remembers_ours(&self) -> bool {
        true
    }

    fn pace(&self) -> Pace {
        Pace { gather: Duration::from_millis(50), rest: SECOND }
    }

    fn describe(&self) -> String {
        "slow".to_owned()
    }
}

fn creation(n: usize) -> Plan {
    let key = ObjectKey::Upstream(format!("u{n}"));
    let change = Change { key, write: Write::Create(Fields::new()), reason: String::new() };
    Plan { changes: vec![change], ..Plan::default() }
}

/// Plans that come at these times; how many documents they cost.
fn cost(arrivals: &[u16], takes: Duration) -> usize {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let documents = Arc::new(AtomicUsize::new(0));
    let node = SlowNode { takes, documents: Arc::clone(&documents) };
    let gateway = Declarative::new(node, None, "causeway");
    runtime.unwrap().block_on(join_all(arrivals.iter().enumerate().map(async |(n, after)| {
        sleep(Duration::from_millis((*after).into())).await;
        let applied = gateway.apply(&creation(n)).await;
        assert!(applied.failed.is_empty(), "{:?}", applied.failed);
    })));
    documents.load(Ordering::Relaxed)
}

proptest! {
    #[test]
    fn changes_within_a_second_cost_two_documents_at_most(
        arrivals in proptest::collection::vec(0..1000_u16, 1..60),
        takes in 0..5000_u64,
    ) {
        let documents = cost(&arrivals, Duration::from_millis(takes));
        prop_assert!((1..=2).contains(&documents), "{} documents", documents);
    }
}

#[test]
fn five_thousand_within_a_second_too() {
    let arrivals: Vec<u16> = (0..5000).map(|n| n / 5).collect();
    assert!((1..=2).contains(&cost(&arrivals, SECOND)));
    let spread: Vec<u16> = (0..10).map(|n| n * 5000).collect();
    assert_eq!(cost(&spread, SECOND), 10, "what comes later costs more");
}
