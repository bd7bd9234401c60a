//! The known sections and keys.

/// A section of `volley.toml`.
#[derive(Debug)]
pub(super) struct Section {
    pub(super) name: &'static str,
    /// Whether it is written `[[name]]` and repeated, each entry with its own name.
    pub(super) named: bool,
    pub(super) keys: &'static [Key],
}

#[derive(Debug)]
pub(super) struct Key {
    pub(super) name: &'static str,
    pub(super) secret: bool,
    pub(super) takes: Takes,
}

/// The values that a key takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Takes {
    Text,
    /// A list of texts, in a variable separated by commas.
    List,
    /// A text, or a table of texts by name.
    Texts,
    /// `true` or `false`.
    Switch,
}

impl Takes {
    /// What a value of another kind is told.
    pub(super) const fn must_be(self) -> &'static str {
        match self {
            Self::Text => "must be a text in quotes",
            Self::List => "must be a list of texts in quotes",
            Self::Texts => "must be a text in quotes, or a table of texts",
            Self::Switch => "must be true or false",
        }
    }
}

const fn key(name: &'static str) -> Key {
    Key { name, secret: false, takes: Takes::Text }
}

const fn secret(name: &'static str) -> Key {
    Key { name, secret: true, takes: Takes::Text }
}

const fn list(name: &'static str) -> Key {
    Key { name, secret: false, takes: Takes::List }
}

const fn switch(name: &'static str) -> Key {
    Key { name, secret: false, takes: Takes::Switch }
}

const fn texts(name: &'static str) -> Key {
    Key { name, secret: false, takes: Takes::Texts }
}

pub(super) static DATABASE: Section = Section { name: "database", named: false, keys: &[key("url")] };
pub(super) static SERVER: Section = Section {
    name: "server",
    named: false,
    keys: &[
        key("listen"),
        key("public_url"),
        list("trusted_proxies"),
        key("tls_certificate"),
        key("tls_key"),
        switch("metrics_open"),
        switch("once_per_client_id"),
        key("uploads_max"),
    ],
};
pub(super) static PROVIDER: Section = Section {
    name: "provider",
    named: false,
    keys: &[
        key("base_url"),
        key("sub_account"),
        key("account_id"),
        key("account_name"),
        secret("api_key"),
        key("api_key_file"),
        secret("webhook_authorization"),
        key("webhook_authorization_file"),
        key("webhook_secret_file"),
        key("send"),
        key("batch_size"),
        key("timeout"),
        key("connections"),
        key("connect_timeout"),
        secret("proxy"),
        key("ca_file"),
    ],
};
pub(super) static OPT_OUT: Section = Section {
    name: "opt_out",
    named: false,
    keys: &[
        list("stop"),
        list("start"),
        list("ignore"),
        list("contains"),
        key("stop_means"),
        texts("confirm"),
        key("group"),
        key("contacts_url"),
    ],
};
pub(super) static PRICES: Section = Section { name: "prices", named: false, keys: &[key("file")] };
pub(super) static RETENTION: Section =
    Section { name: "retention", named: false, keys: &[key("after"), key("audit_log")] };
pub(super) static CAMPAIGNS: Section = Section { name: "campaigns", named: false, keys: &[key("approval_above")] };
pub(super) static QUALITY: Section =
    Section { name: "quality", named: false, keys: &[key("yellow"), key("red"), key("flagged")] };
pub(super) static OUTGOING: Section = Section { name: "outgoing", named: false, keys: &[list("allow")] };
pub(super) static ALERT: Section = Section {
    name: "alert",
    named: true,
    keys: &[key("name"), secret("url"), key("format"), list("command"), list("kinds")],
};
pub(super) static ACCOUNT: Section = Section { name: "account", named: true, keys: &[key("name"), key("rate")] };
pub(super) static LANE: Section = Section {
    name: "lane",
    named: true,
    keys: &[
        key("name"),
        key("channel"),
        key("rate"),
        key("burst"),
        key("number"),
        key("channel_id"),
        switch("also_in_app"),
        key("account"),
        key("portfolio"),
        key("tier"),
        key("source"),
        list("countries"),
        key("api"),
        key("base_url"),
        key("sub_account"),
        key("account_id"),
        secret("api_key"),
        key("api_key_file"),
    ],
};

/// Written `[[route]]` with `[[route.step]]`, only in the file.
pub(super) const ROUTE: &str = "route";

pub(super) static SECTIONS: [&Section; 12] = [
    &DATABASE, &SERVER, &PROVIDER, &OPT_OUT, &PRICES, &RETENTION, &CAMPAIGNS, &QUALITY, &OUTGOING, &ALERT, &ACCOUNT,
    &LANE,
];

impl Section {
    pub(super) fn find(name: &str) -> Option<&'static Self> {
        SECTIONS.into_iter().find(|section| section.name == name)
    }

    pub(super) fn key(&self, name: &str) -> Option<&'static Key> {
        self.keys.iter().find(|key| key.name == name)
    }

    pub(super) fn key_names(&self) -> impl Iterator<Item = &'static str> {
        self.keys.iter().map(|key| key.name)
    }
}
