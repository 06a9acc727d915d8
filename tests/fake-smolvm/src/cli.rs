//! The command line of each version, built with clap like the engine's own, so that usage errors are clap's.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Arg, ArgAction, Command, value_parser};

use crate::facts::Fact;
use crate::version::Version;

pub fn command(v: Version) -> Command {
    let root = Command::new("smolvm")
        .bin_name("smolvm")
        .version(v.to_string())
        .about("Build and run portable, self-contained virtual machines")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(machine(v))
        .subcommand(pack(v));
    if v.has(Fact::ErrorFormat) {
        root.arg(value("error-format").value_parser(["text", "json"]).global(true))
    } else {
        root
    }
}

fn machine(v: Version) -> Command {
    let group = Command::new("machine")
        .visible_alias("vm")
        .about("Manage machines (create, start, stop, exec)")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(create(v))
        .subcommand(Command::new("start").arg(name_flag(v)).arg(flag("branchable").alias("forkable")))
        .subcommand(with_arg(v.has(Fact::StopTimeout), Command::new("stop").arg(name_flag(v)), || {
            value("timeout").short('t').value_name("SECS").value_parser(value_parser!(u64))
        }))
        .subcommand(with_arg(
            v.has(Fact::Cascade),
            Command::new("delete").visible_alias("rm").arg(name(v).required(true)).arg(flag("force").short('f')),
            || flag("cascade"),
        ))
        .subcommand(Command::new("status").arg(name_flag(v)).arg(flag("json")))
        .subcommand(with_arg(
            v.has(Fact::QuietList),
            Command::new("ls").visible_alias("list").arg(flag("json")).arg(flag("verbose").short('v')),
            || flag("quiet").short('q'),
        ))
        .subcommand(update(v))
        .subcommand(exec(v))
        .subcommand(Command::new("cp").arg(positional("src")).arg(positional("dst")))
        .subcommand(Command::new("data-dir").arg(name(v).required(true)));
    let group = if v.has(Fact::Live) { group.subcommand(checkpoint(v)) } else { group };
    if v.has(Fact::Pause) {
        group.subcommand(Command::new("pause").arg(name_flag(v))).subcommand(Command::new("resume").arg(name_flag(v)))
    } else {
        group
    }
}

fn create(v: Version) -> Command {
    let create = Command::new("create")
        .arg(name(v))
        .arg(value("image").short('I'))
        .arg(number("cpus"))
        .arg(number("mem"))
        .arg(number("storage"))
        .arg(number("overlay"))
        .arg(list("volume").short('v'))
        .arg(list("port").short('p'))
        .arg(flag("net"))
        .arg(list("allow-cidr").value_name("CIDR").value_parser(cidr))
        .arg(list("allow-host"))
        .arg(flag("outbound-localhost-only"))
        .arg(list("init"))
        .arg(list("env").short('e'))
        .arg(value("workdir").short('w'))
        .arg(flag("ssh-agent"))
        .arg(path("smolfile").short('s'))
        .arg(path("from").value_name("PATH").conflicts_with_all(["image", "smolfile"]));
    let create = with_arg(v.has(Fact::SecretEnv), create, || list("secret-env"));
    let create = with_arg(v.has(Fact::Labels), create, || list("label"));
    let create = create.args(crate::settings::options(v));
    if v.has(Fact::NameFlags) {
        create.arg(Arg::new("command").value_name("COMMAND").num_args(1..).last(true))
    } else if v.has(Fact::SwallowsOptions) {
        // NAME and the workload are a single list of words, in which no option is recognized.
        create.mut_arg("name", |name| name.num_args(1..).trailing_var_arg(true))
    } else {
        create
    }
}

fn update(v: Version) -> Command {
    let update = Command::new("update")
        .arg(name(v).required(true))
        .arg(list("volume").short('v'))
        .arg(list("port").short('p'))
        .arg(number("cpus"))
        .arg(number("mem"))
        .arg(flag("net"))
        .arg(flag("no-net").conflicts_with("net"))
        .arg(list("env").short('e'))
        .arg(list("remove-env"))
        .arg(value("workdir").short('w'))
        .arg(number("storage"))
        .arg(number("overlay"));
    with_arg(v.has(Fact::EditsAllowList), update, || list("allow-cidr").value_name("CIDR").value_parser(cidr))
}

fn exec(v: Version) -> Command {
    // No short `-n` here, in any version.
    let exec = Command::new("exec")
        .arg(since_env(v, value("name").value_name("NAME")))
        .arg(value("workdir").short('w'))
        .arg(list("env").short('e'))
        .arg(value("timeout").value_name("DURATION").value_parser(duration))
        .arg(flag("interactive").short('i'))
        .arg(flag("tty").short('t'))
        .arg(flag("stream"))
        .arg(Arg::new("command").value_name("COMMAND").num_args(1..).required(true).trailing_var_arg(true));
    let exec = with_arg(v.has(Fact::SecretEnv), exec, || list("secret-env"));
    let exec = with_arg(v.has(Fact::ExecDetach), exec, || flag("detach").short('d'));
    with_arg(v.has(Fact::ExecUser), exec, || value("user").short('u'))
}

