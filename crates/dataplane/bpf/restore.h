/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * Enters a connection that an earlier schema's table holds. Packets may be on this one already: what they
 * have written since stays, unless the earlier table knows more.
 */
#ifndef WEIR_RESTORE_H
#define WEIR_RESTORE_H

#include "connection.h"

/* The earlier table has the one that began later, or has seen the opener of what looks like a beginning here. */
static __always_inline bool is_outdated(const struct connection *here, const struct restored *restored)
{
	const struct connection *earlier = &restored->connection;

	if (here->flags & CONNECTION_SERVICE_PENDING && !(earlier->flags & CONNECTION_SERVICE_PENDING))
		return true;
	if (restored->key.protocol == PROTOCOL_TCP)
		return here->opened < earlier->opened;
	return here->opened != earlier->opened;
}

static __always_inline void merge_connection(struct connection *here, const struct connection *earlier)
{
	if (here->opened != earlier->opened)
		return;
	if (here->state < earlier->state)
		here->state = earlier->state;
	if (here->seen < earlier->seen)
		here->seen = earlier->seen;
	here->flags |= earlier->flags & (CONNECTION_ANSWERED | CONNECTION_REOPENING_BY_INGRESS |
					 CONNECTION_REOPENING_BY_EGRESS);
	for (int direction = 0; direction < 2; direction++) {
		__u64 packets = packets_of(earlier, direction), bytes = bytes_of(earlier, direction);

		here->tcp_flags[direction] |= earlier->tcp_flags[direction];
		carry_recent(here, direction);
		if (here->packets[direction] < packets)
			here->packets[direction] = packets;
		if (here->bytes[direction] < bytes)
			here->bytes[direction] = bytes;
	}
}

static __always_inline void restore_connection(struct restored *restored)
{
	struct connection *here = bpf_map_lookup_elem(&connections, &restored->key);
	long error;

	restored->cause = CAUSE_NONE;
	if (!here) {
		restored->cause = insert_connection(&restored->key, &restored->connection);
		return;
	}
	if (!is_outdated(here, restored)) {
		merge_connection(here, &restored->connection);
		return;
	}
	error = bpf_map_update_elem(&connections, &restored->key, &restored->connection, BPF_EXIST);
	if (error)
		restored->cause = CAUSE_CONNECTIONS_FULL;
}

#endif
