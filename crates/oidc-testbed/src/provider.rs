//! The provider's process.

use crate::install::installed;
use anyhow::{Context as _, Result};
use rcgen::{CertificateParams, KeyPair};
use reqwest::{Certificate, Client, redirect};
use serde_json::{Value, json};
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, Command};

/// A provider with the accounts `ada` (groups `ops` and `oncall`), `bob` (group `dev`, email not verified) and `eve`
/// (group `system:masters`), and the public clients `weir` and `other`.
#[derive(Debug)]
pub struct Provider {
    issuer: String,
    authority: String,
    client: Client,
    /// Its standard input stays open as long as this.
    child: Child,
}

impl Provider {
    /// Starts one on a port that is free.
    ///
    /// # Errors
    /// npm or Node.js is missing, or the provider did not start.
    pub async fn start() -> Result<Self> {
        let folder = installed()?;
        let key = KeyPair::generate()?;
        let certificate = CertificateParams::new(["127.0.0.1".to_owned()])?.self_signed(&key)?;
        let authority = certificate.pem();
        let mut child = Command::new("node")
            .arg(folder.join("server.mjs"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .context("node is missing: the OpenID Connect provider of these tests needs it")?;
        let stdin = child.stdin.as_mut().context("a pipe was asked for")?;
        let line = json!({ "certificate": authority, "key": key.serialize_pem() });
        stdin.write_all(format!("{line}\n").as_bytes()).await?;
        let mut line = String::new();
        let stdout = child.stdout.as_mut().context("a pipe was asked for")?;
        BufReader::new(stdout).read_line(&mut line).await?;
        let started: Value = serde_json::from_str(&line).context("the provider did not start")?;
        let issuer = started.get("issuer").and_then(Value::as_str).unwrap_or_default().to_owned();
        let client = Client::builder()
            .tls_certs_only([Certificate::from_pem(authority.as_bytes())?])
            .redirect(redirect::Policy::none())
            .no_proxy()
            .timeout(Duration::from_secs(20))
            .build()?;
        Ok(Self { issuer, authority, client, child })
    }

    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The certificate (PEM) by which its server is trusted.
    #[must_use]
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// A client that trusts it and follows no redirects.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Signs with a new key from now on, and forgets the old one.
    ///
    /// # Errors
    /// It does not answer.
    pub async fn rotate(&self) -> Result<()> {
        self.ask("/test/rotate", &json!({})).await.map(|_| ())
    }

    /// A token with any claims, signed with its current key.
    ///
    /// # Errors
    /// It does not answer.
    pub async fn sign(&self, header: &Value, claims: &Value) -> Result<String> {
        let answer = self.ask("/test/sign", &json!({ "header": header, "claims": claims })).await?;
        answer.get("token").and_then(Value::as_str).map(str::to_owned).context("no token")
    }

    /// How often a path was asked for.
    ///
    /// # Errors
    /// It does not answer.
    pub async fn requests(&self, path: &str) -> Result<u64> {
        let answer = self.ask("/test/requests", &json!({})).await?;
        Ok(answer.get(path).and_then(Value::as_u64).unwrap_or(0))
    }

    /// Ends it, as an outage does.
    ///
    /// # Errors
    /// It could not be ended.
    pub async fn stop(&mut self) -> Result<()> {
        self.child.kill().await.context("ending the provider")
    }

    /// An ID token that an account got by signing in to a client.
    ///
    /// # Errors
    /// A step of the way was refused.
    pub async fn id_token(&self, client_id: &str, account: &str) -> Result<String> {
        // The challenge is that of RFC 7636, appendix B.
        let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
        let redirect = "http://127.0.0.1/callback";
        let mut url = url::Url::parse(&format!("{}/auth", self.issuer))?;
        url.query_pairs_mut().extend_pairs([
            ("client_id", client_id),
            ("response_type", "code"),
            ("scope", "openid email groups tenant"),
            ("redirect_uri", redirect),
            ("code_challenge", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"),
            ("code_challenge_method", "S256"),
        ]);
        let back = crate::sign_in(&self.client, url.as_str(), account).await?;
        let back = url::Url::parse(&back)?;
        let code = back.query_pairs().find(|(name, _)| name == "code");
        let (_, code) = code.with_context(|| format!("no code came back: {back}"))?;
        let form = [
            ("grant_type", "authorization_code"),
            ("client_id", client_id),
            ("code", &code),
            ("redirect_uri", redirect),
            ("code_verifier", verifier),
        ];
        let answer = self.client.post(format!("{}/token", self.issuer)).form(&form).send().await?;
        let answer: Value = answer.error_for_status()?.json().await?;
        answer.get("id_token").and_then(Value::as_str).map(str::to_owned).context("no ID token")
    }

    async fn ask(&self, path: &str, body: &Value) -> Result<Value> {
        let url = format!("{}{path}", self.issuer);
        let answer = self.client.post(url).body(body.to_string()).send().await?;
        Ok(answer.error_for_status()?.json().await?)
    }
}
