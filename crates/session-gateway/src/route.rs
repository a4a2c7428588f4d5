//! Which cluster a request is for.
//!
//! By the name under which the gateway was called, else by the first steps of the path, `/clusters/NAME/…`. Where
//! there is one cluster only, its paths may begin at the root. The rest of the path is not looked at here, nor
//! changed: reading it is the classifier's work.

use crate::caller::Cluster;
use std::sync::Arc;

const PREFIX: &str = "/clusters/";

/// The clusters that the gateway knows.
#[derive(Debug)]
pub(crate) struct Routes {
    clusters: Vec<(Vec<String>, Arc<Cluster>)>,
}

impl Routes {
    /// Each cluster with the hosts under which it is at the root.
    pub(crate) fn new(clusters: Vec<(Vec<String>, Arc<Cluster>)>) -> Self {
        Self { clusters }
    }

    pub(crate) fn clusters(&self) -> impl Iterator<Item = &Arc<Cluster>> {
        self.clusters.iter().map(|(_, cluster)| cluster)
    }

    /// The cluster, and the path as that cluster sees it. `host` is without its port.
    pub(crate) fn find<'path>(
        &self,
        host: &str,
        path: &'path str,
    ) -> Option<(&Arc<Cluster>, &'path str)> {
        let host = host.to_ascii_lowercase();
        if let Some((_, cluster)) = self.clusters.iter().find(|(hosts, _)| hosts.contains(&host)) {
            return Some((cluster, path));
        }
        if let Some(rest) = path.strip_prefix(PREFIX) {
            let end = rest.find(['/', '?']).unwrap_or(rest.len());
            let (name, rest) = rest.split_at_checked(end)?;
            let cluster = self.clusters().find(|cluster| cluster.upstream.name == name)?;
            return Some((cluster, if rest.is_empty() { "/" } else { rest }));
        }
        match self.clusters.as_slice() {
            [(_, only)] => Some((only, path)),
            _ => None,
        }
    }
}
