//! Connections over real sockets: private certificates, proxies that work, refuse or stay silent, and every stage that
//! can fail.

use futures_util::FutureExt;
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;

use super::*;
use crate::base::config::Config;
use crate::provider::client::http_client::install_tls;

const AUTHORITY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/support/tls/authority.pem");
/// For 127.0.0.1 alone.
const CERTIFICATE: &[u8] = include_bytes!("../../../tests/it/support/tls/provider.pem");
const KEY: &[u8] = include_bytes!("../../../tests/it/support/tls/provider.key");

/// The network of `[provider]` with these lines in it.
fn network(lines: &str) -> Network {
    let file = std::path::Path::new("volley.toml");
    let text = format!("[provider]\n{lines}\n");
    let none = std::iter::empty::<(&str, String)>();
    Config::read(Some((file, &text)), std::iter::empty(), none).unwrap().config.provider.network
}

fn trusting(lines: &str) -> Network {
    network(&format!("ca_file = \"{AUTHORITY}\"\n{lines}"))
}

/// Opens a connection as a server does, but without the environment.
async fn open(url: &str, resolver: Resolver, network: &Network) -> Result<Stream, Unconnected> {
    install_tls();
    let direct = Matcher::builder().build();
    let matcher = if network.proxy.is_some() { proxies(network).unwrap() } else { direct };
    Connector::to(&url.parse().unwrap(), resolver, network, &matcher).unwrap().0.open().await
}

async fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// A server that finishes the TLS handshake of every connection.
async fn tls_server() -> SocketAddr {
    install_tls();
    let certificates = vec![rustls::pki_types::CertificateDer::from_pem_slice(CERTIFICATE).unwrap()];
    let key = PrivateKeyDer::from_pem_slice(KEY).unwrap();
    let config = ServerConfig::builder().with_no_client_auth().with_single_cert(certificates, key).unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let (listener, address) = listener().await;
    tokio::spawn(async move {
        loop {
            let (socket, _) = listener.accept().await.unwrap();
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                if let Ok(mut socket) = acceptor.accept(socket).await {
                    // Until the other side hangs up.
                    let _ = socket.read(&mut [0]).await;
                }
            });
        }
    });
    address
}

/// What a proxy does with a CONNECT.
#[derive(Clone, Copy)]
enum Mood {
    Tunnels(SocketAddr),
    Answers(&'static str),
    Closes,
    IsSilent,
}

/// A proxy, and the heads of the requests that it gets.
async fn proxy(mood: Mood) -> (SocketAddr, mpsc::Receiver<String>) {
    let (listener, address) = listener().await;
    let (heads, seen) = mpsc::channel(8);
    tokio::spawn(async move {
        loop {
            let (socket, _) = listener.accept().await.unwrap();
            tokio::spawn(tunnel(socket, mood, heads.clone()));
        }
    });
    (address, seen)
}

async fn tunnel(mut socket: TcpStream, mood: Mood, heads: mpsc::Sender<String>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if socket.read_buf(&mut head).await.unwrap() == 0 {
            return;
        }
    }
    heads.send(String::from_utf8(head).unwrap()).await.unwrap();
    match mood {
        Mood::Tunnels(to) => {
            socket.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await.unwrap();
            let mut far = TcpStream::connect(to).await.unwrap();
            let _ = copy_bidirectional(&mut socket, &mut far).await;
        }
        Mood::Answers(answer) => {
            socket.write_all(answer.as_bytes()).await.unwrap();
            let _ = socket.read(&mut [0]).await;
        }
        Mood::Closes => {}
        Mood::IsSilent => {
            let _ = socket.read(&mut [0]).await;
        }
    }
}

fn with_proxy(address: SocketAddr) -> Network {
    trusting(&format!("proxy = \"http://ann:s3cret@{address}\""))
}

#[tokio::test]
async fn a_private_certificate_is_trusted_if_ca_file_names_its_issuer() {
    let url = format!("https://{}", tls_server().await);
    assert!(open(&url, Resolver::System, &trusting("")).await.is_ok());
    let Err(error) = open(&url, Resolver::System, &network("")).await else { panic!("trusted") };
    assert_eq!(error.why, Why::UnknownIssuer);
    assert!(error.to_string().ends_with("; name the issuer's certificate with `ca_file`"), "{error}");
}

