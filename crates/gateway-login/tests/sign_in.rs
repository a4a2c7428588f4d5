//! Signing in to a real provider, with somebody in the place of the browser.
#![cfg(test)]

use gateway_login::{Cache, DevicePrompt, Locked, LoginError, Provider, SignIn, Tokens, kept};
use oidc_testbed::sign_in;
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};
use test_folder::TestFolder;
use tokio::sync::oneshot;

fn of(provider: &oidc_testbed::Provider) -> SignIn {
    SignIn {
        issuer: provider.issuer().to_owned(),
        client_id: "weir".to_owned(),
        scopes: ["email", "groups", "offline_access"].map(str::to_owned).to_vec(),
        authority: Some(provider.authority().as_bytes().to_vec()),
    }
}

fn now() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()).unwrap()
}

/// Signs in as `account` where the address says, and follows it back to the listener.
async fn browse(provider: &oidc_testbed::Provider, url: &str, account: &str) -> u16 {
    let back = sign_in(provider.client(), url, account).await.unwrap();
    assert!(back.starts_with("http://127.0.0.1:"), "{back}");
    provider.client().get(&back).send().await.unwrap().status().as_u16()
}

async fn with_browser(provider: &oidc_testbed::Provider, account: &str) -> Tokens {
    let found = Provider::find(of(provider)).await.unwrap();
    let (opened, url) = oneshot::channel();
    let tokens = found.with_browser(|url| opened.send(url.to_owned()).unwrap());
    let browser = async { browse(provider, &url.await.unwrap(), account).await };
    let (tokens, status) = tokio::join!(tokens, browser);
    assert_eq!(status, 200);
    tokens.unwrap()
}

fn claims(tokens: &Tokens) -> Value {
    use base64::Engine as _;
    let payload = tokens.id_token.split('.').nth(1).unwrap();
    let payload = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(payload).unwrap();
    serde_json::from_slice(&payload).unwrap()
}

/// The only file of tokens that there is.
fn file(folder: &TestFolder) -> PathBuf {
    let files = std::fs::read_dir(place(folder)).unwrap().map(|entry| entry.unwrap().path());
    files.into_iter().find(|path| path.extension().is_some_and(|end| end == "json")).unwrap()
}

/// Where nothing is yet.
fn place(folder: &TestFolder) -> PathBuf {
    folder.join("cache")
}

fn locked(folder: &TestFolder, sign_in: &SignIn) -> Locked {
    Cache::new(&place(folder), sign_in).lock().unwrap()
}

#[tokio::test]
async fn a_person_with_a_browser_signs_in() {
    let provider = oidc_testbed::Provider::start().await.unwrap();
    let tokens = with_browser(&provider, "ada").await;
    let claims = claims(&tokens);
    assert_eq!(claims["sub"], "ada");
    assert_eq!(claims["groups"], json!(["ops", "oncall"]));
    assert_eq!(claims["exp"].as_i64(), Some(tokens.expires_at));
    assert!(tokens.refresh_token.is_some(), "it can be refreshed");
    assert!(tokens.expires_at > now() + 300);
}

#[tokio::test]
async fn a_person_with_another_machine_signs_in() {
    let provider = oidc_testbed::Provider::start().await.unwrap();
    let found = Provider::find(of(&provider)).await.unwrap();
    let (told, prompt) = oneshot::channel();
    let tokens = found.with_device(|prompt: &DevicePrompt| told.send(prompt.clone()).unwrap());
    let person = async {
        let prompt: DevicePrompt = prompt.await.unwrap();
        assert!(prompt.url.starts_with(provider.issuer()), "{prompt:?}");
        let with_code = prompt.url_with_code.unwrap();
        assert!(with_code.contains(&prompt.code), "{with_code}");
        sign_in(provider.client(), &with_code, "ada").await.unwrap();
    };
    let (tokens, ()) = tokio::join!(tokens, person);
    assert_eq!(claims(&tokens.unwrap())["sub"], "ada");
}

#[tokio::test]
async fn what_was_kept_is_given_refreshed_and_then_over() {
    let provider = oidc_testbed::Provider::start().await.unwrap();
    let (folder, sign_in) = (TestFolder::new(), of(&provider));
    let cache = locked(&folder, &sign_in);
    assert_eq!(kept(&sign_in, &cache, now()).await.unwrap(), None);
    let first = with_browser(&provider, "ada").await;
    cache.write(&first).unwrap();
    let asked = provider.requests("/token").await.unwrap();
    assert_eq!(kept(&sign_in, &cache, now()).await.unwrap(), Some(first.clone()));
    assert_eq!(provider.requests("/token").await.unwrap(), asked, "it lasts, so nobody was asked");
    // Its last minute has begun.
    let second = kept(&sign_in, &cache, first.expires_at - 59).await.unwrap().unwrap();
    assert_eq!(provider.requests("/token").await.unwrap(), asked + 1);
    assert_eq!(claims(&second)["sub"], "ada");
    assert!(second.refresh_token.is_some());
    assert_eq!(cache.read().unwrap(), Some(second.clone()));
    // A provider that has forgotten the sign-in: somebody has to sign in anew, and nothing of it is kept.
    provider.rotate().await.unwrap();
    assert_eq!(kept(&sign_in, &cache, second.expires_at).await.unwrap(), None);
    assert_eq!(cache.read().unwrap(), None);
}

