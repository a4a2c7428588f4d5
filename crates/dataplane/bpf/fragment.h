/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Fragments behind the first one have no ports: they get those that the first one showed. */
#ifndef WEIR_FRAGMENT_H
#define WEIR_FRAGMENT_H

#include "packet.h"

static __always_inline void fill_fragment_key(struct fragment_key *key, struct packet *packet)
{
	key->source = *source_of(packet, packet->direction);
	key->destination = *destination_of(packet, packet->direction);
	key->pod = packet->key.pod;
	key->identification = packet->identification;
	key->protocol = packet->fragment_protocol;
	key->direction = packet->direction;
}

/* After its first fragment was allowed. Without room the rest of the datagram is denied. */
__noinline int remember_fragment(struct packet *packet, __u64 now)
{
	struct fragment_key key;
	struct fragment fragment = { .seen = now };
	bool egress;

	if (!packet)
		return CAUSE_FRAGMENT;
	egress = packet->direction == EGRESS;
	fill_fragment_key(&key, packet);
	fragment.source_port = egress ? packet->key.local_port : packet->key.remote_port;
	fragment.destination_port = egress ? packet->key.remote_port : packet->key.local_port;
	fragment.header_end = packet->header_base;
	fragment.protocol = packet->key.protocol;
	return bpf_map_update_elem(&fragments, &key, &fragment, BPF_ANY);
}

/* A fragment that reaches into the headers would replace what was decided about. */
__noinline int recall_fragment(struct packet *packet, __u64 now)
{
	struct fragment_key key;
	struct fragment *first;

	if (!packet)
		return CAUSE_FRAGMENT;
	fill_fragment_key(&key, packet);
	first = bpf_map_lookup_elem(&fragments, &key);
	if (!first || (now > first->seen && now - first->seen > settings.fragments))
		return CAUSE_FRAGMENT;
	if (packet->fragment_offset < first->header_end)
		return CAUSE_FRAGMENT;
	packet->key.protocol = first->protocol;
	set_ports(packet, packet->direction, first->source_port, first->destination_port);
	return CAUSE_NONE;
}

#endif
