#!/usr/bin/env python3
"""The parts of the bench that need no network: what it is asked, what counts, how figures are made, the picture."""

import contextlib
import io
import subprocess
import sys
import unittest
import unittest.mock as mock
import xml.etree.ElementTree as xml

import bench
import figures
import peers
import picture
import rows
import scaling
import scaling_figures


def sample(cost, failed=0, **more):
    return {"cost": cost, "failed": failed, "first_failure": "wrong" if failed else "", **more}


def samples_of(**peers):
    return {name.replace("_", "-"): {"full": [sample(cost) for cost in costs], "half": []} for name, costs in peers.items()}


def row(name="keep-alive"):
    return next(each for each in rows.ROWS if each.name == name)


class Arguments(unittest.TestCase):
    def test_the_short_form_is_one_short_round(self):
        chosen = bench.parse_arguments(["--short"])
        self.assertEqual((1, 0.5), (chosen.rounds, chosen.seconds))
        self.assertEqual(5, bench.parse_arguments([]).rounds)

    def test_rows_and_peers_are_chosen_by_name(self):
        chosen = bench.parse_arguments(["--rows", "udp, keep-alive", "--peers", "gateway,nginx"])
        self.assertEqual(["keep-alive", "udp"], [each.name for each in bench.rows_for(chosen)])
        self.assertEqual(["gateway", "nginx"], chosen.peers)

    def test_what_is_not_known_or_without_bounds_is_refused(self):
        for words in (["--rows", "nothing"], ["--peers", "apache"], ["--seconds", "3600"], ["--rounds", "-1"]):
            with self.assertRaises(SystemExit), contextlib.redirect_stderr(io.StringIO()):
                bench.parse_arguments(words)

    def test_scaling_is_all_series_or_those_that_are_named(self):
        self.assertEqual([each.name for each in scaling.SERIES], bench.parse_arguments(["--scaling"]).scaling)
        self.assertEqual(["idle", "routes"], bench.parse_arguments(["--scaling", "idle,routes"]).scaling)
        self.assertIsNone(bench.parse_arguments([]).scaling)
        self.assertEqual((3, 1.5), (bench.parse_arguments(["--scaling"]).rounds, bench.parse_arguments(["--scaling"]).seconds))

    def test_scaling_has_no_peers_and_no_picture(self):
        for words in (["--rows", "udp"], ["--peers", "nginx"], ["--svg", "x.svg"], ["--log"]):
            with self.assertRaises(SystemExit), contextlib.redirect_stderr(io.StringIO()) as said:
                bench.parse_arguments(["--scaling", *words])
            self.assertIn(f"{words[0]} does not go with --scaling", said.getvalue())

    def test_the_command_is_told_as_it_was_given(self):
        self.assertEqual(["--short"], bench.without(["--loads", "build/release/bin", "--short"], "--loads"))
        self.assertEqual(["--short"], bench.without(["--short"], "--loads"))

    def test_idle_connections_stay_within_the_open_files(self):
        with contextlib.redirect_stderr(io.StringIO()) as said:
            self.assertEqual(9_000, bench.within_files(row("idle-l4"), 20_000).connections)
            self.assertIn("9,000 of them", said.getvalue())
            self.assertEqual(10_000, bench.within_files(row("idle-l4"), 65_536).connections)
            self.assertEqual(row(), bench.within_files(row(), 1_024))


