//! The binary as its users have it: a configuration, a file of services, a stand-in for Kong.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, ExitStatus, Output};
use std::time::Duration;

use causeway_test_support::http_client;
use causeway_test_support::kong::KongStandIn;
use causeway_test_support::process::ServerProcess;
use serde_json::Value;
use tempfile::TempDir;

use crate::stage::until;

const CONFIG: &str = r#"
version: 1
owner: me
admin: { listen: "127.0.0.1:0" ADMIN }
registries: [ { name: r, type: file, path: "SERVICES" } ]
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

/// Longer than the program may take to stop.
const STOP_LIMIT: Duration = Duration::from_secs(15);

/// Services of the namespace `default`, each with the hosts and versions of its instances.
pub type Services = BTreeMap<String, Vec<(String, &'static str)>>;

pub struct Desk {
    dir: TempDir,
    pub kong: KongStandIn,
}

/// A running `causeway run`. Dropped, it is stopped.
pub struct Program {
    process: ServerProcess,
    log: PathBuf,
}

impl Desk {
    /// `admin` is added to the admin server's settings.
    pub async fn new(kong: KongStandIn, admin: &str) -> Self {
        causeway_gateways::http::install_crypto();
        let dir = TempDir::new().unwrap();
        let services = dir.path().join("services.yaml");
        let text = CONFIG.replace("SERVICES", services.to_str().unwrap());
        let text = text.replace("KONG", &kong.admin_url()).replace("ADMIN", admin).replace("TOKEN", TOKEN);
        fs::write(dir.path().join("causeway.yaml"), text).unwrap();
        Self { dir, kong }
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
        let new = self.dir.path().join("new");
        fs::write(&new, text).unwrap();
        fs::rename(new, self.dir.path().join("services.yaml")).unwrap();
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_causeway"));
        command.arg("-c").arg(self.dir.path().join("causeway.yaml")).args(arguments).env_remove("RUST_LOG");
        command
    }

    /// Puts other words into the configuration, in the place of these.
    pub fn configure(&self, words: &str, others: &str) {
        let path = self.dir.path().join("causeway.yaml");
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(text.matches(words).count(), 1, "{words} in\n{text}");
        fs::write(path, text.replace(words, others)).unwrap();
    }

    /// Starts `causeway run`.
    pub fn start(&self) -> Program {
        let log = self.dir.path().join("log");
        let _ = fs::remove_file(&log);
        let process = ServerProcess::start("causeway", self.command(&["run"]), &log, STOP_LIMIT).unwrap();
        Program { process, log }
    }

    /// The exit code and the output of a command.
    pub async fn told(&self, arguments: &[&str]) -> (Option<i32>, String) {
        let output = self.run(arguments).await;
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    }

    /// Runs another command to its end; the stand-in answers meanwhile.
    pub async fn run(&self, arguments: &[&str]) -> Output {
        tokio::process::Command::from(self.command(arguments)).output().await.unwrap()
    }
}

impl Program {
    /// What it has logged so far.
    pub fn log(&self) -> String {
        String::from_utf8(fs::read(&self.log).unwrap()).unwrap()
    }

    /// How many lines of its log hold all of these words.
    pub fn told(&self, words: &[&str]) -> usize {
        self.log().lines().filter(|line| words.iter().all(|word| line.contains(word))).count()
    }

    /// Waits until its log holds a line with all of these words.
    pub async fn until_told(&self, times: usize, words: &[&str]) {
        let what = format!("{words:?} is told {times} times");
        until(&what, || self.told(words) >= times, || self.log()).await;
    }

    /// `kill -9`.
    pub async fn kill(mut self) {
        self.process.signal("KILL");
        self.ended().await;
    }

    /// `SIGTERM`; how it ended.
    pub async fn terminate(&mut self) -> ExitStatus {
        self.process.signal("TERM");
        self.ended().await
    }

    async fn ended(&mut self) -> ExitStatus {
        loop {
            if let Some(status) = self.process.exited().unwrap() {
                return status;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// A request to its admin server.
    pub async fn admin(&self, method: http::Method, path: &str) -> reqwest::RequestBuilder {
        self.until_told(1, &["starts", "admin="]).await;
        let log = self.log();
        let (_, rest) = log.split_once("admin=").unwrap();
        let base = rest.split_whitespace().next().unwrap();
        http_client().request(method, format!("{base}{path}"))
    }

    /// Status and body of a GET.
    pub async fn get(&self, path: &str) -> (u16, String) {
        let answer = self.admin(http::Method::GET, path).await.send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    /// Waits until its first pass is done.
    pub async fn until_ready(&self) {
        loop {
            if self.get("/readyz").await.0 == 200 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    pub async fn status(&self) -> Value {
        serde_json::from_str(&self.get("/api/v1/status").await.1).unwrap()
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
