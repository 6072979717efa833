//! The binary as its users have it: a configuration, a file of services, a stand-in for Kong.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use causeway_test_support::kong::KongStandIn;
use serde_json::Value;

use crate::binary::Causeway;
pub use crate::binary::RunningCauseway;

const CONFIG: &str = r#"
version: 1
owner: me
admin: { listen: "127.0.0.1:0" ADMIN }
registries: [ { name: r, type: file, path: services.yaml } ]
gateways: [ { name: kong, type: kong, addresses: ["KONG"], token: TOKEN, retire_after: 200ms, timeout: 20s } ]
tasks:
  - name: t
    source: r
    destination: kong
    match: [ { namespace: default, service: "*", groups: [ { name: v1, metadata: { version: "1" } } ] } ]
methods: [ { type: watch, enable: true }, { type: pull, enable: true, interval: 500ms } ]
health_check: { enable: false }
"#;

/// What the program sends to Kong.
pub const TOKEN: &str = "s3cret-of-kong";

/// Services of the namespace `default`, each with the hosts and versions of its instances.
pub type Services = BTreeMap<String, Vec<(String, &'static str)>>;

/// A configuration, a file of services, and a stand-in for Kong.
pub struct Desk {
    causeway: Causeway,
    pub kong: KongStandIn,
}

impl Desk {
    /// `admin` is added to the admin server's settings.
    pub async fn new(kong: KongStandIn, admin: &str) -> Self {
        Self::with(kong, &CONFIG.replace("ADMIN", admin))
    }

    /// With a document of its own, in which `KONG` stands for the stand-in's address and `TOKEN` for the token.
    pub fn with(kong: KongStandIn, document: &str) -> Self {
        let config = document.replace("KONG", &kong.admin_url()).replace("TOKEN", TOKEN);
        Self { causeway: Causeway::with(&config), kong }
    }

    /// A file beside the configuration.
    pub fn path(&self, name: &str) -> PathBuf {
        self.causeway.folder().join(name)
    }

    /// Puts another file of services in the place of the present one.
    pub fn write(&self, services: &Services) {
        let mut text = "services:\n".to_owned();
        for (service, instances) in services {
            let _ = writeln!(text, "  - service: {service}\n    instances:");
            for (host, version) in instances {
                let _ = writeln!(
                    text,
                    "      - {{ host: {host}, port: 8080, metadata: {{ version: \"{version}\" }} }}"
                );
            }
        }
        self.write_text(&text);
    }

    /// As [`Desk::write`], with the whole text of the file.
    pub fn write_text(&self, text: &str) {
        let new = self.causeway.folder().join("new");
        fs::write(&new, text).unwrap();
        fs::rename(new, self.causeway.folder().join("services.yaml")).unwrap();
    }

    /// Puts other words into the configuration, in the place of these.
    pub fn configure(&self, words: &str, others: &str) {
        let path = self.causeway.folder().join("causeway.yaml");
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(text.matches(words).count(), 1, "{words} in\n{text}");
        fs::write(path, text.replace(words, others)).unwrap();
    }

    /// Starts `causeway run`.
    pub fn start(&self) -> RunningCauseway {
        self.causeway.run()
    }

    /// The exit code and the output of a command.
    pub async fn told(&self, arguments: &[&str]) -> (Option<i32>, String) {
        let (code, text, _) = self.call(arguments).await;
        (Some(code), text)
    }

    /// Runs another command to its end: exit code, stdout, stderr.
    pub async fn call(&self, arguments: &[&str]) -> (i32, String, String) {
        self.causeway.call(arguments).await
    }
}

/// `count` services of two instances each, one of version 1.
pub fn fleet(count: usize) -> Services {
    let service = |n: usize| {
        let host = |last: u8| format!("10.{}.{}.{last}", n / 200, n % 200);
        (format!("s{n:03}"), vec![(host(1), "1"), (host(2), "2")])
    };
    (0..count).map(service).collect()
}

/// The upstreams that these services should have, with their targets.
pub fn upstreams(services: &Services) -> BTreeMap<String, BTreeSet<String>> {
    let mut all = BTreeMap::new();
    for (service, instances) in services {
        let targets = |keep: &dyn Fn(&str) -> bool| {
            let kept = instances.iter().filter(|(_, version)| keep(version));
            kept.map(|(host, _)| format!("{host}:8080")).collect::<BTreeSet<_>>()
        };
        all.insert(format!("r.default.{service}.default"), targets(&|_| true));
        all.insert(format!("r.default.{service}.v1"), targets(&|version| version == "1"));
    }
    all
}

/// The upstreams of services that stand under our mark, with all their targets.
pub fn standing(kong: &KongStandIn) -> BTreeMap<String, BTreeSet<String>> {
    let upstreams = kong.upstreams().into_iter().filter(crate::stage::is_ours);
    let name = |upstream: Value| upstream["name"].as_str().unwrap().to_owned();
    upstreams.map(name).map(|name| (name.clone(), kong.weights(&name).into_keys().collect())).collect()
}
