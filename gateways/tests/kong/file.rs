//! A `kong.yml` as a gateway.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use std::sync::Arc;

use causeway_gateways::{Desired, Gateway as _, KongFile, ReadScope, Retry, Tags, diff, takeover};
use futures::future::join_all;
use serde_json::Value;

use crate::support::{OWNER, context, converge, desired, everything, turn};

fn read(path: &Path) -> Value {
    serde_saphyr::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

#[tokio::test]
async fn a_new_file_is_whole_and_the_same_each_time() {
    let folder = tempfile::tempdir().unwrap();
    let mut texts = Vec::new();
    for order in [["orders", "stock"], ["stock", "orders"]] {
        let path = folder.path().join(format!("made/for/{}/kong.yml", order[0]));
        let file = KongFile::new(&path, None, OWNER);
        let mut world = file.read(&everything()).await.unwrap();
        for service in order {
            let context = context("task", service);
            let groups: &[(&str, &[(&str, u32)])] =
                &[("default", &[("10.0.0.2:80", 100), ("10.0.0.1:80", 50)])];
            let (_, applied) = turn(&file, &mut world, &context, &desired(&context, service, groups)).await;
            assert!(applied.failed.is_empty(), "{:?}", applied.failed);
        }
        assert_eq!(file.read(&everything()).await.unwrap(), world, "what was recorded is what stands");
        assert_eq!(
            KongFile::new(&path, None, OWNER).read(&everything()).await.unwrap(),
            world,
            "and what the file says"
        );
        texts.push(std::fs::read_to_string(&path).unwrap());
    }
    assert_eq!(texts[0], texts[1]);
    assert_eq!(texts[0], include_str!("../data/kong.yml"));
}

const FOREIGN: &str = r#"
# By hand.
_format_version: '3.0'
_info: {select_tags: [mine]}
x-common: &common {retries: 1, tls_verify: no}
consumers:
- {username: bob, custom_id: 0755, keyauth_credentials: [{key: "1e3"}]}
plugins:
- {name: rate-limiting, config: {minute: 5, policy: local, ratio: 1.10}}
services:
- name: theirs
  <<: *common
  url: http://ins-1.default.orders.default:80/x
  routes:
  - {name: r, paths: [/x], strip_path: yes}
  plugins: [{name: key-auth}]
- {host: example.com}
upstreams:
- name: theirs
  targets: [{target: 10.9.9.9}, {target: "[::1]:80", weight: 0}]
"#;

#[tokio::test]
async fn what_is_somebody_elses_is_kept_in_meaning() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("kong.yml");
    std::fs::write(&path, FOREIGN).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
    let before = read(&path);
    let file = KongFile::new(&path, None, OWNER);
    let context = context("task", "orders");
    for weight in 1..20 {
        let targets = [("10.0.0.1:80", weight)];
        let state = desired(&context, "orders", &[("default", &targets), ("v1", &targets)]);
        converge(&file, &[(context.clone(), state)], 3).await.unwrap();
    }
    let mut with_ours = read(&path);
    assert_eq!(with_ours["services"].as_array().unwrap().len(), 3);
    assert_eq!(with_ours["upstreams"].as_array().unwrap().len(), 3);
    for kind in ["services", "upstreams"] {
        let list = with_ours[kind].as_array_mut().unwrap();
        list.retain(|it| !it["name"].as_str().is_some_and(|name| name.starts_with("ins-1.")));
        // Entities of a kind have no order; those without a name come first.
        list.sort_by_key(|it| it["name"].as_str().is_none());
    }
    assert_eq!(with_ours, before);
    assert_eq!(path.metadata().unwrap().mode() & 0o777, 0o640);

    let plans = converge(&file, &[(context, Desired::default())], 5).await.unwrap().1;
    let kept: Vec<String> = plans[0].kept.iter().map(|kept| kept.key.to_string()).collect();
    assert_eq!(kept, ["upstream ins-1.default.orders.default"], "a service of theirs leads to it");
}

