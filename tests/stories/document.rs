//! The configuration of most stories.

/// One task `t` from the registry `r`, which the stage plays, to the stand-in for Kong. Nothing but a hold keeps back what leaves.
#[derive(Clone, Copy, Debug)]
pub struct Document<'a> {
    /// For how long the registry holds what vanishes from it.
    pub hold: &'a str,
    pub retire_after: &'a str,
    /// From one audit to the next.
    pub audit: &'a str,
    /// What all tasks do unless they say otherwise.
    pub defaults: &'a str,
    /// A key of the task besides.
    pub task: &'a str,
    /// The keys of its one entry.
    pub entry: &'a str,
}

impl Default for Document<'_> {
    fn default() -> Self {
        Self { hold: "300ms", retire_after: "300ms", audit: "300ms", defaults: "", task: "", entry: "" }
    }
}

impl Document<'_> {
    pub fn text(&self) -> String {
        let Self { hold, retire_after, audit, defaults, task, entry } = self;
        format!(
            r#"
version: 1
owner: me
registries: [ {{ name: r, type: nacos, addresses: ["127.0.0.1:1"], protect: {{ hold: {hold}, max_shrink: 1 }} }} ]
gateways: [ {{ name: kong, type: kong, addresses: ["KONG"], retire_after: {retire_after} }} ]
defaults: {{ {defaults} }}
tasks:
  - name: t
    source: r
    destination: kong
    {task}
    match: [ {{ {entry} }} ]
methods: [ {{ type: watch, enable: true }}, {{ type: pull, enable: true, interval: {audit} }} ]
health_check: {{ enable: false }}
"#
        )
    }
}
