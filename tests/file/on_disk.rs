//! The `file` registry on real files.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use causeway::guard::Scope;
use causeway::model::ServiceKey;
use causeway::registries::file::FileRegistry;
use causeway::registries::{Interest, Source, View, ViewEvent};
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

/// Far longer than anything takes, for a busy machine.
const LIMIT: Duration = Duration::from_secs(60);
/// Longer than a file is left to settle and than the time between two looks.
const A_WHILE: Duration = Duration::from_millis(1_200);

struct Wants(Option<BTreeSet<String>>);

impl Interest for Wants {
    fn namespaces(&self) -> Option<BTreeSet<String>> {
        self.0.clone()
    }

    fn wants(&self, key: &ServiceKey) -> bool {
        self.0.as_ref().is_none_or(|namespaces| namespaces.contains(&key.namespace))
    }
}

/// A registry that is being watched.
struct Watched {
    view: Arc<View>,
    stop: CancellationToken,
    worker: JoinHandle<()>,
}

impl Watched {
    fn start(path: &Path) -> Self {
        Self::start_with(FileRegistry::new(path, []), Wants(None))
    }

    fn start_with(registry: FileRegistry, wants: Wants) -> Self {
        let (view, stop) = (View::new("local"), CancellationToken::new());
        let (its_view, its_stop) = (Arc::clone(&view), stop.clone());
        let worker = tokio::spawn(async move { registry.watch(Arc::new(wants), its_view, its_stop).await });
        Self { view, stop, worker }
    }

    /// The hosts of each service that is listed.
    fn shown(&self) -> BTreeMap<String, Vec<String>> {
        let listed = self.view.services().into_iter().filter_map(|key| {
            let reading = self.view.reading(&key).filter(|reading| reading.listed)?;
            Some((key.service, reading.snapshot.instances.keys().map(|a| a.host.clone()).collect()))
        });
        listed.collect()
    }

    /// Waits until exactly this is shown; how long that took.
    async fn shows(&self, expected: &[(&str, &[&str])]) -> Duration {
        let expected: BTreeMap<String, Vec<String>> = expected
            .iter()
            .map(|(s, hosts)| ((*s).to_owned(), hosts.iter().map(ToString::to_string).collect()))
            .collect();
        let start = Instant::now();
        while self.shown() != expected {
            assert!(
                start.elapsed() < LIMIT,
                "{:?} is shown, not {expected:?}; {:?}",
                self.shown(),
                self.trouble()
            );
            sleep(Duration::from_millis(1)).await;
        }
        start.elapsed()
    }

    fn trouble(&self) -> Option<String> {
        self.view.unknowns().remove(&Scope::Source).map(|unknown| unknown.reason)
    }

    async fn is_in_trouble(&self, with: &str) {
        let start = Instant::now();
        while !self.trouble().is_some_and(|reason| reason.contains(with)) {
            assert!(start.elapsed() < LIMIT, "no trouble with {with}: {:?}", self.trouble());
            sleep(Duration::from_millis(1)).await;
        }
    }

    async fn is_in_order(&self) {
        let start = Instant::now();
        while let Some(trouble) = self.trouble() {
            assert!(start.elapsed() < LIMIT, "still in trouble: {trouble}");
            sleep(Duration::from_millis(1)).await;
        }
    }

    async fn stop(self) {
        self.stop.cancel();
        timeout(LIMIT, self.worker).await.unwrap().unwrap();
    }
}

fn service(name: &str, hosts: &[&str]) -> String {
    let instances: Vec<String> = hosts.iter().map(|h| format!("{{ host: {h}, port: 80 }}")).collect();
    format!("- {{ service: {name}, instances: [ {} ] }}\n", instances.join(", "))
}

fn document(services: &[(&str, &[&str])]) -> String {
    let entries: String = services.iter().map(|(name, hosts)| service(name, hosts)).collect();
    if entries.is_empty() { "services: []\n".to_owned() } else { format!("services:\n{entries}") }
}

