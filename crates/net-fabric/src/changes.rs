//! Links, addresses, routes and neighbours: many changes in one request.
//!
//! The kernel works through a request in order and answers only what failed, and the last change. So a
//! pod's whole network costs one round trip.

use crate::{FabricError, Namespace};
use ipnet::IpNet;
use netlink_packet_core::{
    NLM_F_ACK, NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE, NLM_F_REQUEST, NetlinkHeader,
    NetlinkMessage, NetlinkPayload,
};
use netlink_packet_route::address::{
    AddressAttribute, AddressHeaderFlags, AddressMessage, AddressScope,
};
use netlink_packet_route::link::{
    InfoData, InfoKind, InfoVeth, LinkAttribute, LinkFlags, LinkInfo, LinkMessage,
};
use netlink_packet_route::neighbour::{NeighbourAttribute, NeighbourMessage, NeighbourState};
use netlink_packet_route::route::{
    RouteAttribute, RouteFlags, RouteHeader, RouteMessage, RouteProtocol, RouteScope, RouteType,
};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use netlink_sys::Socket;
use std::fmt;
use std::net::IpAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

/// Well below what a socket sends at once.
const MOST_BYTES: usize = 24_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HardwareAddress(pub [u8; 6]);

/// One end of a pair. The index is chosen by the caller, who then knows it.
#[derive(Clone, Copy, Debug)]
pub struct LinkEnd<'a> {
    pub name: &'a str,
    pub index: u32,
    pub hardware: HardwareAddress,
}

/// An address of the interface with this index, alone in its network.
#[derive(Clone, Copy, Debug)]
pub struct NewAddress {
    pub index: u32,
    pub address: IpAddr,
}

#[derive(Clone, Copy, Debug)]
pub struct Route {
    pub to: IpNet,
    /// A neighbour on the link, whether or not any network says so.
    pub via: Option<IpAddr>,
    pub index: u32,
}

/// Changes of one namespace, in order.
#[derive(Debug, Default)]
pub struct Changes {
    /// With what each one does.
    messages: Vec<(String, NetlinkMessage<RouteNetlinkMessage>)>,
}

impl Changes {
    /// A pair of interfaces that are down: one here, and one in `peer_namespace`.
    pub fn add_pair(
        &mut self,
        here: LinkEnd<'_>,
        peer: LinkEnd<'_>,
        peer_namespace: BorrowedFd<'_>,
    ) {
        let mut peer_link = link(peer);
        peer_link.attributes.push(LinkAttribute::NetNsFd(peer_namespace.as_fd().as_raw_fd()));
        let mut pair = link(here);
        pair.attributes.push(LinkAttribute::LinkInfo(vec![
            LinkInfo::Kind(InfoKind::Veth),
            LinkInfo::Data(InfoData::Veth(InfoVeth::Peer(peer_link))),
        ]));
        self.push(
            format!("make the links {} and {}", here.name, peer.name),
            NLM_F_CREATE | NLM_F_EXCL,
            RouteNetlinkMessage::NewLink(pair),
        );
    }

    pub fn set_up(&mut self, index: u32) {
        let mut link = LinkMessage::default();
        link.header.index = index;
        link.header.flags = LinkFlags::Up;
        link.header.change_mask = LinkFlags::Up;
        self.push(format!("set link {index} up"), 0, RouteNetlinkMessage::SetLink(link));
    }

    pub fn delete_link(&mut self, index: u32) {
        let mut link = LinkMessage::default();
        link.header.index = index;
        self.push(format!("delete link {index}"), 0, RouteNetlinkMessage::DelLink(link));
    }

    pub fn add_address(&mut self, NewAddress { index, address }: NewAddress) {
        let mut message = AddressMessage::default();
        message.header.family = family(address);
        message.header.prefix_len = if address.is_ipv4() { 32 } else { 128 };
        message.header.scope = AddressScope::Universe;
        message.header.index = index;
        // Usable at once: nobody else on the link can have it.
        message.header.flags = AddressHeaderFlags::Nodad;
        message.attributes =
            vec![AddressAttribute::Local(address), AddressAttribute::Address(address)];
        self.push(
            format!("add {address} to link {index}"),
            NLM_F_CREATE | NLM_F_EXCL,
            RouteNetlinkMessage::NewAddress(message),
        );
    }

