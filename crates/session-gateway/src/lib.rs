//! The server in front of API servers that records privileged access.
