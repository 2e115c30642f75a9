/* From slots to requests and back.
 *
 * Invariants:
 * - A slot's memory is the drive's from mover_read until its last request has completed
 *   (n_open 0): only then it becomes READY, or FREE.
 * - Each submission has a serial of its own, which is its tag. A completion counts once:
 *   for the transfer in flight with this serial, whose slot has the generation it had.
 * - Every byte that the drive moved is in exactly one counter (mover.h).
 *
 * Which slot to fill, and with what, is decided elsewhere: ring, cache and residents. */
#include "store/mover.h"

#include <assert.h>
#include <errno.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/size.h"
#include "store/failure.h"

_Static_assert(MOVER_DEPTH <= RECORD_LANES, "each request in flight has a lane");

/* ---- counting ---- */

static void settle(Mover *mover, Slot *slot, uint64_t *counter)
{
    assert(mover->counters.unsettled_bytes >= slot->read.payload_bytes);
    mover->counters.unsettled_bytes -= slot->read.payload_bytes;
    *counter += slot->read.payload_bytes;
    slot->read.payload_bytes = 0;
}

void mover_settle_missed(Mover *mover, Slot *slot)
{
    settle(mover, slot, &mover->counters.missed_bytes);
}

void mover_settle_wasted(Mover *mover, Slot *slot)
{
    settle(mover, slot, &mover->counters.wasted_bytes);
}

/* A finished slot's payload goes where its purpose says; that of MOVE_AHEAD waits for its owner. */
static void settle_by_purpose(Mover *mover, Slot *slot)
{
    switch (slot->read.purpose) {
    case MOVE_DEMAND:
        mover->counters.demand_bytes += slot->read.payload_bytes;
        mover_settle_missed(mover, slot);
        break;
    case MOVE_LOAD:
    case MOVE_GUESS: settle(mover, slot, &mover->counters.load_bytes); break;
    case MOVE_AHEAD:
    case MOVE_PURPOSES: break;
    }
}

/* ---- slots ---- */

void mover_read(
    Mover *mover, Slot *slot, const Extent *extents, uint32_t n_extents, MovePurpose purpose)
{
    assert(n_extents > 0);
    slot_move(slot, SLOT_LOADING);
    slot->read = (SlotRead){.extents = extents, .n_extents = n_extents, .purpose = purpose};
    slot_queue_push(mover->queues, slot, purpose);
}

void mover_hurry(Mover *mover, Slot *slot)
{
    if (!slot->read.is_queued || slot->read.queue == MOVE_DEMAND) return;
    slot_queue_remove(mover->queues, slot);
    slot_queue_push(mover->queues, slot, MOVE_DEMAND);
}

/* Ends a slot's read once nothing of it is open. */
static void finish_slot(Mover *mover, Slot *slot)
{
    if (slot->read.n_open > 0 || slot->read.is_queued) return;
    if (slot->state == SLOT_DOOMED || slot->read.failure != 0) {
        mover_settle_wasted(mover, slot);
        slot_move(slot, SLOT_FREE);
        return;
    }
    slot_move(slot, SLOT_READY);
    settle_by_purpose(mover, slot);
}

static void close_transfer(Transfer *transfer)
{
    transfer->slot->read.n_open--;
    transfer->slot = NULL;
}

/* Requests of a slot that wait for another try and will not get it. */
static void drop_retries(Mover *mover, const Slot *slot)
{
    for (uint32_t i = 0; i < MOVER_DEPTH && mover->n_again > 0; i++) {
        Transfer *transfer = &mover->transfers[i];
        if (transfer->slot != slot || transfer->is_in_flight) continue;
        mover->n_again--;
        mover->counters.read_bytes += transfer->moved_bytes;
        mover->counters.again_bytes += transfer->moved_bytes;
        close_transfer(transfer);
    }
}

void mover_cancel(Mover *mover, Slot *slot)
{
    slot_queue_remove(mover->queues, slot);
    drop_retries(mover, slot);
    if (slot->read.n_open > 0) {
        slot_move(slot, SLOT_DOOMED);
        return;
    }
    mover_settle_wasted(mover, slot);
    slot_move(slot, SLOT_FREE);
}

/* ---- how fast the drive is ---- */

static void begin_spell(Mover *mover, uint32_t n_requests)
{
    mover->counters.n_requests += n_requests;
    mover->counters.depth_sum += (uint64_t)n_requests * mover->n_in_flight;
    if (mover->spell_begin_ns > 0) return;
    mover->spell_begin_ns = clock_now_ns();
    mover->spell_bytes = 0;
}

