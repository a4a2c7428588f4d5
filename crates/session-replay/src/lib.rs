//! What a recording shows: screens, command lines, files and text.