/// As careful programs write.
fn replace(path: &Path, text: &str) {
    let beside = path.with_extension("new");
    fs::write(&beside, text).unwrap();
    fs::rename(beside, path).unwrap();
}

fn folder() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("services.yaml");
    (folder, file)
}

#[tokio::test]
async fn a_renamed_file_shows_at_once() {
    let (_folder, file) = folder();
    replace(&file, &document(&[("orders", &["a"])]));
    let watched = Watched::start(&file);
    watched.shows(&[("orders", &["a"])]).await;
    assert!(watched.view.progress().borrow().complete);
    let mut took = Vec::new();
    for host in 1..=15 {
        let host = format!("b{host}");
        replace(&file, &document(&[("orders", &["a", &host])]));
        took.push(watched.shows(&[("orders", &["a", &host])]).await);
    }
    // In the middle: a busy machine holds up a few. Who only looks again and again needs up to a second for each.
    took.sort();
    assert!(took[took.len() / 2] < Duration::from_millis(100), "{took:?}");
    replace(&file, &document(&[]));
    watched.shows(&[]).await;
    let reading = watched.view.reading(&ServiceKey::new("default", "orders")).unwrap();
    assert!(!reading.listed && reading.snapshot.instances.is_empty());
    watched.stop().await;
}

#[tokio::test]
async fn a_file_that_is_being_written_never_shows_half() {
    let (_folder, file) = folder();
    let whole = document(&[("a", &["1", "2"]), ("b", &["1", "2"])]);
    fs::write(&file, &whole).unwrap();
    let watched = Watched::start(&file);
    watched.shows(&[("a", &["1", "2"]), ("b", &["1", "2"])]).await;
    let mut events = watched.view.subscribe();
    for cut in [1, 9, 13, 25, 40, 60] {
        fs::write(&file, "").unwrap();
        sleep(Duration::from_millis(30)).await;
        fs::write(&file, &whole[..cut]).unwrap();
        sleep(Duration::from_millis(30)).await;
        fs::write(&file, &whole).unwrap();
        watched.is_in_order().await;
    }
    while let Ok(event) = events.try_recv() {
        assert!(!matches!(event, ViewEvent::Service(_)), "no instance has come or gone: {event:?}");
    }
    fs::write(&file, document(&[("a", &["1", "3"]), ("b", &["1", "2"])])).unwrap();
    watched.shows(&[("a", &["1", "3"]), ("b", &["1", "2"])]).await;
    watched.stop().await;
}

#[tokio::test]
async fn an_emptied_or_absent_file_is_unknown_and_not_empty() {
    let (_folder, file) = folder();
    let watched = Watched::start(&file);
    watched.is_in_trouble("services.yaml cannot be read: No such file").await;
    assert!(watched.view.reading(&ServiceKey::new("default", "a")).is_none());
    fs::write(&file, document(&[("a", &["1"])])).unwrap();
    watched.shows(&[("a", &["1"])]).await;
    watched.is_in_order().await;

    fs::write(&file, "").unwrap();
    watched.is_in_trouble("services.yaml: the file is empty").await;
    fs::remove_file(&file).unwrap();
    watched.is_in_trouble("cannot be read").await;
    sleep(A_WHILE).await;
    watched.shows(&[("a", &["1"])]).await;
    fs::write(&file, document(&[("a", &["2"])])).unwrap();
    watched.shows(&[("a", &["2"])]).await;
    watched.is_in_order().await;
    watched.stop().await;
}

