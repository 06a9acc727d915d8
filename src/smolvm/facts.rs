//! What is true of some engines only: one row each, and the only place that knows versions of the engine.
//!
//! The predicate, `doctor`'s list, the error for an engine that is too old, the stand-in engine of the tests and the tests on
//! real engines all read this table. `tests/corpus/facts.txt` holds what real engines did on both sides of each line: a row
//! that contradicts it fails `make test`, and `make facts` measures it anew.

use super::version::Version;

/// How a row is proven.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// Tried on real engines on both sides of the line, by `tests/it/facts.rs`.
    Probe,
    /// Needs a running VM: seen in the lab, on the engines of `tests/lab/lab`.
    Lab,
    /// No test shows it: read in the engine's source or release notes (no wheel is older than the line), or seen by hand.
    Source,
}

/// One row.
struct Row {
    name: &'static str,
    since: Version,
    until: Option<Version>,
    proof: Proof,
    ability: &'static str,
}

macro_rules! facts {
    (@until) => { None };
    (@until $until:tt) => { Some(Version $until) };
    ($($fact:ident $since:tt $(.. $until:tt)? $proof:ident $ability:literal;)+) => {
        /// Something that is true of some engines only: that they can do this.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Fact {
            $(#[doc = $ability] $fact,)+
        }

        impl Fact {
            /// Every row of the table.
            pub const ALL: &[Self] = &[$(Self::$fact),+];

            const fn row(self) -> Row {
                match self {
                    $(Self::$fact => Row {
                        name: stringify!($fact),
                        since: Version $since,
                        until: facts!(@until $($until)?),
                        proof: Proof::$proof,
                        ability: $ability,
                    },)+
                }
            }
        }
    };
}

