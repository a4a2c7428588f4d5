/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Counters, events and aggregated denials: nothing is lost without a number. */
#ifndef WEIR_REPORT_H
#define WEIR_REPORT_H

#include "counts.h"
#include "packet.h"

#define WAKE_READER_AT (64 * 1024)
#define RING_HEADER 8

static __always_inline void count(__u32 cause)
{
	__u64 *counter = bpf_map_lookup_elem(&counters, &cause);

	if (counter)
		__sync_fetch_and_add(counter, 1);
}

/* The number is taken also where the ring is full: the gap shows the loss. */
static __always_inline struct event *begin_event(__u32 kind, __u64 now)
{
	__u32 first = 0, sequence = 0;
	__u32 *next = bpf_map_lookup_elem(&sequences, &first);
	struct event *event;

	if (next)
		sequence = __sync_fetch_and_add(next, 1);
	event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
	if (!event) {
		count(CAUSE_RING_FULL);
		return 0;
	}
	event->kind = kind;
	event->time = now;
	event->sequence = sequence;
	event->cpu = bpf_get_smp_processor_id();
	event->count = 0;
	event->n_words = 0;
	event->icmp_type = 0;
	event->icmp_code = 0;
	__builtin_memset(event->reserved, 0, sizeof(event->reserved));
	return event;
}

/* Once for each 64 KiB: a wake-up is an interrupt, and costs more than everything else of a packet. */
static __always_inline void submit_event(struct event *event)
{
	__u64 waiting = bpf_ringbuf_query(&events, BPF_RB_AVAIL_DATA);
	bool wake = waiting >= WAKE_READER_AT &&
		    waiting % WAKE_READER_AT < sizeof(*event) + RING_HEADER;

	bpf_ringbuf_submit(event, wake ? BPF_RB_FORCE_WAKEUP : BPF_RB_NO_WAKEUP);
}

static __always_inline void fill_key(struct event *event, const struct connection_key *key)
{
	event->local = key->local;
	event->remote = key->remote;
	event->pod = key->pod;
	event->local_port = key->local_port;
	event->remote_port = key->remote_port;
	event->protocol = key->protocol;
}

static __always_inline void fill_connection(struct event *event, const struct connection *connection)
{
	event->opened = connection->opened;
	event->packets[0] = packets_of(connection, 0);
	event->packets[1] = packets_of(connection, 1);
	event->bytes[0] = bytes_of(connection, 0);
	event->bytes[1] = bytes_of(connection, 1);
	event->backend = connection->backend;
	event->backend_port = connection->backend_port;
	event->profile = connection->profile;
	event->peer_class = connection->peer_class;
	event->generation = connection->generation;
	event->rule = connection->rule;
	event->observed_rule = connection->observed_rule;
	event->staged_rule = connection->staged_rule;
	event->direction = connection->opener;
	event->state = connection->state;
	event->verdicts = connection->verdicts;
	event->flags = connection->flags;
	event->tcp_flags[0] = connection->tcp_flags[0];
	event->tcp_flags[1] = connection->tcp_flags[1];
	event->cause = CAUSE_NONE;
}

static __always_inline void fill_decision(struct event *event, const struct decision *decision)
{
	event->profile = decision->profile;
	event->peer_class = decision->peer_class;
	event->generation = decision->generation;
	event->rule = decision->rule;
	event->observed_rule = decision->observed_rule;
	event->staged_rule = decision->staged_rule;
	event->verdicts = decision->verdicts;
	if (decision->backend_port) {
		event->backend = decision->backend;
		event->backend_port = decision->backend_port;
	}
	event->n_words = decision->n_words;
	for (__u32 w = 0; w < MAX_WORDS; w++) {
		if (w >= decision->n_words)
			break;
		event->vector[w] = decision->vector[w];
	}
}

