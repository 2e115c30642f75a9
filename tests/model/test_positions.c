/* Rope frequencies by hand: base 10000 and eight rotated elements turn at 1, 0.1, 0.01 and 0.001
 * a position, and each scaling changes them as its paper says. */
#include "model/positions.h"

#include <math.h>

#include "base/ledger.h"
#include "harness.h"

#define N_ROT 8

static const Shape plain = {.n_rot = N_ROT, .rope_base = 10000, .rope_magnitude = 1};

static bool close_to(double got, double want)
{
    if (fabs(got - want) <= 1e-12 * fabs(want)) return true;
    printf("    wanted %.17g, got %.17g\n", want, got);
    return false;
}

static void check_frequencies(const char *name, const Shape *shape, const float *factors,
    const double wanted[N_ROT / 2], double step)
{
    Error err = {0};
    Positions positions;

    if (!CHECK_CASE(name, positions_init(&positions, shape, factors, &err))) return;
    CHECK_CASE(name, positions.n_half == N_ROT / 2);
    CHECK_CASE(name, close_to(positions.step, step));
    for (uint32_t i = 0; i < N_ROT / 2; i++)
        CHECK_CASE(name, close_to(positions.inv[i], wanted[i]));

    float cosines[N_ROT / 2], sines[N_ROT / 2];
    positions_angles(&positions, 3, cosines, sines);
    for (uint32_t i = 0; i < N_ROT / 2; i++) {
        double angle = 3 * step * wanted[i];
        CHECK_CASE(name, fabs((double)cosines[i] - positions.magnitude * cos(angle)) < 1e-6);
        CHECK_CASE(name, fabs((double)sines[i] - positions.magnitude * sin(angle)) < 1e-6);
    }
    positions_destroy(&positions);
    CHECK_CASE(name, ledger_total() == 0);
}

TEST(without_scaling_each_pair_turns_slower_than_the_one_before)
{
    check_frequencies("plain", &plain, NULL, (double[]){1, 0.1, 0.01, 0.001}, 1);
}

TEST(factors_divide_the_frequencies)
{
    check_frequencies(
        "llama 3", &plain, (float[]){1, 2, 4, 8}, (double[]){1, 0.1 / 2, 0.01 / 4, 0.001 / 8}, 1);
}

TEST(a_factor_that_is_no_divisor_is_refused)
{
    static const float bad[] = {0, -1, NAN};

    for (size_t i = 0; i < COUNT(bad); i++) {
        Error err = {0};
        Positions positions;
        CHECK(!positions_init(&positions, &plain, (float[]){1, 2, bad[i], 8}, &err));
        CHECK_ERROR(err, ERROR_MODEL_SHAPE);
        CHECK(strstr(err.message, "factor 2") != NULL);
        CHECK(ledger_total() == 0);
    }
}

TEST(linear_scaling_squeezes_the_positions)
{
    Shape shape = plain;
    shape.rope_scaling = ROPE_SCALING_LINEAR;
    shape.rope_factor = 4;
    check_frequencies("linear", &shape, NULL, (double[]){1, 0.1, 0.01, 0.001}, 0.25);
}

/* 4096 positions hold 32 turns at dimension 1.3 and one turn at 2.8: pairs 0 and 1 stay, pair 3
 * is divided by the factor, pair 2 is halfway between. */
TEST(yarn_leaves_fast_pairs_and_squeezes_slow_ones)
{
    Shape shape = plain;
    shape.rope_scaling = ROPE_SCALING_YARN;
    shape.rope_factor = 4;
    shape.rope_n_ctx_original = 4096;
    shape.yarn_beta_fast = 32;
    shape.yarn_beta_slow = 1;
    check_frequencies("yarn", &shape, NULL, (double[]){1, 0.1, 0.01 * 0.625, 0.001 / 4}, 1);

    Error err = {0};
    Positions positions;
    CHECK(positions_init(&positions, &shape, NULL, &err));
    CHECK(close_to(positions.magnitude, 1 + 0.1 * log(4)));
    positions_destroy(&positions);
}
