//! How an [`Opening`] and an [`Ending`] are written.

use crate::opening::{Access, Client, Durability, Ending, Opening, SessionId, User};
use crate::wire::{Cursor, Malformed, malformed, put_length, put_option, put_signed, put_text};

pub(crate) fn put_opening(into: &mut Vec<u8>, opening: &Opening) {
    let Opening {
        session,
        at_ms,
        gateway,
        cluster,
        user,
        client,
        access,
        reason,
        rule,
        durability,
    } = opening;
    into.extend_from_slice(&session.0.to_be_bytes());
    put_signed(into, *at_ms);
    put_text(into, gateway);
    put_text(into, cluster);
    put_user(into, user);
    put_client(into, client);
    put_access(into, access);
    put_optional_text(into, reason.as_ref());
    put_text(into, rule);
    into.push(match durability {
        Durability::Group => 0,
        Durability::Intent => 1,
        Durability::Strict => 2,
    });
}

fn put_user(into: &mut Vec<u8>, user: &User) {
    let User { name, uid, groups, proof } = user;
    put_text(into, name);
    put_optional_text(into, uid.as_ref());
    put_texts(into, groups);
    put_text(into, proof);
}

fn put_client(into: &mut Vec<u8>, client: &Client) {
    let Client { address, user_agent, kubectl_session, kubectl_command, protocol } = client;
    put_text(into, address);
    put_optional_text(into, user_agent.as_ref());
    put_optional_text(into, kubectl_session.as_ref());
    put_optional_text(into, kubectl_command.as_ref());
    put_text(into, protocol);
}

fn put_access(into: &mut Vec<u8>, access: &Access) {
    let Access { verb, namespace, name, uid, container, command, terminal } = access;
    put_text(into, verb);
    put_optional_text(into, namespace.as_ref());
    put_optional_text(into, name.as_ref());
    put_optional_text(into, uid.as_ref());
    put_optional_text(into, container.as_ref());
    put_texts(into, command);
    into.push(u8::from(*terminal));
}

fn put_optional_text(into: &mut Vec<u8>, text: Option<&String>) {
    put_option(into, text, |into, text| put_text(into, text));
}

fn put_texts(into: &mut Vec<u8>, texts: &[String]) {
    put_length(into, texts.len());
    for text in texts {
        put_text(into, text);
    }
}

pub(crate) fn opening(cursor: &mut Cursor) -> Result<Opening, Malformed> {
    Ok(Opening {
        session: SessionId(u128::from_be_bytes(cursor.array("the session's id")?)),
        at_ms: cursor.signed("the time of opening")?,
        gateway: cursor.text("the gateway's name")?,
        cluster: cursor.text("the cluster's name")?,
        user: user(cursor)?,
        client: client(cursor)?,
        access: access(cursor)?,
        reason: optional_text(cursor, "the reason")?,
        rule: cursor.text("the rule's name")?,
        durability: match cursor.byte("the durability")? {
            0 => Durability::Group,
            1 => Durability::Intent,
            2 => Durability::Strict,
            _ => return Err(malformed("the durability")),
        },
    })
}

fn user(cursor: &mut Cursor) -> Result<User, Malformed> {
    Ok(User {
        name: cursor.text("the user's name")?,
        uid: optional_text(cursor, "the user's UID")?,
        groups: cursor.texts("the user's groups")?,
        proof: cursor.text("the user's proof")?,
    })
}

fn client(cursor: &mut Cursor) -> Result<Client, Malformed> {
    Ok(Client {
        address: cursor.text("the client's address")?,
        user_agent: optional_text(cursor, "the user agent")?,
        kubectl_session: optional_text(cursor, "the client's session")?,
        kubectl_command: optional_text(cursor, "the client's command")?,
        protocol: cursor.text("the client's protocol")?,
    })
}

fn access(cursor: &mut Cursor) -> Result<Access, Malformed> {
    Ok(Access {
        verb: cursor.text("the verb")?,
        namespace: optional_text(cursor, "the namespace")?,
        name: optional_text(cursor, "the object's name")?,
        uid: optional_text(cursor, "the object's UID")?,
        container: optional_text(cursor, "the container")?,
        command: cursor.texts("the command line")?,
        terminal: match cursor.byte("whether there is a terminal")? {
            0 => false,
            1 => true,
            _ => return Err(malformed("whether there is a terminal")),
        },
    })
}

fn optional_text(cursor: &mut Cursor, what: &'static str) -> Result<Option<String>, Malformed> {
    cursor.option(what, |cursor| cursor.text(what))
}

pub(crate) fn put_ending(into: &mut Vec<u8>, ending: &Ending) {
    match ending {
        Ending::Finished { exit_code } => {
            into.push(0);
            put_option(into, exit_code.as_ref(), |into, code| put_signed(into, i64::from(*code)));
        }
        Ending::ClientLeft => into.push(1),
        Ending::UpstreamLeft { why } => put_why(into, 2, why),
        Ending::Killed { by, why } => {
            put_why(into, 3, by);
            put_text(into, why);
        }
        Ending::Limit { which } => put_why(into, 4, which),
        Ending::RecordingFailed { why } => put_why(into, 5, why),
        Ending::Protocol { why } => put_why(into, 6, why),
        Ending::GatewayStopped => into.push(7),
        Ending::Recovered => into.push(8),
    }
}

fn put_why(into: &mut Vec<u8>, tag: u8, why: &str) {
    into.push(tag);
    put_text(into, why);
}

pub(crate) fn ending(cursor: &mut Cursor) -> Result<Ending, Malformed> {
    let what = "the ending";
    Ok(match cursor.byte(what)? {
        0 => Ending::Finished { exit_code: cursor.option(what, |cursor| exit_code(cursor, what))? },
        1 => Ending::ClientLeft,
        2 => Ending::UpstreamLeft { why: cursor.text(what)? },
        3 => Ending::Killed { by: cursor.text(what)?, why: cursor.text(what)? },
        4 => Ending::Limit { which: cursor.text(what)? },
        5 => Ending::RecordingFailed { why: cursor.text(what)? },
        6 => Ending::Protocol { why: cursor.text(what)? },
        7 => Ending::GatewayStopped,
        8 => Ending::Recovered,
        _ => return Err(malformed(what)),
    })
}

fn exit_code(cursor: &mut Cursor, what: &'static str) -> Result<i32, Malformed> {
    i32::try_from(cursor.signed(what)?).or(Err(malformed(what)))
}
