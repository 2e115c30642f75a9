/* tests/base/test_fault.c - faults hit the call they were armed for. */
#include "harness.h"

#include "base/fault.h"

TEST(fault_hits_once_at_the_nth_call)
{
    fault_arm(FAULT_READ, 3, false);
    CHECK(!fault_hits(FAULT_READ));
    CHECK(!fault_hits(FAULT_READ));
    CHECK(fault_hits(FAULT_READ));
    CHECK(!fault_hits(FAULT_READ));
    CHECK(fault_count(FAULT_READ) == 4);
    CHECK(!fault_hits(FAULT_ALLOC)); // points are apart
}

TEST(fault_for_good_hits_from_the_nth_call_on)
{
    fault_arm(FAULT_READ, 2, true);
    CHECK(!fault_hits(FAULT_READ));
    CHECK(fault_hits(FAULT_READ));
    CHECK(fault_hits(FAULT_READ));
}

TEST(fault_arm_with_zero_disarms_and_starts_the_count_again)
{
    fault_arm(FAULT_READ, 1, true);
    CHECK(fault_hits(FAULT_READ));
    fault_arm(FAULT_READ, 0, false);
    CHECK(fault_count(FAULT_READ) == 0);
    CHECK(!fault_hits(FAULT_READ));
}