#[tokio::test]
async fn an_edit_by_hand_between_two_writes_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("kong.yml");
    let file = KongFile::new(&path, None, OWNER);
    let context = context("task", "orders");
    let mut world = file.read(&everything()).await.unwrap();
    turn(&file, &mut world, &context, &desired(&context, "orders", &[("default", &[("10.0.0.1:80", 1)])]))
        .await;

    let edited = format!("{}consumers: [{{username: bob}}]\n", std::fs::read_to_string(&path).unwrap());
    std::fs::write(&path, edited).unwrap();
    turn(&file, &mut world, &context, &desired(&context, "orders", &[("default", &[("10.0.0.1:80", 2)])]))
        .await;
    assert_eq!(read(&path)["consumers"][0]["username"], "bob");
    assert_eq!(read(&path)["upstreams"][0]["targets"][0]["weight"], 2);

    // Ours taken away by hand: what was planned for it is not done, but planned again.
    std::fs::write(&path, "_format_version: \"3.0\"\n").unwrap();
    let state = desired(&context, "orders", &[("default", &[("10.0.0.1:80", 3)])]);
    let (_, applied) = turn(&file, &mut world, &context, &state).await;
    assert!(applied.done.is_empty() && applied.failed.iter().all(|f| f.error.retry == Retry::ReadAgain));
    converge(&file, &[(context, state)], 2).await.unwrap();
    assert_eq!(read(&path)["upstreams"][0]["targets"][0]["weight"], 3);
}

#[tokio::test]
async fn a_broken_file_is_named_with_the_place_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("kong.yml");
    let broken = "_format_version: \"3.0\"\nservices:\n- name: a\n  host: [b\nx: 1\n";
    std::fs::write(&path, broken).unwrap();
    let file = KongFile::new(&path, None, OWNER);
    let error = file.read(&everything()).await.unwrap_err();
    assert!(error.message.starts_with(&format!("{}:5:", path.display())), "{}", error.message);
    assert!(file.check().await.is_err());

    let context = context("task", "orders");
    let state = desired(&context, "orders", &[("default", &[("10.0.0.1:80", 1)])]);
    let (_, applied) = turn(&file, &mut Default::default(), &context, &state).await;
    assert!(applied.done.is_empty() && !applied.failed.is_empty());
    assert_eq!(std::fs::read_to_string(&path).unwrap(), broken);

    std::fs::write(&path, "").unwrap();
    converge(&file, &[(context, state)], 2).await.unwrap();
    assert_eq!(read(&path)["services"].as_array().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_plans_at_once_make_few_writes_and_none_when_nothing_changes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("kong.yml");
    let file = Arc::new(KongFile::new(&path, None, OWNER));
    let turns = (0..300).map(|n| {
        let file = file.clone();
        tokio::spawn(async move {
            let service = format!("s{n}");
            let context = context("task", &service);
            let state =
                desired(&context, &service, &[("default", &[("10.0.0.1:80", 1), ("10.0.0.2:80", 1)])]);
            let applied = turn(&*file, &mut Default::default(), &context, &state).await.1;
            assert!(applied.failed.is_empty());
            (context, state)
        })
    });
    let states: Vec<_> = join_all(turns).await.into_iter().map(Result::unwrap).collect();
    assert_eq!(read(&path)["services"].as_array().unwrap().len(), 300);

    let one = "ins-1.default.s7.default".to_owned();
    let scope = ReadScope::Names { upstreams: [one.clone()].into(), services: [].into(), routes: [].into() };
    let world = file.read(&scope).await.unwrap();
    assert_eq!(world.upstreams().keys().collect::<Vec<_>>(), [&one]);
    assert_eq!((world.services().len(), world.upstreams()[&one].targets.as_ref().unwrap().len()), (0, 2));

    // Each write puts a new file in the old one's place.
    let inode = path.metadata().unwrap().ino();
    assert_eq!(converge(&*file, &states, 2).await.unwrap().0, 0);
    assert_eq!(path.metadata().unwrap().ino(), inode);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "no leftovers");
}

#[tokio::test]
async fn a_link_stays_a_link() {
    let folder = tempfile::tempdir().unwrap();
    let (real, link) = (folder.path().join("real.yml"), folder.path().join("kong.yml"));
    std::fs::write(&real, "").unwrap();
    std::os::unix::fs::symlink(&real, &link).unwrap();
    let context = context("task", "orders");
    let state = desired(&context, "orders", &[("default", &[("10.0.0.1:80", 1)])]);
    converge(&KongFile::new(&link, None, OWNER), &[(context, state)], 2).await.unwrap();
    assert!(link.symlink_metadata().unwrap().is_symlink());
    assert_eq!(read(&real)["upstreams"].as_array().unwrap().len(), 1);
}

