//! Reading configurations: documents of three kinds, what is told of bad ones, and the examples that come with the project.
#![allow(clippy::unwrap_used, missing_docs)]

mod compose;
mod conf;
mod copying;
mod documents;
mod edits;
mod examples;
mod foreign;
mod leases;
mod meaning;
mod mistakes;
mod routes;
mod schema;
mod secrets;
mod splitting;

use causeway::config::{self, Config, Loaded, Mistakes};

/// Reads a document with an environment of one variable, `NAME=value`.
fn parse(text: &str) -> Result<Loaded, Mistakes> {
    config::parse(text, "c.yaml", &|name| (name == "NAME").then(|| "value".to_owned()))
}

/// The configuration of a document that is good.
fn good(text: &str) -> Config {
    parse(text).unwrap_or_else(|mistakes| panic!("{mistakes}")).config
}

/// What is told of a bad document, line by line.
fn told(text: &str) -> Vec<String> {
    parse(text).unwrap_err().findings().iter().map(ToString::to_string).collect()
}

/// What a good document is warned of, line by line.
fn warned(text: &str) -> Vec<String> {
    let warnings = parse(text).unwrap_or_else(|mistakes| panic!("{mistakes}")).warnings;
    warnings.iter().map(ToString::to_string).collect()
}

/// A file beside these tests.
fn data(name: &str) -> String {
    let path = format!("{}/tests/data/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}
