//! Looks at addresses through a proxy, with names that a test resolves.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;
use crate::base::config::Config;

/// `proxy.test` is this machine, as a proxy in a company's network is, and `intranet.test` is in that network.
#[derive(Debug)]
struct Names;

impl Resolve for Names {
    fn resolve(&self, name: String) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>> {
        let found = match name.as_str() {
            "proxy.test" => Ok(vec![SocketAddr::from(([127, 0, 0, 1], 0))]),
            "intranet.test" => Ok(vec![SocketAddr::from(([10, 1, 2, 3], 0))]),
            "media.test" => Ok(vec![SocketAddr::from(([8, 8, 8, 8], 0))]),
            _ => Err(io::Error::other("unknown name")),
        };
        std::future::ready(found).boxed()
    }
}

/// A proxy that answers each request with an image of 5 bytes; returns its port.
async fn proxy() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        loop {
            let (mut socket, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    if socket.read_buf(&mut head).await.unwrap() == 0 {
                        return;
                    }
                }
                let answer = b"HTTP/1.1 200 OK\r\ncontent-type: image/png\r\ncontent-length: 5\r\n\r\n";
                socket.write_all(answer).await.unwrap();
            });
        }
    });
    port
}

async fn looked(address: &str, proxy: &str) -> Result<Option<u64>, Unseen> {
    install_tls();
    let text = format!("[provider]\nproxy = \"{proxy}\"\n");
    let file = std::path::Path::new("volley.toml");
    let none = std::iter::empty::<(&str, String)>();
    let network = Config::read(Some((file, &text)), std::iter::empty(), none).unwrap().config.provider.network;
    let names = Resolver::Other(Arc::new(Names));
    follow(address, &network, (Reachable::Public, &names)).await.map(|looked| looked.bytes)
}

#[tokio::test]
async fn a_proxy_in_a_private_network_is_used_for_public_addresses() {
    let port = proxy().await;
    for proxy in [format!("http://proxy.test:{port}"), format!("http://127.0.0.1:{port}")] {
        assert_eq!(looked("http://media.test/a.png", &proxy).await, Ok(Some(5)), "{proxy}");
        // The machine may not resolve public names itself.
        assert_eq!(looked("http://elsewhere.test/a.png", &proxy).await, Ok(Some(5)), "{proxy}");
    }
}

#[tokio::test]
async fn a_failed_look_is_about_the_address_of_the_file() {
    // It accepts a tunnel, but there is no TLS behind it.
    let proxy = format!("http://127.0.0.1:{}", proxy().await);
    let looked = looked("https://media.test/a.png", &proxy).await;
    let Err(Unseen::Unconnected(error)) = looked else { panic!("{looked:?}") };
    assert_eq!(error.address, AddressOf::File, "{error:?}");
    assert!(error.to_string().contains("; check the address, and whether"), "{error}");
}

#[tokio::test]
async fn no_private_host_is_requested_from_a_proxy() {
    let port = proxy().await;
    for proxy in [format!("http://proxy.test:{port}"), format!("http://127.0.0.1:{port}")] {
        for host in ["intranet.test", "localhost", "10.1.2.3", "proxy.test"] {
            let private = Err(Unseen::Private { host: host.to_owned() });
            assert_eq!(looked(&format!("http://{host}/a.png"), &proxy).await, private, "{proxy}");
        }
    }
}
