//! `[database]` and `[server]`.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use super::error::Error;
use super::provider::web_address;
use super::read::Reader;
use super::tls::TlsFiles;
use crate::base::domain::{ByteSize, IpNetwork};

/// Ten files of 2 GB.
const UPLOADS_MAX: ByteSize = ByteSize::from_bytes(20_000_000_000);

/// The database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Database {
    /// One file, one node.
    Sqlite { path: PathBuf },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    pub listen: SocketAddr,
    /// The base of webhook URLs and of links in pages; without a trailing slash.
    pub public_url: String,
    /// The networks of the proxies before the server, whose `X-Forwarded-For` and `X-Forwarded-Proto` count.
    pub trusted_proxies: Vec<IpNetwork>,
    /// Set if the server itself speaks TLS.
    pub tls: Option<TlsFiles>,
    /// Whether `/metrics` needs no key.
    pub metrics_open: bool,
    /// Whether the same `clientMessageId` of the 8x8 API is accepted once within a day.
    pub once_per_client_id: bool,
    /// The size of all uploads together.
    pub uploads_max: ByteSize,
}

impl Database {
    const DEFAULT: &'static str = "sqlite://volley.db";

    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, Error> {
        let url: String = reader.parsed_or("url", Self::DEFAULT.to_owned())?;
        match url.split_once(':') {
            Some(("sqlite", rest)) => {
                let path = rest.strip_prefix("//").unwrap_or(rest);
                if path.is_empty() || path.ends_with('/') || path.contains('?') || path.contains(":memory:") {
                    let problem =
                        format!("\"{url}\" has no file path; use sqlite:// and a path, such as {}", Self::DEFAULT);
                    return Err(reader.wrong("url", problem));
                }
                Ok(Self::Sqlite { path: reader.resolve("url", path) })
            }
            Some(("postgres" | "postgresql", _)) => {
                Err(Error::NotBuilt { at: reader.at("url"), what: "PostgreSQL", instead: "use sqlite:// and a path" })
            }
            _ => Err(reader.wrong("url", format_args!("invalid database \"{url}\"; use sqlite:// and a path"))),
        }
    }
}

impl Server {
    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, Error> {
        const DEFAULT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8688);
        let listen = if reader.has("listen") {
            let text = reader.text("listen")?.unwrap_or_default();
            text.replace("localhost:", "127.0.0.1:").parse().map_err(|_| {
                reader.wrong(
                    "listen",
                    format_args!("invalid address \"{text}\"; use an address and a port, such as {DEFAULT}"),
                )
            })?
        } else {
            reader.assume("listen", &DEFAULT);
            DEFAULT
        };
        let tls = TlsFiles::read(reader)?;
        let public_url = if reader.has("public_url") {
            web_address(reader, "public_url")?.unwrap_or_default()
        } else {
            // The unspecified address cannot be posted to.
            let ip = if listen.ip().is_unspecified() { DEFAULT.ip() } else { listen.ip() };
            let scheme = if tls.is_some() { "https" } else { "http" };
            let url = format!("{scheme}://{}", SocketAddr::new(ip, listen.port()));
            reader.assume("public_url", &url);
            url
        };
        let trusted_proxies = reader.parsed_list("trusted_proxies")?;
        let metrics_open = reader.switch("metrics_open", false)?;
        let once_per_client_id = reader.switch("once_per_client_id", false)?;
        let uploads_max = reader.parsed_or("uploads_max", UPLOADS_MAX)?;
        Ok(Self { listen, public_url, trusted_proxies, tls, metrics_open, once_per_client_id, uploads_max })
    }

    /// What its settings permit that nobody wants.
    pub(super) fn warning(&self) -> Option<String> {
        let everywhere = self.trusted_proxies.iter().find(|network| network.is_everywhere())?;
        Some(format!(
            "[server]: trusted_proxies = [\"{everywhere}\"] lets every client choose the address that limits and the log \
             see; write the addresses of your proxies alone"
        ))
    }
}
