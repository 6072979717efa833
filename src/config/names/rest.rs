//! The admin server, the methods and the registries' own settings.

use super::{Item, is, items, lease, shown};
use crate::config::{
    formats::{Form, Listen},
    mistakes::{Findings, Path},
    tree::Node,
};

/// What is wrong with a namespace of Nacos that is called `public`.
pub(super) const PUBLIC: &str = "Nacos' default namespace is written `empty_ns`";

/// Keys that only make sense together.
const PAIRS: [(&str, &str); 2] = [("user", "password"), ("access_key", "secret_key")];

pub(super) fn check(root: &Node, findings: &mut Findings) {
    let top = Path::default();
    if let Some(admin) = root.get("admin") {
        check_admin(admin, &top.key("admin"), findings);
    }
    check_methods(root, findings);
    let mut ends = items(root, "registries", &top);
    ends.extend(items(root, "gateways", &top));
    for (path, task) in items(root, "tasks", &top) {
        let inline = |end: &str| Some((path.key(end), task.get(end)?));
        ends.extend(inline("source"));
        ends.extend(inline("destination"));
    }
    for (path, end) in &ends {
        check_end(end, path, findings);
    }
    check_written_files(&ends, findings);
}

/// Two gateways that write one file would undo each other's work.
fn check_written_files(ends: &[Item<'_>], findings: &mut Findings) {
    let mut written: Vec<(&str, &Node)> = Vec::new();
    for (path, end) in
        ends.iter().filter(|(_, end)| end.get("type").and_then(Node::text) == Some("kong-file"))
    {
        let Some((file, text)) = end.get("path").and_then(|file| Some((file, file.text()?))) else {
            continue;
        };
        if written.iter().any(|(earlier, gateway)| *earlier == text && !gateway.says_the_same(end)) {
            let message = format!("another gateway writes `{}` already", shown(file));
            findings.mistake(file.at, &path.key("path"), message);
        }
        written.push((text, end));
    }
}

fn check_admin(admin: &Node, path: &Path, findings: &mut Findings) {
    let Some(listen) = admin.get("listen") else { return };
    let Some(Ok(address)) = listen.text().map(Listen::parse) else { return };
    let has_token = admin.get("token").is_some() || admin.get("token_file").is_some();
    if !address.ip().is_loopback() && !has_token {
        let message =
            format!("`{}` can be reached from elsewhere: `token` or `token_file` is required", shown(listen));
        findings.mistake(listen.at, &path.key("listen"), message);
    }
}

fn check_methods(root: &Node, findings: &mut Findings) {
    let methods = items(root, "methods", &Path::default());
    let mut seen: Vec<&str> = Vec::new();
    for (path, method) in &methods {
        let Some(kind) = method.get("type") else { continue };
        let Some(text) = kind.text() else { continue };
        if seen.contains(&text) {
            findings.mistake(kind.at, &path.key("type"), format!("`{}` is listed already", shown(kind)));
        }
        seen.push(text);
        if let Some(interval) = method.get("interval").filter(|_| text == "watch") {
            findings.mistake(interval.at, &path.key("interval"), "`watch` has no interval; `pull` has");
        }
    }
    let all_off = methods.iter().all(|(_, method)| is(method, "enable", false));
    if let Some(list) = root.get("methods").filter(|_| all_off) {
        let message = "neither `watch` nor `pull` is on: no task would carry anything";
        findings.mistake(list.at, &Path::default().key("methods"), message);
    }
}

fn check_end(end: &Node, path: &Path, findings: &mut Findings) {
    for (one, other) in PAIRS {
        let given = |key: &str| {
            let file = format!("{key}_file");
            end.get(key).or_else(|| end.get(&file))
        };
        match (given(one), given(other)) {
            (Some(node), None) => {
                findings.mistake(node.at, &path.key(one), format!("`{one}` needs `{other}` beside it"));
            }
            (None, Some(node)) => {
                findings.mistake(node.at, &path.key(other), format!("`{other}` needs `{one}` beside it"));
            }
            _ => {}
        }
    }
    lease::check(end, path, findings);
    if end.get("type").and_then(Node::text) == Some("nacos") {
        for (path, namespace) in items(end, "namespaces", path) {
            if namespace.text() == Some("public") {
                findings.mistake(namespace.at, &path, PUBLIC);
            }
        }
    }
}
