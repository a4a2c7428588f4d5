//! The data plane: `docs/design/data-plane.md`. So far its layouts, in `bpf/abi.h`.
