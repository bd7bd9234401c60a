//! What people want of us altogether: to be left alone, or to be written to again.

use super::word::words;

words! {
    /// What a word that a person wrote stands for.
    Keyword, "keyword" {
        Stop = 0, "stop";
        Start = 1, "start";
    }
}

words! {
    /// Who says that somebody wants nothing more. The later ones weigh more: they take more to be undone.
    WishFrom, "source of an opt-out" {
        /// The person's own word, to us.
        Person = 0, "person";
        /// The provider, which was told so by the person.
        Provider = 1, "provider";
        /// Somebody here, with a list or a command.
        Operator = 2, "operator";
    }
}
