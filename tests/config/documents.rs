//! Native documents come to mean what they say.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use causeway::config::{
    Copying, Destination, Dialect, Directions, FieldType, FromMetadata, GatewayKind, MatchEntry, Mode,
    OnStop, Pattern, Policy, RegistryKind, Rename, ReportKind, ReportTarget, Secret, Selector, Setting, Tls,
    Upkeep, ZookeeperLayout,
};
use serde_json::json;

use crate::{data, good, told, warned};

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A document with one task, in which the test's own lines stand.
fn with_entry(entry: &str) -> String {
    format!(
        "version: 1\n\
         registries: [{{ name: a, type: file, path: p }}]\n\
         gateways: [{{ name: k, type: kong-file, path: q }}]\n\
         tasks: [{{ name: t, source: a, destination: k, match: [{entry}] }}]\n"
    )
}

fn entry(text: &str) -> MatchEntry {
    good(&with_entry(text)).tasks[0].matches[0].clone()
}

#[test]
fn the_top_of_a_full_document() {
    let config = good(&data("config/full.yaml"));
    assert_eq!(config.owner, "team-a");
    assert_eq!(config.admin.listen, "0.0.0.0:8690".parse().unwrap());
    assert_eq!(config.admin.token, Some(Secret::new("value")));
    assert!(!config.watch, "methods are given and don't list it");
    assert_eq!(config.audit_interval, Some(secs(30)));
    assert!(!config.health_check.enable);
    assert_eq!(config.health_check.interval, secs(1));
    assert_eq!(config.health_check.timeout, Duration::from_millis(500));
    assert_eq!(config.report.interval, secs(300));
    let target = |enable| ReportTarget { kind: ReportKind::File, enable };
    assert_eq!(config.report.targets, [target(false), target(true)]);
}

#[test]
fn the_registries_of_a_full_document() {
    let config = good(&data("config/full.yaml"));
    let nacos = &config.registries["nacos-a"];
    assert_eq!(nacos.kind, RegistryKind::Nacos);
    assert_eq!(nacos.addresses, ["127.0.0.1:8848", "https://127.0.0.2:8848"]);
    assert_eq!(nacos.user.as_deref(), Some("nacos"));
    assert_eq!(nacos.password, Some(Secret::new("0123")), "a leading zero stays");
    assert_eq!(nacos.access_key, Some(Secret::new("ak")));
    assert_eq!(nacos.secret_key, Some(Secret::new("sk")));
    assert_eq!(nacos.region.as_deref(), Some("cn-hangzhou"));
    assert_eq!(nacos.namespaces, ["empty_ns", "prod"]);
    let tls = Tls { ca_file: Some(PathBuf::from("/etc/ca.pem")), insecure_skip_verify: true };
    assert_eq!(nacos.tls, Some(tls));
    assert_eq!(nacos.protect.hold, secs(90), "the registry's own word is nearer than the defaults");
    assert!((nacos.protect.max_shrink - 0.5).abs() < f64::EPSILON);
    assert_eq!(nacos.protect.release_after, Some(secs(3600)));

    let kinds: Vec<(&str, RegistryKind, Duration)> = config
        .registries
        .values()
        .map(|registry| (registry.name.as_str(), registry.kind, registry.protect.hold))
        .collect();
    let expected = [
        ("consul", RegistryKind::Consul, secs(300)),
        ("eureka", RegistryKind::Eureka, secs(300)),
        ("here", RegistryKind::File, secs(0)),
        ("nacos-a", RegistryKind::Nacos, secs(90)),
        ("polaris", RegistryKind::Polaris, secs(300)),
        ("polaris-b", RegistryKind::Polaris, secs(300)),
        ("sc", RegistryKind::ServiceCenter, secs(300)),
        ("zk", RegistryKind::Zookeeper, secs(300)),
    ];
    assert_eq!(kinds, expected);
}

