//! A real Nacos and a stand-in for Kong's Admin API on free ports, until Enter or the end of stdin: what the README's
//! walk-through runs on where no Kong is at hand.

use std::io::{self, Write};

use causeway_test_support::kong::KongStandIn;
use causeway_test_support::nacos::{NacosOptions, NacosServer};
use causeway_test_support::process::Failure;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let nacos = NacosServer::start(NacosOptions::default()).await?;
    let kong = KongStandIn::start().await;
    writeln!(
        io::stdout(),
        "Nacos 3.1.0: {}\nKong's Admin API (a stand-in): {}",
        nacos.address(),
        kong.admin_url()
    )?;
    io::stdin().read_line(&mut String::new())?;
    Ok(())
}