class Peers(unittest.TestCase):
    def test_one_that_is_missing_is_left_out_and_named(self):
        def kind(name, why):
            members = {"name": name, "title": name, "missing": lambda self: why}
            return type(name, (peers.Peer,), members)

        kinds = (kind("gateway", ""), kind("haproxy", "haproxy is not installed"), kind("nginx", ""))
        with mock.patch.object(bench, "PEERS", kinds), contextlib.redirect_stderr(io.StringIO()) as said:
            found = bench.peers_for(bench.parse_arguments([]), None)
        self.assertEqual(["gateway", "nginx"], [each.name for each in found])
        self.assertEqual("bench: without haproxy: haproxy is not installed\n", said.getvalue())

    def test_a_second_form_takes_part_where_bytes_are_carried(self):
        splicing = peers.HaproxySplice(None)
        taking_part = {each.name for each in rows.ROWS if splicing.takes_part(each)}
        self.assertIn("l4-bulk", taking_part)
        self.assertIn("body-64k", taking_part)
        self.assertFalse({"keep-alive", "idle-l4", "udp", "inspected"} & taking_part)


class Loads(unittest.TestCase):
    def test_every_row_is_bounded_in_time_and_count(self):
        for each in rows.ROWS:
            words = rows.load_words(each, 3_000)
            self.assertIn("--milliseconds", words)
            self.assertIn("--count", words)

    def test_a_rate_is_given_at_half_load_only(self):
        self.assertNotIn("--rate", rows.load_words(row(), 1_000))
        words = rows.load_words(row(), 1_000, 1234.56)
        self.assertEqual("1234.6", words[words.index("--rate") + 1])

    def test_the_short_form_has_smaller_sizes(self):
        self.assertEqual(1 << 28, rows.shortened(row("l4-bulk")).size)
        self.assertEqual("256 MiB bodies, down", rows.shortened(row("body-1g")).title)
        self.assertEqual(2_000, rows.shortened(row("idle-http")).connections)
        self.assertEqual(row(), rows.shortened(row()))

    def test_names_are_used_once(self):
        names = [each.name for each in rows.ROWS]
        self.assertEqual(len(names), len(set(names)))


class Samples(unittest.TestCase):
    answer = {"done": 1000, "failed": 0, "bytes": 2_000_000_000, "seconds": 2.0, "p50_us": 10, "p99_us": 20, "first_failure": ""}

    def test_cost_is_cpu_time_for_each_request(self):
        made = rows.sample_of(row(), self.answer, 0.012, 0)
        self.assertAlmostEqual(12.0, made["cost"])
        self.assertAlmostEqual(500.0, made["per_second"])

    def test_cost_of_bulk_is_cpu_seconds_for_each_gigabyte(self):
        made = rows.sample_of(row("l4-bulk"), self.answer, 1.6, 0)
        self.assertAlmostEqual(0.8, made["cost"])
        self.assertAlmostEqual(1.0, made["per_second"])
        self.assertAlmostEqual(500.0, made["answers_per_second"])

    def test_who_has_no_process_has_no_cost(self):
        self.assertIsNone(rows.sample_of(row(), self.answer, None, 0)["cost"])

    def test_a_run_that_did_nothing_does_not_count(self):
        made = rows.sample_of(row(), {**self.answer, "done": 0}, 0.1, 0)
        self.assertTrue(made["failed"])
        self.assertEqual("nothing was done", made["first_failure"])


