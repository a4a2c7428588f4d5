//! Whether links pass packets yet: the kernel brings a link's queue to life a moment after both of its
//! ends are up, and drops what is sent before.

use crate::{FabricError, Namespace};
use netlink_packet_core::{
    NLM_F_DUMP, NLM_F_REQUEST, NetlinkHeader, NetlinkMessage, NetlinkPayload,
};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::link::{LinkFlags, LinkMessage};

impl Namespace {
    /// Every link that is up passes packets.
    pub fn links_run(&self) -> Result<bool, FabricError> {
        let mut header = NetlinkHeader::default();
        header.flags = NLM_F_REQUEST | NLM_F_DUMP;
        let all = RouteNetlinkMessage::GetLink(LinkMessage::default());
        let mut message = NetlinkMessage::new(header, all.into());
        message.finalize();
        let mut request = vec![0; message.buffer_len()];
        message.serialize(&mut request);
        let socket = self.socket();
        socket.send(&request, 0).map_err(FabricError::Netlink)?;
        let mut run = true;
        loop {
            let (answers, _) = socket.recv_from_full().map_err(FabricError::Netlink)?;
            let mut rest = answers.as_slice();
            while !rest.is_empty() {
                let answer = NetlinkMessage::<RouteNetlinkMessage>::deserialize(rest)
                    .map_err(|error| FabricError::Answer(error.to_string()))?;
                if let NetlinkPayload::InnerMessage(RouteNetlinkMessage::NewLink(link)) =
                    &answer.payload
                {
                    let flags = link.header.flags;
                    run &= !flags.contains(LinkFlags::Up) || flags.contains(LinkFlags::Running);
                } else if let NetlinkPayload::Done(_) = answer.payload {
                    return Ok(run);
                } else if let NetlinkPayload::Error(error) = answer.payload {
                    let what = "list the links".to_owned();
                    return Err(FabricError::Change { what, source: error.to_io() });
                } else {
                    return Err(FabricError::Answer(format!("{:?}", answer.payload)));
                }
                let length = usize::try_from(answer.header.length).unwrap_or(usize::MAX);
                rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
            }
        }
    }
}
