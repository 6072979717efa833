//! What Causeway is given: a services file and a configuration, both in a folder of their own.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use causeway_test_support::process::Failure;
use tempfile::TempDir;

/// Kong's default weight, which the file's default stands for.
const DEFAULT_WEIGHT: u32 = 100;

/// One registered instance.
#[derive(Clone, Debug)]
pub(crate) struct Instance {
    pub(crate) host: String,
    pub(crate) weight: u32,
}

impl Instance {
    pub(crate) fn new(host: String) -> Self {
        Self { host, weight: DEFAULT_WEIGHT }
    }
}

/// A registry of services, as a file.
pub(crate) struct Scene {
    dir: TempDir,
    services: Vec<Vec<Instance>>,
}

impl Scene {
    /// `services` services of `instances` instances each, written for a gateway at `url`.
    pub(crate) fn new(services: usize, instances: usize, url: &str) -> Result<Self, Failure> {
        let hosts = |service: usize| {
            let each =
                (0..instances).map(move |i| format!("10.{}.{}.{}", service / 250, service % 250, i + 1));
            each.map(Instance::new).collect()
        };
        let scene = Self { dir: TempDir::new()?, services: (0..services).map(hosts).collect() };
        fs::create_dir(scene.registry())?;
        fs::write(scene.config(), configuration(&scene.file(), url))?;
        scene.write()?;
        Ok(scene)
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.path("causeway.yaml")
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn service(&mut self, index: usize) -> &mut Vec<Instance> {
        &mut self.services[index]
    }

    /// The name under which Causeway logs a service.
    pub(crate) fn key(index: usize) -> String {
        format!("default/{}", name(index))
    }

    pub(crate) fn count(&self) -> usize {
        self.services.len()
    }

    /// The writes of a first pass: for each service an upstream and a service, and a target for each instance.
    pub(crate) fn objects(&self) -> u64 {
        self.services.iter().map(|instances| instances.len() as u64 + 2).sum()
    }

    /// Puts the services file in place, whole at once.
    pub(crate) fn write(&self) -> Result<(), Failure> {
        let next = self.registry().join("next");
        fs::write(&next, self.document())?;
        Ok(fs::rename(next, self.file())?)
    }

    fn file(&self) -> PathBuf {
        self.registry().join("services.yaml")
    }

    /// A folder of its own: Causeway watches it, and its log must not wake it.
    fn registry(&self) -> PathBuf {
        self.path("registry")
    }

    fn document(&self) -> String {
        if self.services.is_empty() {
            return "services: []\n".to_owned();
        }
        let mut text = "services:\n".to_owned();
        for (index, instances) in self.services.iter().enumerate() {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "- service: {}\n  instances:", name(index));
            for Instance { host, weight } in instances {
                let metadata = "{ version: 1.0.0, zone: a }";
                let _ = writeln!(
                    text,
                    "  - {{ host: {host}, port: 8080, weight: {weight}, metadata: {metadata} }}"
                );
            }
        }
        text
    }
}

fn name(index: usize) -> String {
    format!("service-{index:04}")
}

/// Without audits and health checks, so that every read belongs to what is measured.
fn configuration(services: &Path, url: &str) -> String {
    format!(
        r#"version: 1
admin: {{ listen: "127.0.0.1:0" }}
registries: [{{ name: local, type: file, path: "{}" }}]
gateways: [{{ name: kong, type: kong, addresses: ["{url}"] }}]
tasks:
  - name: bench
    source: local
    destination: kong
    match: [{{ namespace: default, service: "*" }}]
methods: [{{ type: watch, enable: true }}]
health_check: {{ enable: false }}
"#,
        services.display()
    )
}
