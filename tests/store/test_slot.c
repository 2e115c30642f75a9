/* tests/store/test_slot.c - the moves of a slot, as slot.h draws them */
#include "store/slot.h"

#include <signal.h>
#include <sys/wait.h>

#include "harness.h"

/* Does the call end in an assertion? In a process of its own. */
static bool is_refused(Slot slot, void (*call)(Slot *slot))
{
    int status = 0;
    pid_t pid = fork();

    if (pid == 0) {
        if (!freopen("/dev/null", "w", stderr)) _exit(2);
        signal(SIGABRT, SIG_DFL);
        call(&slot);
        _exit(0);
    }
    return waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

static void move_to_free(Slot *slot)
{
    slot_move(slot, SLOT_FREE);
}
static void move_to_loading(Slot *slot)
{
    slot_move(slot, SLOT_LOADING);
}
static void move_to_ready(Slot *slot)
{
    slot_move(slot, SLOT_READY);
}
static void move_to_doomed(Slot *slot)
{
    slot_move(slot, SLOT_DOOMED);
}

TEST(only_the_drawn_moves_are_legal)
{
    static void (*const moves[])(Slot *) = {
        [SLOT_FREE] = move_to_free,
        [SLOT_LOADING] = move_to_loading,
        [SLOT_READY] = move_to_ready,
        [SLOT_DOOMED] = move_to_doomed,
    };
    static const bool legal[4][4] = {
        [SLOT_FREE] = {[SLOT_LOADING] = true},
        [SLOT_LOADING] = {[SLOT_READY] = true, [SLOT_DOOMED] = true, [SLOT_FREE] = true},
        [SLOT_READY] = {[SLOT_FREE] = true},
        [SLOT_DOOMED] = {[SLOT_FREE] = true},
    };

    for (SlotState from = SLOT_FREE; from <= SLOT_DOOMED; from++)
        for (SlotState to = SLOT_FREE; to <= SLOT_DOOMED; to++) {
            char label[32];
            snprintf(label, sizeof(label), "%d to %d", (int)from, (int)to);
            CHECK_CASE(label, is_refused((Slot){.state = from}, moves[to]) == !legal[from][to]);
        }
}

TEST(a_pinned_slot_does_not_move)
{
    CHECK(is_refused((Slot){.state = SLOT_READY, .n_pins = 1}, move_to_free));
}

TEST(pins_are_counted_and_need_a_ready_slot)
{
    Slot slot = {.state = SLOT_READY};

    slot_pin(&slot);
    slot_pin(&slot);
    slot_unpin(&slot);
    CHECK(slot.n_pins == 1);
    slot_unpin(&slot);
    slot_move(&slot, SLOT_FREE);
    CHECK(is_refused(slot, slot_pin));
    CHECK(is_refused(slot, slot_unpin));
}

TEST(each_claim_is_a_generation)
{
    Slot slot = {0};

    for (uint32_t i = 1; i <= 3; i++) {
        slot_move(&slot, SLOT_LOADING);
        CHECK(slot.generation == i);
        slot_move(&slot, SLOT_READY);
        slot_move(&slot, SLOT_FREE);
        CHECK(slot.generation == i);
    }
}

TEST(payloads_lie_behind_each_other_at_their_offsets)
{
    static uint8_t memory[16384];
    const Extent extents[] = {{.offset_bytes = 4096 + 10, .n_bytes = 100},
        {.offset_bytes = 8191, .n_bytes = 2}, {.offset_bytes = 0, .n_bytes = 5}};
    Slot slot = {.data = memory, .read = {.extents = extents, .n_extents = 3}};

    CHECK(slot_payload(&slot, 0, 4096) == memory + 10);
    CHECK(slot_payload(&slot, 1, 4096) == memory + 4096 + 4095);
    CHECK(slot_payload(&slot, 2, 4096) == memory + 4096 + 8192);
    CHECK(slot_payload(&slot, 1, 512) == memory + 512 + 511);
}
