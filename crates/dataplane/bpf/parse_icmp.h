/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* ICMP: echoes, errors and the packets that they quote, neighbour discovery. */
#ifndef WEIR_PARSE_ICMP_H
#define WEIR_PARSE_ICMP_H

#include "packet.h"
#include "parse_ip.h"

enum {
	ICMP_ECHO_REPLY = 0,
	ICMP_UNREACHABLE = 3,
	ICMP_SOURCE_QUENCH = 4,
	ICMP_REDIRECT = 5,
	ICMP_ECHO = 8,
	ICMP_ROUTER_ADVERTISEMENT = 9,
	ICMP_ROUTER_SOLICITATION = 10,
	ICMP_TIME_EXCEEDED = 11,
	ICMP_PARAMETER_PROBLEM = 12,
	ICMPV6_UNREACHABLE = 1,
	ICMPV6_PARAMETER_PROBLEM = 4,
	ICMPV6_ECHO = 128,
	ICMPV6_ECHO_REPLY = 129,
	ICMPV6_LISTENER_QUERY = 130,
	ICMPV6_LISTENER_DONE = 132,
	ICMPV6_ROUTER_SOLICITATION = 133,
	ICMPV6_ROUTER_ADVERTISEMENT = 134,
	ICMPV6_NEIGHBOUR_SOLICITATION = 135,
	ICMPV6_NEIGHBOUR_ADVERTISEMENT = 136,
	ICMPV6_REDIRECT = 137,
	ICMPV6_LISTENER_REPORT_2 = 143,
	ICMPV6_ROUTER_LISTENER = 151, /* 151 to 153 */
	ICMPV6_ROUTER_TERMINATION = 153,
};

struct icmp_header {
	__u8 type, code;
	__sum16 checksum;
	__be16 identifier, sequence;
};

static __always_inline int set_echo(struct packet *packet, bool request, __be16 identifier)
{
	bool by_egress = (packet->direction == EGRESS) == request;

	packet->kind = request ? PACKET_FLOW : PACKET_ICMP_REPLY;
	packet->key.local_port = bpf_ntohs(identifier);
	packet->key.remote_port = by_egress ? ICMP_ECHO_BY_EGRESS : ICMP_ECHO_BY_INGRESS;
	return CAUSE_NONE;
}

static __always_inline int set_other_icmp(struct packet *packet)
{
	packet->key.local_port = packet->icmp_type << 8 | packet->icmp_code;
	packet->key.remote_port =
		packet->direction == EGRESS ? ICMP_OTHER_BY_EGRESS : ICMP_OTHER_BY_INGRESS;
	return CAUSE_NONE;
}

static __always_inline int parse_icmpv4(struct packet *packet, const struct icmp_header *header)
{
	switch (header->type) {
	case ICMP_ECHO:
	case ICMP_ECHO_REPLY:
		return set_echo(packet, header->type == ICMP_ECHO, header->identifier);
	case ICMP_ROUTER_ADVERTISEMENT:
	case ICMP_ROUTER_SOLICITATION:
		return CAUSE_LINK_LOCAL;
	case ICMP_REDIRECT:
		if (packet->direction == EGRESS)
			return CAUSE_LINK_LOCAL;
		packet->kind = PACKET_ICMP_ERROR;
		return CAUSE_NONE;
	case ICMP_UNREACHABLE:
	case ICMP_SOURCE_QUENCH:
	case ICMP_TIME_EXCEEDED:
	case ICMP_PARAMETER_PROBLEM:
		packet->kind = PACKET_ICMP_ERROR;
		return CAUSE_NONE;
	}
	return set_other_icmp(packet);
}

/* Solicitations and advertisements of the pod: from and about its own addresses only. */
__noinline int check_neighbour(struct __sk_buff *skb, struct packet *packet, struct pod *pod)
{
	struct address target;
	bool own_source;

	if (!packet || !pod)
		return CAUSE_MALFORMED;
	/* A router would have counted the limit down: it comes from elsewhere. */
	if (packet->hop_limit != 255 || packet->fragmented)
		return CAUSE_MALFORMED;
	packet->kind = PACKET_NEIGHBOUR;
	if (packet->direction == INGRESS)
		return CAUSE_NONE;
	if (packet->offset + sizeof(struct icmp_header) + sizeof(target) > packet->end)
		return CAUSE_TRUNCATED;
	if (!copy_bytes(skb, packet->offset + sizeof(struct icmp_header), &target,
			       sizeof(target)))
		return CAUSE_TRUNCATED;
	own_source = is_own(pod, &packet->key.local);
	if (packet->icmp_type == ICMPV6_NEIGHBOUR_ADVERTISEMENT)
		return own_source && is_own(pod, &target) ? CAUSE_NONE : CAUSE_NOT_OWN_ADDRESS;
	/* Asking whether somebody has our address already is done without one. */
	if (is_unspecified(&packet->key.local))
		return is_own(pod, &target) ? CAUSE_NONE : CAUSE_NOT_OWN_ADDRESS;
	return own_source ? CAUSE_NONE : CAUSE_NOT_OWN_ADDRESS;
}

static __always_inline int parse_icmpv6(struct __sk_buff *skb, struct packet *packet,
					struct pod *pod, const struct icmp_header *header)
{
	__u8 type = header->type;

