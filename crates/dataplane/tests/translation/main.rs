//! Egress through Services, with real sockets and a real translation: the backend decides.
//!
//! Needs root and `nft`; all of it is in namespaces of the test's own.
#![cfg(test)]

mod associations;
mod forged;
mod network;
mod sockets;
#[path = "../support/mod.rs"]
mod support;

use flow_model::{Report, Sighting};
use net_types::Protocol;
use network::{
    API, DB, EMPTY_SERVICE, Family, MIXED_SERVICE, NODE_SERVICE, Node, PORT, PodMode, WEB, on_node,
    service_of,
};
use policy_model::{Network, PeerMatch, Ports, Rule};
use policy_oracle::worlds::objects;
use sockets::{
    Exchange, Fate, Server, Transport, ask_nobody, connect, connect_from, is_heard, received,
};
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr};
use std::thread;
use std::time::Duration;

/// On the port of the backends, which is not that of the Services.
fn accept(peers: Vec<PeerMatch>) -> Rule {
    let ports =
        [Protocol::Tcp, Protocol::Udp, Protocol::Sctp].map(|of| objects::port(of, PORT).unwrap());
    Rule { ports: Ports::Listed(ports.to_vec()), ..objects::accept(peers) }
}

fn api_only() -> Vec<Rule> {
    vec![accept(vec![objects::pods(&[("app", "api")])])]
}

/// The addresses of the Services themselves, on every port.
fn services() -> Rule {
    let network = |block: &str| Network { block: block.parse().unwrap(), except: Vec::new() };
    let blocks = ["10.96.0.0/16", "fd96::/64"].map(network).to_vec();
    objects::accept(vec![PeerMatch::Networks(blocks)])
}

fn server(node: &Node, pod: usize, family: Family) -> Server {
    Server::new(&node.pods[pod], family)
}

/// What web gets from a Service of that pod, and what was reported of it.
fn ask(
    node: &mut Node,
    pod: usize,
    family: Family,
    transport: Transport,
) -> (Exchange, Vec<Sighting>) {
    let server = server(node, pod, family);
    node.sightings();
    let before = received(&node.pods[pod]);
    let service = family.service(service_of(pod));
    let exchange = server.exchange(&node.pods[WEB], transport, service);
    if exchange == Exchange::Nothing {
        assert_eq!(received(&node.pods[pod]), before, "not one packet");
    }
    (exchange, node.sightings())
}

fn each(mut check: impl FnMut(Family, Transport)) {
    for family in Family::BOTH {
        for transport in Transport::ALL {
            check(family, transport);
        }
    }
}

/// Reports of web's egress: what, where to, and where to behind the Service.
fn of_egress(sightings: &[Sighting]) -> Vec<(Report, SocketAddr, Option<SocketAddr>)> {
    let of_web = sightings.iter().filter(|sighting| {
        sighting.side == policy_model::Direction::Egress
            && Family::BOTH.map(|family| family.pod(WEB)).contains(&sighting.local)
    });
    of_web
        .map(|sighting| {
            let remote = SocketAddr::new(sighting.remote, sighting.remote_port);
            (sighting.report, remote, sighting.backend)
        })
        .collect()
}

fn at_backend(pod: usize, family: Family) -> Option<SocketAddr> {
    Some(SocketAddr::new(family.pod(pod), PORT))
}

#[test]
fn an_allowed_backend_is_reached_and_its_answers_pass() {
    on_node(api_only(), |node| {
        each(|family, transport| {
            let (exchange, sightings) = ask(node, API, family, transport);
            assert_eq!(exchange, Exchange::Answered, "{family:?} {transport:?}");
            let service = family.service(service_of(API));
            assert_eq!(
                of_egress(&sightings)[0],
                (Report::Opened, service, at_backend(API, family)),
                "{transport:?}"
            );
        });
    });
}

#[test]
fn a_denied_backend_gets_nothing() {
    on_node(api_only(), |node| {
        each(|family, transport| {
            let (exchange, sightings) = ask(node, DB, family, transport);
            assert_eq!(exchange, Exchange::Nothing, "{family:?} {transport:?}");
            let service = family.service(service_of(DB));
            assert_eq!(
                of_egress(&sightings),
                [(Report::Denied, service, at_backend(DB, family))],
                "{transport:?}"
            );
        });
    });
}

