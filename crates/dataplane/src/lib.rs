//! The data plane: policies, compiled to tables, enforced on packets by programs in the kernel.
//!
//! `docs/design/data-plane.md` argues the design. `bpf/` has the programs, and in `abi.h` the layout of
//! every table; [`skeleton`] is generated from what clang makes of them, so that no layout is written
//! twice.

mod object;
pub mod skeleton;

pub use object::{DEFAULT_SETTINGS, load, open};
