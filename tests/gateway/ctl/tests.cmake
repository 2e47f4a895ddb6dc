# The tests run the program itself.
if(TARGET gatewayctl)
    add_dependencies(ctl_tests gatewayctl)
endif()
