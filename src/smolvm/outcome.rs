//! What a finished command left.

use std::process::ExitStatus;

/// What a finished command left.
#[derive(Debug)]
pub struct Outcome {
    /// How it ended.
    pub status: ExitStatus,
    /// Its standard output.
    pub stdout: Vec<u8>,
    /// Its standard error (of a streamed command, the end of it), without colors and notes.
    pub stderr: String,
}

impl Outcome {
    /// Its standard output as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }
}

/// What the engine printed, without its colors and without the note that it prints when its executable is not named
/// `smolvm`.
pub fn clean(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let plain = dialoguer::console::strip_ansi_codes(&text);
    let lines = plain.lines().filter(|line| !line.starts_with("note: no packed assets found"));
    lines.collect::<Vec<_>>().join("\n").trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colors_and_notes_are_removed() {
        let printed = b"note: no packed assets found for 'x'; running\n\x1b[33m WARN\x1b[0m odd\nError: no\n";
        assert_eq!(clean(printed), "WARN odd\nError: no");
    }
}
