#!/usr/bin/env python3
"""The layering test finds what it is there to find: small trees, each with one thing wrong, or nothing."""

import tempfile
import unittest
from pathlib import Path

import layering

ROOMS = """
gw_room(base   AT gateway/base)
gw_room(http   AT gateway/http   USES base)
gw_room(waf    AT waf            USES base
        http)
gw_room(config AT gateway/config USES base
        SETTINGS_OF http waf)
"""


def found_in(files, rooms=ROOMS):
    """What the test says of a tree with these files (path -> text)."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root / "CMakeLists.txt").write_text(rooms)
        for name, text in files.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return layering.wrong_includes(root)


class Layering(unittest.TestCase):
    def allows(self, file, include):
        self.assertEqual([], found_in({file: f"#include {include}\n"}))

    def refuses(self, file, include, because):
        wrong = found_in({file: f"\n#include {include}\n"})
        self.assertEqual(1, len(wrong), f"{file}: {include}: {wrong}")
        self.assertTrue(wrong[0].startswith(f"{file}:2: "), wrong[0])
        self.assertIn(because, wrong[0])

    def test_a_room_uses_itself_and_the_rooms_it_names(self):
        self.allows("gateway/http/a.cpp", '"gateway/http/a.h"')
        self.allows("gateway/http/a.cpp", '"gateway/base/result.h"')
        self.allows("waf/a.h", '"gateway/http/message.h"')

    def test_no_room_uses_one_it_does_not_name(self):
        self.refuses("gateway/http/a.cpp", '"waf/inspector.h"', "http may not use waf")
        self.refuses("gateway/base/a.h", '"gateway/http/a.h"', "base may not use http")

    def test_uses_are_not_inherited(self):
        rooms = "gw_room(a AT a)\ngw_room(b AT b USES a)\ngw_room(c AT c USES b)\n"
        self.assertEqual(["c/x.cpp:1: c may not use a (a/x.h)"], found_in({"c/x.cpp": '#include "a/x.h"\n'}, rooms))

    def test_of_some_rooms_only_the_settings_may_be_used(self):
        self.allows("gateway/config/parse.cpp", '"gateway/http/settings.h"')
        self.refuses("gateway/config/parse.cpp", '"gateway/http/message.h"', "settings.h only")
        self.refuses("gateway/config/parse.cpp", '"gateway/http/inner/settings.h"', "settings.h only")

    def test_a_library_stays_in_its_room(self):
        self.allows("waf/engine.cpp", "<modsecurity/modsecurity.h>")
        self.refuses("gateway/http/a.cpp", "<modsecurity/modsecurity.h>", "belongs to waf")
        self.refuses("gateway/base/log.cpp", "<spdlog/spdlog.h>", "belongs to no room")
        self.allows("gateway/main.cpp", "<CLI/CLI.hpp>")
        self.refuses("gateway/main.cpp", "<openssl/ssl.h>", "belongs to tls")
        self.allows("gateway/base/a.h", "<boost/asio.hpp>")

    def test_the_main_program_may_use_every_room(self):
        self.allows("gateway/main.cpp", '"waf/inspector.h"')

    def test_paths_start_at_the_root(self):
        self.refuses("gateway/http/a.cpp", '"a.h"', "from the root")
        self.refuses("gateway/http/a.cpp", '"../base/result.h"', "from the root")
        self.refuses("gateway/http/a.cpp", '"tests/support/lab.h"', "from the root")

    def test_odd_spellings_are_read_too(self):
        self.assertEqual(1, len(found_in({"gateway/base/a.h": '  #  include   "waf/a.h"\n'})))
        self.assertEqual(1, len(found_in({"gateway/base/a.h": "#include HEADER\n"})))

    def test_a_room_may_not_use_one_above_it(self):
        with self.assertRaises(ValueError):
            layering.read_rooms("gw_room(a AT a USES b)\ngw_room(b AT b)\n")

    def test_tests_may_include_anything(self):
        self.assertEqual([], found_in({"tests/waf/a_test.cpp": '#include "gateway/http/a.h"\n#include <gtest/gtest.h>\n'}))


if __name__ == "__main__":
    unittest.main()
