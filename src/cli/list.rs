//! `causeway list`: the services of the registries, as they are read now.

use std::collections::BTreeSet;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::plan::Output;
use super::{Failed, Outcome, output};
use crate::config::{Config, Registry};
use crate::model::{Instance, ServiceKey};
use crate::registries::{self, Interest, View};

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

struct Everything;

impl Interest for Everything {
    fn namespaces(&self) -> Option<BTreeSet<String>> {
        None
    }

    fn wants(&self, _key: &ServiceKey) -> bool {
        true
    }
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
    let view = View::new(&registry.name);
    let stop = CancellationToken::new();
    let watching = tokio::spawn({
        let (view, stop) = (Arc::clone(&view), stop.clone());
        async move { source.watch(Arc::new(Everything), view, stop).await }
    });
    let mut progress = view.progress();
    let settled = timeout(PATIENCE, progress.wait_for(|progress| progress.settled)).await.is_ok();
    print_services(registry, &view, format);
    let unknowns = view.unknowns();
    for (scope, unknown) in &unknowns {
        output::error(format_args!("{}, {scope}: {}", registry.name, unknown.reason));
    }
    stop.cancel();
    let _ = timeout(Duration::from_secs(5), watching).await;
    Ok(settled && unknowns.is_empty())
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
