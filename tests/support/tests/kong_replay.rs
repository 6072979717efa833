//! Replays what a real Kong 3.9.1 was asked against the stand-in and compares the answers.
//!
//! `data/kong/exchanges*.jsonl` hold the exchanges in their order, each file from an empty Kong; `line` is the
//! number that the tables below use. What varies from run to run is taken out of the comparison: the stand-in
//! gives new entities the recorded ids, so that lists and cursors come out the same, and the times and the
//! node's id are compared by their form only. Lengths of bodies are compared too where no time of varying
//! width is in them, and the recorded part of a body that was too long to record whole.
#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs)]

#[path = "kong_replay/compare.rs"]
mod compare;
#[path = "kong_replay/exchange.rs"]
mod exchange;

use std::collections::BTreeSet;

use causeway_test_support::http_client;
use causeway_test_support::kong::KongStandIn;
use exchange::{Answer, Exchange, Mode};

/// A file of recordings.
const FILES: [(&str, &str); 2] = [
    ("exchanges.jsonl", include_str!("../data/kong/exchanges.jsonl")),
    ("exchanges-2.jsonl", include_str!("../data/kong/exchanges-2.jsonl")),
];

/// The most exchanges that may be left out.
const MOST_LEFT_OUT: usize = 25;

/// Exchanges that are sent but not compared: file, line, and why.
const LEFT_OUT: &[(&str, u32, &str)] = &[
    ("exchanges-2.jsonl", 55, "read before a worker had built the new upstream's balancer: no health yet"),
    ("exchanges-2.jsonl", 56, "read before a worker had built the new upstream's balancer: no health yet"),
];

/// Where the recorded Kong was emptied: file and the first line after it.
const EMPTIED: &[(&str, u32)] = &[("exchanges.jsonl", 483)];

/// Documents that were loaded without being recorded, as what was read afterwards shows: file, the first line after it,
/// and the document.
const LOADED: &[(&str, u32, &str)] = &[
    ("exchanges.jsonl", 366, r#"{"_format_version":"3.0","services":[{"name":"s","host":"u"}]}"#),
    (
        "exchanges.jsonl",
        481,
        r#"{"_format_version":"3.0","upstreams":[{"name":"u-x","targets":[{"target":"127.0.0.1:18020","weight":20},{"target":"127.0.0.1:18021","weight":80}]}]}"#,
    ),
];

/// What the recorded node's health checkers found between two exchanges: before which line, upstream, address,
/// and whether it was up.
const FOUND: &[(u32, &str, &str, bool)] =
    &[(354, "ns--grp--orders", "127.0.0.1:18029", false), (357, "ns--grp--orders", "127.0.0.1:18021", true)];

#[tokio::test]
async fn answers_as_the_recorded_kong_with_a_database() {
    assert_eq!(replay_all(Mode::Postgres).await, 540);
}

#[tokio::test]
async fn answers_as_the_recorded_kong_without_a_database() {
    assert_eq!(replay_all(Mode::Dbless).await, 105);
}

/// Replays both files and tells what came of it; returns the number of exchanges, those left out included.
async fn replay_all(mode: Mode) -> usize {
    assert!(LEFT_OUT.len() <= MOST_LEFT_OUT, "too many exchanges are left out");
    let (mut replayed, mut left_out, mut mismatches) = (0, 0, Vec::new());
    for (file, text) in FILES {
        let exchanges: Vec<_> = exchange::read(text).into_iter().filter(|e| e.mode == mode).collect();
        let total = exchanges.len();
        let (count, wrong) = replay(file, mode, exchanges).await;
        replayed += count;
        left_out += total - count;
        mismatches.extend(wrong);
    }
    println!("{mode:?}: {replayed} exchanges replayed, {left_out} left out, {} mismatches", mismatches.len());
    assert!(mismatches.is_empty(), "{}", mismatches.join("\n"));
    replayed + left_out
}

async fn fresh(mode: Mode) -> KongStandIn {
    match mode {
        Mode::Postgres => KongStandIn::start().await,
        Mode::Dbless => KongStandIn::builder().db_less().start().await,
    }
}

/// Sends every exchange of a file; returns how many were compared and what was different.
async fn replay(file: &str, mode: Mode, exchanges: Vec<Exchange>) -> (usize, Vec<String>) {
    let left_out: BTreeSet<u32> =
        LEFT_OUT.iter().filter(|(of, ..)| *of == file).map(|(_, line, _)| *line).collect();
    let client = http_client();
    let mut kong = fresh(mode).await;
    let (mut compared, mut mismatches) = (0, Vec::new());
    for exchange in exchanges {
        if EMPTIED.contains(&(file, exchange.line)) {
            kong = fresh(mode).await;
        }
        for (.., document) in LOADED.iter().filter(|(of, line, _)| (*of, *line) == (file, exchange.line)) {
            let document = serde_json::from_str(document).unwrap();
            assert_eq!(kong.direct(&http::Method::POST, "/config", &document).0, 201);
        }
        for (_, upstream, address, up) in FOUND.iter().filter(|(line, ..)| *line == exchange.line) {
            kong.set_health(upstream, address, *up);
        }
        kong.set_next_ids(exchange.new_id());
        let answer: Answer = exchange.send(&client, &kong.admin_url()).await;
        if left_out.contains(&exchange.line) {
            continue;
        }
        compared += 1;
        if let Err(difference) = compare::answers(&exchange, &answer) {
            let what = format!("{} {}", exchange.method, exchange.path);
            mismatches.push(format!("{file}:{} {what}: {difference}", exchange.line));
        }
    }
    (compared, mismatches)
}
