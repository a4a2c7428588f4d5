/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* IP headers: addresses, protocol, where the transport header is, fragments. */
#ifndef WEIR_PARSE_IP_H
#define WEIR_PARSE_IP_H

#include "packet.h"

#define MAX_EXTENSIONS 8
#define MAX_OPTIONS 40
#define MAX_DATAGRAM 65535
#define MAX_DIRECT 255 /* where a header begins that is read where it lies */

enum {
	OPTION_END = 0,
	OPTION_NOP = 1,
	OPTION_LOOSE_SOURCE_ROUTE = 131,
	OPTION_STRICT_SOURCE_ROUTE = 137,
};

struct ipv4_header {
	__u8 version_and_words, service;
	__be16 total_length, identification, fragment;
	__u8 time_to_live, protocol;
	__sum16 checksum;
	__be32 source, destination;
};

struct ipv6_header {
	__be32 version_and_flow;
	__be16 payload_length;
	__u8 next, hop_limit;
	struct address source, destination;
};

struct extension_header {
	__u8 next, length;
	__be16 offset_and_more; /* of a fragment; of routing: type and segments left */
	__be32 identification;
};

/*
 * Bytes in pages may still be their sender's to change: a ring of a packet socket is mapped there. They are
 * drawn to where they are the kernel's alone, so that who routes the packet sees what was decided about.
 */
static __always_inline bool is_settled(struct __sk_buff *skb, __u32 until)
{
	return until <= skb->data_end - skb->data || !bpf_skb_pull_data(skb, until);
}

static __always_inline bool copy_bytes(struct __sk_buff *skb, __u32 offset, void *to, __u32 size)
{
	return is_settled(skb, offset + size) && !bpf_skb_load_bytes(skb, offset, to, size);
}

/* A header where it lies; behind many others, which is rare, its copy. */
static __always_inline const void *header_at(struct __sk_buff *skb, __u32 offset, void *copy, __u32 size)
{
	void *start = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;

	if (offset <= MAX_DIRECT && start + offset + size <= end)
		return start + offset;
	return copy_bytes(skb, offset, copy, size) ? copy : 0;
}

/* The end of the packet, when its header says that `length` bytes follow `start`. */
static __always_inline int set_end(struct __sk_buff *skb, struct packet *packet, __u32 length)
{
	packet->end = ETHERNET_HEADER + length;
	if (packet->end <= skb->len)
		return CAUSE_NONE;
	if (!packet->gso)
		return CAUSE_TRUNCATED;
	packet->end = skb->len;
	return CAUSE_NONE;
}

/* Fragments must not be cut between units of 8, nor reach behind what a datagram can hold. */
static __always_inline int check_fragment(struct packet *packet)
{
	__u32 payload = packet->end - packet->offset;

	if (packet->end < packet->offset || (packet->more_fragments && payload % 8))
		return CAUSE_FRAGMENT;
	if (packet->fragment_offset + payload > MAX_DATAGRAM)
		return CAUSE_FRAGMENT;
	return CAUSE_NONE;
}

/* A source route would have the packet decided by an address that it does not end at. */
__noinline int check_ipv4_options(struct __sk_buff *skb, __u32 length)
{
	__u32 at = 0;

	for (__u32 i = 0; i < MAX_OPTIONS; i++) {
		__u8 option[2] = {};
		__u32 offset = ETHERNET_HEADER + sizeof(struct ipv4_header) + at;

		if (at >= length)
			return CAUSE_NONE;
		if (!copy_bytes(skb, offset, option, 1))
			return CAUSE_TRUNCATED;
		if (option[0] == OPTION_END)
			return CAUSE_NONE;
		if (option[0] == OPTION_NOP) {
			at++;
			continue;
		}
		if (option[0] == OPTION_LOOSE_SOURCE_ROUTE || option[0] == OPTION_STRICT_SOURCE_ROUTE)
			return CAUSE_MALFORMED;
		if (at + 2 > length || !copy_bytes(skb, offset + 1, option + 1, 1))
			return CAUSE_MALFORMED;
		if (option[1] < 2 || at + option[1] > length)
			return CAUSE_MALFORMED;
		at += option[1];
	}
	return at >= length ? CAUSE_NONE : CAUSE_MALFORMED;
}

static __always_inline int parse_ipv4(struct __sk_buff *skb, struct packet *packet,
				      __u32 direction)
{
	struct ipv4_header copy;
	const struct ipv4_header *header =
		header_at(skb, ETHERNET_HEADER, &copy, sizeof(copy));
	__u32 length, total, fragment;
	int cause;

	if (!header)
		return CAUSE_TRUNCATED;
	length = (header->version_and_words & 0xf) * 4;
	if (header->version_and_words >> 4 != 4 || length < sizeof(*header))
		return CAUSE_MALFORMED;
	total = bpf_ntohs(header->total_length);
	/* Packets that the kernel merged may be longer than the field can say: then it is 0. */
	if (!total && packet->gso)
		total = skb->len - ETHERNET_HEADER;
	if (total < length)
		return CAUSE_MALFORMED;
	set_ipv4(source_of(packet, direction), header->source);
	set_ipv4(destination_of(packet, direction), header->destination);
	packet->key.protocol = header->protocol;
	packet->offset = ETHERNET_HEADER + length;
	packet->hop_limit = header->time_to_live;
	packet->fragment_protocol = header->protocol;
	packet->identification = header->identification;
	fragment = bpf_ntohs(header->fragment);
	cause = set_end(skb, packet, total);
	if (!cause && length > sizeof(*header))
		cause = check_ipv4_options(skb, length - sizeof(*header));
	if (cause || !(fragment & 0x3fff))
		return cause;
	packet->fragmented = 1;
	packet->more_fragments = !!(fragment & 0x2000);
	packet->fragment_offset = (fragment & 0x1fff) * 8;
	return check_fragment(packet);
}

