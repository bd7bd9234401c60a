//! What the audit log records.

use super::word::words;

words! {
    /// An action of the audit log.
    AuditAction, "action" {
        /// A request that changed something, or tried to.
        Request = 0, "request";
        KeyCreated = 1, "key created";
        KeyRotated = 2, "key rotated";
        KeyRevoked = 3, "key revoked";
        OperatorCreated = 4, "operator created";
        PasswordSet = 5, "password set";
        OperatorDisabled = 6, "operator disabled";
        OperatorEnabled = 7, "operator enabled";
        SignedIn = 8, "signed in";
        SignedOut = 9, "signed out";
        ScopesSet = 10, "scopes set";
        SignInFailed = 11, "sign-in failed";
    }
}
