//! Recordings over HTTP, and the page that plays them.