class Figures(unittest.TestCase):
    def test_the_median_leaves_out_runs_with_an_error(self):
        made = figures.peer_figures([sample(10), sample(1, failed=3), sample(14), sample(12)], [])
        self.assertEqual(12, made["cost"])
        self.assertEqual((4, 3), (made["rounds"], made["rounds_that_count"]))
        self.assertEqual(["wrong"], made["failures"])

    def test_of_nothing_but_errors_there_is_no_figure(self):
        self.assertIsNone(figures.peer_figures([sample(1, failed=1)], [])["cost"])

    def test_the_best_peer_is_neither_we_nor_the_limit(self):
        costs = {"gateway": 1, "direct": 0, "nginx": 3, "haproxy": 2, "nginx-modsecurity": None}
        self.assertEqual("haproxy", figures.best_peer(costs))
        self.assertIsNone(figures.best_peer({"gateway": 1, "direct": 0}))

    def test_the_ratio_is_the_median_of_ratios_within_a_round(self):
        # The machine was slow in the second round, for both: the ratio of medians would say 0.9.
        made = figures.row_figures(row(), samples_of(gateway=[10, 40, 9], nginx=[20, 80, 10], haproxy=[50, 50, 50]))
        self.assertEqual("nginx", made["best_peer"])
        self.assertAlmostEqual(0.5, made["ratio"])

    def test_a_round_that_does_not_count_for_one_has_no_ratio(self):
        ours, theirs = [sample(10), sample(30, failed=1)], [sample(20), sample(10)]
        self.assertAlmostEqual(0.5, figures.ratio_in_rounds(ours, theirs))
        self.assertIsNone(figures.ratio_in_rounds(ours[1:], theirs[1:]))

    def test_half_load_is_the_same_for_all_half_of_the_slowest_gateway(self):
        samples = {name: {"full": [sample(1, per_second=1, answers_per_second=rate)], "half": []} for name, rate in
                   (("gateway", 900), ("haproxy", 600), ("direct", 100))}
        self.assertEqual(300, figures.half_rate(samples))

    def test_rounds_lie_apart_as_far_as_the_outer_ones(self):
        self.assertAlmostEqual(0.2, figures.spread([sample(9), sample(10), sample(11)]))
        self.assertIsNone(figures.spread([sample(9)]))


class Text(unittest.TestCase):
    def test_numbers_have_three_digits_that_count(self):
        self.assertEqual(["-", "0.81", "11.9", "1,110"], [figures.in_digits(each) for each in (None, 0.811, 11.93, 1109.7)])
        self.assertEqual(["25.0 us", "1.50 ms"], [figures.in_time(each) for each in (25, 1500)])

    def test_an_error_is_in_the_table(self):
        samples = samples_of(gateway=[10], nginx=[12])
        samples["gateway"]["full"].append(sample(1, failed=1))
        lines = figures.table_lines(figures.row_figures(row(), samples))
        self.assertIn("ERRORS in 1 runs (1 rounds do not count): wrong", lines[1])
        self.assertNotIn("ERRORS", lines[2])

    def test_a_long_reason_is_cut(self):
        self.assertEqual(120, len(figures.shown("why " * 100)))
        self.assertEqual("two lines", figures.shown("two\n  lines"))

    def test_the_table_for_the_readme_has_everybody_who_was_measured(self):
        made = [figures.row_figures(row(), samples_of(gateway=[10], haproxy=[20], direct=[1]))]
        self.assertEqual("| | gateway | haproxy | to the best |", figures.markdown_lines(made)[0])
        self.assertEqual("| small requests, kept connections, us | 10.0 | 20.0 | 0.50 |", figures.markdown_lines(made)[2])

    def test_two_workers_are_compared_with_one(self):
        made = []
        for name, rate in (("keep-alive", 100), ("keep-alive-2", 190)):
            samples = {"gateway": {"full": [sample(10, per_second=rate)], "half": []}}
            made.append(figures.row_figures(row(name), samples))
        self.assertEqual(
            "small requests, two workers: gateway: 1.90 times one worker's speed, 1.00 times its cost each\n",
            bench.two_workers(made),
        )


class CpuTime(unittest.TestCase):
    def test_children_that_have_ended_count(self):
        burn = "import time\nwhile time.process_time() < 0.2: pass"
        script = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {burn!r}]); print(flush=True); sys.stdin.read()"
        with subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
            child.stdout.readline()
            self.assertGreaterEqual(rows.cpu_seconds([child.pid]), 0.19)
            child.stdin.close()

    def test_each_thread_has_what_it_used_meanwhile(self):
        self.assertEqual([1, 3], rows.busy_seconds({"1": 2, "2": 9}, {"1": 3, "3": 3}))


