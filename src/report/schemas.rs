//! The JSON Schemas of all that is printed for programs, made from its types.

use super::{
    Arrived, Changed, Compared, Copied, Diagnosis, Done, Engine, Entry, Exported, Frozen, InstalledEngine, Listed,
    ListedFile, Packed, Planned, Pruned, Pushed, RemovedEngine, RemovedSnapshot, Results, Scheduled, Snapshot, Tagged,
    ThawedVms, Verified, Vm, Whole,
};
use crate::library::Metadata;
use crate::smolvm::Machine;
use crate::terminal::{ErrorLine, Event};
use schemars::generate::SchemaSettings;
use schemars::transform::transform_subschemas;
use schemars::{JsonSchema, Schema};
use serde_json::json;

/// The name of each schema, and the schema.
#[must_use]
pub fn schemas() -> Vec<(&'static str, Schema)> {
    vec![
        of::<ErrorLine>("error", "An error, as a line on stderr with --error-format json"),
        of::<Metadata>("snapshot", "snapshot.json, in the folder of a snapshot"),
        of::<Event>("progress", "An event, as a line on stderr with --progress=json"),
        result_of::<Done<Changed>>("create", "create"),
        result_of::<Results<Done<Changed>, Vm>>("vms", "start, stop, pause, resume, rm"),
        result_of::<Vec<Machine>>("ls", "ls"),
        result_of::<Results<Frozen, Vm>>("freeze", "freeze"),
        result_of::<Results<Planned, Vm>>("freeze-dry-run", "freeze --dry-run"),
        result_of::<ThawedVms>("thaw", "thaw, rollback"),
        result_of::<Copied>("cp", "cp"),
        result_of::<Packed>("pack", "pack"),
        result_of::<Vec<Verified>>("verify", "verify"),
        result_of::<Vec<Entry<Listed<'_>, Snapshot>>>("snapshot-ls", "snapshot ls"),
        result_of::<Listed<'_>>("snapshot-show", "snapshot show"),
        result_of::<Vec<ListedFile>>("snapshot-files", "snapshot files"),
        result_of::<Compared>("snapshot-diff", "snapshot diff"),
        result_of::<Results<Done<Whole>, Snapshot>>("snapshot-verify", "snapshot verify"),
        result_of::<Tagged>("snapshot-tag", "snapshot tag"),
        result_of::<Results<Done<RemovedSnapshot>, Snapshot>>("snapshot-rm", "snapshot rm"),
        result_of::<Vec<Pruned>>("snapshot-prune", "snapshot prune"),
        result_of::<Pushed>("snapshot-push", "snapshot push"),
        result_of::<Arrived>("snapshot-import", "snapshot import, pull"),
        result_of::<Exported>("snapshot-export", "snapshot export"),
        result_of::<Results<Scheduled, Vm>>("schedule", "schedule"),
        result_of::<Diagnosis>("doctor", "doctor"),
        result_of::<Vec<InstalledEngine>>("engine-ls", "engine ls"),
        result_of::<InstalledEngine>("engine-install", "engine install, use"),
        result_of::<Results<Done<RemovedEngine>, Engine>>("engine-rm", "engine rm"),
    ]
}

/// The schema of what these commands print.
fn result_of<T: JsonSchema>(name: &'static str, commands: &str) -> (&'static str, Schema) {
    of::<T>(name, &format!("bottle-freeze {commands} --json"))
}

fn of<T: JsonSchema>(name: &'static str, title: &str) -> (&'static str, Schema) {
    let generator = SchemaSettings::draft2020_12().for_serialize().into_generator();
    let mut schema = generator.into_root_schema_for::<T>();
    schema.insert("$id".to_owned(), json!(format!("urn:bottle-freeze:{name}")));
    schema.insert("title".to_owned(), json!(title));
    close(&mut schema);
    (name, schema)
}

/// An object has the keys that are described, and no others. What says nothing about JSON goes: the width of a number in
/// memory, the value that is read where a key is missing.
fn close(schema: &mut Schema) {
    schema.remove("default");
    if schema.get("format").is_some_and(|format| format != "date-time") {
        schema.remove("format");
    }
    if schema.get("properties").is_some() && schema.get("additionalProperties").is_none() {
        schema.insert("additionalProperties".to_owned(), json!(false));
    }
    transform_subschemas(&mut close, schema);
}
