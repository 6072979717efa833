//! Splits: shares that hold whatever comes and goes, and a wheel that is never empty on the way.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use causeway::model::Instance;
use causeway_test_support::kong::{Fault, Kind, KongStandIn, Operation, Scope};
use http::Method;
use serde_json::{Value, json};

use crate::program::{Desk, Services};
use crate::stage::{Deployment, Stage, instance, of_version, weighing};

const SPLIT: &str = "r.default.orders.split";

/// A hold that no test could wait for.
const LONG_HOLD: &str = "10m";
const HOLD: &str = "300ms";

fn document_with(settings: &str, split: &str, hold: &str) -> String {
    format!(
        r#"
version: 1
owner: me
registries: [ {{ name: r, type: nacos, addresses: ["127.0.0.1:1"], protect: {{ hold: {hold}, max_shrink: 1 }} }} ]
gateways: [ {{ name: kong, type: kong, addresses: ["KONG"], retire_after: 300ms }} ]
tasks:
  - name: t
    source: r
    destination: kong
    {settings}
    match:
      - namespace: default
        service: "*"
        groups: [ {{ name: v1, metadata: {{ version: "1" }} }}, {{ name: v2, metadata: {{ version: "2" }} }} ]
        {split}
methods: [ {{ type: watch, enable: true }}, {{ type: pull, enable: true, interval: 200ms }} ]
health_check: {{ enable: false }}
"#
    )
}

fn document(split: &str, hold: &str) -> String {
    document_with("", split, hold)
}

/// So many instances of version 1 and 2.
fn fleet(ones: u8, twos: u8) -> Vec<Instance> {
    let of = |version: &'static str, count: u8| {
        (0..count).map(move |n| of_version(&format!("10.0.{version}.{n}"), version))
    };
    of("1", ones).chain(of("2", twos)).collect()
}

fn is_two(address: &str) -> bool {
    address.starts_with("10.0.2.")
}

/// Which part of the traffic version 2 gets; none when nobody gets any.
fn part_of_two<'a>(wheel: impl IntoIterator<Item = (&'a String, &'a i64)>) -> Option<f64> {
    let (mut two, mut all) = (0, 0);
    for (address, weight) in wheel {
        all += weight;
        two += if is_two(address) { *weight } else { 0 };
    }
    (all > 0).then(|| two as f64 / all as f64)
}

async fn until_part(stage: &Stage, part: f64) {
    let near = |kong: &KongStandIn| {
        part_of_two(&kong.weights(SPLIT)).is_some_and(|stands| (stands - part).abs() <= 0.0051)
    };
    stage.until(&format!("version 2 gets {part} of the traffic"), near).await;
}

async fn ready(stage: &Stage, document: &str) -> Deployment {
    let deployment = stage.deploy(document);
    deployment.until_ready().await;
    deployment
}

/// Every state of the split's wheel from now on, in which it stands already.
type History = Arc<Mutex<Vec<BTreeMap<String, i64>>>>;

fn note_wheel(kong: &KongStandIn) -> History {
    let upstream = kong.entity(Kind::Upstreams, SPLIT).unwrap()["id"].clone();
    let history = Arc::new(Mutex::new(vec![kong.weights(SPLIT)]));
    let noted = Arc::clone(&history);
    kong.on_commit(move |commit| {
        let target = commit.entity();
        if commit.kind != Kind::Targets || target["upstream"]["id"] != upstream {
            return;
        }
        let mut history = history.lock().unwrap();
        let mut wheel = history.last().unwrap().clone();
        let address = target["target"].as_str().unwrap().to_owned();
        match commit.operation {
            Operation::Deleted => drop(wheel.remove(&address)),
            Operation::Created | Operation::Updated => {
                wheel.insert(address, target["weight"].as_i64().unwrap());
            }
        }
        history.push(wheel);
    });
    noted
}

