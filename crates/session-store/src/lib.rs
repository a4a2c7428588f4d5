//! Recordings on disk and in object storage: written, recovered, sealed, read.
