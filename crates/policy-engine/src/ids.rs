//! Typed indices into a program's tables.

use std::fmt;
use std::sync::Arc;

macro_rules! id {
    ($(#[$doc:meta])* $vis:vis $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        $vis struct $name(pub(crate) u32);

        impl $name {
            /// Ids count from 0 in the order in which things were added.
            #[expect(clippy::cast_possible_truncation, reason = "tables stay below 2^32 entries")]
            $vis fn from_index(index: usize) -> Self {
                Self(index as u32)
            }

            $vis fn index(self) -> usize {
                self.0 as usize
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

id!(
    /// A pod of a program. In a freshly compiled one, its index in `Snapshot::pods`.
    pub PodId
);
id!(
    /// A set of pods that no rule can tell apart, as peer or as subject.
    pub ClassId
);
id!(
    /// The rules of all policies that apply to a pod in one direction.
    pub ProfileId
);
id!(
    /// What decides of profiles, interned.
    pub(crate) ShapeId
);
id!(
    /// Something that a rule's peer can select, interned.
    pub TermId
);
id!(
    /// A policy's place in the program.
    pub PolicyIx
);

/// A growing table that gives equal values equal indices.
#[derive(Clone, Debug)]
pub(crate) struct Interner<K> {
    values: Vec<Arc<K>>,
    ids: rustc_hash::FxHashMap<Arc<K>, usize>,
}

impl<K> Default for Interner<K> {
    fn default() -> Self {
        Self { values: Vec::new(), ids: rustc_hash::FxHashMap::default() }
    }
}

impl<K: Eq + std::hash::Hash> Interner<K> {
    pub(crate) fn intern(&mut self, value: K) -> usize {
        self.intern_shared(value).0
    }

    /// [`Self::intern`], with the value that has the index.
    pub(crate) fn intern_shared(&mut self, value: K) -> (usize, Arc<K>) {
        if let Some((known, id)) = self.ids.get_key_value(&value) {
            return (*id, Arc::clone(known));
        }
        let shared = Arc::new(value);
        self.values.push(Arc::clone(&shared));
        self.ids.insert(Arc::clone(&shared), self.values.len() - 1);
        (self.values.len() - 1, shared)
    }

    pub(crate) fn values(&self) -> &[Arc<K>] {
        &self.values
    }
}
