//! A person with a browser, as far as the provider's own pages need one: cookies, redirects, and one form a page.

use anyhow::{Context as _, Result, bail};
use reqwest::header::{COOKIE, LOCATION, SET_COOKIE};
use reqwest::{Client, Response};
use std::collections::BTreeMap;
use url::Url;

const MOST_STEPS: usize = 20;

/// Opens a page of the provider and signs in as `account`, agreeing to everything. Gives the address to which the
/// provider sent the browser in the end, which is another server's, or the page that has no form.
///
/// # Errors
/// The provider refused, or its pages are not what they were.
pub async fn sign_in(client: &Client, url: &str, account: &str) -> Result<String> {
    let mut browser = Browser { client, cookies: BTreeMap::new() };
    let start = Url::parse(url)?;
    let mut page = Page { url: start.clone(), form: None };
    for _ in 0..MOST_STEPS {
        if page.url.origin() != start.origin() {
            return Ok(page.url.into());
        }
        let response = browser.open(&page).await?;
        if let Some(location) = response.headers().get(LOCATION) {
            page = Page { url: page.url.join(location.to_str()?)?, form: None };
            continue;
        }
        let status = response.status();
        let text = response.text().await?;
        if !status.is_success() {
            bail!("{} answered {status}: {text}", page.url);
        }
        match form_of(&text) {
            None => return Ok(page.url.into()),
            Some((action, fields)) => {
                let url = page.url.join(&action)?;
                page = Page { url, form: Some(filled_in(fields, account)) };
            }
        }
    }
    bail!("the provider asks for ever")
}

struct Browser<'client> {
    client: &'client Client,
    cookies: BTreeMap<String, String>,
}

struct Page {
    url: Url,
    form: Option<Vec<(String, String)>>,
}

impl Browser<'_> {
    async fn open(&mut self, page: &Page) -> Result<Response> {
        let request = match &page.form {
            Some(form) => self.client.post(page.url.clone()).form(form),
            None => self.client.get(page.url.clone()),
        };
        let cookies: Vec<String> =
            self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let response = request.header(COOKIE, cookies.join("; ")).send().await?;
        for cookie in response.headers().get_all(SET_COOKIE) {
            let pair = cookie.to_str()?.split(';').next().unwrap_or_default();
            let (name, value) = pair.split_once('=').context("a cookie without a value")?;
            if value.is_empty() {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        Ok(response)
    }
}

fn filled_in(mut fields: Vec<(String, String)>, account: &str) -> Vec<(String, String)> {
    for (name, value) in &mut fields {
        match name.as_str() {
            "login" => account.clone_into(value),
            "password" => "any".clone_into(value),
            _ => {}
        }
    }
    fields
}

/// Where the first form of a page goes, and its fields.
fn form_of(page: &str) -> Option<(String, Vec<(String, String)>)> {
    let (_, rest) = page.split_once("<form ")?;
    let (head, rest) = rest.split_once('>')?;
    let (body, _) = rest.split_once("</form>")?;
    let inputs = body.split("<input ").skip(1).filter_map(|input| {
        let (attributes, _) = input.split_once('>')?;
        let name = attribute(attributes, "name")?;
        Some((name, attribute(attributes, "value").unwrap_or_default()))
    });
    Some((attribute(head, "action").unwrap_or_default(), inputs.collect()))
}

fn attribute(attributes: &str, name: &str) -> Option<String> {
    let (_, rest) = format!(" {attributes}")
        .split_once(&format!(" {name}=\""))
        .map(|(before, rest)| (before.to_owned(), rest.to_owned()))?;
    let (value, _) = rest.split_once('"')?;
    Some(value.replace("&amp;", "&").replace("&quot;", "\"").replace("&#39;", "'"))
}
