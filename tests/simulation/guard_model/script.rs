use serde::{Deserialize, Serialize};

/// What the world looks like before anything happens.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Setup {
    /// Instances of each service.
    pub services: Vec<usize>,
    /// How many namespaces the services are spread over, in turn.
    #[serde(default = "one")]
    pub namespaces: usize,
    /// Seconds between Causeway's start and the script's second 0.
    #[serde(default = "settled")]
    pub warm: u64,
    /// Odd instances are in group v2, even ones in v1; otherwise all are in v1.
    #[serde(default)]
    pub groups: bool,
    /// Namespaces that can't be read from the start on.
    #[serde(default)]
    pub unread: Vec<usize>,
    /// Seconds between a watch's return and the first fresh snapshot.
    #[serde(default)]
    pub lag: u64,
    #[serde(default = "hold")]
    pub hold: u64,
    #[serde(default)]
    pub release_after: Option<u64>,
}

fn one() -> usize {
    1
}

fn settled() -> u64 {
    300
}

fn hold() -> u64 {
    60
}

impl Setup {
    pub fn of(services: &[usize]) -> Self {
        Self {
            services: services.to_vec(),
            namespaces: 1,
            warm: settled(),
            groups: false,
            unread: Vec::new(),
            lag: 0,
            hold: hold(),
            release_after: None,
        }
    }
}

/// A part of the registry that can't be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lost {
    All,
    Namespace(usize),
    Service(usize),
}

/// Something that happens. `services` empty means all; shares are in percent; times in seconds.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Op {
    /// The registry is gone for `down`, has forgotten everything, and its clients come back one by one over `refill`.
    Restart { down: u64, refill: u64 },
    /// The same between two polls, the second one `poll` later: no connection is lost, only an epoch that went back tells.
    PolledRestart {
        #[serde(default)]
        poll: u64,
        refill: u64,
    },
    /// A watch breaks, or answers fail or are filtered; nothing is forgotten.
    Unreadable { of: Lost, down: u64 },
    /// A share is forgotten in silence, spread over `over`; `after` that it comes back one by one over `refill`, or never.
    Forget {
        services: Vec<usize>,
        share: usize,
        #[serde(default)]
        over: u64,
        #[serde(default)]
        after: u64,
        refill: Option<u64>,
    },
    /// Each instance is replaced by one on a new address; with `surge` the new one comes two seconds before the old one
    /// leaves, without it two seconds after.
    Roll { services: Vec<usize>, step: u64, surge: bool },
    /// As many new ones come at once, and the old ones leave `overlap` later.
    BlueGreen { services: Vec<usize>, overlap: u64 },
    /// New instances come a second apart, or surplus ones leave at once.
    Scale { services: Vec<usize>, to: usize },
    /// The registry holds a share of the instances for unhealthy, one by one over `over`, for `lasts`.
    Unhealthy { services: Vec<usize>, share: usize, over: u64, lasts: Option<u64> },
    /// The first instance is taken out of traffic on purpose.
    Isolate { services: Vec<usize>, lasts: Option<u64> },
    /// Causeway dies and starts `down` later.
    Crash { down: u64 },
    /// Somebody says that what is missing may go.
    Release {},
    /// The service is taken out of the configuration.
    Unmatch { service: usize },
}

/// When something happens.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct At {
    pub at: u64,
    pub op: Op,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Script {
    pub setup: Setup,
    pub ops: Vec<At>,
    /// How long to watch, from second 0.
    pub until: u64,
}

impl Script {
    /// The script that ends when `quiet` seconds have passed after the last of its effects.
    pub fn new(setup: Setup, ops: Vec<At>, quiet: u64) -> Self {
        let end = ops.iter().map(|at| at.at + at.op.lasts(&setup)).max().unwrap_or(0);
        Self { setup, ops, until: end + quiet }
    }
}

impl Op {
    /// How long it goes on by itself, at most.
    fn lasts(&self, setup: &Setup) -> u64 {
        let largest = *setup.services.iter().max().unwrap() as u64;
        match self {
            Self::Restart { down, refill } => down + refill + 2,
            Self::PolledRestart { poll, refill } => poll + refill,
            Self::Unreadable { down, .. } | Self::Crash { down } => *down,
            Self::Forget { over, after, refill, .. } => over + after + refill.unwrap_or(0),
            Self::Roll { step, .. } => 2 * largest * step + 2,
            Self::BlueGreen { overlap, .. } => *overlap,
            Self::Scale { to, .. } => *to as u64,
            Self::Unhealthy { over, lasts, .. } => over + lasts.unwrap_or(0),
            Self::Isolate { lasts, .. } => lasts.unwrap_or(0),
            Self::Release {} | Self::Unmatch { .. } => 0,
        }
    }
}
