/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * A connection's packets and bytes. Several CPUs may count at once, and an atomic addition costs as much as
 * the rest of the counting: one adds both, to a word that is carried to the sums long before it is full.
 */
#ifndef WEIR_COUNTS_H
#define WEIR_COUNTS_H

#include "packet.h"

#define RECENT_FULL (1U << 31 | 1U << (RECENT_PACKETS_SHIFT - 1)) /* either half has its highest bit */

static __always_inline __u64 packets_of(const struct connection *connection, __u32 direction)
{
	return connection->packets[direction & 1] +
	       (connection->recent[direction & 1] >> RECENT_PACKETS_SHIFT);
}

static __always_inline __u64 bytes_of(const struct connection *connection, __u32 direction)
{
	return connection->bytes[direction & 1] + (connection->recent[direction & 1] & RECENT_BYTES);
}

__noinline int carry_recent(struct connection *connection, __u32 direction)
{
	__u32 recent;

	if (!connection)
		return 0;
	recent = __sync_lock_test_and_set(&connection->recent[direction & 1], 0);
	__sync_fetch_and_add(&connection->packets[direction & 1], recent >> RECENT_PACKETS_SHIFT);
	__sync_fetch_and_add(&connection->bytes[direction & 1], recent & RECENT_BYTES);
	return 0;
}

static __always_inline void count_packet(struct connection *connection, const struct packet *packet)
{
	__u32 both = 1U << RECENT_PACKETS_SHIFT | (packet->length & RECENT_BYTES);
	__u32 before = __sync_fetch_and_add(&connection->recent[packet->direction & 1], both);

	if (before & RECENT_FULL)
		carry_recent(connection, packet->direction);
}

#endif
