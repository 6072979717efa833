//! Replays what a real Polaris 1.18.1 was asked against the stand-in and compares the answers, field by field.
//!
//! `data/polaris/exchanges.jsonl` holds the exchanges in their order, each mode from an empty server. The stand-in's clock skips
//! the pauses of the recording. Ids, revisions, tokens and times are compared by their form; what differs from run to run of
//! the real server is marked in the recording.
#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs)]

#[path = "polaris_replay/compare.rs"]
mod compare;
#[path = "polaris_replay/exchange.rs"]
mod exchange;

use std::collections::BTreeMap;
use std::time::Duration;

use causeway_test_support::http_client;
use causeway_test_support::polaris::PolarisStandIn;
use exchange::{Exchange, Mode};

/// What isn't imitated at all: the configuration center.
const ASIDE: &str = "config/";

/// The most other exchanges that may be left out.
const MOST_LEFT_OUT: usize = 25;

/// Exchanges that are sent but not compared, and why.
const LEFT_OUT: &[(&str, &str)] = &[
    ("discover/type-routing", "routing rules aren't imitated"),
    ("auth/no-token-config-groups", CONFIGURATION),
    ("auth/no-token-config-get", CONFIGURATION),
    ("auth/no-token-config-create", CONFIGURATION),
    ("auth/wrong-token-config-get", CONFIGURATION),
    ("auth/config-createandpub", CONFIGURATION),
    ("auth/config-get", CONFIGURATION),
    ("auth/no-token-users", USERS),
    ("auth/wrong-token-users", USERS),
    ("auth/users", USERS),
];
const CONFIGURATION: &str = "the configuration center isn't imitated";
const USERS: &str = "the list of users isn't imitated";

/// Between the recorded server's start and its first exchange.
const STARTED: Duration = Duration::from_secs(3);
/// The gRPC port of the recorded server.
const OWN_PORT: u16 = 18_451;

#[tokio::test]
async fn answers_as_the_recorded_polaris_without_authentication() {
    let polaris = PolarisStandIn::builder().own_port(OWN_PORT).start().await;
    assert_eq!(replay(&polaris, Mode::Noauth).await, 442);
}

#[tokio::test]
async fn answers_as_the_recorded_polaris_with_authentication() {
    let polaris = PolarisStandIn::builder().own_port(OWN_PORT).auth().start().await;
    assert_eq!(replay(&polaris, Mode::Auth).await, 56);
}

fn is_left_out(case: &str) -> bool {
    case.starts_with(ASIDE) || LEFT_OUT.iter().any(|(left_out, _)| *left_out == case)
}

/// Sends every exchange of a mode; returns their number, those left out included.
async fn replay(polaris: &PolarisStandIn, mode: Mode) -> usize {
    assert!(LEFT_OUT.len() <= MOST_LEFT_OUT, "too many exchanges are left out");
    let client = http_client();
    let all = exchange::read(include_str!("../data/polaris/exchanges.jsonl"));
    let all: Vec<Exchange> = all.into_iter().filter(|exchange| exchange.mode == mode).collect();
    let (mut earlier, mut compared, mut mismatches) = (BTreeMap::new(), 0, Vec::new());
    polaris.skip(STARTED);
    for exchange in &all {
        if exchange.case.starts_with(ASIDE) {
            continue;
        }
        polaris.skip(Duration::from_millis(exchange.wait_before_ms));
        let answer = exchange.send(&client, &polaris.url(), &polaris.token(), &earlier).await;
        if !is_left_out(&exchange.case) {
            compared += 1;
            if let Err(difference) = compare::answers(exchange, &answer) {
                mismatches.push(format!("{}: {difference}", exchange.case));
            }
        }
        earlier.insert(exchange.case.clone(), answer.body);
    }
    println!("{mode:?}: {compared} of {} exchanges compared, {} mismatches", all.len(), mismatches.len());
    assert!(mismatches.is_empty(), "{}", mismatches.join("\n"));
    all.len()
}

#[test]
fn what_is_left_out_was_recorded() {
    let all = exchange::read(include_str!("../data/polaris/exchanges.jsonl"));
    for (case, why) in LEFT_OUT {
        assert!(all.iter().any(|exchange| exchange.case == *case) && !why.is_empty(), "{case}");
    }
}
