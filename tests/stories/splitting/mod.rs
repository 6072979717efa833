//! Splits: shares that hold whatever comes and goes, and a wheel that is never empty on the way.

mod by_hand;
mod counting;
mod leading;
mod shares;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use causeway::model::Instance;
use causeway_test_support::kong::{Kind, KongStandIn, Operation};

use crate::document::Document;
use crate::stage::{Stage, of_version};

const SPLIT: &str = "r.default.orders.split";

/// A hold that no test could wait for.
const LONG_HOLD: &str = "10m";
const HOLD: &str = "300ms";

const GROUPS: &str =
    r#"groups: [ { name: v1, metadata: { version: "1" } }, { name: v2, metadata: { version: "2" } } ]"#;

fn document_with(task: &str, split: &str, hold: &str) -> String {
    let entry = &format!(r#"namespace: default, service: "*", {GROUPS}, {split}"#);
    Document { hold, audit: "200ms", task, entry, ..Document::default() }.text()
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
