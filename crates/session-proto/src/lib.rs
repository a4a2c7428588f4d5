//! What clients and runtimes say on the wire of a privileged session.