/* Somebody waited until now; what is in flight begins another spell. */
static void count_spell(Mover *mover, uint64_t now_ns)
{
    mover->counters.busy_ns += now_ns - mover->spell_begin_ns;
    mover->counters.busy_bytes += mover->spell_bytes;
    mover->spell_begin_ns = mover->n_in_flight > 0 ? now_ns : 0;
    mover->spell_bytes = 0;
}

/* ---- making requests ---- */

static Transfer *find_unused(Mover *mover)
{
    for (uint32_t i = 0; i < MOVER_DEPTH; i++)
        if (!mover->transfers[i].slot) return &mover->transfers[i];
    return NULL;
}

/* Half a page cannot be held against its checksum. */
static void need_whole_pages(const Mover *mover, Transfer *transfer)
{
    uint64_t to_end = mover->files[transfer->file].n_bytes - transfer->offset_bytes;
    uint64_t needed = size_align_up(transfer->needed_bytes, SIDECAR_PAGE_BYTES);

    transfer->needed_bytes = (uint32_t)(needed < to_end ? needed : to_end);
}

/* The next part of a queued slot; takes the slot out of its queue when it was the last. */
static void cut_transfer(Mover *mover, Slot *slot, Transfer *transfer)
{
    SlotRead *read = &slot->read;
    const Extent *extent = &read->extents[read->next_extent];
    uint64_t span_bytes = extent_span_bytes(extent, mover->alignment);
    uint64_t begin = size_align_down(extent->offset_bytes, mover->alignment);
    uint64_t offset = begin + read->next_span_bytes;
    uint64_t n_bytes = span_bytes - read->next_span_bytes;
    uint64_t payload_begin = offset > extent->offset_bytes ? offset : extent->offset_bytes;
    uint64_t payload_end = extent->offset_bytes + extent->n_bytes;

    uint64_t most = read->queue == MOVE_GUESS ? MOVER_GUESS_BYTES : MOVER_REQUEST_BYTES;
    if (n_bytes > most) n_bytes = most;
    if (payload_end > offset + n_bytes) payload_end = offset + n_bytes;
    *transfer = (Transfer){.slot = slot,
        .data = slot->data + read->next_place_bytes + read->next_span_bytes,
        .offset_bytes = offset,
        .file = extent->file,
        .source = sources_choose(&mover->sources, n_bytes),
        .n_bytes = (uint32_t)n_bytes,
        .needed_bytes = (uint32_t)(payload_end - offset),
        .payload_bytes = (uint32_t)(payload_end - payload_begin),
        .generation = slot->generation,
        .queue = read->queue};
    if (mover->sidecar) need_whole_pages(mover, transfer);
    read->n_open++;
    read->next_span_bytes += n_bytes;
    if (read->next_span_bytes < span_bytes) return;

    read->next_place_bytes += span_bytes;
    read->next_span_bytes = 0;
    read->next_extent++;
    if (read->next_extent == read->n_extents) slot_queue_remove(mover->queues, slot);
}

/* The index of the file that it is read from, among those of all copies. */
static uint32_t file_of(const Mover *mover, const Transfer *transfer)
{
    return transfer->source * mover->n_files + transfer->file;
}

static uint64_t time_of_sources(const Mover *mover)
{
    return mover->sources.n > 1 ? reader_now_ns(mover->reader) : 0;
}

/* A transfer's request for what has not landed yet, under a new serial. */
static ReadRequest make_request(Mover *mover, Transfer *transfer)
{
    uint32_t index = (uint32_t)(transfer - mover->transfers);
    uint32_t n_bytes = transfer->n_bytes - transfer->done_bytes;

    transfer->serial = ++mover->serial;
    transfer->is_in_flight = true;
    if (mover->recorder) mover->recorder->begin_ns[index] = clock_now_ns();
    mover->n_in_flight++;
    sources_begin(&mover->sources, transfer->source, n_bytes, time_of_sources(mover));
    mover->bytes_in_flight += n_bytes;
    mover->in_flight[transfer->queue].n_requests++;
    mover->in_flight[transfer->queue].n_bytes += n_bytes;
    return (ReadRequest){.tag = (uint64_t)transfer->serial << 32 | index,
        .offset_bytes = transfer->offset_bytes + transfer->done_bytes,
        .data = transfer->data + transfer->done_bytes,
        .n_bytes = n_bytes,
        .file = file_of(mover, transfer)};
}

