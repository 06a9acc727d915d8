//! The kinds of what is found.

use schemars::JsonSchema;
use serde::Serialize;

/// A kind of what was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A private key.
    PrivateKey,
    /// The private key by which a machine proves over SSH that it is that machine.
    SshHostKey,
    /// A token of a service.
    Token,
    /// A file in which a program keeps credentials.
    Credentials,
    /// Hashes of the passwords of users.
    PasswordHashes,
    /// What was typed into a shell or another program.
    History,
    /// Public keys whose owners may log in.
    AuthorizedKeys,
    /// A variable, a word of a command or a label whose name says that its value is secret.
    Environment,
    /// The RAM of a running VM.
    Ram,
    /// A file system that cannot be searched.
    Unreadable,
}

impl Kind {
    /// All of that kind, for people.
    pub fn plural(self) -> &'static str {
        match self {
            Self::PrivateKey => "private keys",
            Self::SshHostKey => "host keys of SSH",
            Self::Token => "tokens",
            Self::Credentials => "credentials",
            Self::PasswordHashes => "hashes of passwords",
            Self::History => "histories",
            Self::AuthorizedKeys => "authorized keys",
            Self::Environment => "variables, labels and the note",
            Self::Ram => "the RAM",
            Self::Unreadable => "what cannot be searched",
        }
    }
}
