/* tests/store/test_places.c - places are aligned, whole pages, and exactly what is booked */
#include "store/places.h"

#include "base/fault.h"
#include "harness.h"

TEST(places_are_aligned_and_follow_each_other)
{
    static const uint32_t alignments[] = {512, 4096, 65536};

    for (size_t i = 0; i < COUNT(alignments); i++) {
        uint32_t unit = places_unit_bytes(alignments[i]);
        Places places;
        Error err = {0};

        CHECK(places_init(&places, MEM_RING, 7ull * unit, alignments[i], PAGES_ON_DEMAND, &err));
        CHECK(ledger_held(MEM_RING) == places_held_bytes(7ull * unit, alignments[i]));
        uint8_t *first = places_take(&places, 1);
        uint8_t *second = places_take(&places, 2ull * unit);
        uint8_t *third = places_take(&places, 2ull * unit + 1);
        uint8_t *last = places_take(&places, unit);
        CHECK((uintptr_t)first % alignments[i] == 0);
        CHECK(second == first + unit);
        CHECK(third == second + 2 * unit);
        CHECK(last == third + 3 * unit);
        first[0] = 1;
        last[unit - 1] = 2; // the last byte is ours
        places_destroy(&places);
        CHECK(ledger_held(MEM_RING) == 0);
    }
}

TEST(alignments_above_a_page_cost_what_a_mapping_may_lack)
{
    CHECK(places_held_bytes(65536, 512) == 65536);
    CHECK(places_held_bytes(65536, 4096) == 65536);
    CHECK(places_held_bytes(65536, 65536) == 65536 + 65536 - 4096);
}

TEST(no_places_need_nothing)
{
    Places places;
    Error err = {0};

    CHECK(places_init(&places, MEM_RING, 0, 4096, PAGES_NOW, &err));
    CHECK(places_held_bytes(0, 65536) == 0);
    CHECK(ledger_held(MEM_RING) == 0);
    places_destroy(&places);
    places_destroy(&places);
}

TEST(a_refused_reservation_holds_nothing)
{
    Places places;
    Error err = {0};

    fault_arm(FAULT_ALLOC, 1, false);
    CHECK(!places_init(&places, MEM_RING, 4096, 4096, PAGES_NOW, &err));
    fault_arm(FAULT_ALLOC, 0, false);
    CHECK_ERROR(err, ERROR_OUT_OF_MEMORY);
    CHECK(ledger_held(MEM_RING) == 0);
    places_destroy(&places);
}
