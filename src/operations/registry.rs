//! What a failure of the engine at a registry means, and how to fix it.

use crate::error::{Failure, Status};
use crate::smolvm::{EngineError, Fact, Reason, Reference};

/// The engine's failure, with its status and how to fix it.
pub fn explained(error: EngineError, reference: &Reference) -> Failure {
    let (status, hint) = match error.reason() {
        Reason::NotInRegistry => (Status::NotFound, "check its name and its tag".to_owned()),
        Reason::AccessDenied => {
            let host = reference.host();
            let logins = format!(
                "`docker login {host}` (read by smolvm {} and later), `smolvm config registries`",
                Fact::DockerLogins.since()
            );
            let tokens = "a registry must offer tokens, smolvm sends it no password";
            (Status::Failed, format!("log in first: {logins}; {tokens}"))
        }
        Reason::DamagedInRegistry => {
            (Status::Damaged, "the registry holds a damaged copy: push it again from where it is whole".to_owned())
        }
        Reason::ConnectionLost => (Status::Failed, format!("see whether {} is there, and try again", reference.host())),
        _ => return error.into(),
    };
    Failure { status, ..Failure::from(error) }.hint(hint)
}
