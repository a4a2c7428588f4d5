//! `weir login`: signs a person in to a gateway's issuer, and is the plug-in that gives kubectl the token.

mod arguments;
mod browser;
mod kubeconfig_file;

use super::ledger::runtime;
use crate::exit::ExpectedError;
use crate::{Console, Outcome};
use arguments::{KubeconfigArgs, SignInArgs};
use chrono::{DateTime, SecondsFormat, Utc};
use gateway_login::{
    DevicePrompt, ExecQuestion, Locked, LoginError, Provider, SignIn, Tokens, credential, kept,
};
use report_formats::visible;
use std::io::Write;

const EXAMPLES: &str = "\
Examples:
  weir login --issuer https://id.example --write-kubeconfig --server https://gateway:8443/clusters/prod
  weir login --issuer https://id.example --device
  weir login forget --issuer https://id.example

Exit codes: 0 signed in, 2 wrong usage, 3 nobody was signed in.";

/// Sign in to a gateway with the browser, and have kubectl use it
///
/// The issuer is an OpenID Connect provider that the gateway trusts. Tokens stay in a file that only you can read;
/// kubectl asks for them by `weir login token`, which refreshes them and has you sign in anew when it must.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES, args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct LoginArgs {
    #[command(subcommand)]
    command: Option<LoginCommand>,

    #[command(flatten)]
    sign_in: SignInArgs,

    #[command(flatten)]
    kubeconfig: KubeconfigArgs,
}

#[derive(Debug, clap::Subcommand)]
enum LoginCommand {
    /// Print the token as kubectl's credential plug-ins do; a kubeconfig calls this
    Token(SignInArgs),
    /// Remove what was kept of a sign-in
    Forget(SignInArgs),
}

pub(crate) fn run(args: &LoginArgs, console: &mut Console) -> Result<Outcome, ExpectedError> {
    match &args.command {
        Some(LoginCommand::Token(args)) => token(args, console)?,
        Some(LoginCommand::Forget(args)) => {
            let sign_in = args.sign_in()?;
            args.cache(&sign_in)?.lock().map_err(failed)?.forget().map_err(failed)?;
        }
        None => login(&args.sign_in, &args.kubeconfig, console)?,
    }
    Ok(Outcome::Yes)
}

fn login(
    args: &SignInArgs,
    kubeconfig: &KubeconfigArgs,
    console: &mut Console,
) -> Result<(), ExpectedError> {
    let sign_in = args.sign_in()?;
    // What cannot be written is said before anybody signs in.
    let change = kubeconfig.change(args)?;
    let locked = args.cache(&sign_in)?.lock().map_err(failed)?;
    let kept = runtime()?.block_on(kept(&sign_in, &locked, now())).map_err(failed)?;
    let tokens = match kept {
        Some(tokens) => tokens,
        None => signed_in(args, &sign_in, &locked, console)?,
    };
    let ends = DateTime::from_timestamp(tokens.expires_at, 0).unwrap_or_default();
    let ends = ends.to_rfc3339_opts(SecondsFormat::Secs, true);
    let again = if tokens.refresh_token.is_some() { ", and is refreshed then" } else { "" };
    writeln!(
        console.out,
        "signed in to {}; the token lasts until {ends}{again}",
        visible(&sign_in.issuer)
    )?;
    if let Some(change) = change {
        change.write()?;
        writeln!(console.out, "{change}")?;
    }
    Ok(())
}

fn token(args: &SignInArgs, console: &mut Console) -> Result<(), ExpectedError> {
    let said = std::env::var("KUBERNETES_EXEC_INFO").ok();
    let info = ExecQuestion::read(said.as_deref()).map_err(failed)?;
    let sign_in = args.sign_in()?;
    let locked = args.cache(&sign_in)?.lock().map_err(failed)?;
    let kept = runtime()?.block_on(kept(&sign_in, &locked, now())).map_err(failed)?;
    let tokens = match kept {
        Some(tokens) => tokens,
        None if info.is_interactive => signed_in(args, &sign_in, &locked, console)?,
        None => {
            let issuer = visible(&sign_in.issuer);
            let why = format!(
                "nobody is signed in to {issuer}, and nobody is there to be asked; run `weir login --issuer {issuer}`"
            );
            return Err(ExpectedError::Session(why.into()));
        }
    };
    writeln!(console.out, "{}", credential(&info, &tokens).as_str())?;
    Ok(())
}

/// Has the person sign in, and keeps what came of it.
fn signed_in(
    args: &SignInArgs,
    sign_in: &SignIn,
    locked: &Locked,
    console: &mut Console,
) -> Result<Tokens, ExpectedError> {
    let err = &mut console.err;
    let asked = async {
        let provider = Provider::find(sign_in.clone()).await?;
        if args.device {
            provider.with_device(|prompt| tell_device(err, prompt)).await
        } else {
            provider.with_browser(|url| browser::show(err, args.browser.as_deref(), url)).await
        }
    };
    let tokens = runtime()?.block_on(asked).map_err(|error: LoginError| failed(error))?;
    locked.write(&tokens).map_err(failed)?;
    Ok(tokens)
}

/// Whoever cannot be told has no code to enter, and the sign-in ends by itself.
fn tell_device(err: &mut dyn Write, prompt: &DevicePrompt) {
    let DevicePrompt { url, code, url_with_code } = prompt;
    let code = visible(code);
    let told = match url_with_code {
        Some(whole) => writeln!(
            err,
            "To sign in, open {} on any machine, and see that it shows {code}.",
            visible(whole)
        ),
        None => {
            writeln!(err, "To sign in, open {} on any machine, and enter {code}.", visible(url))
        }
    };
    drop(told.and_then(|()| err.flush()));
}

fn now() -> i64 {
    Utc::now().timestamp()
}

fn failed(error: impl std::error::Error + Send + Sync + 'static) -> ExpectedError {
    ExpectedError::Session(Box::new(error))
}
