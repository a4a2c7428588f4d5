//! The commands of weir.