#[tokio::test]
async fn a_certificate_of_another_host_is_refused() {
    let address = tls_server().await;
    let url = format!("https://provider.test:{}", address.port());
    let Err(error) = open(&url, fixed(Ok(vec![address])), &trusting("")).await else { panic!("accepted") };
    assert_eq!(error.why, Why::OtherHost);
    assert!(error.to_string().contains("its certificate is for another host"), "{error}");
}

#[tokio::test]
async fn a_server_without_tls_is_told_apart() {
    let (listener, plain) = listener().await;
    tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        socket.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
        let _ = socket.read(&mut [0; 1_024]).await;
    });
    let Err(error) = open(&format!("https://{plain}"), Resolver::System, &trusting("")).await else { panic!("opened") };
    let said = format!(
        "no TLS connection to {plain} (the server speaks no TLS at this port); check scheme and port of base_url"
    );
    assert_eq!(error.to_string(), said);
}

#[tokio::test]
async fn a_proxy_tunnels_to_the_provider_with_its_credentials() {
    let provider = tls_server().await;
    let (address, mut heads) = proxy(Mood::Tunnels(provider)).await;
    assert!(open(&format!("https://{provider}"), Resolver::System, &with_proxy(address)).await.is_ok());
    let head = heads.recv().await.unwrap();
    assert!(head.starts_with(&format!("CONNECT {provider} HTTP/1.1\r\n")), "{head}");
    // "ann:s3cret" in Base64.
    assert!(head.contains("Proxy-Authorization: Basic YW5uOnMzY3JldA==\r\n"), "{head}");
}

#[tokio::test]
async fn a_proxy_that_refuses_is_named_with_what_to_do() {
    let wants_key = "HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n";
    let forbids = "HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n";
    for (mood, why, advice) in [
        (Mood::Answers(wants_key), Some(Why::ProxyAuthentication), "write proxy = \"http://user:password@host:port\""),
        (Mood::Answers(forbids), Some(Why::ProxyRefuses), "check the rules of the proxy"),
        (Mood::Closes, None, "check the rules of the proxy"),
    ] {
        let (address, _heads) = proxy(mood).await;
        let opened = open("https://provider.test", Resolver::System, &with_proxy(address)).await;
        let Err(error) = opened else { panic!("opened") };
        assert_eq!(error.stage, Stage::Proxy { proxy: address.to_string(), host: "provider.test".to_owned() });
        assert!(why.is_none_or(|why| why == error.why), "{error:?}");
        let said = error.to_string();
        assert!(said.contains(&address.to_string()) && said.ends_with(advice) && !said.contains("s3cret"), "{said}");
    }
}

#[tokio::test]
async fn a_silent_proxy_times_out() {
    let (address, mut heads) = proxy(Mood::IsSilent).await;
    let network = with_proxy(address);
    let opening = open("https://provider.test", Resolver::System, &network);
    tokio::pin!(opening);
    let head = tokio::select! {
        _ = &mut opening => panic!("ended early"),
        head = heads.recv() => head.unwrap(),
    };
    assert!(head.starts_with("CONNECT provider.test:443 "), "{head}");
    tokio::time::pause();
    let Err(error) = opening.await else { panic!("opened") };
    assert!(matches!(error.stage, Stage::Proxy { .. }) && error.why == Why::TimedOut(Span::from_secs(10)), "{error:?}");
    assert!(error.to_string().contains("(no answer within 10s)"), "{error}");
}

#[tokio::test]
async fn a_silent_tls_server_times_out_within_connect_timeout() {
    let (listener, address) = listener().await;
    let network = trusting("connect_timeout = \"3s\"");
    let url = format!("https://{address}");
    let opening = open(&url, Resolver::System, &network);
    tokio::pin!(opening);
    let mut hello = [0; 1];
    let (mut socket, _) = tokio::select! {
        _ = &mut opening => panic!("ended early"),
        accepted = listener.accept() => accepted.unwrap(),
    };
    tokio::select! {
        _ = &mut opening => panic!("ended early"),
        read = socket.read(&mut hello) => assert_eq!(read.unwrap(), 1),
    }
    tokio::time::pause();
    let Err(error) = opening.await else { panic!("opened") };
    let stage = Stage::Tls { host: address.to_string(), is_proxy: false };
    assert_eq!(error, Unconnected { address: AddressOf::Provider, stage, why: Why::TimedOut(Span::from_secs(3)) });
}

