//! Documents of other tools follow their own tool's rules, and what Causeway does otherwise is warned of.

use std::time::Duration;

use causeway::config::{Destination, Dialect, Mode, Pattern, RegistryKind};

use crate::{good, told, warned};

/// A document of polaris-sync's with one task from Nacos to Kong.
fn polaris_sync(task: &str, entries: &str, rest: &str) -> String {
    format!(
        "{{ \"tasks\": [{{ \"name\": \"t\", \"enable\": true, {task}\n\
         \"source\": {{ \"name\": \"n\", \"type\": \"nacos\", \"addresses\": [\"h:8848\"] }},\n\
         \"destination\": {{ \"name\": \"p\", \"type\": \"polaris\", \"addresses\": [\"h:8090\"] }},\n\
         \"match\": [{entries}] }}],\n\"methods\": [{{ \"type\": \"watch\", \"enable\": true }}]{rest} }}"
    )
}

const ENTRY: &str = r#"{ "namespace": "public", "service": "a" }"#;

#[test]
fn polaris_sync_leaves_out_what_is_not_enabled() {
    let text =
        polaris_sync("", ENTRY, r#", "health_check": {}, "report": { "targets": [{ "type": "file" }] }"#);
    let config = good(&text);
    assert!(!config.health_check.enable && !config.report.targets[0].enable);
    assert_eq!((config.watch, config.audit_interval), (true, None));

    let off = text.replace("\"enable\": true, \n", "\n");
    assert!(!good(&off).tasks[0].enable);
    assert_eq!(
        warned(&off),
        ["c.yaml:1:13: tasks[0]: without `enable: true` polaris-sync leaves a task out; so it is here"]
    );
    let blank = text.replace("[\"h:8848\"]", "[\"h:8848\"], \"password\": \"\"");
    assert_eq!(good(&blank).registries["n"].password, None, "an empty password is none");
    let unchecked = off.replace("\"h:8848\"", "").replace("\"name\": \"t\"", "\"name\": \"\"");
    assert!(good(&unchecked).tasks.iter().all(|task| !task.enable), "and does not look at it");
}

#[test]
fn polaris_sync_pulls_each_five_minutes_unless_it_understands_otherwise() {
    let pull = |interval: &str| {
        let method = format!(r#""methods": [{{ "type": "pull", "enable": true{interval} }}, "#);
        polaris_sync("", ENTRY, "").replace("\"methods\": [", &method)
    };
    let interval = |text: &str| good(&pull(text)).audit_interval.unwrap();
    assert_eq!(interval(""), Duration::from_secs(300));
    assert_eq!(interval(r#", "interval": "2M""#), Duration::from_secs(120));
    assert_eq!(interval(r#", "interval": "1500""#), Duration::from_millis(1500));
    assert_eq!(interval(r#", "interval": 1500"#), Duration::from_millis(1500));
    assert_eq!(interval(r#", "interval": "1m30s""#), Duration::from_secs(300));
    assert_eq!(
        warned(&pull(r#", "interval": "1m30s""#)),
        [
            "c.yaml:5:59: methods[0].interval: `1m30s` is no duration that polaris-sync knows: five minutes, as there"
        ]
    );
}

#[test]
fn polaris_sync_matches_exact_names_and_skips_empty_entries() {
    let entries = r#"{}, { "namespace": "public", "service": "a*" }, { "namespace": "dev", "service": "b" }"#;
    let text = polaris_sync("", entries, "");
    let config = good(&text);
    let matches = &config.tasks[0].matches;
    assert_eq!(config.tasks[0].dialect, Dialect::PolarisSync);
    assert_eq!(matches.len(), 2);
    assert_eq!(matches[0].select.exact(), Some(("empty_ns", "a*")), "Nacos' default namespace has our word");
    assert!(!matches[0].fits("empty_ns", "ab"));
    assert_eq!(
        warned(&text),
        [
            "c.yaml:4:11: tasks[0].match[0]: an empty entry is skipped",
            "c.yaml:4:51: tasks[0].match[1].service: `a*` is an exact name to polaris-sync, and no pattern here either"
        ]
    );
}

#[test]
fn polaris_sync_may_filter_the_default_group() {
    let entry = r#"{ "namespace": "dev", "service": "a", "groups": [
        { "name": "default", "metadata": { "zone": "a" } }, { "name": "g", "upstreamName": "u" } ] }"#;
    let text = polaris_sync("", entry, "");
    let groups = &good(&text).tasks[0].matches[0].groups;
    assert_eq!((groups[0].name.as_str(), groups[0].metadata["zone"].as_str()), ("default", "a"));
    assert_eq!(groups[1].upstream_name.as_deref(), Some("u"));
    assert!(warned(&text)[0].contains("holds a part of the instances only"));
    let nothing = "the destination is a registry, which has no upstreams: this says nothing";
    assert!(warned(&text)[1].ends_with(&format!("groups[1].upstreamName: {nothing}")), "{:?}", warned(&text));
    let plain = text.replace(r#", "metadata": { "zone": "a" }"#, "");
    assert_eq!(
        good(&plain).tasks[0].matches[0].groups.len(),
        1,
        "without a filter it is the one always there"
    );
}

#[test]
fn polaris_syncs_reader_is_lenient_in_its_own_ways() {
    let text = polaris_sync("# a 'hash'\n", ENTRY, "")
        .replace("\"watch\"", "'watch'")
        .replace("\"methods\"", "methods")
        .replace("\"enable\": true", "\"enable\": \"true\"")
        .replace("\"name\": \"t\"", "\"name\": \"old#\", \"name\": 7");
    let config = good(&text);
    assert_eq!(config.tasks[0].name, "7", "the last of two keys, and a number for a string");
    let warnings = warned(&text);
    assert!(
        warnings[0].ends_with("tasks[0].name: the key `name` stands here twice; the last one counts"),
        "{warnings:?}"
    );
    assert!(
        warnings.iter().any(|told| told.ends_with("a quoted truth value; taken as true")),
        "{warnings:?}"
    );
    assert_eq!(told("{ 'version': 1 }").len(), 1, "our own documents are read strictly");
}

#[test]
fn polaris_syncs_own_refusals_stand() {
    let bad = |text: String, message: &str| {
        let told = told(&text);
        assert!(told.iter().any(|line| line.ends_with(message)), "{message}\n{told:#?}");
    };
    let sound = || polaris_sync("", ENTRY, "");
    bad(sound().replace("\"t\"", "\" \""), "tasks[0].name: must not be empty");
    bad(sound().replace("\"h:8848\"", ""), "tasks[0].source: `addresses` is missing");
    bad(sound().replace("\"nacos\"", "\"Nacos\""), "(did you mean `nacos`?)");
    bad(sound().replace("\"nacos\"", "\"kubernetes\""), "Causeway has no registry of type `kubernetes`");
    bad(sound().replace("\"nacos\"", "\"kong\""), "`kong` is a gateway: a source is a registry");
    bad(sound().replace(", \"service\": \"a\"", ""), "tasks[0].match[0]: `service` is missing");
    bad(
        sound().replace("\"enable\": true }]", "\"enable\": false }]"),
        "no method is enabled: no task would carry anything",
    );
    bad(
        sound().replace("\"watch\", \"enable\": true", "\"watch\", \"enable\": true, \"intervall\": 1"),
        "unknown key `intervall` (did you mean `interval`?)",
    );
    let group = r#", "groups": [{ "name": "", "metadata": { "a": "" } }] }"#;
    bad(sound().replace("\"a\" }", &format!("\"a\"{group}")), "an empty key or value matches no instance");
}

#[test]
fn what_looks_like_a_variable_is_plain_text_to_other_tools() {
    let text = polaris_sync("", &ENTRY.replace("\"a\"", "\"${NAME}\""), "");
    assert_eq!(good(&text).tasks[0].matches[0].select.exact(), Some(("empty_ns", "${NAME}")));
    assert!(
        warned(&text)[0].ends_with("`${…}` is plain text here: it is substituted only under `version: 1`")
    );
}

/// A document of MSE Sync's with two clusters and one task.
fn mse_sync(cluster: &str, task: &str) -> String {
    format!(
        "clusters:\n  - clusterName: a\n    connectKeyList: [\"h:8848\"]\n    clusterType: NACOS\n{cluster}  \
         - {{ clusterName: b, connectKeyList: [\"h:2181\"], clusterType: ZOOKEEPER }}\n\
         tasks:\n  - source: a\n    destination: b\n{task}"
    )
}

#[test]
fn mse_syncs_defaults() {
    let config = good(&mse_sync("", ""));
    assert_eq!(config.registries["b"].kind, RegistryKind::Zookeeper);
    let task = &config.tasks[0];
    assert_eq!((task.name.as_str(), task.mode, task.enable), ("a-to-b", Mode::Unidirectional, true));
    assert_eq!(task.destination, Destination::Registry("b".into()));
    assert_eq!(task.matches.len(), 1);
    assert_eq!(task.matches[0].select.service, Pattern::any());
    assert_eq!(task.matches[0].select.namespace, Pattern::any());
}

#[test]
fn mse_syncs_namespaces_become_entries() {
    let config = good(&mse_sync(
        "    namespace: \" public, test ,\"\n",
        "    serviceMatchPattern: \"(?!legacy).*\"\n",
    ));
    assert_eq!(config.registries["a"].namespaces, ["empty_ns", "test"]);
    let task = &config.tasks[0];
    assert_eq!(task.matches.len(), 2);
    assert!(task.entry_for("test", "orders").is_some());
    assert!(task.entry_for("test", "legacy-orders").is_none(), "Java's look-ahead");
    assert!(task.entry_for("dev", "orders").is_none());
}

/// A document of MSE Sync's with three clusters that list these namespaces, and one task.
fn mse_sync_between(nacos: &str, other_nacos: &str, task: &str) -> String {
    let cluster = |name: &str, kind: &str, list: &str| {
        format!(
            "- {{ clusterName: {name}, connectKeyList: [h], clusterType: {kind}, namespace: \"{list}\" }}\n"
        )
    };
    let clusters =
        [cluster("n", "NACOS", nacos), cluster("m", "NACOS", other_nacos), cluster("z", "ZOOKEEPER", "")];
    format!("clusters:\n{}tasks:\n- {{ {task} }}\n", clusters.concat())
}

#[test]
fn where_one_end_has_no_namespaces_the_only_one_of_the_other_is_meant() {
    let map_of = |text: &str| good(text).tasks[0].copying.namespace_map.clone();
    let pair = |one: &str, other: &str| [(one.to_owned(), other.to_owned())].into();
    let to_nacos = mse_sync_between("prod", "", "source: z, destination: n, mode: Bidirectional");
    assert_eq!((map_of(&to_nacos), warned(&to_nacos)), (pair("default", "prod"), vec![]));
    let from_nacos = mse_sync_between("prod", "", "source: n, destination: z");
    assert_eq!((map_of(&from_nacos), warned(&from_nacos)), (pair("prod", "default"), vec![]));
    for (text, warning) in [
        (
            mse_sync_between("prod, test", "", "source: n, destination: z"),
            "this cluster has no namespaces: services of the default one alone are carried, unless the source's \
             `namespace` names a single other one",
        ),
        (
            mse_sync_between("prod, test", "", "source: z, destination: n"),
            "the source has no namespaces: its services are carried into the default one, since `namespace` names \
             several",
        ),
    ] {
        assert_eq!(map_of(&text), [].into());
        let warned = warned(&text);
        assert!(
            warned.len() == 1 && warned[0].ends_with(&format!("tasks[0].destination: {warning}")),
            "{warned:?}"
        );
    }
}

#[test]
fn what_mse_sync_carries_into_a_cluster_is_read_there_whatever_the_cluster_lists() {
    let read = |text: &str| good(text).registries["m"].namespaces.clone();
    let both = "source: n, destination: m, mode: Bidirectional";
    let text = mse_sync_between("public,test", "other", both);
    assert_eq!(read(&text), ["other", "empty_ns", "test"]);
    assert!(
        warned(&text)[0].ends_with(
            "services keep their namespaces at the destination, whatever its own `namespace` says"
        )
    );
    assert_eq!(read(&mse_sync_between("", "other", both)), [""; 0], "all of them");
    assert_eq!(read(&mse_sync_between("", "a,b", "source: z, destination: m")), ["a", "b", "empty_ns"]);
    assert_eq!(read(&mse_sync_between("test", "", both)), [""; 0]);
    let task = &good(&text).tasks[0];
    assert_eq!(task.mode, Mode::Bidirectional);
    assert!(task.entry_for("empty_ns", "a").is_some() && task.entry_for("other", "a").is_none());
}

#[test]
fn mse_syncs_tasks_get_names_of_their_own() {
    let config =
        good(&mse_sync("", "  - { source: a, destination: b }\n  - { source: b, destination: a }\n"));
    let names: Vec<&str> = config.tasks.iter().map(|task| task.name.as_str()).collect();
    assert_eq!(names, ["a-to-b", "a-to-b-2", "b-to-a"]);
}

#[test]
fn mse_syncs_mistakes() {
    let more = "  - { source: c, destination: a }\n  - { source: a, destination: a }\n";
    assert_eq!(
        told(&mse_sync("    clusterTyp: x\n", &format!("    mode: Bidirektional\n{more}"))),
        [
            "c.yaml:5:5: clusters[0].clusterTyp: unknown key `clusterTyp` (did you mean `clusterType`?)",
            "c.yaml:10:11: tasks[0].mode: `Bidirektional` is none of Unidirectional, Bidirectional (did you mean \
             `Bidirectional`?)",
            "c.yaml:11:15: tasks[1].source: no cluster is named `c`",
            "c.yaml:12:31: tasks[2].destination: `a` is the source as well",
        ]
    );
    assert_eq!(
        told(&mse_sync("  - { clusterName: a, connectKeyList: [h], clusterType: CONSUL }\n", "")),
        ["c.yaml:5:20: clusters[1].clusterName: the name `a` is taken"]
    );
}

#[test]
fn what_mse_sync_does_otherwise_is_warned_of() {
    let text = mse_sync(
        "    namespace: x\n",
        "    type: All\n    autoScanAndAddService: no\n  - { source: b, destination: a, type: Config }\n",
    );
    assert_eq!(
        warned(&text),
        [
            "c.yaml:8:5: tasks[0].autoScanAndAddService: Causeway always takes up new services; leave one out by its name",
            "c.yaml:10:11: tasks[0].type: Causeway carries no configuration: this task carries the services only",
            "c.yaml:12:40: tasks[1].type: Causeway carries no configuration: this task does not run",
        ]
    );
    assert!(!good(&text).tasks[1].enable);
}

#[test]
fn the_default_namespace_of_a_polaris_has_its_own_word() {
    let text = polaris_sync("", r#"{ "namespace": "empty_ns", "service": "a" }"#, "");
    assert_eq!(
        good(&text).tasks[0].matches[0].select.exact(),
        Some(("empty_ns", "a")),
        "of a Nacos it is ours"
    );
    let from_polaris = text.replace("\"type\": \"nacos\"", "\"type\": \"polaris\"");
    assert_eq!(good(&from_polaris).tasks[0].matches[0].select.exact(), Some(("default", "a")));
}