#[tokio::test]
async fn a_broken_file_is_told_with_its_place_and_changes_nothing_until_mended() {
    let (_folder, file) = folder();
    fs::write(&file, document(&[("a", &["1", "2"])])).unwrap();
    let watched = Watched::start(&file);
    watched.shows(&[("a", &["1", "2"])]).await;
    fs::write(&file, "services:\n- service: a\n  instances:\n  - { host: 1, prot: 80 }\n").unwrap();
    let told = "services.yaml:4:16: services[0].instances[0].prot: unknown key `prot` (did you mean `port`?)";
    watched.is_in_trouble(told).await;
    watched.shows(&[("a", &["1", "2"])]).await;
    fs::write(&file, "services: [").unwrap();
    watched.is_in_trouble("services.yaml:1:").await;
    watched.shows(&[("a", &["1", "2"])]).await;
    fs::write(&file, document(&[("a", &["1"])])).unwrap();
    watched.shows(&[("a", &["1"])]).await;
    watched.is_in_order().await;
    watched.stop().await;
}

/// A mounted ConfigMap: the file is a link into a folder whose name is a link that is swapped.
#[tokio::test]
async fn a_swapped_link_shows_whether_beside_the_file_or_far_away() {
    let folder = tempfile::tempdir().unwrap();
    let mount = folder.path().join("mount");
    for (version, host) in [("..v1", "1"), ("..v2", "2")] {
        fs::create_dir_all(mount.join(version)).unwrap();
        fs::write(mount.join(version).join("services.yaml"), document(&[("a", &[host])])).unwrap();
    }
    let point = |to: &str| {
        symlink(to, mount.join("..data_tmp")).unwrap();
        fs::rename(mount.join("..data_tmp"), mount.join("..data")).unwrap();
    };
    point("..v1");
    symlink("..data/services.yaml", mount.join("services.yaml")).unwrap();
    let far = folder.path().join("far.yaml");
    symlink(mount.join("services.yaml"), &far).unwrap();

    let watched =
        [Watched::start(&mount.join("services.yaml")), Watched::start(&mount), Watched::start(&far)];
    for one in &watched {
        one.shows(&[("a", &["1"])]).await;
    }
    point("..v2");
    for one in &watched {
        one.shows(&[("a", &["2"])]).await;
    }
    fs::remove_dir_all(mount.join("..v1")).unwrap();
    fs::write(mount.join("..v2/services.yaml"), document(&[("a", &["2", "3"])])).unwrap();
    for one in watched {
        one.shows(&[("a", &["2", "3"])]).await;
        assert_eq!(one.trouble(), None);
        one.stop().await;
    }
}

#[tokio::test]
async fn the_files_of_a_folder_come_and_go() {
    let (folder, file) = folder();
    let second = folder.path().join("more.json");
    fs::write(&file, document(&[("a", &["1"]), ("both", &["1"])])).unwrap();
    fs::write(folder.path().join(".hidden.yaml"), document(&[("hidden", &["1"])])).unwrap();
    fs::write(folder.path().join("notes.txt"), "not ours").unwrap();
    let watched = Watched::start(folder.path());
    watched.shows(&[("a", &["1"]), ("both", &["1"])]).await;
    let json = r#"{ "services": [ { "service": "both", "instances": [ { "host": "2", "port": 80 } ] } ] }"#;
    replace(&second, json);
    watched.shows(&[("a", &["1"]), ("both", &["1", "2"])]).await;
    fs::remove_file(&file).unwrap();
    watched.shows(&[("both", &["2"])]).await;
    assert_eq!(watched.trouble(), None);

    fs::remove_file(&second).unwrap();
    watched.is_in_trouble("holds no .yaml, .yml or .json file").await;
    fs::remove_dir_all(folder.path()).unwrap();
    watched.is_in_trouble("cannot be read").await;
    sleep(A_WHILE).await;
    watched.shows(&[("both", &["2"])]).await;
    fs::create_dir(folder.path()).unwrap();
    fs::write(&file, document(&[("a", &["3"])])).unwrap();
    watched.shows(&[("a", &["3"])]).await;
    watched.stop().await;
}

