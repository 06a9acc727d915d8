//! Explains failures of the engine at a registry.

use crate::error::{Failure, Status};
use crate::smolvm::{EngineError, Fact, Reason, Reference};

/// Adds an exit status and a hint to the engine's failure.
pub fn explain(error: EngineError, reference: &Reference) -> Failure {
    let (status, hint) = match error.reason() {
        Reason::NotInRegistry => (Status::NotFound, "check its name and its tag".to_owned()),
        Reason::AccessDenied => {
            let host = reference.host();
            let logins = format!(
                "`docker login {host}` (read by smolvm {} and later), `smolvm config registries`",
                Fact::DockerLogins.since()
            );
            let tokens = "smolvm sends no password, so the registry must offer tokens";
            (Status::Failed, format!("log in first: {logins}; {tokens}"))
        }
        Reason::DamagedInRegistry => {
            (Status::Damaged, "the registry holds a damaged copy: push the snapshot again".to_owned())
        }
        Reason::ConnectionLost => {
            (Status::Failed, format!("check that {} can be reached, and try again", reference.host()))
        }
        _ => return error.into(),
    };
    Failure { status, ..Failure::from(error) }.hint(hint)
}
