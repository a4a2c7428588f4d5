/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Answers user space from the tables that decide packets, by the very function that does. */
#ifndef WEIR_ASK_H
#define WEIR_ASK_H

#include "evaluate.h"
#include "packet.h"

static __always_inline void answer(struct inquiry *inquiry)
{
	struct question question = {
		.remote = inquiry->remote,
		.port = inquiry->port,
		.protocol = inquiry->protocol,
		.direction = inquiry->direction,
	};
	__u32 slot = inquiry->slot, user = SCRATCH_INQUIRY;
	__u64 *word = bpf_map_lookup_elem(&policies, &slot);
	struct scratch *scratch = bpf_map_lookup_elem(&scratches, &user);
	struct decision *decision;

	inquiry->cause = CAUSE_TABLES;
	if (!word || !scratch)
		return;
	decision = &scratch->decision;
	question.word = *(volatile __u64 *)word;
	inquiry->cause = evaluate(&question, decision);
	inquiry->profile = decision->profile;
	inquiry->peer_class = decision->peer_class;
	inquiry->generation = decision->generation;
	inquiry->n_words = decision->n_words;
	inquiry->rule = decision->rule;
	inquiry->observed_rule = decision->observed_rule;
	inquiry->staged_rule = decision->staged_rule;
	inquiry->verdicts = decision->verdicts;
	for (__u32 w = 0; w < MAX_WORDS; w++)
		inquiry->vector[w] = w < decision->n_words ? decision->vector[w] : 0;
}

#endif