fn checkpoint(v: Version) -> Command {
    let checkpoint = Command::new("checkpoint").arg(name_flag(v)).arg(path("output").short('o').required(true));
    let checkpoint = checkpoint.arg(path("staging-dir"));
    if v.has(Fact::StoredCheckpoints) {
        checkpoint.arg(path("store").value_name("DIR").conflicts_with("staging-dir"))
    } else {
        checkpoint
    }
}

fn pack(v: Version) -> Command {
    let create = Command::new("create")
        .arg(value("image").short('I').value_name("IMAGE").required_unless_present("from-vm"))
        .arg(value("from-vm").value_name("VM_NAME").conflicts_with("image"))
        .arg(path("output").short('o').value_name("PATH").required(true))
        .arg(number("cpus"))
        .arg(number("mem"))
        .arg(value("oci-platform"))
        .arg(value("entrypoint"))
        .arg(flag("no-sign"))
        .arg(flag("single-file"))
        .arg(path("smolfile").short('s'));
    let create = with_arg(v.has(Fact::StagingDir), create, || path("staging-dir"));
    let create = with_arg(v.has(Fact::Rebase), create, || flag("rebase-from-image"));
    let create = with_arg(v.has(Fact::ImageWorkspace), create, || flag("include-workspace"));
    Command::new("pack")
        .about("Package and run self-contained VM executables")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(create)
        .subcommand(Command::new("run").arg(path("sidecar").required(true)).arg(flag("info")))
        .subcommand(Command::new("push").arg(path("file").short('f').required(true)).arg(positional("reference")))
        .subcommand(Command::new("pull").arg(path("output").short('o').required(true)).arg(positional("reference")))
        .subcommand(Command::new("inspect").arg(positional("reference")))
}

/// NAME of create, delete, update and data-dir: a flag, or the first word in old versions.
fn name(v: Version) -> Arg {
    if v.has(Fact::NameFlags) { name_flag(v) } else { Arg::new("name").value_name("NAME") }
}

fn name_flag(v: Version) -> Arg {
    since_env(v, value("name").short('n').value_name("NAME"))
}

fn since_env(v: Version, arg: Arg) -> Arg {
    if v.has(Fact::NameFromEnv) { arg.env("SMOLVM_MACHINE_NAME") } else { arg }
}

fn with_arg(there: bool, command: Command, arg: impl FnOnce() -> Arg) -> Command {
    if there { command.arg(arg()) } else { command }
}

fn flag(name: &'static str) -> Arg {
    Arg::new(name).long(name).action(ArgAction::SetTrue)
}

fn value(name: &'static str) -> Arg {
    Arg::new(name).long(name).value_name(name.to_uppercase())
}

fn list(name: &'static str) -> Arg {
    value(name).action(ArgAction::Append)
}

fn number(name: &'static str) -> Arg {
    value(name).value_name("N").value_parser(value_parser!(u32))
}

fn path(name: &'static str) -> Arg {
    value(name).value_name("PATH").value_parser(value_parser!(PathBuf))
}

fn positional(name: &'static str) -> Arg {
    Arg::new(name).value_name(name.to_uppercase()).required(true)
}

fn cidr(text: &str) -> Result<String, String> {
    let (address, bits) = match text.split_once('/') {
        Some((address, bits)) => (address, bits.parse::<u8>().ok()),
        None => (text, Some(0)),
    };
    let longest = match address.parse::<std::net::IpAddr>() {
        Ok(std::net::IpAddr::V4(_)) => 32,
        Ok(std::net::IpAddr::V6(_)) => 128,
        Err(_) => 0,
    };
    if longest > 0 && bits.is_some_and(|bits| bits <= longest) {
        // A bare address is kept as a network of one.
        return Ok(if text.contains('/') { text.to_owned() } else { format!("{text}/{longest}") });
    }
    Err(format!("invalid CIDR '{text}': expected format like 10.0.0.0/8 or 1.1.1.1"))
}

/// Just enough of humantime: `500ms`, `2s`, `1m30s`, `1h`.
fn duration(text: &str) -> Result<Duration, String> {
    let mut total = Duration::ZERO;
    let mut rest = text;
    loop {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let number: u32 =
            rest[..digits].parse().map_err(|_| format!("expected number at {}", text.len() - rest.len()))?;
        rest = &rest[digits..];
        let unit = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
        total += number
            * match &rest[..unit] {
                "ms" => Duration::from_millis(1),
                "s" | "sec" => Duration::from_secs(1),
                "m" | "min" => Duration::from_secs(60),
                "h" => Duration::from_secs(3600),
                "" => return Err("time unit needed, for example 10sec or 10ms".into()),
                unit => return Err(format!("unknown time unit \"{unit}\"")),
            };
        rest = &rest[unit..];
        if rest.is_empty() {
            return Ok(total);
        }
    }
}