/* Whether a queue's next request may go out, now that no more urgent one has any. */
static bool may_move(const Mover *mover, MovePurpose queue)
{
    const MoverLoad *in_flight = &mover->in_flight[queue];

    if (queue == MOVE_LOAD) return in_flight->n_bytes < MOVER_LOAD_BYTES;
    if (queue != MOVE_GUESS) return true;
    return mover->in_flight[MOVE_DEMAND].n_requests == 0 && mover->n_again == 0
           && in_flight->n_bytes < MOVER_GUESS_BYTES && in_flight->n_requests < MOVER_GUESS_DEPTH;
}

/* The slot whose turn it is: the first of the most urgent queue, if that may move. */
static Slot *next_slot(const Mover *mover)
{
    for (MovePurpose queue = 0; queue < MOVE_PURPOSES; queue++)
        if (mover->queues[queue].first)
            return may_move(mover, queue) ? mover->queues[queue].first : NULL;
    return NULL;
}

static uint32_t collect_retries(Mover *mover, ReadRequest *requests, uint32_t n_room)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < MOVER_DEPTH && mover->n_again > 0 && n < n_room; i++) {
        Transfer *transfer = &mover->transfers[i];
        if (!transfer->slot || transfer->is_in_flight) continue;
        mover->n_again--;
        requests[n++] = make_request(mover, transfer);
    }
    return n;
}

static bool mover_break(Mover *mover, Error *err)
{
    mover->is_broken = true;
    if (err) mover->broken = *err;
    return false;
}

/* false, with the reason that was found first, once the reader has failed. */
static bool check_whole(const Mover *mover, Error *err)
{
    if (!mover->is_broken) return true;
    if (err) *err = mover->broken;
    return false;
}

bool mover_submit(Mover *mover, Error *err)
{
    ReadRequest requests[MOVER_DEPTH];
    Error cause = {0};

    if (!check_whole(mover, err)) return false;
    uint32_t n_room = reader_free_depth(mover->reader);
    if (n_room > MOVER_DEPTH) n_room = MOVER_DEPTH;
    uint32_t n = collect_retries(mover, requests, n_room);

    for (; n < n_room; n++) {
        Slot *slot = next_slot(mover);
        Transfer *transfer = slot ? find_unused(mover) : NULL;
        if (!transfer) break;
        cut_transfer(mover, slot, transfer);
        requests[n] = make_request(mover, transfer);
    }
    if (n == 0) return true;
    begin_spell(mover, n);
    if (reader_submit(mover->reader, requests, n, &cause)) return true;
    mover_break(mover, &cause);
    return check_whole(mover, err);
}

/* ---- judging completions ---- */

/* All its payload is there. What was moved more than once is `again`. */
static void land_transfer(Mover *mover, Transfer *transfer, uint64_t landed_bytes)
{
    MoverCounters *counters = &mover->counters;
    Slot *slot = transfer->slot;

    counters->read_bytes += transfer->moved_bytes;
    counters->again_bytes += transfer->moved_bytes - landed_bytes;
    counters->padding_bytes += landed_bytes - transfer->payload_bytes;
    counters->unsettled_bytes += transfer->payload_bytes;
    slot->read.payload_bytes += transfer->payload_bytes;
    close_transfer(transfer);
    finish_slot(mover, slot);
}

static bool is_wanted(const Transfer *transfer)
{
    return transfer->slot->state == SLOT_LOADING && transfer->slot->read.failure == 0;
}

/* What failed for good on one copy is read from another, if there is one. A copy that was written
 * to may have given anything before; only checksums tell that it has not. */
static bool turn_to_another_copy(Mover *mover, Transfer *transfer, int32_t failure)
{
    Sources *sources = &mover->sources;
    const File *file = &mover->files[file_of(mover, transfer)];
    Error change = {0}, cause = {0};

    if (sources->n == 1 || !is_wanted(transfer)) return false;
    if (!mover->sidecar && !file_check_unchanged(file, &change) && change.id == ERROR_FILE_CHANGED)
        return false;
    if (!sources->all[transfer->source].is_dropped) {
        if (!sources_drop(sources, transfer->source)) return false;
        failure_say(failure, file, transfer->offset_bytes + transfer->done_bytes, &cause);
        log_warn("%s; this copy is not read any more", cause.message);
    }
    transfer->source = sources_choose(sources, transfer->n_bytes);
    transfer->done_bytes = 0;
    transfer->n_failures = transfer->n_interruptions = 0;
    transfer->was_damaged = false;
    mover->counters.n_retries++;
    mover->n_again++;
    return true;
}

