/* A guess is judged at once by the call that it is about, since a trace knows what comes; the
 * prediction learns of it only when that call has its turn. */
#include "store/replay_predict.h"

#include "store/predict.h"

typedef struct Replay {
    const Trace *trace;
    Past past;
    Predict predict;
    PredictGuess *guesses; // [n_expert]
} Replay;

static bool init(Replay *replay, Error *err)
{
    const Trace *trace = replay->trace;

    if (!past_init(&replay->past, trace->n_layers, trace->n_expert, err)) return false;
    if (!predict_init(&replay->predict, &replay->past, err)) return false;
    replay->guesses = mem_alloc_array(MEM_OTHER, trace->n_expert, sizeof(PredictGuess), err);
    return replay->guesses != NULL;
}

static void destroy(Replay *replay)
{
    past_destroy(&replay->past);
    predict_destroy(&replay->predict);
    mem_free(MEM_OTHER, replay->guesses);
}

static bool uses(const Trace *trace, const TraceCall *call, uint32_t expert)
{
    for (uint32_t i = 0; i < call->n; i++)
        if (trace->experts[call->first + i] == expert) return true;
    return false;
}

/* The decode call `ahead` layers after that of index `now`; NULL: there is none, as where a pass
 * was given up. */
static const TraceCall *find_call(const Trace *trace, uint64_t now, uint32_t ahead)
{
    if (now + ahead >= trace->n_calls) return NULL;
    const TraceCall *call = &trace->calls[now + ahead];
    bool is_meant = call->layer == (trace->calls[now].layer + ahead) % trace->n_layers;
    return is_meant && !call->is_prompt ? call : NULL;
}

static void judge(Replay *replay, const TraceCall *call, uint32_t n_guesses, ReplayPrediction *out)
{
    out->n_uses += call->n;
    for (uint32_t i = 0; i < 2 * n_guesses && i < replay->trace->n_expert; i++) {
        bool is_right = uses(replay->trace, call, replay->guesses[i].expert);
        out->n_named_twice += is_right;
        if (i >= n_guesses) continue;
        out->n_named += is_right;
        out->n_expected += (double)replay->guesses[i].chance;
    }
}

static void run_call(Replay *replay, uint64_t index, uint32_t ahead, ReplayPrediction *out)
{
    const Trace *trace = replay->trace;
    const TraceCall *call = &trace->calls[index], *meant = find_call(trace, index, ahead);
    uint32_t n_asked = 2 * call->n < trace->n_expert ? 2 * call->n : trace->n_expert;

    if (call->begins_pass) past_begin_pass(&replay->past);
    past_call(&replay->past, call->layer, trace->experts + call->first, call->n);
    predict_learn(&replay->predict, call->layer);
    predict_guess(&replay->predict, call->layer, ahead, replay->guesses, n_asked);
    if (meant) judge(replay, meant, call->n, out);
}

bool replay_predict(const Trace *trace, uint32_t ahead, ReplayPrediction *out, Error *err)
{
    Replay replay = {.trace = trace};
    ReplayPrediction result = {0};
    bool ok = init(&replay, err);

    for (uint64_t i = 0; i < trace->n_calls && ok && ahead <= trace->n_layers; i++)
        if (!trace->calls[i].is_prompt) run_call(&replay, i, ahead, &result);
    destroy(&replay);
    if (ok) *out = result;
    return ok;
}