#[tokio::test]
async fn while_one_file_is_broken_the_others_add_and_change_but_nothing_goes() {
    let (folder, one) = folder();
    let other = folder.path().join("other.yaml");
    fs::write(&one, document(&[("a", &["1"]), ("moving", &["1"])])).unwrap();
    fs::write(&other, document(&[("b", &["1"])])).unwrap();
    let watched = Watched::start(folder.path());
    watched.shows(&[("a", &["1"]), ("b", &["1"]), ("moving", &["1"])]).await;

    fs::write(&other, "services: [").unwrap();
    watched.is_in_trouble("other.yaml:1:").await;
    replace(&one, &document(&[("a", &["2"]), ("new", &["1"])]));
    watched.shows(&[("a", &["1", "2"]), ("b", &["1"]), ("moving", &["1"]), ("new", &["1"])]).await;
    replace(&other, &document(&[("b", &["1"]), ("moving", &["1"])]));
    watched.shows(&[("a", &["2"]), ("b", &["1"]), ("moving", &["1"]), ("new", &["1"])]).await;
    watched.is_in_order().await;
    watched.stop().await;
}

#[tokio::test]
async fn after_a_start_with_a_broken_file_no_service_is_known_to_be_absent() {
    let (folder, one) = folder();
    fs::write(&one, document(&[("a", &["1"])])).unwrap();
    fs::write(folder.path().join("other.yaml"), "").unwrap();
    let watched = Watched::start(folder.path());
    watched.is_in_trouble("other.yaml: the file is empty").await;
    let reading = |service: &str| watched.view.reading(&ServiceKey::new("default", service));
    let start = Instant::now();
    while reading("a").is_none() {
        assert!(start.elapsed() < LIMIT, "the good file is read");
        sleep(Duration::from_millis(1)).await;
    }
    assert!(reading("b").is_none(), "it may stand in the broken file");
    let progress = *watched.view.progress().borrow();
    assert!(progress.settled && !progress.complete);
    fs::write(folder.path().join("other.yaml"), document(&[("c", &["1"])])).unwrap();
    watched.shows(&[("a", &["1"]), ("c", &["1"])]).await;
    assert!(reading("b").is_some_and(|reading| !reading.listed));
    watched.stop().await;
}

#[tokio::test]
async fn two_files_that_contradict_each_other_are_told() {
    let (folder, one) = folder();
    let other = folder.path().join("other.yaml");
    fs::write(&one, document(&[("a", &["1"])])).unwrap();
    fs::write(&other, document(&[("a", &["1"])])).unwrap();
    let watched = Watched::start(folder.path());
    watched.shows(&[("a", &["1"])]).await;
    assert_eq!(watched.trouble(), None, "they say the same");
    let text = "services: [ { service: a, instances: [ { host: 1, port: 80, weight: 5 } ] } ]";
    fs::write(&other, text).unwrap();
    watched.is_in_trouble("services.yaml: 1:80 of default/a stands otherwise in another file").await;
    watched.stop().await;
}

#[tokio::test]
async fn only_wanted_namespaces_are_shown_and_those_named_are_known_to_be_empty() {
    let (_folder, file) = folder();
    let text = "services:
- { namespace: prod, service: a, instances: [] }
- { namespace: test, service: b, instances: [] }
- { namespace: else, service: c, instances: [] }";
    fs::write(&file, text).unwrap();
    let names = |names: &[&str]| names.iter().map(ToString::to_string).collect::<BTreeSet<String>>();
    let registry = FileRegistry::new(&file, names(&["prod", "gone", "else"]));
    let watched = Watched::start_with(registry, Wants(Some(names(&["prod", "test", "gone"]))));
    watched.shows(&[("a", &[])]).await;
    let reading = |namespace: &str| watched.view.reading(&ServiceKey::new(namespace, "x"));
    assert!(reading("gone").is_some_and(|reading| !reading.listed), "known to have no services");
    assert!(reading("test").is_none(), "the configuration leaves it out");
    watched.stop().await;
}