	if (type == ICMPV6_ECHO || type == ICMPV6_ECHO_REPLY)
		return set_echo(packet, type == ICMPV6_ECHO, header->identifier);
	if (type >= ICMPV6_UNREACHABLE && type <= ICMPV6_PARAMETER_PROBLEM) {
		packet->kind = PACKET_ICMP_ERROR;
		return CAUSE_NONE;
	}
	if (type == ICMPV6_NEIGHBOUR_SOLICITATION || type == ICMPV6_NEIGHBOUR_ADVERTISEMENT)
		return check_neighbour(skb, packet, pod);
	if (type >= ICMPV6_ROUTER_SOLICITATION && type <= ICMPV6_REDIRECT)
		return packet->direction == EGRESS ? CAUSE_LINK_LOCAL
						   : check_neighbour(skb, packet, pod);
	if ((type >= ICMPV6_LISTENER_QUERY && type <= ICMPV6_LISTENER_DONE) ||
	    type == ICMPV6_LISTENER_REPORT_2 ||
	    (type >= ICMPV6_ROUTER_LISTENER && type <= ICMPV6_ROUTER_TERMINATION))
		return CAUSE_LINK_LOCAL;
	return set_other_icmp(packet);
}

static __always_inline int parse_icmp(struct __sk_buff *skb, struct packet *packet, struct pod *pod)
{
	struct icmp_header header;

	if (packet->offset + sizeof(header) > packet->end)
		return packet->fragmented ? CAUSE_FRAGMENT : CAUSE_TRUNCATED;
	if (!copy_bytes(skb, packet->offset, &header, sizeof(header)))
		return CAUSE_TRUNCATED;
	packet->icmp_type = header.type;
	packet->icmp_code = header.code;
	return packet->ipv6 ? parse_icmpv6(skb, packet, pod, &header)
			    : parse_icmpv4(packet, &header);
}

static __always_inline int parse_quoted_ip(struct __sk_buff *skb, struct packet *quoted)
{
	if (quoted->ipv6) {
		struct ipv6_header header;

		if (!copy_bytes(skb, quoted->offset, &header, sizeof(header)))
			return CAUSE_ICMP_UNRELATED;
		*source_of(quoted, quoted->direction) = header.source;
		*destination_of(quoted, quoted->direction) = header.destination;
		quoted->key.protocol = header.next;
		quoted->offset += sizeof(header);
		return skip_extensions(skb, quoted) ? CAUSE_ICMP_UNRELATED : CAUSE_NONE;
	}
	struct ipv4_header header;

	if (!copy_bytes(skb, quoted->offset, &header, sizeof(header)))
		return CAUSE_ICMP_UNRELATED;
	if (header.version_and_words >> 4 != 4 || (header.version_and_words & 0xf) < 5)
		return CAUSE_ICMP_UNRELATED;
	set_ipv4(source_of(quoted, quoted->direction), header.source);
	set_ipv4(destination_of(quoted, quoted->direction), header.destination);
	quoted->key.protocol = header.protocol;
	quoted->offset += (header.version_and_words & 0xf) * 4;
	quoted->fragment_offset = bpf_ntohs(header.fragment) & 0x1fff;
	return CAUSE_NONE;
}

/*
 * The packet that an error quotes was sent by who the error is for; the key becomes that packet's. An
 * error to anybody else could carry data where no policy allows it.
 */
__noinline int parse_quoted(struct __sk_buff *skb, struct packet *packet)
{
	struct packet quoted = {};
	struct icmp_header header; /* or the ports, and four bytes more */

	if (!packet)
		return CAUSE_ICMP_UNRELATED;
	quoted.direction = packet->direction == EGRESS ? INGRESS : EGRESS;
	quoted.ipv6 = packet->ipv6;
	quoted.offset = packet->offset + sizeof(header);
	quoted.end = packet->end;
	if (parse_quoted_ip(skb, &quoted) || quoted.fragment_offset)
		return CAUSE_ICMP_UNRELATED;
	if (!same_address(source_of(&quoted, quoted.direction),
			  destination_of(packet, packet->direction)))
		return CAUSE_ICMP_UNRELATED;
	quoted.key.pod = packet->key.pod;
	if (quoted.offset + sizeof(header) > quoted.end ||
	    !copy_bytes(skb, quoted.offset, &header, sizeof(header)))
		return CAUSE_ICMP_UNRELATED;
	if (has_ports(quoted.key.protocol)) {
		set_ports(&quoted, quoted.direction, bpf_ntohs(*(__be16 *)&header),
			  bpf_ntohs(header.checksum));
	} else if (quoted.key.protocol == (packet->ipv6 ? PROTOCOL_ICMPV6 : PROTOCOL_ICMP)) {
		bool reply = header.type == (packet->ipv6 ? ICMPV6_ECHO_REPLY : ICMP_ECHO_REPLY);

		if (!reply && header.type != (packet->ipv6 ? ICMPV6_ECHO : ICMP_ECHO))
			return CAUSE_ICMP_UNRELATED;
		set_echo(&quoted, !reply, header.identifier);
	}
	packet->key = quoted.key;
	return CAUSE_NONE;
}

#endif
