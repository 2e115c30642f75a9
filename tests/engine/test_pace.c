/* How many guesses are chosen, from made-up passes: no clock and no other chance than a fixed
 * seed's is in it. */
#include "engine/pace.h"

#include "base/rng.h"
#include "harness.h"

/* A machine on which a pass of r rows takes base + r * row, and a guess is right with a chance. */
typedef struct Machine {
    double base_ns, row_ns, guess_ns, chance;
} Machine;

typedef struct Played {
    double ns, plain_ns; // what was needed, and what passes without guesses would have
    uint32_t n_guesses_last;
    uint32_t n_guesses_max;
} Played;

static double time_of(const Machine *machine, uint32_t n_rows)
{
    return machine->base_ns + n_rows * machine->row_ns;
}

static Played play(Pace *pace, const Machine *machine, uint32_t n_passes, Rng *rng)
{
    Played played = {0};

    for (uint32_t i = 0; i < n_passes; i++) {
        uint32_t n = pace_choose(pace, PACE_GUESSES_MAX);
        PacePass pass = {.n_guesses = n, .is_judged = true};
        while (pass.n_right < n && (double)rng_unit(rng) < machine->chance) pass.n_right++;
        pass.pass_ns = time_of(machine, n + 1);
        pass.guess_ns = n * machine->guess_ns;
        played.ns += pass.pass_ns + pass.guess_ns;
        played.plain_ns += (1 + pass.n_right) * time_of(machine, 1);
        played.n_guesses_last = n > 0 ? n : played.n_guesses_last;
        if (n > played.n_guesses_max) played.n_guesses_max = n;
        pace_learn(pace, &pass);
    }
    return played;
}

TEST(the_first_passes_are_plain)
{
    Pace pace = {0};

    for (int i = 0; i < 3; i++) {
        CHECK(pace_choose(&pace, 8) == 0);
        pace_learn(&pace, &(PacePass){.pass_ns = 100});
    }
    CHECK(pace_choose(&pace, 8) == 1);
    CHECK(pace_choose(&pace, 0) == 0);
    CHECK(pace_acceptance(&pace) == 0);
}

// clang-format off
static const struct {
    const char *label;
    Machine machine;
    double gain_min; // of all passes over plain ones
    uint32_t n_max_min, n_max_max;
} cases[] = {
    {"the drive pays for all rows, always right", {1000,   1, 0, 1.0},  12,   16, 16},
    {"the drive pays, four of five right",        {1000,   1, 0, 0.8},  3.5,   8, 16},
    {"the drive pays, a guess costs a tenth",     {1000,   1, 100, 0.6}, 1.6,  2, 7},
    {"the drive pays, never right",               {1000,   1, 0, 0.0},  0.98,  1, 1},
    {"each row costs as much, always right",      {  10, 990, 0, 1.0},  0.98,  1, 1},
    {"each row costs as much, never right",       {  10, 990, 0, 0.0},  0.98,  1, 1},
    {"half of a row's cost is shared, never",     { 500, 500, 0, 0.0},  0.98,  1, 1},
    {"half of a row's cost is shared, nine tenths", { 500, 500, 0, 0.9}, 1.3,  3, 16},
    {"guesses cost as much as passes",            {1000,   1, 1000, 0.9}, 0.98, 1, 1},
};
// clang-format on

TEST(guesses_pay_and_cost_at_most_a_fiftieth)
{
    for (size_t i = 0; i < COUNT(cases); i++) {
        Rng rng = rng_seeded(100 + i);
        Pace pace = {0};
        Played played = play(&pace, &cases[i].machine, 2000, &rng);
        if (!CHECK_CASE(cases[i].label, played.plain_ns >= cases[i].gain_min * played.ns))
            printf("    gain %.3f\n", played.plain_ns / played.ns);
        CHECK_CASE(cases[i].label, played.n_guesses_max >= cases[i].n_max_min);
        CHECK_CASE(cases[i].label, played.n_guesses_max <= cases[i].n_max_max);
    }
}

TEST(short_texts_lose_as_little)
{
    Machine machine = {.base_ns = 400, .row_ns = 600};
    Rng rng = rng_seeded(100);

    for (uint32_t n = 40; n <= 100; n += 20) {
        Pace pace = {0};
        Played played = play(&pace, &machine, n, &rng);
        CHECK(played.plain_ns >= 0.98 * played.ns);
    }
}

TEST(what_no_longer_pays_is_given_up_and_taken_up_again)
{
    Machine machine = {.base_ns = 1000, .row_ns = 50, .chance = 0.9};
    Rng rng = rng_seeded(100);
    Pace pace = {0};

    Played played = play(&pace, &machine, 200, &rng);
    CHECK(played.plain_ns > 2 * played.ns);
    machine.chance = 0;
    (void)play(&pace, &machine, 100, &rng);
    played = play(&pace, &machine, 1000, &rng);
    CHECK(played.plain_ns >= 0.98 * played.ns);
    machine.chance = 0.9;
    (void)play(&pace, &machine, 300, &rng);
    played = play(&pace, &machine, 200, &rng);
    CHECK(played.plain_ns > 2 * played.ns);
}

/* The cache was cold when passes with guesses were seen first: those times are looked at again. */
TEST(times_of_the_beginning_are_forgotten)
{
    Machine cold = {.base_ns = 1000, .row_ns = 4000, .chance = 0.9}, warm = cold;
    Rng rng = rng_seeded(100);
    Pace pace = {0};

    warm.row_ns = 50;
    (void)play(&pace, &cold, 100, &rng);
    (void)play(&pace, &warm, 1500, &rng);
    Played played = play(&pace, &warm, 300, &rng);
    CHECK(played.plain_ns > 2 * played.ns);
}
