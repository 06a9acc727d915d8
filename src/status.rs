//! The exit statuses, in one table: the manual, README, the schemas and the code are made from it.

use std::process::ExitCode;

/// Declares [`Status`] and [`STATUSES`] from one table: the number, the name, the word for programs and the meaning of each.
macro_rules! statuses {
    ($($code:literal $name:ident $word:literal $meaning:literal,)*) => {
        /// An exit status, one meaning each. Neither its number nor its word ever changes.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Status {
            $(#[doc = $meaning] $name,)*
            /// Interrupted by this signal.
            Interrupted(i32),
        }

        /// The numbers, words and meanings, but for those of a signal.
        const STATUSES: &[(u8, &str, &str)] = &[$(($code, $word, $meaning),)*];

        impl Status {
            /// The number: for a signal 128 and the signal's.
            #[must_use]
            pub fn code(self) -> u8 {
                match self {
                    $(Self::$name => $code,)*
                    Self::Interrupted(signal) => u8::try_from(128 + signal).unwrap_or(1),
                }
            }

            /// The word, for programs.
            #[must_use]
            pub fn word(self) -> &'static str {
                match self {
                    $(Self::$name => $word,)*
                    Self::Interrupted(_) => INTERRUPTED,
                }
            }
        }
    };
}

statuses! {
    1 Failed "failed" "failure, including a result that cannot be printed",
    2 Usage "usage" "the command line is wrong",
    3 SomeFailed "some-failed" "some of several VMs, snapshots or engines failed",
    4 NotFound "not-found" "no such VM, snapshot, image or file",
    5 BadState "bad-state" "the state of the VM does not allow this",
    6 NotConfirmed "not-confirmed" "not confirmed: declined, end of input, or no `--yes` without a terminal or with `--no-input`",
    7 OutputExists "output-exists" "the output or the tag already exists",
    8 NotWritable "not-writable" "no space left, or not writable",
    9 NotStopped "not-stopped" "the VM did not stop in time",
    10 Damaged "damaged" "the snapshot is damaged",
    11 Locked "locked" "locked by another bottle-freeze",
    12 NotRestarted "not-restarted" "the snapshot is published, but the VM did not restart",
    13 BadEngine "bad-engine" "the engine is missing, is not smolvm, or is too old",
    14 HookFailed "hook-failed" "a `--pre-freeze` command failed; nothing was changed",
    15 PostHookFailed "post-hook-failed" "the snapshot is published, but a `--post-freeze` command failed",
    16 NameTaken "name-taken" "there is a VM of that name already",
    125 ExecFailed "exec-failed" "`exec`, and `thaw` with a command: bottle-freeze or the engine failed",
    127 NoSuchCommand "no-such-command" "`exec`, and `thaw` with a command: the guest has no such command",
}

const INTERRUPTED: &str = "interrupted";

impl Status {
    /// All words, in the order of the numbers.
    #[must_use]
    pub fn words() -> Vec<&'static str> {
        STATUSES.iter().map(|(_, word, _)| *word).chain([INTERRUPTED]).collect()
    }
}

/// The exit statuses as documents list them, but for those that only `exec` has: the numbers, the word for programs (none
/// for success), and the meaning, in which `code` is marked.
pub fn statuses() -> impl Iterator<Item = (String, &'static str, &'static str)> {
    let failures = STATUSES.iter().filter(|(code, ..)| *code < 100);
    let failures = failures.map(|(code, word, meaning)| (code.to_string(), *word, *meaning));
    let meaning = "interrupted by SIGINT, SIGTERM or SIGHUP; 128 + N for any other signal N";
    let interrupted = ("130, 143, 129".to_owned(), INTERRUPTED, meaning);
    [("0".to_owned(), "", "success")].into_iter().chain(failures).chain([interrupted])
}

/// The word of every failure, for programs, and its number, or what is known of it.
pub fn codes() -> impl Iterator<Item = (&'static str, String)> {
    let interrupted = (INTERRUPTED, "128 + the number of the signal".to_owned());
    STATUSES.iter().map(|(code, word, _)| (*word, code.to_string())).chain([interrupted])
}

impl From<Status> for ExitCode {
    fn from(status: Status) -> Self {
        Self::from(status.code())
    }
}
