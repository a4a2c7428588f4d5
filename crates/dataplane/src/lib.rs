//! The data plane: policies, compiled to tables, enforced on packets by programs in the kernel.
//!
//! ```text
//! bpf/               the programs; abi.h has the layout of every table
//! skeleton           generated from what clang makes of them, so that no layout is written twice
//! object · calls     load the object, and the bpf(2) calls that libbpf-rs does not wrap
//! inquiry            asks the kernel's tables without a packet
//! facts              what the running kernel says about itself
//! attach · pods      which interfaces, and whose; places: found without a hash
//! writer             makes the tables say what `policy_tables::Tables` says, with one flip for each pod
//! events             the ring, as sightings
//! verifier           what it takes to show that the programs are harmless
//! inspect            what is pinned, looked at from outside
//! pins · layout      where a data plane is pinned, and its entries in the layout of another version
//! upgrade            takes over from an earlier schema, in place
//! node_plane         all of it for one node, pinned so that it outlives the process
//! ```
//!
//! `docs/design/data-plane.md` argues the design. **Invariants** are there too; those of an update stand
//! in `writer`. Deliberately absent: what policies mean (`policy-engine`), names (`flow-attribution`).

mod attach;
mod calls;
mod events;
mod facts;
mod inquiry;
mod inspect;
mod kernel_store;
mod layout;
mod node_plane;
mod object;
mod pins;
mod places;
mod pods;
pub mod skeleton;
mod upgrade;
mod verifier;
mod wire;
mod writer;

pub use attach::Hook;
pub use calls::{TcxSide, link_tcx};
pub use events::Events;
pub use facts::tracked_connection_type;
pub use inquiry::{Answer, Inquiry};
pub use inspect::{
    ConnectionState, Inspection, PlaneLoad, PlaneState, PodPolicyState, PodState, TableState,
};
pub use node_plane::{NodePlane, OpenError, Options, PodPolicy};
pub use object::{DEFAULT_SETTINGS, load, open};
pub use pods::{PodInterface, PodNumber};
pub use upgrade::Upgraded;
pub use verifier::{Verified, verify};
pub use writer::{Established, PodMode, ServicesError, Table, WriteError, Written};