static void fail_transfer(Mover *mover, Transfer *transfer, int32_t failure)
{
    Slot *slot = transfer->slot;
    SlotRead *read = &slot->read;

    if (turn_to_another_copy(mover, transfer, failure)) return;
    mover->counters.read_bytes += transfer->moved_bytes;
    mover->counters.again_bytes += transfer->moved_bytes;
    if (read->failure == 0) {
        read->failure = failure;
        read->failed_offset_bytes = transfer->offset_bytes + transfer->done_bytes;
        read->failed_file = file_of(mover, transfer);
    }
    close_transfer(transfer);
    // No more requests for a block that cannot be whole.
    slot_queue_remove(mover->queues, slot);
    finish_slot(mover, slot);
}

/* Once more, unless nobody wants it any more or it was tried often enough. */
static void retry_transfer(Mover *mover, Transfer *transfer, int32_t failure)
{
    bool is_put_off = failure == EINTR || failure == EAGAIN || failure == ENOMEM;
    uint32_t *n_tries = is_put_off ? &transfer->n_interruptions : &transfer->n_failures;
    uint32_t n_tries_max = is_put_off ? MOVER_INTERRUPTIONS_MAX : MOVER_FAILURES_MAX;

    if (!is_wanted(transfer) || *n_tries == n_tries_max) {
        fail_transfer(mover, transfer, failure);
        return;
    }
    (*n_tries)++;
    mover->counters.n_retries++;
    mover->n_again++;
}

/* Holds what has arrived against the checksums. What differs is read once more: a bit that was
 * turned on the way comes right, one on the drive does not. */
static bool check_sums(Mover *mover, Transfer *transfer)
{
    uint64_t right_bytes = sidecar_count_right(mover->sidecar, transfer->file,
        transfer->offset_bytes, transfer->data, transfer->needed_bytes);

    if (right_bytes == transfer->needed_bytes) {
        mover->counters.checked_bytes += right_bytes;
        return true;
    }
    transfer->done_bytes = (uint32_t)size_align_down(right_bytes, mover->alignment);
    if (transfer->was_damaged) {
        fail_transfer(mover, transfer, FAILURE_DAMAGED);
    } else {
        transfer->was_damaged = true;
        retry_transfer(mover, transfer, FAILURE_DAMAGED);
    }
    return false;
}

/* A result of at least one byte. */
static void judge_bytes(Mover *mover, Transfer *transfer, uint32_t n_bytes)
{
    uint32_t reached_bytes = transfer->done_bytes + n_bytes;

    // A short read moves whole sectors, also where the file ends within one.
    transfer->moved_bytes += size_align_up(n_bytes, mover->alignment);
    if (reached_bytes >= transfer->needed_bytes) {
        if (mover->sidecar && !check_sums(mover, transfer)) return;
        land_transfer(mover, transfer, size_align_up(reached_bytes, mover->alignment));
        return;
    }
    uint32_t whole_bytes = (uint32_t)size_align_down(reached_bytes, mover->alignment);
    bool has_progressed = whole_bytes > transfer->done_bytes;
    transfer->done_bytes = whole_bytes;
    if (has_progressed) transfer->n_failures = 0;
    retry_transfer(mover, transfer, FAILURE_SHORT);
}

static void record_completion(Mover *mover, uint32_t index, int64_t result)
{
    uint64_t begin_ns = mover->recorder->begin_ns[index];

    recorder_add(mover->recorder, (Record){.kind = RECORD_READ,
                                      .detail = (uint8_t)mover->transfers[index].slot->read.purpose,
                                      .lane = (uint16_t)index,
                                      .begin_ns = begin_ns,
                                      .duration_ns = clock_now_ns() - begin_ns,
                                      .n_bytes = result > 0 ? (uint64_t)result : 0});
}

static void judge_completion(Mover *mover, const ReadCompletion *completion)
{
    uint32_t index = (uint32_t)completion->tag;
    uint32_t serial = (uint32_t)(completion->tag >> 32);
    Transfer *transfer = index < MOVER_DEPTH ? &mover->transfers[index] : NULL;

    if (!transfer || !transfer->slot || !transfer->is_in_flight || transfer->serial != serial) {
        mover->counters.n_strays++;
        return;
    }
    mover->is_unchecked = true;
    assert(transfer->generation == transfer->slot->generation);
    uint32_t asked_bytes = transfer->n_bytes - transfer->done_bytes;
    transfer->is_in_flight = false;
    mover->n_in_flight--;
    mover->bytes_in_flight -= asked_bytes;
    sources_end(&mover->sources, transfer->source, asked_bytes,
        completion->result > 0 ? (uint64_t)completion->result : 0, time_of_sources(mover));
    mover->in_flight[transfer->queue].n_requests--;
    mover->in_flight[transfer->queue].n_bytes -= asked_bytes;
    if (mover->recorder) record_completion(mover, index, completion->result);
    if (completion->result > 0) mover->spell_bytes += (uint64_t)completion->result;

    if (completion->result > asked_bytes)
        fail_transfer(mover, transfer, FAILURE_TOO_MUCH);
    else if (completion->result > 0)
        judge_bytes(mover, transfer, (uint32_t)completion->result);
    else if (completion->result == 0)
        retry_transfer(mover, transfer, FAILURE_ENDED);
    else
        retry_transfer(mover, transfer, (int32_t)-completion->result);
}

