//! Ways around the gateway: closed, compared with the audit log, listed.