class Sizes(unittest.TestCase):
    """What the gateway is given at each size."""

    def test_each_has_as_many_entries_as_it_says(self):
        self.assertEqual([10, 1_000], [len(scaling.routes_at(count).routes) for count in (10, 1_000)])
        self.assertEqual([1, 100], [len(scaling.listeners_at(count).listeners) for count in (1, 100)])
        for made in (scaling.sets_at, scaling.own_sets_at):
            text = "\n".join(made(100_000).listeners)
            self.assertEqual(100_000, len({word.strip("[]}, ") for word in text.split() if word.startswith(("100.", "[100."))}))
            self.assertNotIn("except", "\n".join(made(0).listeners))

    def test_no_list_is_longer_than_the_configuration_takes(self):
        for listener in scaling.sets_at(100_000).listeners:
            self.assertLessEqual(listener.count(", 100."), 10_000)

    def test_what_is_asked_for_comes_last(self):
        self.assertIn("/asked", scaling.routes_at(10).routes[-1])
        self.assertTrue(all(each.target.startswith("/asked/") for each in series("routes").rows))
        for made in (scaling.listeners_at(100), scaling.sets_at(1_000), scaling.own_sets_at(1_000)):
            asked = [number for number, each in enumerate(made.listeners) if "[10.0.2.10], ports: [80]" in each]
            self.assertEqual([len(made.listeners) - 1], asked)

    def test_a_reload_changes_something_of_the_same_size(self):
        for each in scaling.SERIES:
            for size in each.sizes[1:] if each.reloads else ():
                one, other = each.configure(size, 0), each.configure(size, 1)
                self.assertNotEqual(one, other)
                self.assertEqual((len(one.listeners), len(one.routes)), (len(other.listeners), len(other.routes)))

    def test_the_short_form_has_smaller_sizes(self):
        self.assertEqual((0, 1_000, 10_000), scaling.shortened_series(series("sets")).sizes)
        self.assertEqual((0, 2_000), scaling.shortened_series(series("idle")).sizes)
        self.assertEqual(series("routes").sizes, scaling.shortened_series(series("routes")).sizes)

    def test_idle_connections_stay_within_the_open_files(self):
        with contextlib.redirect_stderr(io.StringIO()):
            self.assertEqual((0, 9_000), bench.series_within_files(series("idle"), 20_000).sizes)
            self.assertEqual(series("routes"), bench.series_within_files(series("routes"), 20_000))


def series(name):
    return next(each for each in scaling.SERIES if each.name == name)


def of_size(cost, p99=100, failed=0, row="keep-alive", **more):
    full = sample(cost, failed, per_second=1e6 / cost, ends=2 * cost, busiest=more.pop("busiest", 1))
    return {"failed": 0, "first_failure": "", "loads": {row: {"full": [full], "half": [sample(cost, failed, p50_us=10, p99_us=p99)]}}, **more}