/* An event about a connection; with the decision where it was just made. */
__noinline int report_connection(__u32 kind, const struct connection_key *key,
					const struct connection *connection,
					const struct decision *decision, __u64 now)
{
	struct event *event;

	if (!key || !connection)
		return CAUSE_TABLES;
	event = begin_event(kind, now);
	if (!event)
		return CAUSE_RING_FULL;
	fill_key(event, key);
	fill_connection(event, connection);
	if (decision)
		fill_decision(event, decision);
	submit_event(event);
	return CAUSE_NONE;
}

static __always_inline void fill_denial_key(struct denial_key *key, const struct packet *packet,
					    const struct decision *decision, __u32 cause)
{
	key->pod = packet->key.pod;
	key->cause = cause;
	key->direction = packet->direction;
	key->rule = decision->rule;
	key->profile = decision->profile;
	/* What a forger writes into a packet must not fill the table. */
	if (cause >= CAUSE_NOT_OWN_ADDRESS && cause <= CAUSE_FRAGMENT)
		return;
	key->local = packet->key.local;
	key->remote = packet->key.remote;
	key->protocol = packet->key.protocol;
	if (has_ports(packet->key.protocol))
		key->port = packet->direction == EGRESS ? packet->key.remote_port
							: packet->key.local_port;
}

static __always_inline bool report_denial(const struct packet *packet,
					  const struct decision *decision, __u32 cause, __u64 now)
{
	bool by_policy = cause == CAUSE_POLICY || cause == CAUSE_NO_POLICY_YET;
	struct event *event = begin_event(by_policy ? EVENT_DENIED : EVENT_REFUSED, now);

	if (!event)
		return false;
	fill_key(event, &packet->key);
	event->opened = 0;
	event->packets[0] = packet->direction == INGRESS;
	event->packets[1] = packet->direction == EGRESS;
	event->bytes[0] = packet->direction == INGRESS ? packet->length : 0;
	event->bytes[1] = packet->direction == EGRESS ? packet->length : 0;
	__builtin_memset(&event->backend, 0, sizeof(event->backend));
	event->backend_port = 0;
	event->count = 1;
	event->cause = cause;
	event->direction = packet->direction;
	event->state = TCP_NONE;
	event->flags = 0;
	event->tcp_flags[INGRESS] = packet->direction == INGRESS ? packet->tcp_flags : 0;
	event->tcp_flags[EGRESS] = packet->direction == EGRESS ? packet->tcp_flags : 0;
	event->icmp_type = packet->icmp_type;
	event->icmp_code = packet->icmp_code;
	fill_decision(event, decision);
	submit_event(event);
	return true;
}

/* Counts a packet that is not let through by its cause; the first of its kind is reported at once. */
__noinline int count_denial(const struct packet *packet, const struct decision *decision,
			    __u32 cause, __u64 now)
{
	struct denial_key key = {};
	struct denial *known, denial = {};

	count(cause);
	if (!packet || !decision)
		return 0;
	if (cause == CAUSE_LINK_LOCAL || packet->reported)
		return 0;
	fill_denial_key(&key, packet, decision, cause);
	known = bpf_map_lookup_elem(&denials, &key);
	if (known) {
		__sync_fetch_and_add(&known->packets, 1);
		__sync_fetch_and_add(&known->bytes, packet->length);
		known->seen = now;
		return 0;
	}
	denial.first = now;
	denial.seen = now;
	denial.peer_class = decision->peer_class;
	denial.generation = decision->generation;
	/* Without room for the sum the packet is a number only, or one pod could fill the ring. */
	if (bpf_map_update_elem(&denials, &key, &denial, BPF_NOEXIST)) {
		count(CAUSE_AGGREGATE_FULL);
		return 0;
	}
	if (report_denial(packet, decision, cause, now))
		return 0;
	known = bpf_map_lookup_elem(&denials, &key);
	if (known) {
		__sync_fetch_and_add(&known->packets, 1);
		__sync_fetch_and_add(&known->bytes, packet->length);
	}
	return 0;
}

#endif