#[tokio::test]
async fn a_provider_that_is_away_ends_no_sign_in() {
    let mut provider = oidc_testbed::Provider::start().await.unwrap();
    let (folder, sign_in) = (TestFolder::new(), of(&provider));
    let cache = locked(&folder, &sign_in);
    let tokens = with_browser(&provider, "ada").await;
    cache.write(&tokens).unwrap();
    provider.stop().await.unwrap();
    assert_eq!(kept(&sign_in, &cache, now()).await.unwrap(), Some(tokens.clone()));
    let error = kept(&sign_in, &cache, tokens.expires_at).await.unwrap_err();
    assert_eq!(error.to_string(), "the issuer could not be asked for its description");
    assert_eq!(cache.read().unwrap(), Some(tokens));
}

#[tokio::test]
async fn tokens_are_for_their_owner_alone() {
    let provider = oidc_testbed::Provider::start().await.unwrap();
    let (folder, sign_in) = (TestFolder::new(), of(&provider));
    let tokens = with_browser(&provider, "ada").await;
    let cache = locked(&folder, &sign_in);
    cache.write(&tokens).unwrap();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let file = file(&folder);
    assert_eq!((mode(&file), mode(&place(&folder))), (0o600, 0o700));
    // As somebody else's umask or copy would leave it.
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o640)).unwrap();
    let error = cache.read().unwrap_err().to_string();
    assert!(error.ends_with("can be read by others; remove it, or take the right away from them"));
    // What is written is a new file, with its own rights.
    cache.write(&tokens).unwrap();
    assert_eq!(mode(&file), 0o600);
    assert_eq!(cache.read().unwrap(), Some(tokens));
    // Another client, or other scopes, is another sign-in.
    let other = SignIn { scopes: vec!["email".to_owned()], ..sign_in.clone() };
    assert_eq!(locked(&folder, &other).read().unwrap(), None);
    for garbage in ["", "{}", "null", r#"{"version":2,"idToken":"x","expiresAt":7}"#] {
        std::fs::write(&file, garbage).unwrap();
        assert_eq!(cache.read().unwrap(), None, "{garbage}");
    }
    cache.forget().unwrap();
    cache.forget().unwrap();
    assert!(!file.exists());
}

/// As many plug-ins as kubectl starts ask once: what refreshes may count once.
#[tokio::test(flavor = "multi_thread")]
async fn several_at_once_refresh_once() {
    let provider = oidc_testbed::Provider::start().await.unwrap();
    let (folder, sign_in) = (TestFolder::new(), of(&provider));
    let mut tokens = with_browser(&provider, "ada").await;
    // It has ended.
    tokens.expires_at = 0;
    locked(&folder, &sign_in).write(&tokens).unwrap();
    let asked = provider.requests("/token").await.unwrap();
    let cache = Cache::new(&place(&folder), &sign_in);
    let mut tasks = Vec::new();
    for _ in 0..4 {
        let (cache, sign_in) = (cache.clone(), sign_in.clone());
        tasks.push(tokio::spawn(async move {
            let locked = tokio::task::spawn_blocking(move || cache.lock().unwrap()).await.unwrap();
            kept(&sign_in, &locked, now()).await.unwrap().unwrap().id_token
        }));
    }
    let mut given = Vec::new();
    for task in tasks {
        given.push(task.await.unwrap());
    }
    given.dedup();
    assert_eq!(given.len(), 1);
    assert_eq!(provider.requests("/token").await.unwrap(), asked + 1);
}

#[tokio::test]
async fn a_provider_that_is_not_the_one_that_was_named_is_none() {
    let provider = oidc_testbed::Provider::start().await.unwrap();
    let find = async |change: &dyn Fn(&mut SignIn)| {
        let mut sign_in = of(&provider);
        change(&mut sign_in);
        Provider::find(sign_in).await.unwrap_err().to_string()
    };
    let slash = find(&|sign_in| sign_in.issuer.push('/')).await;
    assert_eq!(
        slash,
        format!("the server at the issuer's address says that it is {}", provider.issuer())
    );
    let plain = find(&|sign_in| sign_in.issuer = "http://127.0.0.1:1".to_owned()).await;
    assert_eq!(plain, "the issuer http://127.0.0.1:1 is no https URL");
    // The system does not vouch for it.
    let system = find(&|sign_in| sign_in.authority = None).await;
    assert_eq!(system, "the issuer could not be asked for its description");
}

/// The person says no, or closes the page and somebody else's request comes.
#[tokio::test]
async fn a_provider_that_refuses_is_told_with_its_words() {
    let provider = oidc_testbed::Provider::start().await.unwrap();
    let unknown = SignIn { client_id: "nobody".to_owned(), ..of(&provider) };
    let found = Provider::find(unknown).await.unwrap();
    let error = found.with_device(|_| ()).await.unwrap_err();
    assert!(
        matches!(&error, LoginError::Refused { error, .. } if error == "invalid_client"),
        "{error}"
    );
    let found = Provider::find(of(&provider)).await.unwrap();
    let (opened, url) = oneshot::channel();
    let tokens = found.with_browser(|url| opened.send(url.to_owned()).unwrap());
    let browser = async {
        let url = url::Url::parse(&url.await.unwrap()).unwrap();
        let value = |wanted: &str| {
            url.query_pairs().find(|(name, _)| name == wanted).unwrap().1.into_owned()
        };
        let back =
            format!("{}?error=access_denied&state={}", value("redirect_uri"), value("state"));
        provider.client().get(&back).send().await.unwrap().status().as_u16()
    };
    let (tokens, status) = tokio::join!(tokens, browser);
    assert_eq!(tokens.unwrap_err().to_string(), "the issuer refused: access_denied");
    assert_eq!(status, 400);
}
