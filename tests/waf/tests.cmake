# The engine itself is tested in this program too (the room's library has only the client's side of it).
target_link_libraries(waf_tests PRIVATE gw_waf_engine)
if(GW_TEST_PROGRAMS STREQUAL CMAKE_RUNTIME_OUTPUT_DIRECTORY)
    add_dependencies(waf_tests gateway-inspector)
endif()
