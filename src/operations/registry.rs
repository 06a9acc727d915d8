//! What an engine says of a registry, and how to fix it.

use crate::error::{Failure, Status};
use crate::smolvm::{EngineError, Reference};

/// The engine's failure, and what mends it.
pub fn explained(error: EngineError, reference: &Reference) -> Failure {
    let (status, hint) = if error.is_not_in_registry() {
        (Status::NotFound, "check its name and its tag".to_owned())
    } else if error.is_access_denied() {
        let host = reference.host();
        let logins = format!("`docker login {host}` (read by smolvm 1.18.2 and later), `smolvm config registries`");
        (Status::Failed, format!("log in first: {logins}; a registry must offer tokens, smolvm sends it no password"))
    } else if error.is_damaged_in_registry() {
        (Status::Damaged, "the registry holds a damaged copy: push it again from where it is whole".to_owned())
    } else if error.is_connection_lost() {
        (Status::Failed, format!("see whether {} is there, and try again", reference.host()))
    } else {
        return error.into();
    };
    Failure { status, ..Failure::from(error) }.hint(hint)
}