#[test]
fn each_connection_is_decided_by_the_backend_that_it_was_given() {
    on_node(api_only(), |node| {
        each(|family, transport| {
            let api = server(node, API, family);
            let before = received(&node.pods[DB]);
            let service = family.service(MIXED_SERVICE);
            let exchanges: Vec<Exchange> =
                (0..4).map(|_| api.exchange(&node.pods[WEB], transport, service)).collect();
            let n_answered = exchanges.iter().filter(|of| **of == Exchange::Answered).count();
            assert_eq!(n_answered, 2, "{family:?} {transport:?} {exchanges:?}");
            assert_eq!(received(&node.pods[DB]), before, "not one packet");
        });
    });
}

/// The tracker gives the port's next connection to another backend while ours of before is not forgotten.
#[test]
fn a_port_that_is_used_again_at_once_is_decided_by_its_new_backend() {
    on_node(api_only(), |node| {
        for family in Family::BOTH {
            let (api, before) = (server(node, API, family), received(&node.pods[DB]));
            let from = SocketAddr::new(family.pod(WEB), 30_000);
            let service = family.service(MIXED_SERVICE);
            for round in 0..3 {
                let mut web = connect_from(&node.pods[WEB], from, service).expect("api is allowed");
                let answering = api.answer(&mut web);
                // Who ends it first keeps the port for a minute.
                answering.shutdown(Shutdown::Both).unwrap();
                assert_eq!(web.read(&mut [0; 1]).unwrap(), 0, "the end is heard");
                drop((web, answering));
                let denied = connect_from(&node.pods[WEB], from, service);
                assert!(denied.is_none(), "{family:?}: db in round {round}");
            }
            assert_eq!(received(&node.pods[DB]), before, "{family:?}: not one packet");
        }
    });
}

#[test]
fn an_error_of_an_allowed_backend_comes_back_through_the_service() {
    on_node(api_only(), |node| {
        for family in Family::BOTH {
            let (web, before) = (&node.pods[WEB], received(&node.pods[DB]));
            let ask = |pod| ask_nobody(web, family.service(service_of(pod)));
            assert_eq!(ask(API), Fate::Unreachable, "{family:?}");
            assert_eq!(ask(DB), Fate::Silence, "{family:?}");
            assert_eq!(received(&node.pods[DB]), before, "{family:?}: not one packet");
        }
    });
}

/// Otherwise what is large would be lost for good.
#[test]
fn a_sender_learns_of_a_narrow_way_behind_a_service() {
    const BYTES: usize = 100_000;
    on_node(api_only(), |node| {
        node.narrow(API, 1_300);
        for family in Family::BOTH {
            let api = server(node, API, family);
            let mut web = connect(&node.pods[WEB], family.service(service_of(API))).unwrap();
            let mut answering = api.answer(&mut web);
            let sent = thread::spawn(move || web.write_all(&[7; BYTES]));
            let mut bytes = vec![0; BYTES];
            answering.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
            answering.read_exact(&mut bytes).expect("all of it comes in smaller parts");
            sent.join().unwrap().unwrap();
        }
    });
}

#[test]
fn a_service_that_the_tables_lack_needs_its_backend_and_its_address_allowed() {
    on_node(api_only(), |node| {
        node.know(&[]);
        each(|family, transport| {
            assert_eq!(ask(node, API, family, transport).0, Exchange::Nothing, "no rule for it");
        });
        let mut both = api_only();
        both.push(services());
        node.allow(both);
        each(|family, transport| {
            let (exchange, _) = ask(node, API, family, transport);
            assert_eq!(exchange, Exchange::Answered, "{family:?} {transport:?}");
            let (exchange, _) = ask(node, DB, family, transport);
            assert_eq!(exchange, Exchange::Nothing, "{family:?} {transport:?}");
        });
    });
}

#[test]
fn a_rule_for_the_address_of_a_service_is_no_rule_for_its_backends() {
    on_node(vec![services()], |node| {
        each(|family, transport| {
            assert_eq!(ask(node, API, family, transport).0, Exchange::Nothing);
        });
    });
}

/// Not its own traffic, which never leaves it: a rule has to allow the pod as a peer.
#[test]
fn a_pod_reaches_itself_through_a_service_where_a_rule_allows_it() {
    on_node(vec![accept(vec![objects::pods(&[("app", "web")])])], |node| {
        each(|family, transport| {
            let (exchange, _) = ask(node, WEB, family, transport);
            assert_eq!(exchange, Exchange::Answered, "{family:?} {transport:?}");
        });
        node.allow(api_only());
        each(|family, transport| {
            let (exchange, _) = ask(node, WEB, family, transport);
            assert_eq!(exchange, Exchange::Nothing, "{family:?} {transport:?}");
        });
    });
}

