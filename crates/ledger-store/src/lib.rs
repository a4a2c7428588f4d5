//! A ledger on disk, and who watches it.