#[test]
fn what_single_types_of_registry_have() {
    let config = good(&data("config/full.yaml"));
    assert_eq!(config.registries["here"].path, Some(PathBuf::from("services.yaml")));
    assert_eq!(config.registries["polaris"].token, Some(Secret::new("t")));
    let consul = &config.registries["consul"];
    assert_eq!((consul.tls.as_ref(), consul.datacenter.as_deref()), (Some(&Tls::default()), Some("dc2")));
    assert_eq!(consul.filter.as_deref(), Some("Service.Meta.tier == \"web\""));
    let zk = &config.registries["zk"];
    assert_eq!((zk.layout, zk.root.as_deref()), (ZookeeperLayout::DubboApp, Some("/apps")));
    assert_eq!(config.registries["eureka"].layout, ZookeeperLayout::Auto);
    let eureka = &config.registries["eureka"];
    assert_eq!(eureka.password, Some(Secret::new("p")));
    assert_eq!((eureka.keep_case, eureka.poll_interval), (true, Some(secs(2))));
    let lease =
        |name: &str| config.registries[name].lease.map(|lease| (lease.renew_every, lease.expires_after));
    assert_eq!(lease("nacos-a"), Some((secs(10), secs(45))));
    assert_eq!(lease("eureka"), Some((secs(30), secs(60))), "what isn't said is the type's own");
    assert_eq!(lease("sc"), Some((secs(10), secs(120))));
    assert_eq!(lease("consul"), None);
    assert_eq!((zk.persistent, zk.session_timeout), (true, Some(secs(20))));
    let sc = &config.registries["sc"];
    let scope = [&sc.domain, &sc.project, &sc.environment].map(Option::as_deref);
    assert_eq!((scope, sc.poll_interval), ([Some("d"), Some("p"), Some("production")], Some(secs(1))));
}

#[test]
fn the_gateways_of_a_full_document() {
    let config = good(&data("config/full.yaml"));
    let kong = &config.gateways["kong"];
    assert_eq!(kong.kind, GatewayKind::Kong);
    assert_eq!(kong.addresses, ["https://127.0.0.1:8444", "http://127.0.0.1:8001"]);
    assert_eq!(kong.token, None, "a substitution that comes out empty is not given");
    assert_eq!(kong.workspace.as_deref(), Some("team-a"));
    assert_eq!(kong.ca_file, Some(PathBuf::from("/etc/kong.pem")));
    assert!(kong.insecure_skip_verify);
    assert_eq!(kong.base, Some(PathBuf::from("base.yml")));
    assert_eq!((kong.concurrency, kong.retire_after), (4, secs(0)));
    assert_eq!((kong.connect_timeout, kong.timeout), (secs(1), secs(2)));
    let file = &config.gateways["kong-yml"];
    assert_eq!((file.kind, file.path.clone()), (GatewayKind::KongFile, Some(PathBuf::from("kong.yml"))));
    assert_eq!(file.retire_after, secs(60));
}

#[test]
fn the_tasks_of_a_full_document() {
    let config = good(&data("config/full.yaml"));
    let names: Vec<&str> = config.tasks.iter().map(|task| task.name.as_str()).collect();
    assert_eq!(names, ["nacos-to-kong", "mirror", "both", "shares"]);
    let task = config.task("nacos-to-kong").unwrap();
    assert!(task.enable && !task.delete);
    assert_eq!(task.weight, Upkeep::CreateOnly);
    assert_eq!((task.policy, task.mode, task.dialect), (Policy::Fill, Mode::Unidirectional, Dialect::Native));
    assert_eq!(
        (task.source.as_str(), task.destination.clone()),
        ("nacos-a", Destination::Gateway("kong".into()))
    );
    assert_eq!(task.hold, secs(90), "the source's");
    let select = |namespace: &str, service: &str| Selector {
        namespace: Pattern::glob(namespace),
        service: Pattern::glob(service),
    };
    assert_eq!(
        task.excludes,
        [select("*", "PAY__legacy-*"), select("test", "*"), select("*", "consumers:*")]
    );
    let mirror = config.task("mirror").unwrap();
    assert!(!mirror.enable);
    assert_eq!(mirror.destination, Destination::Registry("polaris-b".into()));
    let both = config.task("both").unwrap();
    assert_eq!((both.mode, both.policy), (Mode::Bidirectional, Policy::Observe));
    let rename = |from: &str, to: &str| Rename { from: from.to_owned(), to: to.to_owned() };
    let copying = Copying {
        group: Some("TRADE".to_owned()),
        namespace_map: BTreeMap::from([("default".to_owned(), "prod".to_owned())]),
        rename: vec![rename("old-*", "new-*"), rename("a", "b")],
        on_stop: OnStop::Withdraw,
        directions: Directions { there: true, back: false },
    };
    assert_eq!(both.copying, copying);
    assert_eq!(mirror.copying, Copying::default());
}