static __always_inline bool is_extension(__u32 protocol)
{
	switch (protocol) {
	case PROTOCOL_HOP_BY_HOP:
	case PROTOCOL_ROUTING:
	case PROTOCOL_FRAGMENT:
	case PROTOCOL_AUTHENTICATION:
	case PROTOCOL_DESTINATION:
		return true;
	}
	return false;
}

/* Extension headers whose meaning this program does not know; ports may be behind them. */
static __always_inline bool is_unknown_extension(__u32 protocol)
{
	switch (protocol) {
	case PROTOCOL_MOBILITY:
	case PROTOCOL_HOST_IDENTITY:
	case PROTOCOL_SHIM6:
	case PROTOCOL_EXPERIMENT_1:
	case PROTOCOL_EXPERIMENT_2:
	case PROTOCOL_RESERVED:
		return true;
	}
	return false;
}

static __always_inline int parse_fragment_header(struct packet *packet,
						 const struct extension_header *header)
{
	__u32 field = bpf_ntohs(header->offset_and_more);

	if (packet->fragmented)
		return CAUSE_MALFORMED;
	packet->offset += sizeof(*header);
	/* A "fragment" that is the whole datagram is one packet (RFC 6946). */
	if (!(field & 0xfff9))
		return CAUSE_NONE;
	packet->fragmented = 1;
	packet->more_fragments = field & 1;
	packet->fragment_offset = field & 0xfff8;
	packet->fragment_protocol = header->next;
	packet->identification = header->identification;
	packet->header_base = packet->offset;
	return check_fragment(packet);
}

/* Goes on behind the extension headers; key.protocol is the type of the one at packet->offset. */
__noinline int skip_extensions(struct __sk_buff *skb, struct packet *packet)
{
	if (!packet)
		return CAUSE_MALFORMED;
	for (__u32 i = 0; i <= MAX_EXTENSIONS; i++) {
		struct extension_header header;
		__u32 type = packet->key.protocol, length;

		if (is_unknown_extension(type))
			return CAUSE_UNKNOWN_EXTENSION;
		if (!is_extension(type) || (packet->fragmented && packet->fragment_offset))
			return CAUSE_NONE;
		if (i == MAX_EXTENSIONS)
			return CAUSE_UNKNOWN_EXTENSION;
		if (packet->offset + sizeof(header) > packet->end)
			return packet->fragmented ? CAUSE_FRAGMENT : CAUSE_TRUNCATED;
		if (!copy_bytes(skb, packet->offset, &header, sizeof(header)))
			return CAUSE_TRUNCATED;
		packet->key.protocol = header.next;
		if (type == PROTOCOL_FRAGMENT) {
			int cause = parse_fragment_header(packet, &header);

			if (cause)
				return cause;
			continue;
		}
		if (type == PROTOCOL_HOP_BY_HOP && i > 0)
			return CAUSE_MALFORMED;
		/* With segments left the destination is not where the packet ends. */
		if (type == PROTOCOL_ROUTING && bpf_ntohs(header.offset_and_more) & 0xff)
			return CAUSE_MALFORMED;
		length = type == PROTOCOL_AUTHENTICATION ? (header.length + 2) * 4
							 : (header.length + 1) * 8;
		packet->offset += length;
		if (packet->offset > packet->end)
			return packet->fragmented ? CAUSE_FRAGMENT : CAUSE_TRUNCATED;
	}
	return CAUSE_UNKNOWN_EXTENSION;
}

static __always_inline int parse_ipv6(struct __sk_buff *skb, struct packet *packet,
				      __u32 direction)
{
	struct ipv6_header copy;
	const struct ipv6_header *header =
		header_at(skb, ETHERNET_HEADER, &copy, sizeof(copy));
	__u32 payload;
	int cause;

	if (!header)
		return CAUSE_TRUNCATED;
	if (bpf_ntohl(header->version_and_flow) >> 28 != 6)
		return CAUSE_MALFORMED;
	/* Such an address would be taken for the IPv4 address in tables (RFC 4942, 2.2). */
	if (is_mapped_ipv4(&header->source) || is_mapped_ipv4(&header->destination))
		return CAUSE_MALFORMED;
	payload = bpf_ntohs(header->payload_length);
	if (!payload && packet->gso)
		payload = skb->len - ETHERNET_HEADER - sizeof(*header);
	cause = set_end(skb, packet, sizeof(*header) + payload);
	if (cause)
		return cause;
	*source_of(packet, direction) = header->source;
	*destination_of(packet, direction) = header->destination;
	packet->ipv6 = 1;
	packet->hop_limit = header->hop_limit;
	packet->key.protocol = header->next;
	packet->offset = ETHERNET_HEADER + sizeof(*header);
	if (is_extension(header->next) || is_unknown_extension(header->next))
		cause = skip_extensions(skb, packet);
	if (!cause && packet->fragmented && !packet->fragment_offset)
		packet->header_base = packet->offset - packet->header_base;
	return cause;
}

#endif
