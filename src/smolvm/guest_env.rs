//! The environment variables of a guest. Their values are in no command line: every user of the host can read those.

use super::call::Call;
use super::engine::Smolvm;
use super::error::{EngineError, Result};
use super::facts::Fact;

/// An environment variable for a guest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnvVar {
    /// Its name.
    pub key: String,
    /// Its value.
    pub value: String,
}

/// Variables that mean something to the engine itself, to the shell of its wrapper, or to the loader of both: in the engine's
/// own environment they would change what it does. Names, and beginnings of names.
const MEANT_FOR_THE_ENGINE: [&str; 8] = ["PATH", "HOME", "TMPDIR", "ENV", "IFS", "CDPATH", "SHELLOPTS", "BASHOPTS"];
const MEANT_FOR_THE_ENGINE_FROM: [&str; 11] =
    ["XDG_", "SMOL", "LD_", "DYLD_", "RUST_", "KRUN", "LIBKRUN", "BASH_", "GLIBC_", "MALLOC_", "BOTTLE_FREEZE_"];

impl Smolvm {
    /// Gives the variables to a new VM: in a Smolfile on the engine's standard input, which all engines accept, but not beside
    /// `--from`; or by name.
    pub(super) fn env_of_create(&self, call: Call, vars: &[EnvVar], from_artifact: bool) -> Result<Call> {
        // In a Smolfile, values lose the white space at their end.
        let fits = |var: &&EnvVar| var.value.trim_end() == var.value;
        let (written, named): (Vec<_>, Vec<_>) =
            vars.iter().partition(|var| !from_artifact && !self.takes_by_name(var) && fits(var));
        let call = self.env_by_name(call, named, "beside --from, or with white space at its end,")?;
        if written.is_empty() {
            return Ok(call);
        }
        let pairs: Vec<_> = written.iter().map(|var| format!("{}={}", var.key, var.value)).collect();
        let shown: Vec<_> = written.iter().map(|var| format!("{}=***", var.key)).collect();
        let secrets = written.iter().map(|var| var.value.as_str());
        Ok(call.value("--smolfile", "/dev/stdin").secret_stdin(smolfile(&pairs), smolfile(&shown), secrets))
    }

    /// Gives the variables to a command in a guest.
    pub(super) fn env_of_exec(&self, call: Call, vars: &[EnvVar]) -> Result<Call> {
        if !self.version().has(Fact::SecretEnv) {
            return self.env_by_name(call, vars.iter().collect(), "");
        }
        Ok(vars.iter().enumerate().fold(call, |call, (number, var)| {
            let own = format!("BOTTLE_FREEZE_ENV_{number}");
            call.value("--secret-env", format!("{}={own}", var.key)).secret_env(&own, &var.value)
        }))
    }

    /// Whether the engine can take the value from its own environment, where it must mean nothing to the engine itself.
    fn takes_by_name(&self, var: &EnvVar) -> bool {
        let is_meant_for_it = MEANT_FOR_THE_ENGINE.contains(&var.key.as_str())
            || MEANT_FOR_THE_ENGINE_FROM.iter().any(|start| var.key.starts_with(start));
        self.version().has(Fact::EnvByName) && !is_meant_for_it
    }

    fn env_by_name(&self, call: Call, vars: Vec<&EnvVar>, when: &'static str) -> Result<Call> {
        let exposed: Vec<String> =
            vars.iter().filter(|var| !self.takes_by_name(var)).map(|var| var.key.clone()).collect();
        if !exposed.is_empty() {
            return Err(EngineError::Exposes { version: self.version(), names: exposed.join(", "), when });
        }
        Ok(vars.into_iter().fold(call, |call, var| call.value("--env", &var.key).secret_env(&var.key, &var.value)))
    }
}

/// A Smolfile with these variables. JSON strings are TOML strings, except that TOML escapes DEL.
fn smolfile(pairs: &[String]) -> String {
    format!("env = {}\n", serde_json::json!(pairs)).replace('\x7f', "\\u007f")
}
