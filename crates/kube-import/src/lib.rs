//! Manifests in, snapshot and findings out.
