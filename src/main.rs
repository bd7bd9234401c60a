#[tokio::main]
async fn main() -> anyhow::Result<()> {
    volley::cli::main().await
}
