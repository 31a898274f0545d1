//! Flags and environment, parsed once into a [`Config`] whose every value can be used
//! as it is. What cannot be is refused in one line that names the value and the limit.

use clap::{Parser, ValueEnum, error::ErrorKind};
use dynamo_core::{
    limits::Limits,
    ring::{MAX_FACTOR, MAX_ZONE},
};
use std::{ffi::OsString, net::SocketAddr, path::PathBuf, time::Duration};
use uuid::Uuid;

/// The largest `--key-limit`: keys are compared, logged and held in memory whole.
const MAX_KEY_LIMIT: usize = 64 << 10;

/// The largest `--value-limit`: two such values of one key still fit in one frame
/// between peers.
pub(crate) const MAX_VALUE_LIMIT: usize = 64 << 20;

/// The longest `--reap-after`: longer is as good as never.
const MAX_REAP_AFTER: Duration = Duration::from_secs(366 * 24 * 3600);

/// The default `--reap-after`, as text; a test compares it with the core's.
const DEFAULT_REAP_AFTER: &str = "10m";

/// The longest name, in bytes: as long as a host's may be.
const MAX_NAME: usize = 253;

/// One node of a Dynamo cluster.
#[derive(Parser)]
#[command(name = "dynamo-node", version, about)]
struct Args {
    /// Where everything is kept: a directory of this node alone; made if there is none
    #[arg(long, value_name = "DIR", env = "DYNAMO_DATA_DIR")]
    data_dir: PathBuf,
    /// The cluster, a UUID; all its nodes are given the same
    #[arg(long, value_name = "UUID", env = "DYNAMO_CLUSTER_ID")]
    cluster_id: Uuid,
    /// What people call this node [default: its peer address]
    #[arg(long, value_name = "NAME", env = "DYNAMO_NAME")]
    name: Option<String>,
    /// What fails together with this node: a rack, an availability zone
    #[arg(long, value_name = "ZONE", env = "DYNAMO_ZONE", default_value = "")]
    zone: String,
    /// gRPC for clients
    #[arg(long, value_name = "IP:PORT", env = "DYNAMO_CLIENT_LISTEN")]
    #[arg(default_value = "127.0.0.1:7070")]
    client_listen: SocketAddr,
    /// gRPC for the other nodes and for operators
    #[arg(long, value_name = "IP:PORT", env = "DYNAMO_PEER_LISTEN")]
    #[arg(default_value = "127.0.0.1:7071")]
    peer_listen: SocketAddr,
    /// HTTP: /healthz, /readyz and /metrics
    #[arg(long, value_name = "IP:PORT", env = "DYNAMO_HTTP_LISTEN")]
    #[arg(default_value = "127.0.0.1:7072")]
    http_listen: SocketAddr,
    /// Where other nodes find the peer port [default: where it listens]
    #[arg(long, value_name = "HOST:PORT", env = "DYNAMO_ADVERTISE_PEER", value_parser = address)]
    advertise_peer: Option<String>,
    /// Where clients find the client port [default: where it listens]
    #[arg(long, value_name = "HOST:PORT", env = "DYNAMO_ADVERTISE_CLIENT", value_parser = address)]
    advertise_client: Option<String>,
    /// Peer ports of nodes that may know others; any node can be one
    #[arg(long, value_name = "HOST:PORT,...", env = "DYNAMO_SEEDS", value_delimiter = ',')]
    #[arg(value_parser = seed)]
    seeds: Vec<String>,
    /// R: how many replicas answer a read that does not say
    #[arg(long, value_name = "R", env = "DYNAMO_READ_QUORUM", default_value_t = 2)]
    read_quorum: usize,
    /// W: how many replicas acknowledge a write that does not say
    #[arg(long, value_name = "W", env = "DYNAMO_WRITE_QUORUM", default_value_t = 2)]
    write_quorum: usize,
    /// When a write is acknowledged: synced to disk, or left to the operating system
    #[arg(long, value_enum, env = "DYNAMO_DURABILITY", default_value = "sync")]
    durability: Durability,
    /// The longest key, in bytes
    #[arg(long, value_name = "BYTES", env = "DYNAMO_KEY_LIMIT")]
    #[arg(default_value_t = Limits::default().key)]
    key_limit: usize,
    /// The largest value, in bytes
    #[arg(long, value_name = "BYTES", env = "DYNAMO_VALUE_LIMIT")]
    #[arg(default_value_t = Limits::default().value)]
    value_limit: usize,
    /// How long a deletion is remembered at least, once every replica knows of it: a number
    /// and s, m, h or d
    #[arg(long, value_name = "TIME", env = "DYNAMO_REAP_AFTER", value_parser = duration)]
    #[arg(default_value = DEFAULT_REAP_AFTER)]
    reap_after: Duration,
    /// How log lines look
    #[arg(long, value_enum, env = "DYNAMO_LOG_FORMAT", default_value = "text")]
    log_format: LogFormat,
    /// The least severe log lines that are written
    #[arg(long, value_enum, env = "DYNAMO_LOG_LEVEL", default_value = "info")]
    log_level: LogLevel,
    /// End as on SIGTERM when standard input reaches its end, so that a node does not
    /// outlive the process that started it
    #[arg(long, env = "DYNAMO_EXIT_WITH_PARENT")]
    exit_with_parent: bool,
}

