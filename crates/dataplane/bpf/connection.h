/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * The connection table. Counters, times and states are written in place; what a decision says is only ever
 * replaced as a whole under its key, because an entry's memory may already be another connection's.
 */
#ifndef WEIR_CONNECTION_H
#define WEIR_CONNECTION_H

#include "counts.h"
#include "evaluate.h"
#include "packet.h"
#include "report.h"
#include "tcp.h"

static __always_inline __u64 lifetime_of(__u32 protocol, const struct connection *connection)
{
	switch (protocol) {
	case PROTOCOL_TCP:
		switch (connection->state) {
		case TCP_OPEN:
			return settings.tcp_open;
		case TCP_CLOSING:
			return settings.tcp_closing;
		case TCP_CLOSED:
			return settings.tcp_closed;
		}
		return settings.tcp_opening;
	case PROTOCOL_UDP:
	case PROTOCOL_SCTP:
		return connection->flags & CONNECTION_ANSWERED ? settings.udp_answered
							       : settings.udp_unanswered;
	case PROTOCOL_ICMP:
	case PROTOCOL_ICMPV6:
		return settings.icmp;
	}
	return settings.other;
}

/* Another CPU's clock may be a tick ahead: its "seen" then lies in the future. */
static __always_inline bool is_older(__u64 seen, __u64 now, __u64 lifetime)
{
	return now > seen && now - seen > lifetime;
}

static __always_inline bool is_expired(__u32 protocol, const struct connection *connection, __u64 now)
{
	return is_older(connection->seen, now, lifetime_of(protocol, connection));
}

/* User space names the pod when it gives the slot away; a slot of another pod is a defect. */
static __always_inline int take_share(__u32 slot, __u32 pod)
{
	struct usage *of_pod = bpf_map_lookup_elem(&usage, &slot);

	if (!of_pod || of_pod->pod != pod)
		return CAUSE_TABLES;
	if (__sync_fetch_and_add(&of_pod->connections, 1) < settings.pod_connections)
		return CAUSE_NONE;
	__sync_fetch_and_add(&of_pod->connections, -1);
	return CAUSE_POD_QUOTA;
}

static __always_inline void return_share(__u32 slot, __u32 pod)
{
	struct usage *of_pod = bpf_map_lookup_elem(&usage, &slot);

	if (of_pod && of_pod->pod == pod)
		__sync_fetch_and_add(&of_pod->connections, -1);
}

static __always_inline void fill_verdict(struct connection *connection,
					 const struct decision *decision)
{
	connection->profile = decision->profile;
	connection->peer_class = decision->peer_class;
	connection->generation = decision->generation;
	connection->rule = decision->rule;
	connection->observed_rule = decision->observed_rule;
	connection->staged_rule = decision->staged_rule;
	connection->verdicts = decision->verdicts;
	connection->flags &= ~CONNECTION_OBSERVED;
	if (decision->verdicts & VERDICT_DENY)
		connection->flags |= CONNECTION_OBSERVED;
}

static __always_inline void begin_connection(struct connection *connection,
					     const struct packet *packet, __u32 slot, __u64 now)
{
	__builtin_memset(connection, 0, sizeof(*connection));
	connection->opened = now;
	connection->seen = now;
	connection->reported = now;
	connection->slot = slot;
	connection->opener = packet->direction;
	connection->packets[packet->direction & 1] = 1;
	connection->bytes[packet->direction & 1] = packet->length;
	connection->tcp_flags[packet->direction & 1] = packet->tcp_flags;
	if (packet->key.protocol == PROTOCOL_TCP)
		connection->state = TCP_OPENING;
}

/* Puts a new connection in the place of one that is over, and tells of the end of that one. */
__noinline int replace_connection(const struct connection_key *key, struct connection *old,
					 const struct connection *connection, __u64 now)
{
	struct event *event;

	if (!key || !old || !connection)
		return CAUSE_TABLES;
	event = begin_event(EVENT_CLOSED, now);
	if (event) {
		fill_key(event, key);
		fill_connection(event, old);
	}
	if (bpf_map_update_elem(&connections, key, connection, BPF_EXIST)) {
		if (event)
			bpf_ringbuf_discard(event, 0);
		return CAUSE_CONNECTIONS_FULL;
	}
	if (event)
		submit_event(event);
	return CAUSE_NONE;
}

__noinline int insert_connection(const struct connection_key *key,
					const struct connection *connection)
{
	__u32 slot;
	int cause;
	long error;

	if (!key || !connection)
		return CAUSE_TABLES;
	slot = connection->slot;
	cause = take_share(slot, key->pod);
	if (cause)
		return cause;
	error = bpf_map_update_elem(&connections, key, connection, BPF_NOEXIST);
	if (!error)
		return CAUSE_NONE;
	return_share(slot, key->pod);
	/* Another CPU was first with the same connection, by the same decision. */
	return error == -ERROR_EXISTS ? CAUSE_NONE : CAUSE_CONNECTIONS_FULL;
}

/* Takes a connection out, with an event that says so; without room for the event it stays. */
__noinline int end_connection(__u32 kind, const struct connection_key *key,
				     struct connection *connection, const struct decision *decision,
				     __u64 now)
{
	struct event *event;
	__u32 slot;

	if (!key || !connection)
		return CAUSE_TABLES;
	slot = connection->slot;
	event = begin_event(kind, now);
	if (!event)
		return CAUSE_RING_FULL;
	fill_key(event, key);
	fill_connection(event, connection);
	if (decision) {
		fill_decision(event, decision);
		event->cause = CAUSE_POLICY;
	}
	if (bpf_map_delete_elem(&connections, key)) {
		bpf_ringbuf_discard(event, 0);
		return CAUSE_NONE;
	}
	return_share(slot, key->pod);
	submit_event(event);
	return CAUSE_NONE;
}

#endif