#[test]
fn a_server_of_the_node_is_a_backend_like_others() {
    on_node(vec![accept(Vec::new())], |node| {
        each(|family, transport| {
            let of_node = Server::new(&node.namespace, family);
            let service = family.service(NODE_SERVICE);
            let web = &node.pods[WEB];
            assert_eq!(of_node.exchange(web, transport, service), Exchange::Answered);
        });
        node.allow(api_only());
        each(|family, transport| {
            let of_node = Server::new(&node.namespace, family);
            let service = family.service(NODE_SERVICE);
            let web = &node.pods[WEB];
            assert_eq!(of_node.exchange(web, transport, service), Exchange::Nothing);
        });
    });
}

#[test]
fn what_a_change_denies_is_cut_behind_a_service_too() {
    on_node(api_only(), |node| {
        for family in Family::BOTH {
            let api = server(node, API, family);
            let mut web = connect(&node.pods[WEB], family.service(service_of(API))).unwrap();
            let mut answering = api.answer(&mut web);
            node.allow(vec![accept(vec![objects::pods(&[("app", "api")])]), services()]);
            assert!(is_heard(&mut web, &mut answering), "another policy that allows it too");
            assert!(is_heard(&mut answering, &mut web));
            node.sightings();
            node.allow(vec![services()]);
            assert!(!is_heard(&mut web, &mut answering));
            assert!(!is_heard(&mut answering, &mut web));
            let service = family.service(service_of(API));
            let revoked = (Report::Revoked, service, at_backend(API, family));
            assert!(of_egress(&node.sightings()).contains(&revoked));
            node.allow(api_only());
        }
    });
}

#[test]
fn an_observed_pod_loses_nothing_behind_a_service() {
    on_node(Vec::new(), |node| {
        node.mode = PodMode::Observe;
        node.allow(Vec::new());
        for family in Family::BOTH {
            let (exchange, sightings) = ask(node, API, family, Transport::Tcp);
            assert_eq!(exchange, Exchange::Answered, "{family:?}");
            assert!(sightings.iter().any(|of| of.verdicts.is_some_and(|of| of.denied)));
            let api = server(node, API, family);
            let service = family.service(service_of(API));
            node.leave_web_alone();
            let mut web = connect(&node.pods[WEB], service).unwrap();
            let mut answering = api.answer(&mut web);
            node.look_after_web();
            node.allow(Vec::new());
            assert!(is_heard(&mut web, &mut answering), "it began before anybody looked");
            assert!(is_heard(&mut answering, &mut web));
        }
    });
}

#[test]
fn a_service_without_backends_is_its_own_backend() {
    on_node(api_only(), |node| {
        for family in Family::BOTH {
            let before = received(&node.outside);
            assert!(connect(&node.pods[WEB], family.service(EMPTY_SERVICE)).is_none());
            assert_eq!(received(&node.outside), before, "{family:?}: not one packet");
        }
        node.allow(vec![services()]);
        for family in Family::BOTH {
            let before = received(&node.outside);
            assert!(connect(&node.pods[WEB], family.service(EMPTY_SERVICE)).is_none());
            assert_eq!(received(&node.outside), before + 1, "{family:?}");
        }
    });
}

#[test]
fn what_the_tracker_does_not_know_goes_to_no_service() {
    on_node(api_only(), |node| {
        for family in Family::BOTH {
            let (outside, api) = (received(&node.outside), received(&node.pods[API]));
            let service = family.service(service_of(API));
            forged::send_syn(&node.pods[WEB], SocketAddr::new(family.pod(WEB), 4000), service);
            let after = (received(&node.outside), received(&node.pods[API]));
            assert_eq!(after, (outside, api), "{family:?}");
        }
    });
}

#[test]
fn headers_in_pages_that_a_pod_gave_the_kernel_are_read_and_decided() {
    on_node(api_only(), |node| {
        let (api, db) = (server(node, API, Family::V4), server(node, DB, Family::V4));
        let at = |pod| SocketAddr::new(Family::V4.pod(pod), PORT);
        forged::send_in_pages(&node.pods[WEB], at(API));
        assert!(api.is_asked());
        forged::send_in_pages(&node.pods[WEB], at(DB));
        assert!(!db.is_asked());
        let reports: Vec<Report> =
            of_egress(&node.sightings()).into_iter().map(|(report, ..)| report).collect();
        assert_eq!(reports, [Report::Opened, Report::Denied]);
    });
}
