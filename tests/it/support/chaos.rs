//! For tests of hostile input and damage: repeatable randomness, and resource limits for commands.

use std::process::{Command, Stdio};

/// Whether the long run was requested.
pub fn is_long() -> bool {
    std::env::var_os("BOTTLE_FREEZE_FAULTS").is_some_and(|faults| faults == "long")
}

/// Random numbers from a seed (splitmix64), which is printed, and taken from `$SEED` to repeat a run.
pub struct Random(u64);

impl Random {
    /// Seeded by `$SEED`, or by the clock.
    pub fn new() -> Self {
        let clock = || std::time::UNIX_EPOCH.elapsed().unwrap().subsec_nanos().into();
        let seed = std::env::var("SEED").map_or_else(|_| clock(), |seed| seed.parse().expect("SEED is a number"));
        println!("SEED={seed}");
        Self(seed)
    }

    /// Another one, as random.
    pub fn seed(&mut self) -> Self {
        Self(self.below(u64::MAX))
    }

    /// Below `end`.
    pub fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % end
    }

    /// At least `start`, below `end`.
    pub fn between(&mut self, start: u64, end: u64) -> u64 {
        start + self.below(end - start)
    }
}

/// The same command limited to this many MiB of memory: a larger allocation fails, and the command aborts.
pub fn within(mib: u64, command: &Command) -> Command {
    let mut limited = Command::new("/bin/sh");
    // Data, not address space: allocators and threads reserve far more of that than they use.
    limited.args(["-c", &format!("ulimit -d {}; exec \"$0\" \"$@\"", mib << 10)]);
    limited.arg(command.get_program()).args(command.get_args());
    copy_environment(&mut limited, command);
    limited
}

/// The same command as root, without the capability to bypass permissions; other users never had it.
pub fn without_override(command: &Command) -> Command {
    let mut weak = Command::new("setpriv");
    if rustix::process::geteuid().is_root() {
        weak.args(["--bounding-set=-dac_override,-dac_read_search", "--"]);
    }
    weak.arg(command.get_program()).args(command.get_args());
    copy_environment(&mut weak, command);
    weak
}

fn copy_environment(command: &mut Command, of: &Command) {
    command.env_clear().envs(of.get_envs().filter_map(|(key, value)| Some((key, value?)))).stdin(Stdio::null());
    if let Some(folder) = of.get_current_dir() {
        command.current_dir(folder);
    }
}