/// Nobody was ever without a target, and version 2 never got more than this of the traffic.
fn assert_safe(history: &History, most: f64) {
    let history = history.lock().unwrap();
    for wheel in history.iter() {
        let part = part_of_two(wheel).unwrap_or_else(|| panic!("an empty wheel in {history:#?}"));
        assert!(part <= most, "{part} in {history:#?}");
    }
}

#[tokio::test]
async fn a_service_leads_to_its_split_and_the_shares_hold_whatever_the_counts() {
    let stage = Stage::new().await;
    stage.register("orders", fleet(9, 1));
    let deployment = ready(&stage, &document("split: { v1: 90, v2: 10 }", HOLD)).await;
    let weights = stage.kong.weights(SPLIT);
    assert_eq!(weights.len(), 10);
    assert!(weights.values().all(|weight| *weight == 1000), "{weights:?}");
    assert_eq!(stage.kong.entity(Kind::Services, "r.default.orders").unwrap()["host"], SPLIT);
    let tags = |target: &Value| target["tags"].to_string();
    let two =
        stage.kong.targets(SPLIT).into_iter().find(|it| is_two(it["target"].as_str().unwrap())).unwrap();
    assert!(tags(&two).contains("causeway.group:v2"), "{two}");
    assert!(stage.kong.weights("r.default.orders.default").values().all(|weight| *weight == 100));

    let history = note_wheel(&stage.kong);
    for (ones, twos) in [(9, 3), (2, 3), (2, 12), (30, 1)] {
        stage.register("orders", fleet(ones, twos));
        stage.until("all are there", |kong| kong.weights(SPLIT).len() == usize::from(ones + twos)).await;
        until_part(&stage, 0.1).await;
    }
    assert_safe(&history, 0.3);
    deployment.after_audits(2).await;
    assert!(deployment.plan("orders").await.is_empty());
    assert!(deployment.task().notes.is_empty(), "{:?}", deployment.task().notes);
    deployment.stop().await;
}

#[tokio::test]
async fn shares_that_change_go_out_as_weights_alone_one_at_a_time_and_safely() {
    let stage = Stage::new().await;
    stage.register("orders", fleet(6, 4));
    let split = |two: f64| document(&format!("split: {{ v1: {}, v2: {two} }}", 100.0 - two), HOLD);
    ready(&stage, &split(10.0)).await.stop().await;
    for (before, after) in [(10.0, 50.0), (50.0, 100.0), (100.0, 1.0)] {
        stage.kong.reset_counts();
        let history = note_wheel(&stage.kong);
        let deployment = ready(&stage, &split(after)).await;
        until_part(&stage, after / 100.0).await;
        deployment.after_audits(2).await;
        let writes = stage.writes();
        let is_weight = |write: &String| write.starts_with(&format!("PATCH /upstreams/{SPLIT}/targets/"));
        assert!(!writes.is_empty() && writes.len() <= 10 && writes.iter().all(is_weight), "{writes:?}");
        assert_safe(&history, f64::max(before, after) / 100.0 + 0.005);
        deployment.stop().await;
    }
}

#[tokio::test]
async fn on_the_way_from_one_share_to_another_nobody_gets_much_more_than_before_or_after() {
    let stage = Stage::new().await;
    stage.register("orders", fleet(6, 4));
    ready(&stage, &document("split: { v1: 95, v2: 5 }", HOLD)).await.stop().await;
    let history = note_wheel(&stage.kong);
    // Slow answers would let writes that are made at once overtake each other.
    stage.kong.faults().set_latency(Duration::from_millis(20));
    let deployment = ready(&stage, &document("split: { v1: 40, v2: 60 }", HOLD)).await;
    until_part(&stage, 0.6).await;
    assert_safe(&history, 0.605);
    let least = history.lock().unwrap().iter().filter_map(part_of_two).fold(1.0, f64::min);
    assert!(least >= 0.045, "{least}");
    deployment.stop().await;
}

