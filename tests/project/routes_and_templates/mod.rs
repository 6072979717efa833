//! From a document with `route:` and templates to what a gateway should hold.

mod fields;
mod ports;
mod routes;

use causeway::config::{self, Config, RegistryKind};
use causeway::model::{Address, Instance, ServiceKey, Snapshot};
use causeway::project::{Incumbents, Projected, Projection, project};
use serde_json::{Value, json};

/// A configuration whose one entry has these keys besides.
fn config(keys: &str) -> Config {
    let text = format!(
        r#"
version: 1
registries: [ {{ name: r, type: file, path: p }} ]
gateways: [ {{ name: k, type: kong, addresses: [h] }} ]
tasks:
  - name: t
    source: r
    destination: k
    match:
      - service: "*"
        {keys}
"#
    );
    config::parse(&text, "test", &|_| None).unwrap_or_else(|mistakes| panic!("{mistakes}")).config
}

fn run(config: &Config, key: &ServiceKey, instances: &[Instance]) -> Projected {
    let task = &config.tasks[0];
    let entry = &task.matches[0];
    let incumbents = &Incumbents::default();
    let request = Projection { owner: "me", task, source_kind: RegistryKind::File, entry, incumbents };
    project(&request, &Snapshot::new(key.clone(), instances.to_vec()))
}

fn orders() -> ServiceKey {
    ServiceKey::new("prod", "TRADE__orders")
}

fn with(host: &str, metadata: &[(&str, &str)]) -> Instance {
    let metadata = metadata.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    Instance { metadata, ..Instance::new(Address::new(host, 8080)) }
}

fn told(projected: &Projected) -> Vec<String> {
    projected.conflicts.iter().map(|conflict| format!("{}: {}", conflict.key, conflict.reason)).collect()
}

fn service_fields(projected: &Projected) -> Value {
    json!(projected.desired.services["r.prod.TRADE__orders"].fields)
}