// Each text completes "this engine can …".
facts! {
    // What users care about.
    BareWorkspace       (1, 9, 0)  Probe  "freeze /workspace of bare VMs";
    ImageWorkspace      (1, 14, 1) Probe  "freeze /workspace of image VMs";
    LocalImages         (1, 12, 0) Probe  "freeze VMs of local images";
    Live                (1, 13, 1) Probe  "freeze running VMs with --live";
    Pause               (1, 18, 0) Probe  "pause VMs";
    ThawsBare           (1, 2, 2)  Source "thaw bare VMs";
    EnforcesAllowList   (1, 1, 3)  Source "enforce allow lists of the network";
    AllowListBesideFrom (1, 8, 0)  Probe  "keep allow lists through a thaw";
    Labels              (1, 8, 0)  Probe  "label VMs";
    ParallelChanges     (1, 19, 0) Probe  "change two VMs at once";
    // From the first wheel to the newest engine that `tests/it/same_vm.rs` tried: a later one may pack something else.
    KnownDisks          (1, 4, 0)..(1, 32, 3) Source "have its bare VMs frozen from their disks";
    // Those that were tried; no wheel is between them. A later engine may put the files of an image elsewhere. 1.28.1 packs
    // links and folders with the time of the pack.
    KnownImages         (1, 31, 5)..(1, 32, 3) Lab "have its image VMs frozen from their disks";
    // How commands are written, and what their success means.
    NameFlags           (1, 0, 2)  Source "take the name of a VM as --name in every command";
    EnvByName           (0, 8, 1)  Source "take the value of -e KEY from its own environment";
    SecretEnv           (1, 0, 0)  Source "take --secret-env";
    DataDirVariable     (1, 2, 5)  Source "keep its state where `$SMOLVM_DATA_DIR` says (Linux)";
    StagingDir          (1, 2, 0)  Source "put the temporary files of a pack into a given folder";
    ReservesNames       (1, 0, 0)  Source "reserve the name of a VM before it unpacks an artifact";
    FreeArtifacts       (1, 0, 0)  Source "start a VM whose artifact was removed";
    ReportsMissing      (0, 8, 1)  Source "report that a VM to stop does not exist";
    StopFlushes         (1, 17, 0) Lab    "have the guest write its files to disk before it stops it";
    DeleteStops         (0, 8, 1)  Source "stop a running VM that it deletes";
    RepacksLayers       (1, 3, 4)  Source "keep the layers of a VM that was made from a pack";
    ListsAllowList      (1, 27, 2) Probe  "list the allow list of a VM";
    EditsAllowList      (1, 22, 0) Probe  "change the allow list of a VM";
    PackLock            (1, 17, 0) Probe  "lock its cache folder while it packs";
    // 1.17.0 and 1.19.0 refuse VMs without --branchable. The engines between do not run in the lab.
    StoresAnyVm         (1, 25, 1) Lab    "save every running VM in chunks, and not only branchable ones";
    DockerLogins        (1, 18, 2) Source "use the logins of `docker login`";
    // Settings of a VM: the option gives it to a VM made from an artifact too.
    Cuda                (1, 3, 2)  Source "use CUDA";
    DnsServer           (1, 2, 5)  Source "set the DNS server of a VM";
    BlockIo             (1, 14, 3) Probe  "choose the block I/O engine";
    DisksBesideFrom     (1, 18, 0) Probe  "attach extra disks to a VM made from an artifact";
    Durability          (1, 25, 1) Probe  "choose the durability of disks";
    DnsOptions          (1, 28, 1) Probe  "set DNS options";
    // Settings of a VM that no list reports.
    Sockets             (1, 6, 4)  Probe  "share sockets, Docker's too, and run Rosetta";
    VmNetworks          (1, 8, 3)  Probe  "connect VMs";
    Nested              (1, 15, 0) Probe  "nest VMs";
    Credentials         (1, 18, 0) Probe  "pass credentials to a VM's requests, and choose its subnet";
    HostProxy           (1, 19, 3) Probe  "use the proxy of the host";
    StopOnExit          (1, 22, 0) Probe  "stop a VM when its command exits";
    CacheDisk           (1, 25, 1) Probe  "attach a cache disk";
    OwnDiskFolders      (1, 28, 1) Probe  "put folders of the guest on the VM's own disk";
    StopSignal          (1, 28, 1) Probe  "choose how a guest is stopped";
    ShmSize             (1, 31, 0) Probe  "choose the size of /dev/shm";
    // What only the stand-in engine of the tests plays.
    SwallowsOptions     (1, 0, 0)..(1, 0, 2) Source "take options after the name for the workload";
    MaxImageSize        (1, 4, 0)  Source "limit the size of an image";
    TellsSignals        (0, 8, 1)  Source "report the signal that ended a guest's command";
    ShowsStates         (1, 0, 0)  Source "show every state of a VM in its status";
    EndsOrphans         (1, 5, 0)  Source "end the VMM of a start that was ended early";
    ExecDetach          (1, 3, 0)  Source "run a command in the background";
    Rebase              (1, 3, 4)  Source "pack an image anew";
    CudaInPacks         (1, 6, 0)  Source "record CUDA in a pack";
    Cascade             (1, 7, 0)  Probe  "delete a VM with its branches";
    LauncherNames       (1, 7, 0)  Probe  "refuse a launcher that is named as an artifact";
    Forkpoints          (1, 7, 2)  Probe  "list forkpoints";
    AutoGraph           (1, 7, 2)  Probe  "capture CUDA graphs";
    NetForImages        (1, 7, 3)..(1, 24, 0) Probe  "refuse an image VM without a network";
    ListsCuda           (1, 8, 0)  Probe  "list CUDA";
    LostDeletes         (1, 9, 0)  Source "fail a delete that lost a race, and not lose it silently";
    SharedUnpacks       (1, 9, 0)  Probe  "share the unpacked content of equal artifacts";
    Branches            (1, 14, 0) Probe  "branch VMs";
    StoredCheckpoints   (1, 17, 0) Probe  "save running VMs in chunks";
    SystemMounts        (1, 14, 0) Probe  "mount folders of the host's system";
    GuestUser           (1, 14, 0) Probe  "choose the user of a VM's commands";
    ExecUser            (1, 14, 0) Probe  "choose the user of one command";
    DeletesWait         (1, 14, 1) Source "wait for another command before it deletes";
    QuietList           (1, 14, 1) Probe  "list only names";
    DisksOnStart        (1, 14, 3) Probe  "ask about a VM without making its disks";
    DefaultsBesideFrom  (1, 14, 2) Probe  "give a VM made from an artifact the default CPUs and memory";
    NoEntrypoint        (1, 14, 3) Probe  "pack a VM without an entrypoint";
    StagedMounts        (1, 14, 0) Probe  "stage host folders";
    ExtraDisks          (1, 17, 0) Probe  "attach extra disks";
    DeleteAsks          (1, 17, 0) Probe  "ask before it deletes a VM";
    ChecksCrc           (1, 17, 0) Probe  "check the CRC of an artifact";
    SortsList           (1, 18, 0) Probe  "list VMs sorted";
    Rewinds             (1, 18, 0) Probe  "make a VM from an earlier checkpoint";
    NameFromEnv         (1, 19, 0) Probe  "take a missing name from `$SMOLVM_MACHINE_NAME`";
    CheckpointEnding    (1, 19, 1) Probe  "write checkpoints that end in .checkpoint";
    HostPatterns        (1, 20, 0) Probe  "allow hosts by pattern";
    Detached            (1, 22, 0) Probe  "list whether a VM is detached";
    RestoreCache        (1, 22, 0) Probe  "cache restored checkpoints";
    Identity            (1, 22, 1) Probe  "keep the identity of a checkpoint";
    PrivateRules        (1, 28, 1) Probe  "block private networks";
    ListsDns            (1, 28, 1) Probe  "list the DNS server of a VM";
    StopTimeout         (1, 28, 1) Probe  "give a stop a time";
    ErrorFormat         (1, 28, 1) Probe  "print errors as JSON";
    PacksResources      (1, 29, 0) Probe  "record a VM's CPUs and memory in its pack";
    StateDir            (1, 31, 0) Probe  "keep its state in a given folder";
    Keychain            (1, 31, 0) Probe  "take secrets from a keychain";
    DenyRules           (1, 31, 0) Probe  "deny networks";
    StartHint           (1, 31, 0) Probe  "say how to start a VM that is stopped";
    UdpRules            (1, 31, 5) Probe  "allow UDP";
}

