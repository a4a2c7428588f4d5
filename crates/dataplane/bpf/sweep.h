/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * Entries that are over leave, and sums are reported: user space runs it once a second. When it does not, the
 * kernel goes on by itself: an entry that is over still takes room, and a full table refuses everybody.
 */
#ifndef WEIR_SWEEP_H
#define WEIR_SWEEP_H

#include "connection.h"
#include "report.h"

#define DENIAL_IS_OVER 10000000000ULL /* nanoseconds without another one */

struct sweep {
	__u64 now;
	bool unattended;      /* nobody reads reports */
};

/* Without its report, which is counted as lost. */
static __always_inline void forget_connection(const struct connection_key *key, __u32 slot)
{
	if (!bpf_map_delete_elem(&connections, key))
		return_share(slot, key->pod);
}

/* Its pod's slot is another's, so nothing will use it again. */
static __always_inline bool is_orphan(const struct connection_key *key,
				      const struct connection *connection)
{
	__u32 slot = connection->slot;
	struct usage *of_pod = bpf_map_lookup_elem(&usage, &slot);

	return !of_pod || of_pod->pod != key->pod;
}

static long sweep_connection(void *map, struct connection_key *map_key,
			     struct connection *connection, struct sweep *sweep)
{
	/* The verifier gives the table's own key to no function that is verified for itself. */
	struct connection_key copy = *map_key, *key = &copy;
	__u64 now = sweep->now;

	(void)map;
	/* No event told of its beginning, and the denial of its packets is told elsewhere. */
	if (connection->flags & CONNECTION_SERVICE_PENDING) {
		if (is_expired(key->protocol, connection, now) || is_orphan(key, connection))
			forget_connection(key, connection->slot);
		return 0;
	}
	if (is_expired(key->protocol, connection, now) || is_orphan(key, connection)) {
		__u32 slot = connection->slot;

		if (end_connection(EVENT_CLOSED, key, connection, 0, now) == CAUSE_RING_FULL &&
		    sweep->unattended)
			forget_connection(key, slot);
		return 0;
	}
	if (!sweep->unattended && is_older(connection->reported, now, settings.active_report) &&
	    !report_connection(EVENT_ACTIVE, key, connection, 0, now))
		connection->reported = now;
	return 0;
}

static __always_inline void fill_denial(struct event *event, const struct denial_key *key,
					const struct denial *denial, __u64 packets, __u64 bytes)
{
	bool egress = key->direction == EGRESS;

	event->local = key->local;
	event->remote = key->remote;
	__builtin_memset(&event->backend, 0, sizeof(event->backend));
	event->backend_port = 0;
	event->opened = denial->first;
	event->packets[INGRESS] = egress ? 0 : packets;
	event->packets[EGRESS] = egress ? packets : 0;
	event->bytes[INGRESS] = egress ? 0 : bytes;
	event->bytes[EGRESS] = egress ? bytes : 0;
	event->pod = key->pod;
	event->profile = key->profile;
	event->peer_class = denial->peer_class;
	event->generation = denial->generation;
	event->count = packets;
	event->local_port = egress ? 0 : key->port;
	event->remote_port = egress ? key->port : 0;
	event->protocol = key->protocol;
	event->rule = key->rule;
	event->observed_rule = NO_RULE;
	event->staged_rule = NO_RULE;
	event->cause = key->cause;
	event->direction = key->direction;
	event->state = TCP_NONE;
	event->verdicts = VERDICT_DENY;
	event->flags = 0;
	event->tcp_flags[0] = 0;
	event->tcp_flags[1] = 0;
}

static long sweep_denial(void *map, struct denial_key *key, struct denial *denial, struct sweep *sweep)
{
	bool by_policy = key->cause == CAUSE_POLICY || key->cause == CAUSE_NO_POLICY_YET;
	struct event *event;

	(void)map;
	if (!denial->packets) {
		if (is_older(denial->seen, sweep->now, DENIAL_IS_OVER))
			bpf_map_delete_elem(&denials, key);
		return 0;
	}
	event = begin_event(by_policy ? EVENT_DENIED : EVENT_REFUSED, sweep->now);
	if (!event)
		return 0;
	fill_denial(event, key, denial, __sync_lock_test_and_set(&denial->packets, 0),
		    __sync_lock_test_and_set(&denial->bytes, 0));
	submit_event(event);
	return 0;
}

static long sweep_fragment(void *map, struct fragment_key *key, struct fragment *fragment,
			   struct sweep *sweep)
{
	(void)map;
	if (is_older(fragment->seen, sweep->now, settings.fragments))
		bpf_map_delete_elem(&fragments, key);
	return 0;
}

static __always_inline void sweep_tables(void)
{
	struct sweep sweep = { .now = bpf_ktime_get_ns() };
	__u32 first = 0;
	struct watch *watch = bpf_map_lookup_elem(&watches, &first);

	if (watch)
		watch->swept = sweep.now;
	bpf_for_each_map_elem(&connections, sweep_connection, &sweep, 0);
	bpf_for_each_map_elem(&denials, sweep_denial, &sweep, 0);
	bpf_for_each_map_elem(&fragments, sweep_fragment, &sweep, 0);
}

/* Denials keep their sums until somebody reads them. */
static int sweep_unattended(void *map, __u32 *key, struct watch *watch)
{
	struct sweep sweep = { .now = bpf_ktime_get_ns(), .unattended = true };

	(void)map;
	(void)key;
	if (is_older(watch->swept, sweep.now, settings.unattended)) {
		bpf_for_each_map_elem(&connections, sweep_connection, &sweep, 0);
		bpf_for_each_map_elem(&fragments, sweep_fragment, &sweep, 0);
	}
	bpf_timer_start(&watch->timer, settings.unattended, 0);
	return 0;
}

/* By whoever loads the programs: from here on it is this program's callback that runs. */
static __always_inline int begin_watch(void)
{
	__u32 first = 0;
	struct watch *watch = bpf_map_lookup_elem(&watches, &first);

	if (!watch)
		return CAUSE_TABLES;
	/* It fails where an earlier process has begun. */
	bpf_timer_init(&watch->timer, &watches, CLOCK_MONOTONIC);
	watch->swept = bpf_ktime_get_ns();
	if (bpf_timer_set_callback(&watch->timer, sweep_unattended) ||
	    bpf_timer_start(&watch->timer, settings.unattended, 0))
		return CAUSE_TABLES;
	return CAUSE_NONE;
}

#endif