#[test]
fn the_entries_of_a_full_document() {
    let config = good(&data("config/full.yaml"));
    let [orders, trade] = &config.tasks[0].matches[..] else { panic!("two entries") };
    assert_eq!(orders.select.exact(), Some(("prod", "TRADE__orders")));
    assert_eq!(orders.hold, secs(10));
    assert_eq!(orders.groups[0].metadata["version"], "1.10", "metadata is text as written");
    assert_eq!(orders.groups[0].metadata["zone"], "yes");
    assert_eq!(orders.groups[1].upstream_name.as_deref(), Some("my-own-upstream"));
    assert_eq!(orders.kong.service["retries"], Setting::Value(json!(3)), "the task's");
    assert_eq!(orders.kong.service["read_timeout"], Setting::Value(json!(5000)), "the defaults'");
    assert_eq!(orders.kong.upstream["slots"], Setting::Value(json!(10)), "the entry's own");
    assert_eq!(orders.kong.upstream["healthchecks"], Setting::Value(json!({ "threshold": 0 })));
    assert_eq!(orders.kong.tags, ["orders"]);
    let protocol =
        FieldType::Word(&["http", "https", "grpc", "grpcs", "tcp", "tls", "tls_passthrough", "udp"]);
    let from =
        |key: &str, otherwise, of| Setting::Metadata(FromMetadata { key: key.to_owned(), otherwise, of });
    assert_eq!(orders.kong.service["protocol"], from("protocol", Some(json!("grpc")), protocol));
    let port = FieldType::Integer { least: 0, most: 65_535 };
    assert_eq!(orders.kong.service["port"], from("gRPC_port", None, port));
    assert_eq!(orders.kong.upstream["host_header"], from("domain", None, FieldType::Host));
    assert_eq!(trade.select.service, Pattern::regex("TRADE__[a-z]+").unwrap());
    assert_eq!((trade.hold, trade.kong.tags.clone()), (secs(90), vec!["edge".to_owned()]));
    assert!(trade.fits("prod", "TRADE__pay"));
    assert!(!trade.fits("prod", "TRADE__PAY") && !trade.fits("dev", "TRADE__pay"));
}

