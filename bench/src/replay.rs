//! The bare loop: the requests of a first pass as a program without any thought would send them.

use std::fs;
use std::path::{Path, PathBuf};

use causeway_test_support::http_client;
use causeway_test_support::kong::Recorded;
use causeway_test_support::process::Failure;
use causeway_test_support::usage;
use clap::Args;
use futures::stream::{self, StreamExt as _};
use reqwest::{Client, Method};
use serde_json::{Value, json};

/// What the replaying process is told.
#[derive(Debug, Args)]
pub(crate) struct Replay {
    /// The gateway.
    #[arg(long)]
    url: String,
    /// The requests, as [`save`] wrote them.
    #[arg(long)]
    requests: PathBuf,
    /// Requests under way at once.
    #[arg(long)]
    concurrency: usize,
}

struct Request {
    method: Method,
    path: String,
    body: Value,
}

/// Writes requests down for a process that replays them, in the order of what needs what.
pub(crate) fn save(requests: &[Recorded], into: &Path) -> Result<(), Failure> {
    let mut ordered: Vec<&Recorded> = requests.iter().collect();
    ordered.sort_by_key(|request| level(&request.method, &request.path));
    let lines: Vec<Value> = ordered
        .into_iter()
        .map(|request| json!({ "method": request.method, "path": request.path, "body": request.body }))
        .collect();
    Ok(fs::write(into, serde_json::to_vec(&lines)?)?)
}

/// Readings come first, then upstreams, their targets, and services.
fn level(method: &str, path: &str) -> usize {
    match (method, path) {
        ("GET", _) => 0,
        (_, "/upstreams") => 1,
        (_, "/services") => 3,
        _ => 2,
    }
}

/// Replays, and prints the seconds of CPU that it took.
pub(crate) async fn replay(args: &Replay) -> Result<String, Failure> {
    let requests = load(&args.requests)?;
    let client = http_client();
    let before = usage::of("self")?.cpu;
    for same in
        requests.chunk_by(|a, b| level(a.method.as_str(), &a.path) == level(b.method.as_str(), &b.path))
    {
        let sent = stream::iter(same).map(|request| send(&client, &args.url, request));
        let failed = sent.buffer_unordered(args.concurrency).filter_map(|sent| async { sent.err() });
        let failed: Vec<Failure> = failed.collect().await;
        if let Some(first) = failed.into_iter().next() {
            return Err(first);
        }
    }
    Ok((usage::of("self")?.cpu - before).to_string())
}

async fn send(client: &Client, url: &str, request: &Request) -> Result<(), Failure> {
    let mut builder = client.request(request.method.clone(), format!("{url}{}", request.path));
    if !request.body.is_null() {
        builder = builder.json(&request.body);
    }
    let response = builder.send().await?.error_for_status()?;
    // Only a connection whose answer was read is used again.
    response.bytes().await?;
    Ok(())
}

fn load(path: &Path) -> Result<Vec<Request>, Failure> {
    let Value::Array(lines) = serde_json::from_slice(&fs::read(path)?)? else {
        return Err("the requests are no array".into());
    };
    let request = |mut line: Value| {
        let method = line["method"].as_str().unwrap_or_default().parse()?;
        let path = line["path"].as_str().unwrap_or_default().to_owned();
        Ok(Request { method, path, body: line["body"].take() })
    };
    lines.into_iter().map(request).collect()
}
