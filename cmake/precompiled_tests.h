// What every test file pays for otherwise, beside what the rooms have.
#include "cmake/precompiled.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