#[tokio::test]
async fn a_change_that_breaks_off_is_taken_up_from_what_stands() {
    let stage = Stage::new().await;
    stage.register("orders", fleet(5, 5));
    ready(&stage, &document("split: { v1: 90, v2: 10 }", HOLD)).await.stop().await;
    let history = note_wheel(&stage.kong);
    let patches = || Scope::On(Method::PATCH, "/targets/".to_owned());
    let faults = stage.kong.faults();
    for fault in
        [None, Some(Fault::Answer(404, json!({ "message": "Not found" }))), None, Some(Fault::LostAnswer)]
    {
        faults.next(patches(), fault);
    }
    faults.next_times(8, &patches(), &Fault::Status(500));
    let deployment = ready(&stage, &document("split: { v1: 30, v2: 70 }", HOLD)).await;
    until_part(&stage, 0.7).await;
    assert_eq!(faults.pending(), 0, "every fault struck");
    assert_safe(&history, 0.705);
    deployment.after_audits(2).await;
    assert!(deployment.plan("orders").await.is_empty());
    deployment.stop().await;
}

#[tokio::test]
async fn a_group_whose_only_instance_is_replaced_never_leaves_the_wheel_empty() {
    let stage = Stage::new().await;
    let [one, two] = [of_version("10.0.1.1", "1"), of_version("10.0.2.1", "2")];
    stage.register("orders", [one.clone(), two]);
    let deployment = ready(&stage, &document("split: { v1: 100, v2: 0 }", HOLD)).await;
    assert_eq!(part_of_two(&stage.kong.weights(SPLIT)), Some(0.0));
    let history = note_wheel(&stage.kong);
    for n in 2..6 {
        stage.register("orders", [of_version(&format!("10.0.1.{n}"), "1"), of_version("10.0.2.1", "2")]);
        let targets = [format!("10.0.1.{n}:8080"), "10.0.2.1:8080".to_owned()];
        stage.until_targets(SPLIT, &[&targets[0], &targets[1]]).await;
    }
    assert_safe(&history, 0.0);
    deployment.stop().await;
}

#[tokio::test]
async fn an_empty_groups_share_goes_to_the_others_and_that_is_said() {
    let stage = Stage::new().await;
    stage.register("orders", fleet(3, 2));
    let deployment = ready(&stage, &document("split: { v1: 80, v2: 20 }", HOLD)).await;
    let mut isolated = fleet(3, 2);
    isolated.iter_mut().filter(|it| it.metadata["version"] == "2").for_each(|it| it.isolated = true);
    stage.register("orders", isolated);
    until_part(&stage, 0.0).await;
    let said = "group v2 has nobody to take its 20% of the split, which the other groups take in proportion";
    deployment
        .until("it is said", |status| status.tasks[0].notes.iter().any(|note| note.reason == said))
        .await;
    assert!(deployment.task().failing.is_empty());
    stage.register("orders", fleet(3, 2));
    until_part(&stage, 0.2).await;
    deployment.until("it is no longer said", |status| status.tasks[0].notes.is_empty()).await;
    deployment.stop().await;
}

#[tokio::test]
async fn what_is_held_keeps_counting_in_its_group() {
    let stage = Stage::new().await;
    stage.register("orders", fleet(3, 3));
    let split = document("split: { v1: 70, v2: 30 }", LONG_HOLD);
    ready(&stage, &split).await.stop().await;
    // What a registry lost while Causeway was away may be the registry's fault.
    stage.kong.reset_counts();
    stage.register("orders", fleet(3, 1));
    let deployment = ready(&stage, &split).await;
    deployment
        .until("both are held", |status| {
            status.tasks[0].held.iter().filter(|held| held.upstream == SPLIT).count() == 2
        })
        .await;
    deployment.after_audits(2).await;
    assert_eq!(stage.writes(), [""; 0], "two of three are missing, and their weights stand");
    let history = note_wheel(&stage.kong);
    stage.register("orders", fleet(4, 1));
    stage.until("the new one is there", |kong| kong.weights(SPLIT).len() == 7).await;
    until_part(&stage, 0.3).await;
    deployment.supervisor.sources().for_each(|source| source.release());
    stage.until("they are gone", |kong| kong.weights(SPLIT).len() == 5).await;
    until_part(&stage, 0.3).await;
    assert_safe(&history, 0.45);
    deployment.stop().await;
}

