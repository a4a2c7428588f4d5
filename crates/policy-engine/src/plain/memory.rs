//! What sides and pairs of sides allow, each computed once.

use crate::bits::RuleBits;
use crate::decide::{ProtocolRule, decide};
use crate::ids::ShapeId;
use crate::program::Program;
use crate::semantics::Reasons;
use crate::shape::Shape;
use crate::traffic::PairTraffic;
use net_types::{PortRange, PortSet, Protocol, Traffic};
use policy_model::ContainerPort;
use rustc_hash::FxHashMap;
use std::rc::Rc;

/// What a side allows. Only protocols without ports may be open to readings.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct SideTraffic {
    allowed: Traffic,
    /// Protocols without ports are allowed in some reading.
    other_may: bool,
    reasons: Reasons,
}

/// A [`SideTraffic`], by its place in [`Memory::sets`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct SetIx(u32);

/// By the destination's named ports and the matching rules; `None` where the answer is not settled.
type KnownSides = FxHashMap<(usize, u64), Option<SetIx>>;

#[derive(Debug)]
pub(super) struct Memory {
    sets: Vec<SideTraffic>,
    ids: FxHashMap<SideTraffic, SetIx>,
    /// By shape: few sets of its rules ever match a peer together.
    sides: Vec<KnownSides>,
    pairs: FxHashMap<(SetIx, SetIx), Rc<PairTraffic>>,
}

impl Memory {
    /// What a side without policies allows.
    pub(super) const EVERYTHING: SetIx = SetIx(0);

    pub(super) fn new() -> Self {
        let mut memory = Self {
            sets: Vec::new(),
            ids: FxHashMap::default(),
            sides: Vec::new(),
            pairs: FxHashMap::default(),
        };
        let reasons = Reasons::NONE;
        memory.intern(SideTraffic { allowed: Traffic::all(), other_may: true, reasons });
        memory
    }

    fn intern(&mut self, traffic: SideTraffic) -> SetIx {
        if let Some(id) = self.ids.get(&traffic) {
            return *id;
        }
        let id = SetIx(u32::try_from(self.sets.len()).unwrap_or(u32::MAX));
        self.sets.push(traffic.clone());
        self.ids.insert(traffic, id);
        id
    }

    /// What a side allows when exactly `rules` match its peer; `None` where some port is undefined.
    /// `served` is the destination's, where the shape speaks of names.
    pub(super) fn side(
        &mut self,
        program: &Program,
        id: ShapeId,
        served: usize,
        rules: u64,
    ) -> Option<SetIx> {
        let known = self.sides.get(id.index());
        if let Some(set) = known.and_then(|sides| sides.get(&(served, rules))) {
            return *set;
        }
        let shape = program.shape(id)?;
        let ports = program.classes.served(served);
        let set = side_traffic(program, shape, ports, rules).map(|traffic| self.intern(traffic));
        if self.sides.len() <= id.index() {
            self.sides.resize_with(id.index() + 1, KnownSides::default);
        }
        if let Some(sides) = self.sides.get_mut(id.index()) {
            sides.insert((served, rules), set);
        }
        set
    }

    pub(super) fn pair(&mut self, egress: SetIx, ingress: SetIx) -> Rc<PairTraffic> {
        if let Some(known) = self.pairs.get(&(egress, ingress)) {
            return Rc::clone(known);
        }
        let set = |ix: SetIx| self.sets.get(ix.0 as usize).cloned().unwrap_or_default();
        let (egress_set, ingress_set) = (set(egress), set(ingress));
        let mut traffic = PairTraffic {
            allowed: egress_set.allowed.intersection(&ingress_set.allowed),
            ..PairTraffic::default()
        };
        if egress_set.other_may && ingress_set.other_may && !traffic.allowed.other {
            traffic.undefined.other = true;
            traffic.reasons = egress_set.reasons.union(ingress_set.reasons);
        }
        let traffic = Rc::new(traffic);
        self.pairs.insert((egress, ingress), Rc::clone(&traffic));
        traffic
    }
}

/// What a side allows when exactly `rules` match its peer; `None` where some port is undefined.
fn side_traffic(
    program: &Program,
    shape: &Shape,
    served: &[ContainerPort],
    rules: u64,
) -> Option<SideTraffic> {
    let matching = RuleBits::of_word(rules);
    let decided = |protocol: ProtocolRule, at_port: &RuleBits| {
        let rules = matching.intersection(at_port);
        decide(shape, &rules, &rules, protocol)
    };
    let mut settled = true;
    let [tcp, udp, sctp] = Protocol::WITH_PORTS.map(|protocol| -> PortSet {
        let mut ranges: Vec<PortRange> = Vec::new();
        shape.ports.cells(protocol, served, |range, at_port| {
            let outcome = decided(ProtocolRule::Defined, at_port);
            settled &= outcome.allow != outcome.deny;
            ranges.extend(outcome.allow.then_some(range));
        });
        ranges.into_iter().collect()
    });
    let other = decided(program.protocol_rule(Protocol::Other(1)), shape.ports.without_ports());
    let allowed = Traffic { tcp, udp, sctp, other: !other.deny };
    let side = SideTraffic { allowed, other_may: other.allow, reasons: other.reasons };
    settled.then_some(side)
}
