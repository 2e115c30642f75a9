/* The verbs' functions. Each does its work and returns the exit status; failures have
 * been reported by then. Standard output is flushed by the caller. */
#ifndef HYPURA_CLI_VERBS_H
#define HYPURA_CLI_VERBS_H

#include "cli/options.h"

int verb_run(const Options *options);
int verb_inspect(const Options *options);
int verb_plan(const Options *options);
int verb_profile(const Options *options);
int verb_doctor(const Options *options);
int verb_bench(const Options *options);
int verb_tokenize(const Options *options);
int verb_detokenize(const Options *options);
int verb_logits(const Options *options);
int verb_perplexity(const Options *options);
int verb_synth(const Options *options);
int verb_kcheck(const Options *options);
int verb_verify(const Options *options);
int verb_replay(const Options *options);
int verb_version(const Options *options);
int verb_help(const Options *options);

#endif
