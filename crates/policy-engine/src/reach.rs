//! Which of many pods one pod may reach, asked once for each class instead of once for each pod.

use crate::ids::{ClassId, PodId};
use crate::program::Program;
use crate::rows::Rows;
use crate::traffic::PairTraffic;
use roaring::RoaringBitmap;
use std::rc::Rc;

/// Pods of one program in one state, and their classes.
#[derive(Clone, Debug, Default)]
pub struct PodGroup {
    pods: RoaringBitmap,
    classes: RoaringBitmap,
}

impl PodGroup {
    pub fn is_empty(&self) -> bool {
        self.pods.is_empty()
    }

    pub fn n_pods(&self) -> u64 {
        self.pods.len()
    }
}

impl Program {
    /// Removed pods are left away.
    pub fn group(&self, pods: impl IntoIterator<Item = PodId>) -> PodGroup {
        let mut group = PodGroup::default();
        for pod in pods {
            if let Some(class) = self.classes.of(pod) {
                group.pods.insert(pod.0);
                group.classes.insert(class.0);
            }
        }
        group
    }

    /// The pods of a group by class, ascending.
    pub fn classes_in(&self, group: &PodGroup) -> Vec<(ClassId, Vec<PodId>)> {
        let members = |class: u32| {
            let class = ClassId(class);
            let pods = self.classes.members(class).map(|members| members & &group.pods);
            (class, pods.into_iter().flatten().map(PodId).collect())
        };
        group.classes.iter().map(members).collect()
    }

    /// Answers about all pairs, which get cheaper the more are asked of the same value.
    pub fn rows(&self) -> Rows<'_> {
        Rows::new(self)
    }
}

impl Rows<'_> {
    /// The pods of a group that the pods of a class may reach, together where the traffic is the same:
    /// what is not listed is denied on every port of TCP, UDP and SCTP.
    ///
    /// A pod that is in the class and in the group is listed too; whether traffic to itself is meant is
    /// for the caller to decide.
    pub fn reached_from(
        &mut self,
        source: ClassId,
        group: &PodGroup,
    ) -> Vec<(Vec<PodId>, Rc<PairTraffic>)> {
        let row = self.row(source, Some(&group.classes));
        let in_group = row.into_iter().map(|reached| {
            let all = || self.program.classes.members(reached.class).cloned();
            let pods = reached.pods.or_else(all).unwrap_or_default() & &group.pods;
            (pods.into_iter().map(PodId).collect::<Vec<_>>(), reached.traffic)
        });
        in_group.filter(|(pods, _)| !pods.is_empty()).collect()
    }
}
