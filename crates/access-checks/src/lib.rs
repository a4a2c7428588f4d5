//! What identity providers and an API server say of a caller.