#[test]
fn excludes_of_a_task_are_final_and_an_entrys_own_lets_the_next_one_have_it() {
    let text = with_entry(r#"{ service: "a*", exclude: [{ service: ab }] }, { namespace: n, service: "*" }"#)
        .replace("name: t,", r#"name: t, exclude: [{ namespace: "*", service: "z*" }],"#);
    let task = good(&text).tasks.remove(0);
    let position = |namespace: &str, service: &str| {
        task.matches.iter().position(|entry| Some(entry) == task.entry_for(namespace, service))
    };
    assert_eq!(position("n", "aa"), Some(0));
    assert_eq!(position("n", "ab"), Some(1));
    assert_eq!(position("m", "ab"), None);
    assert_eq!(position("n", "zz"), None);
    assert_eq!(task.excluded_by("n", "zz"), Some(&task.excludes[0]));
}

#[test]
fn an_empty_document_has_every_default() {
    let config = good("version: 1\n");
    assert_eq!(config.owner, "causeway");
    assert_eq!(config.admin.listen, "127.0.0.1:8690".parse().unwrap());
    assert_eq!((config.watch, config.audit_interval), (true, Some(secs(60))));
    assert!(config.health_check.enable && config.tasks.is_empty() && config.report.targets.is_empty());
    assert_eq!(good("version: 1\ntasks:\nregistries: null\nowner: ~\n"), config, "nothing is not given");
}

#[test]
fn the_default_hold_is_as_long_as_each_registrys_own_recovery() {
    let text = "version: 1\nregistries:\n  \
                - { name: a, type: polaris, addresses: [x] }\n  - { name: b, type: nacos, addresses: [x] }\n  \
                - { name: c, type: eureka, addresses: [x] }\n  - { name: d, type: consul, addresses: [x] }\n  \
                - { name: e, type: zookeeper, addresses: [x] }\n  - { name: f, type: servicecenter, addresses: [x] }\n";
    let holds: Vec<u64> =
        good(text).registries.values().map(|registry| registry.protect.hold.as_secs()).collect();
    assert_eq!(holds, [60, 60, 150, 90, 60, 150]);
}

#[test]
fn json_may_have_comments_and_trailing_commas() {
    let text = "/* ours */ {\n  // one\n  \"version\": 1,\n  \"owner\": \"http://no-comment\", # no\n}"
        .replace("# no", "// no");
    assert_eq!(good(&text).owner, "http://no-comment");
    assert_eq!(good("// first\n{ \"version\": 1, \"owner\": \"\\ud83d\\ude00\", }").owner, "😀");
}

#[test]
fn bom_and_crlf_change_nothing() {
    let text = data("config/full.yaml");
    assert_eq!(good(&format!("\u{feff}{}", text.replace('\n', "\r\n"))), good(&text));
    assert_eq!(good("\u{feff}{ \"version\": 1 }"), good("version: 1"));
}

#[test]
fn anchors_have_a_home_under_x_keys_and_merge() {
    let text = "version: 1\nx-kong: &kong { type: kong, addresses: [a], timeout: 9s }\n\
                x-slow: &slow { connect_timeout: 8s, timeout: 7s }\ngateways:\n  \
                - { <<: *kong, name: one, timeout: 1s }\n  - { name: two, <<: [*slow, *kong] }\n";
    let config = good(text);
    assert_eq!(config.gateways["one"].timeout, secs(1), "its own word wins");
    assert_eq!((config.gateways["two"].timeout, config.gateways["two"].connect_timeout), (secs(7), secs(8)));
}

#[test]
fn variables_are_substituted_in_scalars_after_parsing() {
    for (written, meant) in [
        (r#""${NAME}""#, "value"),
        (r#""a ${NAME}: [b]""#, "a value: [b]"),
        (r#""${NONE:-with:-dashes}""#, "with:-dashes"),
        (r#""${NONE:-}${NAME}""#, "value"),
        (r#""$${NAME}""#, "${NAME}"),
        (r#""$$NAME $NAME""#, "$$NAME $NAME"),
        ("'${NAME}'", "value"),
    ] {
        assert_eq!(good(&format!("version: 1\nowner: {written}\n")).owner, meant, "{written}");
    }
    let text = "version: 1\nowner: ${NAME}\nhealth_check:\n  enable: ${NONE:-no}\n";
    assert!(!good(text).health_check.enable, "a whole substitution may be of any type");
    let text = with_entry(
        "{ service: \"${NAME}\", groups: [{ name: \"${NONE}g\", metadata: { \"${NAME}\": x } }] }",
    );
    let told = told(&text);
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(
        told[0].ends_with("the variable `NONE` is not set (`${NONE:-…}` gives it a default)"),
        "{told:?}"
    );
    let keyed = with_entry("{ service: a, groups: [{ name: g, metadata: { \"${NAME}\": x } }] }");
    assert!(good(&keyed).tasks[0].matches[0].groups[0].metadata.contains_key("${NAME}"), "keys stay");
}

#[test]
fn an_inline_end_may_be_written_twice_as_long_as_it_says_the_same() {
    let task = |name: &str, source: &str| {
        format!("  - {{ name: {name}, source: {source}, destination: k, match: [{{ service: a }}] }}\n")
    };
    let head = "version: 1\ngateways: [{ name: k, type: kong-file, path: q }]\ntasks:\n";
    let one = "{ name: f, type: file, path: p }";
    let config =
        good(&format!("{head}{}{}", task("t1", one), task("t2", "{ type: file, path: p, name: f }")));
    assert_eq!(config.registries.len(), 1);
    let config = good(&format!("{head}{}{}", task("t1", one), task("t2", "f")));
    assert_eq!(config.tasks[1].source, "f", "and may be called by its name");
    let told =
        told(&format!("{head}{}{}", task("t1", one), task("t2", "{ name: f, type: file, path: other }")));
    assert_eq!(
        told,
        ["c.yaml:5:33: tasks[1].source.name: the name `f` is taken by another definition in line 4"]
    );
}

#[test]
fn patterns_say_what_they_mean() {
    assert!(entry("{ service: \"a.b\" }").fits("any", "a.b"));
    assert!(!entry("{ service: \"a.b\" }").fits("any", "a-b"), "a dot is a dot");
    assert!(entry("{ namespace: n }").fits("n", "whatever"));
    assert!(!entry("{ service_pattern: \"a|b\" }").fits("n", "ab"), "the whole name");
}

#[test]
fn an_entry_hidden_by_an_earlier_one_is_warned_of() {
    let warned =
        warned(&with_entry("{ namespace: n, service: a }, { service: b }, { namespace: n, service: a }"));
    assert_eq!(warned, ["c.yaml:4:101: tasks[0].match[2]: an earlier entry is about this service and wins"]);
}

#[test]
fn every_published_document_is_good() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/conf");
    let is_configuration = |name: &str| name != "schema.json" && !name.ends_with("-services.yaml");
    let mut read = 0;
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if is_configuration(&name) {
            let text = std::fs::read_to_string(&path).unwrap();
            let loaded = causeway::config::parse(&text, &name, &|_| Some("value".to_owned()));
            loaded.unwrap_or_else(|mistakes| panic!("{mistakes}"));
            read += 1;
        }
    }
    assert!(read > 0);
}
