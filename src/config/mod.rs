//! The configuration: from a document to a [`Config`], with every mistake told at once.
//!
//! ```text
//!                       ┌─ native ──▶ substitute ─▶ check ─▶ names ─▶ compile ─┐
//! text ──tree──▶ dialect ─ polaris-sync ─▶ check ─▶ import ────────────────────┼──▶ Config + warnings
//!         (values with  └─ MSE Sync ─────▶ check ─▶ import ────────────────────┘
//!          positions)
//! ```
//!
//! A syntax error is told alone, since nothing behind it can be trusted. From the tree on, mistakes of shape
//! (`check`, the walk along the schema) and of meaning (`names`) are gathered and told together.

mod check;
mod compile;
pub(crate) mod data;
mod dialect;
mod duration;
mod formats;
mod import;
mod mistakes;
mod model;
mod names;
mod pattern;
mod provider;
mod secret;
mod template;
mod tree;
mod words;
mod written;

pub use mistakes::{Finding, Mistakes};
pub use model::{
    Admin, Config, Copying, Destination, Dialect, Directions, FieldType, FromMetadata, Gateway, GatewayKind,
    Group, GroupBy, HealthCheck, KongTemplates, Lease, MatchEntry, Mode, OnStop, Policy, Registry,
    RegistryKind, Rename, Report, ReportKind, ReportTarget, RouteTemplate, Selector, Setting, SourceProtect,
    Task, Tls, Upkeep, ZookeeperLayout,
};
pub use pattern::Pattern;
pub use provider::load;
pub use secret::Secret;
pub use template::{Placeholder, Template};

use check::Manners;
use mistakes::Findings;
use tree::{Node, Source};

/// A configuration that has been read.
#[derive(Debug, Clone, PartialEq)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// What is no mistake and yet not what its author may expect, such as where Causeway behaves otherwise
    /// than the tool that a document was written for.
    pub warnings: Vec<Finding>,
}

/// Reads a document. `file_name` is what messages call it, `env` looks up what `${NAME}` stands for. Files that
/// hold secrets are read here, relative to the working directory.
///
/// # Errors
/// Everything that is wrong with the document.
pub fn parse(text: &str, file_name: &str, env: &dyn Fn(&str) -> Option<String>) -> Result<Loaded, Mistakes> {
    let source = Source::new(file_name, text);
    let at = |at, message| Mistakes::at(&source, at, message);
    let mut root =
        tree::parse(&source, dialect::is_polaris_sync).map_err(|syntax| at(syntax.at, syntax.message))?;
    let dialect = dialect::of(&root).map_err(|(place, message)| at(place, message))?;
    let mut findings = Findings::default();
    tree::settle_doubles(&mut root, dialect == Dialect::Native, &mut findings);
    let config = match dialect {
        Dialect::Native => native(&mut root, env, &source, &mut findings),
        Dialect::PolarisSync => import::polaris_sync::read(&mut root, &source, &mut findings),
        Dialect::MseSync => import::mse_sync::read(&mut root, &mut findings),
    };
    let warnings = findings.settle(&source)?;
    match config {
        Some(config) => Ok(Loaded { config, warnings }),
        None => {
            Err(at(0, "passes every check, yet cannot be read: a bug in Causeway, please report it".into()))
        }
    }
}

fn native(
    root: &mut Node,
    env: tree::Env<'_>,
    source: &Source<'_>,
    findings: &mut Findings,
) -> Option<Config> {
    tree::substitute(root, env, findings);
    let read_file = |path: &str| std::fs::read_to_string(path).map_err(|error| error.to_string());
    let checked = check::check(root, &written::NATIVE_SCHEMA, Manners::Strict, &read_file, findings);
    names::check(root, source, findings);
    serde_json::from_value(checked).ok().map(compile::compile)
}

/// The JSON Schema of native documents, as published in `conf/schema.json`.
#[must_use]
pub fn schema() -> serde_json::Value {
    written::NATIVE_SCHEMA.clone()
}