static bool reap(Mover *mover, ReadWait wait, Error *err)
{
    ReadCompletion completions[MOVER_DEPTH];
    Error cause = {0};
    uint32_t n = 0;

    if (!check_whole(mover, err)) return false;
    // One at a time where it is checked: the caller gives the drive new reads in between.
    uint32_t n_max = mover->sidecar ? 1 : MOVER_DEPTH;
    if (!reader_reap(mover->reader, wait, completions, n_max, &n, &cause)) {
        mover_break(mover, &cause);
        return check_whole(mover, err);
    }
    for (uint32_t i = 0; i < n; i++) judge_completion(mover, &completions[i]);
    return true;
}

bool mover_poll(Mover *mover, Error *err)
{
    if (!reap(mover, READ_POLL, err)) return false;
    if (mover->n_in_flight == 0) mover->spell_begin_ns = 0; // it ended, nobody knows when
    return true;
}

bool mover_wait(Mover *mover, Error *err)
{
    if (!mover_submit(mover, err)) return false;
    if (mover->n_in_flight == 0)
        return error_set(err, ERROR_INTERNAL, "waiting for reads, and none is under way");

    uint64_t begin_ns = clock_now_ns();
    bool is_done = reap(mover, READ_WAIT, err);
    uint64_t end_ns = clock_now_ns();
    mover->counters.stall_ns += end_ns - begin_ns;
    if (mover->recorder)
        recorder_add(mover->recorder,
            (Record){.kind = RECORD_STALL, .begin_ns = begin_ns, .duration_ns = end_ns - begin_ns});
    count_spell(mover, end_ns);
    return is_done;
}

bool mover_await(Mover *mover, Slot *slot, Error *err)
{
    mover_hurry(mover, slot);
    while (slot->state == SLOT_LOADING)
        if (!mover_wait(mover, err)) return false;
    return slot->state == SLOT_READY || mover_failure(mover, slot, err);
}

bool mover_check_files(Mover *mover, Error *err)
{
    if (!mover->is_unchecked) return true;
    for (uint32_t i = 0; i < mover->n_files * mover->sources.n; i++)
        if (!mover->sources.all[i / mover->n_files].is_dropped
            && !file_check_unchanged(&mover->files[i], err))
            return false;
    mover->is_unchecked = false;
    return true;
}

bool mover_failure(const Mover *mover, const Slot *slot, Error *err)
{
    const SlotRead *read = &slot->read;
    const File *file = &mover->files[read->failed_file];

    assert(slot->state == SLOT_FREE);
    assert(read->failure != 0);
    return file_check_unchanged(file, err)
           && failure_say(read->failure, file, read->failed_offset_bytes, err);
}

/* ---- life ---- */

bool mover_init(Mover *mover, const ReaderOptions *options, uint32_t alignment, Error *err)
{
    ReaderOptions own = *options;

    own.depth = MOVER_DEPTH;
    *mover = (Mover){.files = options->files,
        .n_files = options->n_files,
        .sources = {.n = 1},
        .alignment = alignment};
    mover->reader = reader_create(&own, err);
    if (!mover->reader) return false;
    if (reader_alignment(mover->reader) == alignment) return true;
    error_set(err, ERROR_INTERNAL, "reads want an alignment of %u bytes, not %u",
        reader_alignment(mover->reader), alignment);
    mover_destroy(mover);
    return false;
}

void mover_use_copies(Mover *mover, uint32_t n_copies)
{
    assert(n_copies >= 1 && n_copies <= SOURCES_MAX);
    assert(mover->n_files % n_copies == 0);
    mover->n_files /= n_copies;
    mover->sources.n = n_copies;
}

void mover_check_sums(Mover *mover, const Sidecar *sidecar)
{
    assert(mover->alignment % SIDECAR_PAGE_BYTES == 0);
    mover->sidecar = sidecar;
}

void mover_destroy(Mover *mover)
{
    if (mover->reader) reader_free(mover->reader);
    *mover = (Mover){0};
}
