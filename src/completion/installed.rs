//! Checks that TAB completes this program's command line in the user's shell, by running the shell with its start files. To
//! search a start file for a line is not enough: the line may be skipped, or name a missing program.

use crate::quoted::quoted;
use std::io::{self, BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

/// The time limit for the shell: some start files are slow.
pub const LIMIT: Duration = Duration::from_secs(10);
/// The prefix of our lines in the output, among those of the start files.
const MARK: &str = "bottle-freeze-doctor:";
/// The last of our lines: a program started by the start files may keep the output open.
const END: &str = "end";

/// The state of completion in the user's shell.
pub enum Completed {
    /// It works.
    Works { shell: String },
    /// It does not work; the hint is a command that enables it.
    Missing { shell: String, hint: String },
    /// The shell cannot be run.
    Broken { path: PathBuf, error: io::Error },
    /// The shell did not answer in time.
    Silent { shell: String },
    /// `$SHELL` is another shell.
    Unknown,
}

/// The script for each shell. It prints `works` if `bottle-freeze snap` completes, and `compinit` if zsh has its completion
/// system.
const BASH: &str = r#"
for load in _completion_loader _comp_load _comp_complete_load; do
  complete -p bottle-freeze > /dev/null 2>&1 || { declare -F $load > /dev/null && $load bottle-freeze > /dev/null 2>&1; }
done
rule=$(complete -p bottle-freeze 2> /dev/null) && [[ $rule =~ -F\ ([^ ]+) ]] && {
  COMP_WORDS=(bottle-freeze snap) COMP_CWORD=1 COMP_LINE='bottle-freeze snap' COMP_POINT=18 COMP_TYPE=9 COMP_KEY=9
  "${BASH_REMATCH[1]}" bottle-freeze snap bottle-freeze > /dev/null 2>&1
  for word in "${COMPREPLY[@]}"; do [[ $word == snapshot* ]] && echo "bottle-freeze-doctor:works"; done
}"#;
const ZSH: &str = r"
(( $+_comps )) && echo bottle-freeze-doctor:compinit
rule=${_comps[bottle-freeze]}
[[ -n $rule ]] && { (( $+functions[$rule] )) && autoload +X -Uz $rule; type -w $rule } > /dev/null 2>&1 &&
  echo bottle-freeze-doctor:works";
const FISH: &str = r"
complete -C 'bottle-freeze snap' | string match -q 'snapshot*'; and echo bottle-freeze-doctor:works";

/// Checks the user's shell.
pub fn check() -> Completed {
    let path = variable("SHELL").unwrap_or_default();
    let shell = path.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
    let script = match shell.as_str() {
        "bash" => BASH,
        "zsh" => ZSH,
        "fish" => FISH,
        _ => return Completed::Unknown,
    };
    match run(&path, script) {
        Err(error) => Completed::Broken { path, error },
        Ok(None) => Completed::Silent { shell },
        Ok(Some(words)) if words.iter().any(|word| word == "works") => Completed::Works { shell },
        Ok(Some(words)) => {
            let hint = hint(&shell, words.iter().any(|word| word == "compinit"));
            Completed::Missing { shell, hint }
        }
    }
}

/// Runs the script in the shell. Returns our lines of the output, or nothing after [`LIMIT`].
fn run(shell: &Path, script: &str) -> io::Result<Option<Vec<String>>> {
    let mut command = Command::new(shell);
    let script = format!("{script}\necho {MARK}{END}");
    command.args(["-i", "-c", &script]).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    // In a new session: an interactive shell would take over our terminal.
    // SAFETY: between fork and exec the closure makes one system call.
    #[allow(unsafe_code)]
    unsafe {
        command.pre_exec(|| rustix::process::setsid().map(drop).map_err(Into::into));
    }
    let mut child = command.spawn()?;
    let (send, answer) = mpsc::channel();
    if let Some(stdout) = child.stdout.take() {
        std::thread::Builder::new().spawn(move || {
            let lines = BufReader::new(stdout.take(1 << 20)).split(b'\n').map_while(Result::ok);
            let words =
                lines.filter_map(|line| Some(String::from_utf8_lossy(line.strip_prefix(MARK.as_bytes())?).into()));
            send.send(words.take_while(|word: &String| word != END).collect())
        })?;
    }
    let words = answer.recv_timeout(LIMIT).ok();
    if let Some(group) = i32::try_from(child.id()).ok().and_then(rustix::process::Pid::from_raw) {
        // Ends what its start files have started.
        let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
    }
    let _ = child.wait();
    Ok(words)
}

/// The command that enables completion, by adding a line to the start file.
fn hint(shell: &str, has_compinit: bool) -> String {
    let home = dirs::home_dir().unwrap_or_default();
    let config = variable("XDG_CONFIG_HOME").unwrap_or_else(|| home.join(".config"));
    let zsh = variable("ZDOTDIR").unwrap_or_else(|| home.clone());
    let tool = own_name();
    let (start, line) = match shell {
        "bash" => (home.join(".bashrc"), format!("source <({tool} completions bash)")),
        "zsh" if has_compinit => (zsh.join(".zshrc"), format!("source <({tool} completions zsh)")),
        "zsh" => (zsh.join(".zshrc"), format!("autoload -Uz compinit && compinit; source <({tool} completions zsh)")),
        _ => (config.join("fish/config.fish"), format!("{tool} completions fish | source")),
    };
    let folder = start.parent().filter(|folder| !folder.is_dir());
    let make = folder.map(|folder| format!("mkdir -p {} && ", quoted(&folder.to_string_lossy())));
    let start = quoted(&start.to_string_lossy());
    format!("{}echo {} >> {start}", make.unwrap_or_default(), quoted(&line))
}

/// The command that runs this program: its name if it is on PATH, or its path.
fn own_name() -> String {
    let own = std::env::current_exe().and_then(std::fs::canonicalize).unwrap_or_default();
    let found = which::which("bottle-freeze")
        .and_then(|path| path.canonicalize().map_err(|_| which::Error::CannotFindBinaryPath));
    if found.is_ok_and(|found| found == own) { "bottle-freeze".to_owned() } else { quoted(&own.to_string_lossy()) }
}

fn variable(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}
