//! The kernel's tables as the writer needs them: puts and removals that may fail.

use std::fmt;
use std::io;

/// The maps that policies are written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Table {
    Addresses,
    Networks,
    PortClasses,
    Profiles,
    Vectors,
    Services,
    Pods,
    PlacedPods,
    LocalAddresses,
    Usage,
    Policies,
    NextPolicies,
    Node,
}

impl Table {
    pub(crate) const ALL: [Self; 13] = [
        Self::Addresses,
        Self::Networks,
        Self::PortClasses,
        Self::Profiles,
        Self::Vectors,
        Self::Services,
        Self::Pods,
        Self::PlacedPods,
        Self::LocalAddresses,
        Self::Usage,
        Self::Policies,
        Self::NextPolicies,
        Self::Node,
    ];

    /// As the kernel's map is called.
    pub fn name(self) -> &'static str {
        match self {
            Self::Addresses => "addresses",
            Self::Networks => "networks",
            Self::PortClasses => "port_classes",
            Self::Profiles => "profiles",
            Self::Vectors => "vectors",
            Self::Services => "services",
            Self::Pods => "pods",
            Self::PlacedPods => "placed_pods",
            Self::LocalAddresses => "local_addresses",
            Self::Usage => "usage",
            Self::Policies => "policies",
            Self::NextPolicies => "next_policies",
            Self::Node => "node",
        }
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Keys or entries of one table, as bytes in the layout of `abi.h`, one behind the other.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Batch {
    pub(crate) keys: Vec<u8>,
    pub(crate) values: Vec<u8>,
    pub(crate) len: u32,
}

impl Batch {
    pub(crate) fn entry(&mut self, key: &[u8], value: &[u8]) {
        self.keys.extend_from_slice(key);
        self.values.extend_from_slice(value);
        self.len += 1;
    }

    pub(crate) fn key(&mut self, key: &[u8]) {
        self.entry(key, &[]);
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let each = (self.values.len() / self.len.max(1) as usize).max(1);
        self.keys().zip(self.values.chunks_exact(each))
    }

    pub(crate) fn keys(&self) -> impl Iterator<Item = &[u8]> {
        let each = (self.keys.len() / self.len.max(1) as usize).max(1);
        self.keys.chunks_exact(each)
    }
}

/// Where tables are written to: the kernel, or a test's memory.
pub(crate) trait Store {
    /// All or some of the entries; which ones is not known after an error.
    fn put(&mut self, table: Table, entries: &Batch) -> io::Result<()>;

    /// Everything that is in the table.
    fn entries(&self, table: Table) -> io::Result<Batch>;

    /// Keys that are absent are no error.
    fn remove(&mut self, table: Table, keys: &Batch) -> io::Result<()>;

    fn policy(&self, slot: u32) -> u64;

    /// One aligned store, which no packet sees half of.
    fn set_policy(&mut self, slot: u32, word: u64);

    /// Sets words of many slots so that all are set, if not by this process then by the next.
    fn flip(&mut self, words: &[(u32, u64)]) -> io::Result<()>;

    /// Finishes what an earlier process had begun to flip.
    fn finish_flip(&mut self, slots: &[u32]) -> io::Result<()>;

    /// The number that a pod was given last.
    fn last_pod(&self) -> io::Result<u32>;

    fn set_last_pod(&mut self, number: u32) -> io::Result<()>;

    /// Returns when every packet that was in a program before the call has left it.
    fn wait_for_packets(&mut self) -> io::Result<()>;
}
