//! Who watches sessions now: so many together, and so many of one person, so that nobody keeps the others from it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

const TOGETHER: usize = 100;
const OF_ONE: usize = 20;

#[derive(Debug, Default)]
pub(crate) struct Watching(Arc<Mutex<BTreeMap<String, usize>>>);

/// A live view that goes on, until it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    user: String,
    watching: Arc<Mutex<BTreeMap<String, usize>>>,
}

impl Watching {
    /// None where there are enough.
    pub(crate) fn enter(&self, user: &str) -> Option<Place> {
        let mut views = locked(&self.0);
        let together: usize = views.values().sum();
        let own = views.get(user).copied().unwrap_or_default();
        if together >= TOGETHER || own >= OF_ONE {
            return None;
        }
        views.insert(user.to_owned(), own + 1);
        Some(Place { user: user.to_owned(), watching: Arc::clone(&self.0) })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut views = locked(&self.watching);
        match views.get_mut(&self.user) {
            Some(own) if *own > 1 => *own -= 1,
            Some(_) | None => drop(views.remove(&self.user)),
        }
    }
}

// Numbers are whole whoever panicked beside them.
fn locked(views: &Mutex<BTreeMap<String, usize>>) -> MutexGuard<'_, BTreeMap<String, usize>> {
    views.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_takes_all_places() {
        let watching = Watching::default();
        let mut places = Vec::new();
        for user in ["ann", "bob", "cass", "dora", "eve", "fred"] {
            places.push((0..30).map_while(|_| watching.enter(user)).collect::<Vec<_>>());
        }
        let lengths: Vec<usize> = places.iter().map(Vec::len).collect();
        assert_eq!(lengths, [20, 20, 20, 20, 20, 0]);
        drop(places.remove(1));
        assert!(watching.enter("fred").is_some());
        drop(places);
        assert_eq!(locked(&watching.0).len(), 0);
    }
}