/// What a user may care about, in the order in which `doctor` lists it.
pub const ABILITIES: [Fact; 10] = [
    Fact::BareWorkspace,
    Fact::ImageWorkspace,
    Fact::LocalImages,
    Fact::Live,
    Fact::Pause,
    Fact::ThawsBare,
    Fact::EnforcesAllowList,
    Fact::AllowListBesideFrom,
    Fact::Labels,
    Fact::ParallelChanges,
];

impl Version {
    /// The oldest engine that this program runs.
    pub const OLDEST: Self = Self(0, 8, 0);

    /// Whether this is true of an engine of this version.
    pub fn has(self, fact: Fact) -> bool {
        let Row { since, until, .. } = fact.row();
        self >= since && until.is_none_or(|until| self < until)
    }
}

impl Fact {
    /// Its name in the table.
    pub fn name(self) -> &'static str {
        self.row().name
    }

    /// The first version of which it is true.
    pub fn since(self) -> Version {
        self.row().since
    }

    /// The first later version of which it is not true any more.
    pub fn until(self) -> Option<Version> {
        self.row().until
    }

    /// How it is proven.
    pub fn proof(self) -> Proof {
        self.row().proof
    }

    /// What an engine of which it is true can do: completes "it can …" and "it cannot …".
    pub fn ability(self) -> &'static str {
        self.row().ability
    }

    /// The sentence about an engine of that version, of which it is not true.
    pub fn missing_in(self, version: Version) -> String {
        let Row { since, ability, .. } = self.row();
        format!("smolvm {version} cannot {ability}; {since} can")
    }
}