/// What an acknowledged write survives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Durability {
    /// The loss of power: it is synced to disk.
    Sync,
    /// The end of the process, but not of the machine.
    Os,
}

impl Durability {
    /// Its name on the command line.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Durability::Sync => "sync",
            Durability::Os => "os",
        }
    }
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// For people.
    Text,
    /// For programs, one object a line.
    Json,
}

/// How much is logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogLevel {
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

/// Everything a user decides about a node.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    pub(crate) data_dir: PathBuf,
    pub(crate) cluster: Uuid,
    /// Empty: its peer address.
    pub(crate) name: String,
    pub(crate) zone: String,
    pub(crate) client_listen: SocketAddr,
    pub(crate) peer_listen: SocketAddr,
    pub(crate) http_listen: SocketAddr,
    /// `None`: where it listens.
    pub(crate) advertise_peer: Option<String>,
    pub(crate) advertise_client: Option<String>,
    pub(crate) seeds: Vec<String>,
    pub(crate) read_quorum: usize,
    pub(crate) write_quorum: usize,
    pub(crate) durability: Durability,
    pub(crate) limits: Limits,
    /// Before that a deletion is not forgotten.
    pub(crate) reap_after: Duration,
    pub(crate) log_format: LogFormat,
    pub(crate) log_level: LogLevel,
    pub(crate) exit_with_parent: bool,
}

/// Why there is no [`Config`].
#[derive(Debug)]
pub(crate) enum NoConfig {
    /// Help or the version was asked for: to be printed as it is.
    Asked(String),
    /// A value that cannot be used, in one line.
    Bad(String),
}

impl Config {
    /// Reads the command line, program name first, and the environment.
    pub(crate) fn parse(
        args: impl IntoIterator<Item = impl Into<OsString> + Clone>,
    ) -> Result<Self, NoConfig> {
        let args = Args::try_parse_from(args).map_err(|e| match e.kind() {
            ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => NoConfig::Asked(e.to_string()),
            _ => NoConfig::Bad(first_paragraph(&e.to_string())),
        })?;
        args.validated().map_err(NoConfig::Bad)
    }
}

impl Args {
    fn validated(self) -> Result<Config, String> {
        within("--read-quorum", self.read_quorum, 1, MAX_FACTOR)?;
        within("--write-quorum", self.write_quorum, 1, MAX_FACTOR)?;
        within("--key-limit", self.key_limit, 1, MAX_KEY_LIMIT)?;
        within("--value-limit", self.value_limit, 1, MAX_VALUE_LIMIT)?;
        within("the length of --zone", self.zone.len(), 0, MAX_ZONE)?;
        let name = self.name.unwrap_or_default();
        within("the length of --name", name.len(), 0, MAX_NAME)?;
        reachable("peer", self.peer_listen, self.advertise_peer.as_ref())?;
        reachable("client", self.client_listen, self.advertise_client.as_ref())?;
        Ok(Config {
            data_dir: self.data_dir,
            cluster: self.cluster_id,
            name,
            zone: self.zone,
            client_listen: self.client_listen,
            peer_listen: self.peer_listen,
            http_listen: self.http_listen,
            advertise_peer: self.advertise_peer,
            advertise_client: self.advertise_client,
            seeds: self.seeds.into_iter().filter(|s| !s.is_empty()).collect(),
            read_quorum: self.read_quorum,
            write_quorum: self.write_quorum,
            durability: self.durability,
            limits: Limits { key: self.key_limit, value: self.value_limit },
            reap_after: self.reap_after,
            log_format: self.log_format,
            log_level: self.log_level,
            exit_with_parent: self.exit_with_parent,
        })
    }
}

/// Checks that text is HOST:PORT, with an IPv6 host in brackets.
pub(crate) fn address(text: &str) -> Result<String, String> {
    let good = text.rsplit_once(':').is_some_and(|(host, port)| {
        let bare_v6 = host.contains(':') && !(host.starts_with('[') && host.ends_with(']'));
        let plain = host.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.:[]".contains(&b));
        !host.is_empty() && !bare_v6 && plain && port.parse::<u16>().is_ok_and(|p| p > 0)
    });
    match good {
        true => Ok(text.to_owned()),
        false => Err(format!("{text:?} is no address: HOST:PORT is expected")),
    }
}

/// An address, or nothing: a list may be empty and may end with a comma.
fn seed(text: &str) -> Result<String, String> {
    if text.is_empty() { Ok(String::new()) } else { address(text) }
}

