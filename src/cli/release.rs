use std::process::ExitCode;

use reqwest::Method;
use serde_json::json;

use super::{Failed, Outcome, admin_client, output};
use crate::config::Config;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The registry whose held removals are to go
    registry: String,
}

pub(super) async fn release(config: &Config, args: &Args) -> Outcome {
    if !config.registries.contains_key(&args.registry) {
        let known: Vec<&str> = config.registries.keys().map(String::as_str).collect();
        let known = known.join(", ");
        return Err(Failed::usage(format!("no registry is named `{}` (there are: {known})", args.registry)));
    }
    let request = admin_client::request(config, Method::POST, "/api/v1/release")?;
    admin_client::send(config, request.json(&json!({ "registry": args.registry }))).await?;
    output::line(format_args!("released: what `{}` no longer shows is removed now", args.registry));
    Ok(ExitCode::SUCCESS)
}
