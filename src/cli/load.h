/* From the options of the command line to a model of the public interface. */
#ifndef HYPURA_CLI_LOAD_H
#define HYPURA_CLI_LOAD_H

#include "cli/options.h"
#include "hypura/hypura.h"

typedef struct LoadWish {
    hypura_need need;
    uint32_t n_ctx_default; // without --ctx; 0: the model's, at most 4096
    uint32_t n_logit_rows;  // rows whose logits one pass gives; 0: the last one's
    uint32_t n_sequences;   // alive at once; 0: 1
    bool sandbox;           // give up rights; files for writing must be open by then
} LoadWish;

/* NULL: failed, reported, and *status is what to exit with. hypura_model_close ends it. */
hypura_model *load_model(const Options *options, LoadWish wish, int *status);

/* As load_model, but a failure is the caller's to report. */
hypura_model *load_model_or(const Options *options, LoadWish wish, hypura_error *err);

/* As load_model, with need TEXT. */
hypura_model *load_vocabulary(const Options *options, int *status);

#endif