/// A time such as 90s or 10m. A number alone is seconds.
fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
    let unit = match &text[digits.len()..] {
        "" | "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 24 * 3600,
        _ => 0,
    };
    let seconds = digits.parse().ok().filter(|_| unit > 0).and_then(|n: u64| n.checked_mul(unit));
    let time = seconds.map(Duration::from_secs).filter(|time| *time <= MAX_REAP_AFTER);
    time.ok_or_else(|| {
        let days = MAX_REAP_AFTER.as_secs() / (24 * 3600);
        format!("{text:?} is no time from 0s to {days}d, such as 90s, 10m, 2h or 1d")
    })
}

/// An address such as 0.0.0.0 tells nobody where a node is.
fn reachable(which: &str, listen: SocketAddr, told: Option<&String>) -> Result<(), String> {
    if listen.ip().is_unspecified() && told.is_none() {
        return Err(format!(
            "--{which}-listen {listen} does not tell others where this node is: give \
             --advertise-{which} HOST:PORT"
        ));
    }
    Ok(())
}

fn within(what: &str, given: usize, min: usize, max: usize) -> Result<(), String> {
    if (min..=max).contains(&given) {
        return Ok(());
    }
    Err(format!("{what} is {given}; it is {min} to {max}"))
}

/// What clap says before its advice, in one line.
fn first_paragraph(error: &str) -> String {
    let lines = error.lines().take_while(|l| !l.trim().is_empty()).map(str::trim);
    let line = lines.collect::<Vec<_>>().join(" ");
    line.strip_prefix("error: ").unwrap_or(&line).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use dynamo_core::reap::Reaping;

    const ID: &str = "3f2c1a70-6a7e-4f6e-9a53-0d7c3f1b2a10";

    fn parse(more: &[&str]) -> Result<Config, String> {
        let given = ["dynamo-node", "--data-dir", "d", "--cluster-id", ID];
        Config::parse(given.iter().chain(more)).map_err(|e| match e {
            NoConfig::Bad(line) | NoConfig::Asked(line) => line,
        })
    }

    #[test]
    fn it_listens_on_loopback_and_syncs_by_default() {
        let config = parse(&[]).unwrap();
        assert!(config.client_listen.ip().is_loopback() && config.peer_listen.ip().is_loopback());
        assert_eq!(config.durability, Durability::Sync);
        assert_eq!((config.read_quorum, config.write_quorum), (2, 2));
        assert_eq!(config.limits, Limits::default());
        assert_eq!(config.reap_after, Reaping::default().after);
    }

    #[test]
    fn times_have_units() {
        for (given, seconds) in [("0", 0), ("90", 90), ("90s", 90), ("10m", 600), ("1d", 86_400)] {
            let after = parse(&["--reap-after", given]).unwrap().reap_after;
            assert_eq!(after, Duration::from_secs(seconds), "{given}");
        }
    }

    #[test]
    fn seeds_are_a_list_that_may_be_empty() {
        assert!(parse(&["--seeds", ""]).unwrap().seeds.is_empty());
        assert_eq!(parse(&["--seeds", "a:1,b:2,"]).unwrap().seeds, ["a:1", "b:2"]);
    }

    #[test]
    fn bad_values_are_refused_in_one_line_that_names_them() {
        for (bad, named) in [
            (["--read-quorum", "0"], "--read-quorum is 0; it is 1 to 16"),
            (["--write-quorum", "17"], "--write-quorum is 17"),
            (["--key-limit", "65537"], "it is 1 to 65536"),
            (["--value-limit", "67108865"], "it is 1 to 67108864"),
            (["--client-listen", "localhost"], "localhost"),
            (["--peer-listen", "0.0.0.0:7071"], "--advertise-peer"),
            (["--advertise-peer", "nowhere"], "HOST:PORT"),
            (["--seeds", "a:1,::1:2"], "::1:2"),
            (["--durability", "maybe"], "maybe"),
            (["--reap-after", "soon"], "soon"),
            (["--reap-after", "367d"], "366d"),
            (["--reap-after", "1.5h"], "90s, 10m"),
            (["--reap-after", "18446744073709551615d"], "366d"),
            (["--no-such-flag", ""], "--no-such-flag"),
        ] {
            let line = parse(&bad).unwrap_err();
            assert!(line.contains(named), "{line}");
            assert!(!line.contains('\n'), "{line}");
        }
    }

    #[test]
    fn what_is_missing_or_no_cluster_id_is_named() {
        let args = ["dynamo-node", "--data-dir", "d", "--cluster-id", "mine"];
        let Err(NoConfig::Bad(line)) = Config::parse(args) else { panic!("refused") };
        assert!(line.contains("--cluster-id") && line.contains("mine"), "{line}");
        let Err(NoConfig::Bad(line)) = Config::parse(["dynamo-node"]) else { panic!("refused") };
        assert!(line.contains("--data-dir") && line.contains("--cluster-id"), "{line}");
    }
}