#[tokio::test]
async fn with_delete_false_what_has_gone_keeps_its_place_and_its_share_of_the_weight() {
    let stage = Stage::new().await;
    stage.register("orders", fleet(2, 2));
    let split = "split: { v1: 50, v2: 50 }";
    let deployment = ready(&stage, &document_with("delete: false", split, HOLD)).await;
    stage.register("orders", fleet(1, 4));
    stage.until("the new ones are there", |kong| kong.weights(SPLIT).len() == 6).await;
    until_part(&stage, 0.5).await;
    deployment.after_audits(3).await;
    assert_eq!(stage.kong.weights(SPLIT).len(), 6);
    assert!(stage.writes().iter().all(|write| !write.starts_with("DELETE")));
    deployment.stop().await;
}

#[tokio::test]
async fn registered_weights_count_only_where_they_are_zero() {
    let stage = Stage::new().await;
    let drained = weighing(of_version("10.0.2.9", "2"), 0.0);
    let heavy = weighing(of_version("10.0.2.8", "2"), 5.0);
    stage.register("orders", fleet(2, 1).into_iter().chain([drained, heavy]));
    let deployment = ready(&stage, &document("split: { v1: 50, v2: 50 }", HOLD)).await;
    let weights = stage.kong.weights(SPLIT);
    let two: Vec<i64> =
        weights.iter().filter(|(address, _)| is_two(address)).map(|(_, weight)| *weight).collect();
    assert_eq!(two, [2500, 2500, 0]);
    assert_eq!(part_of_two(&weights), Some(0.5));
    deployment.stop().await;
}

#[tokio::test]
async fn an_instance_in_two_groups_of_a_split_is_an_error_told_with_both_names() {
    let stage = Stage::new().await;
    let mut both = of_version("10.0.1.9", "1");
    both.metadata.insert("track".to_owned(), "canary".to_owned());
    stage.register("orders", fleet(2, 0).into_iter().chain([both.clone()]));
    let overlapping = document("split: { canary: 10, v1: 90 }", HOLD).replace(
        r#"{ name: v2, metadata: { version: "2" } }"#,
        "{ name: canary, metadata: { track: canary } }",
    );
    let deployment = ready(&stage, &overlapping).await;
    let failing = deployment.task().failing;
    assert_eq!(failing.len(), 1, "{failing:?}");
    assert_eq!(failing[0].service, "default/orders");
    assert_eq!(
        failing[0].reason,
        "10.0.1.9:8080 is in two groups of the split, canary and v1; it counts in canary until it is in one"
    );
    assert_eq!(stage.kong.weights(SPLIT)["10.0.1.9:8080"], 1000, "a tenth");
    both.metadata.remove("version");
    stage.register("orders", fleet(2, 0).into_iter().chain([both]));
    deployment.until("it is told no more", |status| status.tasks[0].failing.is_empty()).await;
    deployment.stop().await;
}

#[tokio::test]
async fn a_split_that_is_taken_away_leads_back_to_default_before_its_upstream_goes() {
    let stage = Stage::new().await;
    let orphans = crate::stage::note_orphans(&stage.kong);
    stage.register("orders", fleet(2, 1));
    ready(&stage, &document("", HOLD)).await.stop().await;
    let leads_to =
        |kong: &KongStandIn| kong.entity(Kind::Services, "r.default.orders").unwrap()["host"].clone();
    assert_eq!(leads_to(&stage.kong), "r.default.orders.default");
    let deployment = ready(&stage, &document("split: { v1: 1, v2: 1 }", HOLD)).await;
    assert_eq!(leads_to(&stage.kong), SPLIT, "led over when it was filled");
    deployment.stop().await;
    let deployment = ready(&stage, &document("", HOLD)).await;
    stage.until("it leads back", |kong| leads_to(kong) == "r.default.orders.default").await;
    stage.until("the split has gone", |kong| kong.entity(Kind::Upstreams, SPLIT).is_none()).await;
    assert_eq!(*orphans.lock().unwrap(), [""; 0]);
    deployment.stop().await;
}

