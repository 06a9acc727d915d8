//! The name of a VM that is made from a snapshot, and what happens to a VM that has it already.

use super::request::Request;
use crate::app::App;
use crate::error::{Failure, Result, Status};
use crate::library::Metadata;
use crate::operations::resolve::SnapshotSource;
use crate::smolvm::{EngineError, Machine, Name, Smolvm};

/// The name of the new VM.
pub(super) struct Chosen {
    /// The name.
    pub name: Name,
    /// The frozen VM's name or the file's, if another VM has that.
    pub taken: Option<String>,
    /// The VM that the new one replaces, as it was when the user agreed.
    pub replaces: Option<Machine>,
}

/// Chooses the name: the one that the user asks for, or the frozen VM's own, or the file's. If one of these VMs has it, the
/// user decides; where none can be asked, a name that the user did not ask for gets a number.
///
/// # Errors
/// The name is taken, or no VM can have it, or the user declines. Nothing was changed.
pub(super) fn choose(
    app: &App,
    engine: &Smolvm,
    request: &Request,
    found: &SnapshotSource,
    machines: &[Machine],
) -> Result<Chosen> {
    let wanted = wanted(request, found);
    let Some(there) = machines.iter().find(|machine| machine.name == wanted) else {
        let name = numbered(&wanted, &[])?;
        return Ok(Chosen { name, taken: None, replaces: None });
    };
    let replaced = |there: Machine| {
        let name = there.name.parse().map_err(|why: &str| Failure::new(Status::Failed, why))?;
        Ok(Chosen { name, taken: None, replaces: Some(there) })
    };
    if request.replace {
        return replaced(confirmed(app, engine, request, found, there)?);
    }
    let free = numbered(&wanted, machines)?;
    let question = format!("There is a VM '{wanted}' already, which is {}", there.state);
    let ends =
        if there.state.is_up() { "it is stopped, what is only in its RAM is lost, and its disks are" } else { "it is" };
    let answers = [
        format!("Make the new one '{free}'"),
        format!("Replace '{wanted}': {ends} frozen into the library first"),
        "Cancel".to_owned(),
    ];
    match app.choose(&question, &answers, "nothing was changed")? {
        Some(1) => replaced(there.clone()),
        Some(2..) => Err(Failure::new(Status::NotConfirmed, "not confirmed").state("nothing was changed")),
        None if request.name.is_some() => Err(EngineError::NameTaken(wanted).into()),
        Some(0) | None => Ok(Chosen { name: free, taken: Some(wanted), replaces: None }),
    }
}

/// `NAME-1`, `NAME-2` …, which are the names of that many new VMs.
///
/// # Errors
/// No VM can have such a name.
pub(super) fn several(request: &Request, found: &SnapshotSource, count: u16) -> Result<Vec<Name>> {
    let wanted = wanted(request, found);
    let name = |number| {
        let name = format!("{wanted}-{number}");
        name.parse().map_err(|why| Failure::new(Status::Usage, format!("no VM can be named {name}: {why}")))
    };
    (1..=count).map(name).collect()
}

/// Checks that no VM has one of these names.
pub(super) fn check_free(names: &[Name], machines: &[Machine]) -> Result<()> {
    let is_taken = |name: &&Name| machines.iter().any(|machine| machine.name == name.as_str());
    let taken: Vec<&str> = names.iter().filter(is_taken).map(Name::as_str).collect();
    if taken.is_empty() {
        return Ok(());
    }
    let what = format!("there are VMs of these names already: {}", taken.join(", "));
    Err(Failure::new(Status::NameTaken, what).state("no VM was made").hint("choose another name"))
}

/// The name that the user asks for; or the frozen VM's own, or the file's.
fn wanted(request: &Request, found: &SnapshotSource) -> String {
    let own = || found.stored().map(|stored| stored.metadata.vm.clone());
    let stem = || found.path().file_stem().map(|stem| stem.to_string_lossy().into_owned());
    request.name.as_ref().map(Name::to_string).or_else(own).or_else(stem).unwrap_or_default()
}

/// This name, with a number if one of these VMs has it.
fn numbered(wanted: &str, machines: &[Machine]) -> Result<Name> {
    let is_free = |name: &Name| !machines.iter().any(|machine| machine.name == name.as_str());
    let names = (1..1000).map(|number| if number == 1 { wanted.to_owned() } else { format!("{wanted}-{number}") });
    names.filter_map(|name| name.parse().ok()).find(is_free).ok_or_else(|| {
        let what = format!("no VM can be named {wanted}");
        Failure::new(Status::Usage, what).hint("give the new VM a NAME")
    })
}

/// Asks whether the VM may be replaced, unless that is answered. The VM as it is then.
fn confirmed(
    app: &App,
    engine: &Smolvm,
    request: &Request,
    found: &SnapshotSource,
    there: &Machine,
) -> Result<Machine> {
    if request.yes {
        return Ok(there.clone());
    }
    // For the question; the freeze asks the guest again.
    let there = engine.ask_again(there.clone())?;
    let (name, state) = (&there.name, &there.state);
    let steps = if state.is_up() { "Stop it, freeze it" } else { "Freeze it" };
    let question =
        format!("'{name}' is {state}. {steps} into the library and replace it by {}?", described(request, found));
    app.confirm(&question, false, &format!("'{name}' is {state}; nothing was changed"))?;
    Ok(there)
}

/// The snapshot, and what the user should know before it replaces a VM.
fn described(request: &Request, found: &SnapshotSource) -> String {
    let key = request.key.as_ref().map(|key| format!(", the newest with the key '{key}'"));
    let foreign = found.stored().map(|stored| &stored.metadata).filter(|metadata: &&Metadata| !metadata.is_own());
    let origin = foreign.map(|metadata| format!(", which {}", metadata.origin_phrase()));
    [Some(found.name()), key, origin].into_iter().flatten().collect()
}
