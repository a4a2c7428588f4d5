/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* A frame: which kind of packet it is and whose connection it belongs to, or why that cannot be told. */
#ifndef WEIR_PARSE_H
#define WEIR_PARSE_H

#include "packet.h"
#include "parse_icmp.h"
#include "parse_ip.h"

struct arp_packet {
	__be16 hardware, protocol;
	__u8 hardware_length, protocol_length;
	__be16 operation;
	__u8 sender_mac[6], sender[4], target_mac[6], target[4];
};

struct tcp_header {
	__be16 source, destination;
	__be32 sequence, acknowledged;
	__u8 words, flags;
	__be16 window;
	__sum16 checksum;
	__be16 urgent;
};

struct udp_header {
	__be16 source, destination, length;
	__sum16 checksum;
};

struct sctp_header {
	__be16 source, destination;
	__be32 tag, checksum;
};

/* Own addresses only; the question whether somebody has ours already comes from nobody (RFC 5227). */
__noinline int parse_arp(struct __sk_buff *skb, struct packet *packet, struct pod *pod)
{
	struct arp_packet arp;
	struct address sender, target;
	__be32 ipv4;

	if (!packet || !pod)
		return CAUSE_MALFORMED;
	if (!copy_bytes(skb, ETHERNET_HEADER, &arp, sizeof(arp)))
		return CAUSE_TRUNCATED;
	if (arp.hardware != bpf_htons(1) || arp.protocol != bpf_htons(ETHERTYPE_IPV4) ||
	    arp.hardware_length != 6 || arp.protocol_length != 4)
		return CAUSE_MALFORMED;
	packet->kind = PACKET_NEIGHBOUR;
	if (packet->direction == INGRESS)
		return CAUSE_NONE;
	__builtin_memcpy(&ipv4, arp.sender, sizeof(ipv4));
	set_ipv4(&sender, ipv4);
	__builtin_memcpy(&ipv4, arp.target, sizeof(ipv4));
	set_ipv4(&target, ipv4);
	packet->key.local = sender;
	packet->key.remote = target;
	if (!sender.words[3])
		return is_own(pod, &target) ? CAUSE_NONE : CAUSE_NOT_OWN_ADDRESS;
	return is_own(pod, &sender) ? CAUSE_NONE : CAUSE_NOT_OWN_ADDRESS;
}

static __always_inline int too_short(const struct packet *packet)
{
	return packet->fragmented ? CAUSE_FRAGMENT : CAUSE_TRUNCATED;
}

static __always_inline int parse_tcp(struct __sk_buff *skb, struct packet *packet,
				     __u32 direction)
{
	struct tcp_header copy;
	const struct tcp_header *header = 0;
	__u32 length;

	if (packet->offset + sizeof(*header) <= packet->end)
		header = header_at(skb, packet->offset, &copy, sizeof(copy));
	if (!header)
		return too_short(packet);
	length = (header->words >> 4) * 4;
	if (length < sizeof(*header))
		return CAUSE_MALFORMED;
	if (packet->offset + length > packet->end)
		return packet->fragmented ? CAUSE_FRAGMENT : CAUSE_MALFORMED;
	if (!(header->flags & (FLAG_SYN | FLAG_ACK | FLAG_RST | FLAG_FIN)))
		return CAUSE_MALFORMED;
	if (header->flags & FLAG_SYN && header->flags & (FLAG_RST | FLAG_FIN))
		return CAUSE_MALFORMED;
	packet->tcp_flags = header->flags;
	packet->header_base += sizeof(*header);
	set_ports(packet, direction, bpf_ntohs(header->source), bpf_ntohs(header->destination));
	return CAUSE_NONE;
}

static __always_inline int parse_udp(struct __sk_buff *skb, struct packet *packet,
				     __u32 direction)
{
	struct udp_header copy;
	const struct udp_header *header = 0;
	__u32 length;

	if (packet->offset + sizeof(*header) <= packet->end)
		header = header_at(skb, packet->offset, &copy, sizeof(copy));
	if (!header)
		return too_short(packet);
	length = bpf_ntohs(header->length);
	if (!packet->gso && length < sizeof(*header))
		return CAUSE_MALFORMED;
	if (!packet->gso && !packet->fragmented && packet->offset + length > packet->end)
		return CAUSE_MALFORMED;
	packet->header_base += sizeof(*header);
	set_ports(packet, direction, bpf_ntohs(header->source), bpf_ntohs(header->destination));
	return CAUSE_NONE;
}

static __always_inline int parse_sctp(struct __sk_buff *skb, struct packet *packet,
				     __u32 direction)
{
	struct sctp_header copy;
	const struct sctp_header *header = 0;

	if (packet->offset + sizeof(*header) <= packet->end)
		header = header_at(skb, packet->offset, &copy, sizeof(copy));
	if (!header)
		return too_short(packet);
	packet->header_base += sizeof(*header);
	set_ports(packet, direction, bpf_ntohs(header->source), bpf_ntohs(header->destination));
	return CAUSE_NONE;
}

static __always_inline int parse_transport(struct __sk_buff *skb, struct packet *packet,
					   struct pod *pod, __u32 direction)
{
	switch (packet->key.protocol) {
	case PROTOCOL_TCP:
		return parse_tcp(skb, packet, direction);
	case PROTOCOL_UDP:
		return parse_udp(skb, packet, direction);
	case PROTOCOL_SCTP:
		return parse_sctp(skb, packet, direction);
	case PROTOCOL_ICMP:
		return packet->ipv6 ? CAUSE_NONE : parse_icmp(skb, packet, pod);
	case PROTOCOL_ICMPV6:
		return packet->ipv6 ? parse_icmp(skb, packet, pod) : CAUSE_NONE;
	case PROTOCOL_IGMP:
		return packet->ipv6 ? CAUSE_NONE : CAUSE_LINK_LOCAL;
	}
	return CAUSE_NONE;
}

static __always_inline int parse_frame(struct __sk_buff *skb, struct packet *packet, struct pod *pod,
				       __u32 direction)
{
	int cause;

	if (skb->vlan_present)
		return CAUSE_VLAN;
	packet->gso = skb->gso_size != 0;
	switch (bpf_ntohs(skb->protocol)) {
	case ETHERTYPE_IPV4:
		cause = parse_ipv4(skb, packet, direction);
		break;
	case ETHERTYPE_IPV6:
		cause = parse_ipv6(skb, packet, direction);
		break;
	case ETHERTYPE_ARP:
		return parse_arp(skb, packet, pod);
	case ETHERTYPE_VLAN:
	case ETHERTYPE_QINQ:
		return CAUSE_VLAN;
	default:
		return CAUSE_UNKNOWN_ETHERTYPE;
	}
	if (!cause && !packet->fragment_offset)
		cause = parse_transport(skb, packet, pod, direction);
	if (cause || packet->kind == PACKET_NEIGHBOUR || direction == INGRESS)
		return cause;
	return is_own(pod, &packet->key.local) ? CAUSE_NONE : CAUSE_NOT_OWN_ADDRESS;
}

#endif
