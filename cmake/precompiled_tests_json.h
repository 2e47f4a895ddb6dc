// The same for tests that read JSON, most of which match with GoogleMock.
#include "cmake/precompiled_tests_plain.h"

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>
