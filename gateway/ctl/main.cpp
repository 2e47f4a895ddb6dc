#include "gateway/ctl/ctl.h"

int main(int argc, char** argv) { return gw::ctl::run(argc, argv, GW_VERSION); }