#[tokio::test]
async fn a_service_is_not_led_to_a_split_that_could_not_be_filled() {
    let stage = Stage::new().await;
    stage.register("orders", [instance("10.0.9.1")].into_iter().chain(fleet(1, 1)));
    ready(&stage, &document("", HOLD)).await.stop().await;
    stage.kong.reset_counts();
    let posts = Scope::On(Method::POST, format!("/upstreams/{SPLIT}/targets"));
    stage.kong.faults().chance(posts, 1.0, Fault::Status(500));
    let deployment = stage.deploy(&document("split: { v1: 1, v2: 1 }", HOLD));
    deployment.until("it fails", |status| !status.tasks[0].failing.is_empty()).await;
    let service = stage.kong.entity(Kind::Services, "r.default.orders").unwrap();
    assert_eq!(service["host"], "r.default.orders.default");
    stage.kong.faults().clear();
    until_part(&stage, 0.5).await;
    stage
        .until("it leads there now", |kong| {
            kong.entity(Kind::Services, "r.default.orders").unwrap()["host"] == SPLIT
        })
        .await;
    deployment.stop().await;
}

/// The first block of this language after this text in the page on splitting.
fn block(language: &str, after: &str) -> String {
    let page = include_str!("../../docs/splitting.md");
    let rest = page.split_once(after).unwrap_or_else(|| panic!("{after} is not in the page")).1;
    let block = rest.split_once(&format!("```{language}\n")).unwrap().1;
    block.split_once("```").unwrap().0.to_owned()
}

#[tokio::test]
async fn the_worked_example_comes_out_as_the_page_says() {
    let desk = Desk::new(KongStandIn::start().await, "").await;
    let mut orders: Vec<(String, &'static str)> = (1..5).map(|n| (format!("10.0.1.{n}"), "v1")).collect();
    orders.push(("10.0.2.1".to_owned(), "v2"));
    desk.write(&Services::from([("orders".to_owned(), orders.clone())]));
    let entry = block("yaml", "## A worked example");
    let entry = entry.trim().trim_start_matches("- ");
    desk.configure(
        r#"{ namespace: default, service: "*", groups: [ { name: v1, metadata: { version: "1" } } ] }"#,
        entry,
    );
    assert_eq!(desk.told(&["sync"]).await.0, Some(0));
    let weights = desk.kong.weights(SPLIT);
    assert_eq!(weights.values().copied().collect::<Vec<_>>(), [2380, 2380, 2380, 2380, 476]);

    desk.configure("v1: 95, v2: 5", "v1: 80, v2: 20");
    assert_eq!(desk.told(&["plan"]).await, (Some(0), block("text", "80 and 20")));
    assert_eq!(desk.told(&["sync"]).await.0, Some(0));
    orders.pop();
    desk.write(&Services::from([("orders".to_owned(), orders)]));
    let (code, text) = desk.told(&["plan"]).await;
    assert_eq!((code, text), (Some(0), block("text", "the only instance of v2 goes")));
}

#[tokio::test]
async fn a_pass_with_an_instance_in_two_groups_is_done_and_fails_with_both_names() {
    let desk = Desk::new(KongStandIn::start().await, "").await;
    desk.configure(r#"groups: [ {"#, r#"split: { all: 10, v1: 90 }, groups: [ { name: all }, {"#);
    desk.write(&Services::from([("orders".to_owned(), vec![("10.0.1.1".to_owned(), "1")])]));
    let (code, text) = desk.told(&["sync"]).await;
    assert_eq!(code, Some(1), "{text}");
    let told = "failed: default/orders: 10.0.1.1:8080 is in two groups of the split, all and v1;";
    assert!(text.contains(told), "{text}");
    assert_eq!(desk.kong.weights(SPLIT).len(), 1);
}
