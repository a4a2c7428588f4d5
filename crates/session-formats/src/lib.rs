//! A recording as asciicast, text, JSON and pcapng.
