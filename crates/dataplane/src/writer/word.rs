//! The word that says what holds for a pod; its layout is `enum policy_word` of `abi.h`.

use super::column::Column;

const PROFILE_BITS: u32 = 16;
const PROFILE_MASK: u64 = 0xffff;
const COLUMN_BIT: u32 = 32;
const OBSERVE_BIT: u32 = 33;
const KEEP_BIT: u32 = 34;
const GENERATION_SHIFT: u32 = 35;
const GENERATION_MASK: u64 = (1 << 29) - 1;

/// A profile's number in the kernel. 0: no policy has been written yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct KernelProfile(pub(crate) u16);

/// What is done with a pod's verdicts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PodMode {
    #[default]
    Enforce,
    /// Everything is evaluated and reported, and nothing is dropped by policy.
    Observe,
}

/// What happens to an established connection that a change denies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Established {
    /// Its next packet is dropped.
    #[default]
    Revoke,
    Keep,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct PolicyWord {
    pub(crate) ingress: KernelProfile,
    pub(crate) egress: KernelProfile,
    pub(crate) column: Column,
    pub(crate) mode: PodMode,
    pub(crate) established: Established,
    /// 29 bits; 0 only while no policy has been written.
    pub(crate) generation: u32,
}

impl PolicyWord {
    pub(crate) fn bits(self) -> u64 {
        u64::from(self.ingress.0)
            | u64::from(self.egress.0) << PROFILE_BITS
            | u64::from(self.column == Column::Second) << COLUMN_BIT
            | u64::from(self.mode == PodMode::Observe) << OBSERVE_BIT
            | u64::from(self.established == Established::Keep) << KEEP_BIT
            | (u64::from(self.generation) & GENERATION_MASK) << GENERATION_SHIFT
    }

    pub(crate) fn of_bits(bits: u64) -> Self {
        let profile = |shift: u32| KernelProfile((bits >> shift & PROFILE_MASK) as u16);
        let flag = |bit: u32| bits >> bit & 1 == 1;
        Self {
            ingress: profile(0),
            egress: profile(PROFILE_BITS),
            column: if flag(COLUMN_BIT) { Column::Second } else { Column::First },
            mode: if flag(OBSERVE_BIT) { PodMode::Observe } else { PodMode::Enforce },
            established: if flag(KEEP_BIT) { Established::Keep } else { Established::Revoke },
            generation: (bits >> GENERATION_SHIFT & GENERATION_MASK) as u32,
        }
    }

    pub(crate) fn denies_everything(self) -> bool {
        [self.ingress, self.egress] == [KernelProfile::DENY_EVERYTHING; 2]
    }

    /// The next word of the same pod, whatever the tables say.
    pub(crate) fn denying_everything(self) -> Self {
        let [ingress, egress] = [KernelProfile::DENY_EVERYTHING; 2];
        Self { ingress, egress, generation: self.next_generation(), ..self }
    }

    /// Of the next change: never 0, so that it differs from a pod without policy.
    pub(crate) fn next_generation(self) -> u32 {
        if u64::from(self.generation) >= GENERATION_MASK { 1 } else { self.generation + 1 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_reads_back_as_it_was_written() {
        let word = PolicyWord {
            ingress: KernelProfile(65_535),
            egress: KernelProfile(2),
            column: Column::Second,
            mode: PodMode::Enforce,
            established: Established::Keep,
            generation: (1 << 29) - 1,
        };
        assert_eq!(PolicyWord::of_bits(word.bits()), word);
        assert_eq!(word.next_generation(), 1);
        assert_eq!(PolicyWord::of_bits(0), PolicyWord::default());
    }
}