class ScalingFigures(unittest.TestCase):
    def made(self, first, second, name="listeners"):
        return scaling_figures.series_figures(series(name), dict(zip(series(name).sizes, (first, second))))

    def at_second(self, figures):
        return figures["sizes"][1]["loads"]["keep-alive"]

    def test_a_size_is_compared_with_the_first_in_the_same_round(self):
        # The machine was slow in the second round, for both: the ratio of medians would say 1.5.
        figures = self.made([of_size(10), of_size(40), of_size(8)], [of_size(15, 300), of_size(60, 300), of_size(14, 500)])
        self.assertAlmostEqual(1.5, self.at_second(figures)["ratio"])
        self.assertAlmostEqual(1.5, self.at_second(figures)["ends_ratio"])
        self.assertAlmostEqual(3, self.at_second(figures)["p99_ratio"])
        self.assertEqual(1, figures["sizes"][0]["loads"]["keep-alive"]["ratio"])

    def test_a_round_with_an_error_does_not_count_and_is_told(self):
        figures = self.made([of_size(10), of_size(10)], [of_size(20), of_size(1, failed=1)])
        self.assertEqual(20, self.at_second(figures)["cost"])
        self.assertEqual(["wrong"], figures["sizes"][1]["failures"])
        self.assertIn("  100: ERRORS, what they touched does not count: wrong", scaling_figures.series_lines(figures))

    def test_a_size_that_does_not_start_has_no_figure_and_is_told(self):
        figures = self.made([of_size(10)], [rows.failed_sample("not ready")])
        self.assertIsNone(self.at_second(figures)["cost"])
        self.assertEqual(["not ready"], figures["sizes"][1]["failures"])

    def test_a_reload_that_fails_leaves_the_rest(self):
        figures = self.made([of_size(10)], [of_size(11, start_s=2, reloading=rows.failed_sample("no answer"))])
        self.assertEqual((2, None), (figures["sizes"][1]["start_s"], figures["sizes"][1]["reload_s"]))
        self.assertEqual(11, self.at_second(figures)["cost"])
        self.assertEqual(["no answer"], figures["sizes"][1]["failures"])

    def test_on_processors_of_its_own_the_busiest_thread_is_the_limit(self):
        # Twice the threads share the work 60 to 40, and each request costs a tenth more.
        figures = self.made([of_size(10)], [of_size(11, busiest=0.6)], "workers")
        self.assertAlmostEqual(10 / (11 * 0.6), self.at_second(figures)["own_processors"])
        self.assertAlmostEqual(10 / 11, self.at_second(figures)["speed"])

    def test_tables_have_the_columns_in_which_there_is_something(self):
        figures = self.made([of_size(10, start_s=0.25)], [of_size(15, 200, start_s=1.5, memory_bytes=1 << 20)])
        whole, load = scaling_figures.tables(figures)[:2]
        self.assertEqual(["start", "memory"], whole[1])
        self.assertEqual([["1", "250 ms", "-"], ["100", "1.50 s", "1.00 MiB"]], whole[2])
        self.assertEqual("listeners: small requests, kept connections", load[0])
        self.assertEqual(["100", "15.0", "1.50", "30.0", "1.50", "66,667", "10.0 us", "200 us", "2.00", "100 %"], load[2][1])

    def test_markdown_has_the_same_cells(self):
        lines = scaling_figures.series_markdown([self.made([of_size(10, start_s=0.25)], [of_size(15, start_s=1)])])
        self.assertEqual(["| listeners | start |", "|---|---|", "| 1 | 250 ms |", "| 100 | 1.00 s |", ""], lines[:5])


class Picture(unittest.TestCase):
    def drawn(self, *made, subtitle="a machine"):
        return xml.fromstring(picture.picture(list(made), subtitle))

    def texts(self, drawn):
        return [each.text for each in drawn.iter() if each.tag.endswith("text")]

    def test_it_is_xml_whatever_the_words_are(self):
        drawn = self.drawn(figures.row_figures(row(), samples_of(gateway=[10], nginx=[20])), subtitle='<"&>')
        self.assertIn('<"&>', self.texts(drawn))

    def test_a_bar_is_as_long_as_the_cost_over_the_best_peers(self):
        made = figures.row_figures(row(), samples_of(gateway=[10], nginx=[20], haproxy=[40], direct=[0]))
        self.assertEqual([("gateway", 10, 0.5), ("nginx", 20, 1), ("haproxy", 40, 2)], picture.bars_of(made))

    def test_a_bar_too_long_is_cut_and_says_so(self):
        drawn = self.drawn(figures.row_figures(row(), samples_of(gateway=[100], nginx=[10])))
        self.assertIn("100 us (10.0 x)", self.texts(drawn))
        self.assertLessEqual(max(float(each.get("width", 0)) for each in drawn.iter() if each.tag.endswith("rect")), picture.WIDTH)

    def test_a_row_without_figures_is_left_out(self):
        failed = {"gateway": {"full": [sample(1, failed=1)], "half": []}}
        self.assertNotIn(row().title, self.texts(self.drawn(figures.row_figures(row(), failed))))


if __name__ == "__main__":
    unittest.main()
