//! Semantic findings about policies, one check a file.
