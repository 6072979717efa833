//! Secrets come from the document, the environment or files, and are never shown.

use std::fmt::Write as _;

use causeway::config::{self, Secret};
use proptest::prelude::*;

use crate::{good, told};

fn consul_with(secret: &str) -> String {
    format!("version: 1\nregistries: [{{ name: c, type: consul, addresses: [h], {secret} }}]\n")
}

#[test]
fn a_secret_may_stand_in_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    std::fs::write(path("token"), "s3cret\r\n").unwrap();
    std::fs::write(path("empty"), "\n").unwrap();

    let config = good(&consul_with(&format!("token_file: \"{}\"", path("token"))));
    assert_eq!(config.registries["c"].token, Some(Secret::new("s3cret")));

    let missing = told(&consul_with(&format!("token_file: \"{}\"", path("none"))));
    assert_eq!(missing.len(), 1);
    let start = format!("c.yaml:2:67: registries[0].token_file: the file `{}", &path("none")[..10]);
    assert!(
        missing[0].starts_with(&start) && missing[0].contains("cannot be read: No such file"),
        "{missing:?}"
    );

    let empty = told(&consul_with(&format!("token_file: \"{}\"", path("empty"))));
    assert!(empty[0].ends_with("is empty"), "{empty:?}");

    let both = told(&consul_with(&format!("token: t, token_file: \"{}\"", path("token"))));
    let beside = "c.yaml:2:65: registries[0].token_file: stands beside `token`: only one of them can hold";
    assert_eq!(both, [beside]);
    good(&consul_with(&format!("token: \"${{NONE:-}}\", token_file: \"{}\"", path("token"))));

    let unknown = told(&consul_with("pasword_file: x"));
    assert_eq!(unknown, ["c.yaml:2:55: registries[0].pasword_file: unknown key `pasword_file`"]);
}

#[test]
fn an_empty_secret_is_a_mistake_and_an_empty_substitution_is_none() {
    assert_eq!(told(&consul_with("token: ''")), ["c.yaml:2:62: registries[0].token: must not be empty"]);
    assert_eq!(good(&consul_with("token: \"${NONE:-}\"")).registries["c"].token, None);
}

/// Documents in which `${SECRET}` or the secret itself stands where it may and where it must not.
const PLACES: &[&str] = &[
    "admin: { token: [SECRET] }",
    "admin: { token: SECRET, listen: \"0.0.0.0:99999\" }",
    "registries: [{ name: c, type: nacos, addresses: [h], user: u, password: { a: SECRET } }]",
    "registries: [{ name: c, type: nacos, addresses: [\"http://u:SECRET@h\"] }]",
    "registries: [{ name: c, type: nacos, addresses: \"http://u:SECRET@h\", secret_key: SECRET }]",
    "gateways: [{ name: k, type: kong, addresses: [h], token: SECRET, token_file: /dev/null }]",
    "gateways: [{ name: k, type: kong, addresses: [\"x:SECRET@h:1\"], tokn: SECRET }]",
    "gateways: [{ name: k, type: kong-file, path: p, token: SECRET }]",
    "tasks: [{ name: t, source: { type: polaris, name: p, token: SECRET }, destination: p }]",
];

/// In these, only a substituted value is secret: the file itself may be quoted.
const SUBSTITUTED: &[&str] = &[
    "owner: \"${SECRET}\"\nregistries: [{ name: \"${SECRET}\", type: file }]",
    "tasks: [{ name: \"${SECRET}\", source: \"${SECRET}\", destination: \"a-${SECRET}\" }]",
    "registries: [{ name: \"${SECRET}\", type: \"${SECRET}\" }, { name: \"${SECRET}\", type: file }]",
    "health_check: { enable: \"${SECRET}\", interval: \"${SECRET}\" }",
    "defaults: { exclude: [{ service_pattern: \"(${SECRET}\", namespace: \"[${SECRET}\" }] }",
    "admin: { listen: \"${SECRET}\", token_file: \"/nonexistent/${SECRET}\" }",
    "gateways: [{ name: k, type: kong, addresses: [\"${SECRET}:x\"], concurrency: \"${SECRET}\" }]",
];

fn shown(text: &str, secret: &str) -> String {
    let env = |name: &str| (name == "SECRET").then(|| secret.to_owned());
    let mut shown = String::new();
    match config::parse(&format!("version: 1\nunknown: x\n{text}\n"), "c.yaml", &env) {
        Ok(loaded) => write!(shown, "{loaded:?}").unwrap(),
        Err(mistakes) => write!(shown, "{mistakes} {mistakes:?}").unwrap(),
    }
    shown
}

proptest! {
    #[test]
    fn no_message_shows_a_secret(secret in "[A-Z0-9]{12,20}", place in 0..PLACES.len(), substituted in 0..SUBSTITUTED.len()) {
        let literal = shown(&PLACES[place].replace("SECRET", &secret), &secret);
        prop_assert!(!literal.contains(&secret), "{literal}");
        let by_variable = shown(&PLACES[place].replace("SECRET", "\"${SECRET}\"").replace(":\"${SECRET}\"@", ":${SECRET}@"), &secret);
        prop_assert!(!by_variable.contains(&secret), "{by_variable}");
        let elsewhere = shown(SUBSTITUTED[substituted], &secret);
        prop_assert!(!elsewhere.contains(&secret), "{elsewhere}");
    }
}

#[test]
fn a_good_configuration_can_be_printed() {
    let config = good(
        "version: 1\nadmin: { token: hunter2 }\nregistries: [{ name: c, type: nacos, addresses: [h], \
                       user: u, password: hunter2, access_key: hunter2, secret_key: hunter2 }]\n",
    );
    let shown = format!("{config:?} {config:#?}");
    assert!(!shown.contains("hunter2") && shown.contains("***"));
}
