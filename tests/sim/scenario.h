#ifndef TESTS_SIM_SCENARIO_H
#define TESTS_SIM_SCENARIO_H

#include "tests/sim/play.h"

extern const struct scenario scenario_pair;

#endif
