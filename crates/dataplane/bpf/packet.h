/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* What the steps of one packet's way hand to each other, and the numbers of the protocols. */
#ifndef WEIR_PACKET_H
#define WEIR_PACKET_H

enum {
	ETHERTYPE_IPV4 = 0x0800,
	ETHERTYPE_ARP = 0x0806,
	ETHERTYPE_VLAN = 0x8100,
	ETHERTYPE_IPV6 = 0x86dd,
	ETHERTYPE_QINQ = 0x88a8,
	ETHERNET_HEADER = 14,
};

enum {
	PROTOCOL_HOP_BY_HOP = 0,
	PROTOCOL_ICMP = 1,
	PROTOCOL_IGMP = 2,
	PROTOCOL_TCP = 6,
	PROTOCOL_UDP = 17,
	PROTOCOL_ROUTING = 43,
	PROTOCOL_FRAGMENT = 44,
	PROTOCOL_AUTHENTICATION = 51,
	PROTOCOL_ICMPV6 = 58,
	PROTOCOL_DESTINATION = 60,
	PROTOCOL_SCTP = 132,
	PROTOCOL_MOBILITY = 135,
	PROTOCOL_HOST_IDENTITY = 139,
	PROTOCOL_SHIM6 = 140,
	PROTOCOL_EXPERIMENT_1 = 253,
	PROTOCOL_EXPERIMENT_2 = 254,
	PROTOCOL_RESERVED = 255,
};

enum {
	FLAG_FIN = 0x01,
	FLAG_SYN = 0x02,
	FLAG_RST = 0x04,
	FLAG_ACK = 0x10,
};

enum {
	ERROR_EXISTS = 17,
};

enum action {
	ACTION_NEXT = -1, /* the next program of the interface runs */
	ACTION_DROP = 2,
};

enum packet_kind {
	PACKET_FLOW,
	PACKET_NEIGHBOUR,  /* address resolution, checked: passes */
	PACKET_ICMP_REPLY, /* opens nothing */
	PACKET_ICMP_ERROR, /* once the quoted packet is read, the key is that packet's */
};

struct packet {
	struct connection_key key;
	__u32 length;          /* of the frame: what the counters count */
	__u32 offset;          /* of the next header */
	__u32 end;             /* of the packet, by its IP header */
	__u32 identification;  /* of the datagram that this is a fragment of */
	__u16 fragment_offset; /* in bytes; 0: the first one */
	__u16 header_base;     /* of the transport header, from the start of the fragmented part */
	__u8 fragment_protocol;
	__u8 fragmented;
	__u8 more_fragments;
	__u8 direction;
	__u8 kind;             /* enum packet_kind */
	__u8 ipv6;
	__u8 hop_limit;
	__u8 tcp_flags;
	__u8 icmp_type, icmp_code;
	__u8 gso;              /* lengths in headers are those of no packet on the wire */
	__u8 evaluated;        /* the scratch has the decision about it */
	__u8 reported;         /* an event tells of this denial already */
};

/* One evaluation: what is asked, and the answer. */
struct question {
	__u64 word;            /* of `policies` */
	struct address remote;
	__u32 port;            /* of the destination */
	__u32 protocol, direction;
};

struct decision {
	__u64 vector[MAX_WORDS];
	__u32 profile, peer_class, generation, n_words;
	struct address backend; /* what was asked about behind a Service; else zero, as its port is */
	__u32 backend_port;
	__u16 rule, observed_rule, staged_rule;
	__u8 verdicts;
	__u8 reserved;
};

struct scratch {
	struct decision decision;
	struct connection connection;
};

enum scratch_user {
	SCRATCH_INGRESS = INGRESS,
	SCRATCH_EGRESS = EGRESS,
	SCRATCH_SERVICE,
	SCRATCH_INQUIRY,
	N_SCRATCH_USERS,
};

static __always_inline bool same_address(const struct address *a, const struct address *b)
{
	return !((a->words[0] ^ b->words[0]) | (a->words[1] ^ b->words[1]) |
		 (a->words[2] ^ b->words[2]) | (a->words[3] ^ b->words[3]));
}

static __always_inline bool is_unspecified(const struct address *a)
{
	return !(a->words[0] | a->words[1] | a->words[2] | a->words[3]);
}

static __always_inline bool is_mapped_ipv4(const struct address *a)
{
	return !(a->words[0] | a->words[1]) && a->words[2] == bpf_htonl(0xffff);
}

static __always_inline void set_ipv4(struct address *a, __be32 ipv4)
{
	a->words[0] = 0;
	a->words[1] = 0;
	a->words[2] = bpf_htonl(0xffff);
	a->words[3] = ipv4;
}

static __always_inline bool is_own(const struct pod *pod, const struct address *address)
{
	for (__u32 i = 0; i < MAX_POD_ADDRESSES; i++)
		if (i < pod->n_addresses && same_address(&pod->addresses[i], address))
			return true;
	return false;
}

/*
 * These three are told the packet's direction: where it is the program's, and known when that is compiled, a
 * packet meets fewer branches.
 */
static __always_inline struct address *source_of(struct packet *packet, __u32 direction)
{
	return direction == EGRESS ? &packet->key.local : &packet->key.remote;
}

static __always_inline struct address *destination_of(struct packet *packet, __u32 direction)
{
	return direction == EGRESS ? &packet->key.remote : &packet->key.local;
}

static __always_inline void set_ports(struct packet *packet, __u32 direction, __u16 source,
				      __u16 destination)
{
	bool egress = direction == EGRESS;

	packet->key.local_port = egress ? source : destination;
	packet->key.remote_port = egress ? destination : source;
}

static __always_inline bool has_ports(__u32 protocol)
{
	return protocol == PROTOCOL_TCP || protocol == PROTOCOL_UDP || protocol == PROTOCOL_SCTP;
}

#endif