    pub fn add_route(&mut self, Route { to, via, index }: Route) {
        let mut message = RouteMessage::default();
        message.header = RouteHeader {
            address_family: family(to.addr()),
            destination_prefix_length: to.prefix_len(),
            table: RouteHeader::RT_TABLE_MAIN,
            protocol: RouteProtocol::Static,
            scope: if via.is_some() { RouteScope::Universe } else { RouteScope::Link },
            kind: RouteType::Unicast,
            flags: if via.is_some() { RouteFlags::Onlink } else { RouteFlags::empty() },
            ..RouteHeader::default()
        };
        if to.prefix_len() > 0 {
            message.attributes.push(RouteAttribute::Destination(to.addr().into()));
        }
        message.attributes.extend(via.map(|via| RouteAttribute::Gateway(via.into())));
        message.attributes.push(RouteAttribute::Oif(index));
        self.push(
            format!("add a route to {to} over link {index}"),
            NLM_F_CREATE | NLM_F_EXCL,
            RouteNetlinkMessage::NewRoute(message),
        );
    }

    pub fn delete_route(&mut self, Route { to, via, index }: Route) {
        self.add_route(Route { to, via, index });
        if let Some((what, message)) = self.messages.last_mut() {
            *what = format!("delete the route to {to} over link {index}");
            message.header.flags = NLM_F_REQUEST;
            if let NetlinkPayload::InnerMessage(RouteNetlinkMessage::NewRoute(route)) =
                message.payload.clone()
            {
                message.payload = NetlinkPayload::from(RouteNetlinkMessage::DelRoute(route));
            }
        }
    }

    /// A neighbour whose hardware address is known for good: nothing is asked on the link.
    pub fn add_neighbour(&mut self, index: u32, address: IpAddr, hardware: HardwareAddress) {
        let mut message = NeighbourMessage::default();
        message.header.family = family(address);
        message.header.ifindex = index;
        message.header.state = NeighbourState::Permanent;
        message.attributes = vec![
            NeighbourAttribute::Destination(address.into()),
            NeighbourAttribute::LinkLayerAddress(hardware.0.to_vec()),
        ];
        self.push(
            format!("add the neighbour {address} to link {index}"),
            NLM_F_CREATE | NLM_F_REPLACE,
            RouteNetlinkMessage::NewNeighbour(message),
        );
    }

    fn push(&mut self, what: String, flags: u16, message: RouteNetlinkMessage) {
        let mut header = NetlinkHeader::default();
        header.flags = NLM_F_REQUEST | flags;
        self.messages.push((what, NetlinkMessage::new(header, message.into())));
    }

    /// Makes all changes, or says which one failed. Those before it stay made.
    pub fn apply(self, namespace: &Namespace) -> Result<(), FabricError> {
        let mut whats = Vec::new();
        let mut request = Vec::new();
        let socket = namespace.socket();
        let last = self.messages.len().saturating_sub(1);
        for (place, (what, mut message)) in self.messages.into_iter().enumerate() {
            whats.push(what);
            let is_end = place == last || request.len() > MOST_BYTES;
            message.header.sequence_number = u32::try_from(whats.len()).unwrap_or(u32::MAX);
            if is_end {
                message.header.flags |= NLM_F_ACK;
            }
            append(&mut request, &mut message);
            if is_end {
                socket.send(&request, 0).map_err(FabricError::Netlink)?;
                read_answers(&socket, &whats)?;
                request.clear();
                whats.clear();
            }
        }
        Ok(())
    }
}

fn append(request: &mut Vec<u8>, message: &mut NetlinkMessage<RouteNetlinkMessage>) {
    message.finalize();
    let start = request.len();
    request.resize(start + message.buffer_len(), 0);
    if let Some(rest) = request.get_mut(start..) {
        message.serialize(rest);
    }
}

/// Until the last change is answered. The first failure is what the caller hears; those behind it
/// mostly follow from it.
fn read_answers(socket: &Socket, whats: &[String]) -> Result<(), FabricError> {
    let mut failed = None;
    loop {
        let (answer, _) = socket.recv_from_full().map_err(FabricError::Netlink)?;
        let message = NetlinkMessage::<RouteNetlinkMessage>::deserialize(&answer)
            .map_err(|error| FabricError::Answer(error.to_string()))?;
        let place = usize::try_from(message.header.sequence_number).unwrap_or(usize::MAX);
        let NetlinkPayload::Error(error) = message.payload else {
            return Err(FabricError::Answer(format!("type {}", message.header.message_type)));
        };
        if error.code.is_some() {
            let what = whats.get(place.saturating_sub(1)).cloned().unwrap_or_default();
            failed.get_or_insert(FabricError::Change { what, source: error.to_io() });
        }
        if place >= whats.len() {
            return failed.map_or(Ok(()), Err);
        }
    }
}

fn link(end: LinkEnd<'_>) -> LinkMessage {
    let mut link = LinkMessage::default();
    link.header.index = end.index;
    link.attributes = vec![
        LinkAttribute::IfName(end.name.to_owned()),
        LinkAttribute::Address(end.hardware.0.to_vec()),
    ];
    link
}

fn family(address: IpAddr) -> AddressFamily {
    if address.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 }
}

impl fmt::Display for HardwareAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}
