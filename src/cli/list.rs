//! `causeway list`: the services of the registries, as they are read now.

use std::process::ExitCode;
use std::time::Duration;

use serde_json::json;

use super::plan::Output;
use super::{Failed, Outcome, output};
use crate::config::{Config, Registry};
use crate::model::Instance;
use crate::registries::whole::read_whole;
use crate::registries::{self, View};

const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Only this registry
    #[arg(long)]
    registry: Option<String>,

    /// How the list is printed
    #[arg(long, value_enum, default_value_t = Output::Text)]
    output: Output,
}

pub(super) async fn list(config: Config, args: &Args) -> Outcome {
    let wanted = |name: &String| args.registry.as_ref().is_none_or(|wanted| wanted == name);
    let registries: Vec<&Registry> =
        config.registries.iter().filter(|(name, _)| wanted(name)).map(|(_, registry)| registry).collect();
    if registries.is_empty() {
        let known: Vec<&str> = config.registries.keys().map(String::as_str).collect();
        return Err(Failed::usage(format!("no such registry (there are: {})", known.join(", "))));
    }
    let mut complete = true;
    for registry in registries {
        complete &= list_one(registry, args.output).await?;
    }
    Ok(if complete { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn list_one(registry: &Registry, format: Output) -> Result<bool, Failed> {
    let source = registries::build(registry).map_err(Failed::work)?;
    let whole = read_whole(&registry.name, source, PATIENCE).await;
    print_services(registry, &whole.view, format);
    for (scope, unknown) in &whole.unknown {
        output::error(format_args!("{}, {scope}: {}", registry.name, unknown.reason));
    }
    Ok(whole.settled && whole.unknown.is_empty())
}

fn print_services(registry: &Registry, view: &View, format: Output) {
    for key in view.services() {
        let Some(reading) = view.reading(&key) else { continue };
        let instances = &reading.snapshot.instances;
        let usable = instances.values().filter(|instance| instance.usable()).count();
        match format {
            Output::Text => output::line(format_args!(
                "{}\t{}\t{}\t{usable} of {} usable",
                registry.name,
                key.namespace,
                key.service,
                instances.len()
            )),
            Output::Json => output::line(json!({
                "registry": registry.name, "namespace": key.namespace, "service": key.service,
                "instances": instances.values().map(instance_json).collect::<Vec<_>>(),
            })),
        }
    }
}

fn instance_json(instance: &Instance) -> serde_json::Value {
    json!({
        "address": instance.address.to_string(),
        "weight": instance.weight.ratio(),
        "healthy": instance.healthy,
        "enabled": instance.enabled,
        "isolated": instance.isolated,
        "metadata": instance.metadata,
    })
}