const BY_HAND: &str = r#"
_format_version: '3.0'
services:
- name: ins-1.default.orders
  host: ins-1.default.orders.default
  read_timeout: 1234
  routes: [{name: r, paths: [/x], tags: [edge]}]
  plugins: [{name: key-auth}]
upstreams:
- name: ins-1.default.orders.default
  algorithm: least-connections
  tags: [edge]
  targets:
  - {target: "10.0.0.1:80", weight: 7}
  - {target: "10.0.0.2:80", tags: [mine]}
  - {target: "192.0.2.1:80", weight: 0}
"#;

#[tokio::test]
async fn what_stands_in_it_is_taken_over_and_handed_over_again_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("kong.yml");
    std::fs::write(&path, BY_HAND).unwrap();
    let before = read(&path);
    let file = KongFile::new(&path, None, OWNER);
    let context = context("task", "orders");
    let desired = desired(&context, "orders", &[("default", &[("10.0.0.1:80", 7), ("10.0.0.2:80", 100)])]);
    let mut world = file.read(&everything()).await.unwrap();

    let adopt = takeover::adopt(&desired, &world, &context, &Tags::new());
    assert_eq!(adopt.changes.len(), 4, "{:?}", adopt.changes);
    for (change, effect) in file.apply(&adopt).await.done {
        world.record(&change, &effect);
    }
    assert_eq!(file.read(&everything()).await.unwrap(), world);
    assert_eq!(diff(&desired, &world, &context).changes, []);
    assert_eq!(diff(&desired, &world, &context).conflicts, []);

    let hand_over = takeover::hand_over(&world, &context.mark);
    assert_eq!(file.apply(&hand_over).await.done.len(), 4);
    assert_eq!(read(&path), before);
}

#[tokio::test]
async fn a_base_holds_what_is_somebody_elses_and_is_read_again_when_it_changes() {
    let folder = tempfile::tempdir().unwrap();
    let (path, base) = (folder.path().join("kong.yml"), folder.path().join("base.yml"));
    std::fs::write(&path, "_format_version: '3.0'\nconsumers: [{username: nobody}]\n").unwrap();
    std::fs::write(&base, FOREIGN).unwrap();
    let file = KongFile::new(&path, Some(base.clone()), OWNER);
    let context = context("task", "orders");
    let state = desired(&context, "orders", &[("default", &[("10.0.0.1:80", 1)])]);
    converge(&file, &[(context.clone(), state.clone())], 3).await.unwrap();
    let with_ours = read(&path);
    assert_eq!(with_ours["consumers"], read(&base)["consumers"]);
    assert_eq!(with_ours["services"].as_array().unwrap().len(), 3);

    std::fs::write(&base, FOREIGN.replace("bob", "eve")).unwrap();
    file.tend().await;
    assert_eq!(read(&path)["consumers"][0]["username"], "eve");
    std::fs::write(&base, "services: [").unwrap();
    let other = desired(&context, "orders", &[("default", &[("10.0.0.1:80", 2)])]);
    converge(&file, &[(context, other)], 3).await.unwrap();
    assert_eq!(read(&path)["consumers"][0]["username"], "eve", "what it held before stays in force");
    assert_eq!(read(&path)["upstreams"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_file_that_was_emptied_is_filled_again_and_an_edit_is_seen_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("kong.yml");
    std::fs::write(&path, FOREIGN).unwrap();
    let file = KongFile::new(&path, None, OWNER);
    let context = context("task", "orders");
    let state = desired(&context, "orders", &[("default", &[("10.0.0.1:80", 1)])]);
    converge(&file, &[(context.clone(), state)], 3).await.unwrap();
    let before = read(&path);

    std::fs::remove_file(&path).unwrap();
    let filled = async {
        while !path.exists() {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    tokio::select! {
        () = file.tend() => panic!("nothing of somebody else's has changed"),
        () = filled => {}
    }
    assert_eq!(read(&path), before);

    let edited = std::fs::read_to_string(&path).unwrap().replace("weight: 1\n", "weight: 9\n");
    std::fs::write(&path, edited).unwrap();
    file.tend().await;
    let world = file.read(&everything()).await.unwrap();
    let targets = world.upstream("ins-1.default.orders.default").unwrap().targets.clone().unwrap();
    assert_eq!(targets.values().map(|target| target.weight).collect::<Vec<_>>(), [9]);
}