/// A resolver with one answer.
#[derive(Debug)]
struct Fixed(Result<Vec<SocketAddr>, &'static str>);

impl Resolve for Fixed {
    fn resolve(&self, _: String) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>> {
        ready(self.0.clone().map_err(io::Error::other)).boxed()
    }
}

fn fixed(answer: Result<Vec<SocketAddr>, &'static str>) -> Resolver {
    Resolver::Other(Arc::new(Fixed(answer)))
}

#[tokio::test]
async fn a_name_and_a_refused_connection_are_told_apart() {
    let opened = open("https://provider.test", fixed(Err("no such name")), &network("")).await;
    let Err(error) = opened else { panic!("opened") };
    assert_eq!(error.to_string(), "the name provider.test cannot be resolved (no such name); check base_url and DNS");
    let (listener, address) = listener().await;
    drop(listener);
    let Err(error) = open(&format!("http://{address}"), Resolver::System, &network("")).await else { panic!("opened") };
    assert_eq!(error.stage, Stage::Tcp { host: address.to_string(), is_proxy: false });
    assert!(error.to_string().contains("; check base_url, the network and firewalls"), "{error}");

    let behind = trusting(&format!("proxy = \"http://{address}\""));
    let Err(error) = open("https://provider.test", Resolver::System, &behind).await else { panic!("opened") };
    assert_eq!(error.stage, Stage::Tcp { host: address.to_string(), is_proxy: true });
    assert!(error.to_string().contains("check `proxy` or HTTPS_PROXY"), "{error}");
}

#[test]
fn each_address_has_the_remedy_of_the_place_where_it_is_written() {
    let host = || "h.example".to_owned();
    let said = |address, stage, why| Unconnected { address, stage, why }.to_string();
    let name = |is_proxy| Stage::Name { host: host(), is_proxy };
    let tls = |is_proxy| Stage::Tls { host: host(), is_proxy };
    let failed = || Why::Failed("no".to_owned());
    for (address, key, trust) in [
        (AddressOf::Provider, "base_url", "`ca_file`"),
        (AddressOf::Contacts, "`contacts_url` in [opt_out]", "`ca_file`"),
        (AddressOf::File, "the address", "a public issuer, which the provider trusts too"),
    ] {
        let of_name = said(address, name(false), failed());
        assert!(of_name.ends_with(&format!("cannot be resolved (no); check {key} and DNS")), "{of_name}");
        let of_port = said(address, tls(false), Why::NoTls);
        assert!(
            of_port.ends_with(&format!("speaks no TLS at this port); check scheme and port of {key}")),
            "{of_port}"
        );
        let of_host = said(address, tls(false), Why::OtherHost);
        assert!(of_host.ends_with(&format!("; check {key}")), "{of_host}");
        let of_issuer = said(address, tls(false), Why::UnknownIssuer);
        assert!(of_issuer.ends_with(trust), "{of_issuer}");
        let of_proxy = said(address, tls(true), failed());
        assert!(of_proxy.contains("; check `proxy` or HTTPS_PROXY, and whether"), "{of_proxy}");
        assert!(said(address, name(true), failed()).ends_with("; check `proxy` or HTTPS_PROXY and DNS"));
    }
}

#[test]
fn a_proxy_that_cannot_be_read_is_an_error_and_never_ignored() {
    let read = |name: &'static str, value: &'static str| {
        proxies_beside(&network(""), move |asked| (asked == name).then(|| value.to_owned()))
            .map(drop)
            .map_err(|error| error.to_string())
    };
    for name in PROXIES.as_flattened().iter().copied() {
        assert_eq!((read(name, "http://ann:s3cret@proxy:3128"), read(name, "")), (Ok(()), Ok(())));
        for odd in ["http://ann:s3cret@b@proxy:3128", "http://ann:s3cret#b@proxy:3128", "http://ann:s3crét@proxy:3128"]
        {
            let error = read(name, odd).unwrap_err();
            let begins = error.starts_with(&format!("{name} is not the URL of a proxy"));
            assert!(begins && !error.contains("s3cr"), "{error}");
        }
    }
    // Each that the configuration takes is used.
    for proxy in ["http://proxy:3128", "https://ann:a%40b%23@proxy.example/", "http://ann@[::1]:3128"] {
        let matcher = proxies_beside(&network(&format!("proxy = \"{proxy}\"")), |_| None).unwrap();
        assert!(matcher.intercept(&Uri::from_static("https://provider.test")).is_some(), "{proxy}");
    }
}
