"""Rules and tables of rules: the bundled one, changed ones, and those from files."""

import pytest

from mailtrack._errors import InvalidArgument, InvalidInput, InvalidRules, RuleProblem
from mailtrack.verdicts import SIGNALS, Judge, Networks, Rule, RuleTable, default_rules, load_rules
from mailtrack.verdicts._networks import parse_networks

OWN = """
version = 3

[networks]
office = ["192.0.2.0/24"]

[[rules]]
code = "our-monitor"
rank = 1
kind = "bot"
certainty = "certain"
network = "office"
text = "Our own monitor looked at the picture."
"""


@pytest.fixture
def load(tmp_path):
    """Load rules from a text."""

    def load(text, **options):
        path = tmp_path / "rules.toml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return load_rules(path, **options)

    return load


def problems(raised):
    return [(problem.place, problem.reason) for problem in raised.value.problems]


class TestTheBundledTable:
    def test_it_is_read_once(self):
        assert default_rules() is default_rules()

    def test_it_has_a_small_version(self):
        assert 1 <= default_rules().version <= 2000

    def test_each_rule_says_in_a_sentence_why(self):
        for rule in default_rules().rules:
            assert rule.text.endswith("."), rule.code
            assert default_rules().text(rule.code) == rule.text

    def test_each_probable_rule_for_a_machine_needs_a_second_signal(self):
        accusing = [rule for rule in default_rules().rules if rule.kind in ("bot", "scanner", "prefetch")]
        assert all(rule.second for rule in accusing if rule.certainty == "probable")

    def test_its_file_is_in_order(self):
        # For readers of the file; the judge sorts its rules.
        from importlib.resources import files

        text = (files("mailtrack.verdicts") / "rules.toml").read_text(encoding="utf-8")
        ranks = [int(line.removeprefix("rank = ")) for line in text.splitlines() if line.startswith("rank = ")]
        assert ranks == sorted(ranks)

    def test_a_code_that_is_none_has_no_text(self):
        assert default_rules().text("no-rule") is None


class TestChangedTables:
    def test_a_rule_is_added(self, make_rule):
        table = default_rules().with_rules(make_rule())
        assert len(table.rules) == len(default_rules().rules) + 1
        assert Judge(table).judge("ours").reasons == ("own",)

    def test_a_rule_with_a_code_that_is_there_takes_its_place(self, make_rule):
        table = default_rules().with_rules(make_rule("http-library", kind="human"))
        assert len(table.rules) == len(default_rules().rules)
        assert Judge(table).judge("curl/8").reasons == ("no-browser-no-mail-program",)

    def test_a_rule_is_taken_out(self):
        table = default_rules().without_rules("http-library", "not-there")
        assert Judge(table).judge("curl/8").reasons == ("no-browser-no-mail-program",)

    def test_networks_are_filled_and_added(self, make_rule):
        table = default_rules().with_networks(proofpoint=["192.0.2.0/24"], office=Networks(["198.51.100.0/24"]))
        table = table.with_rules(make_rule(network="office", user_agent=None))
        assert Judge(table).judge("x", ip="198.51.100.7").reasons == ("own",)
        assert Judge(table).judge("", ip="192.0.2.1", age=1.0).reasons == ("proofpoint-network", "early")

    def test_the_table_that_was_changed_stays_as_it_was(self, make_rule):
        before = default_rules().rules
        default_rules().with_rules(make_rule()).without_rules("range")
        assert default_rules().rules == before

    def test_each_change_is_another_version(self, make_rule):
        base = default_rules()
        tables = [
            base,
            base.with_rules(make_rule()),
            base.with_rules(make_rule(rank=2)),
            base.with_rules(make_rule("other")),
            base.without_rules("range"),
            base.with_networks(proofpoint=["192.0.2.0/24"]),
            base.with_networks(proofpoint=["192.0.2.0/25"]),
            base.with_networks(cisco=["192.0.2.0/24"]),
        ]
        assert len({table.version for table in tables}) == len(tables)

    def test_the_same_changes_are_the_same_version_in_any_order(self, make_rule):
        one, other = make_rule("one"), make_rule("other")
        base = default_rules()
        assert base.with_rules(one).with_rules(other).version == base.with_rules(other, one).version

    def test_a_version_fits_into_32_bits_and_shows_which_it_was_made_from(self, make_rule):
        table = RuleTable(version=2000, rules=[make_rule()]).with_rules(make_rule("other")).without_rules("own")
        assert table.version // 1_000_000 == 2000
        assert table.version < 2**31

    def test_a_code_given_twice_is_refused(self, make_rule):
        with pytest.raises(InvalidRules) as raised:
            default_rules().with_rules(make_rule(), make_rule(rank=2))
        assert problems(raised) == [("rule own", "is defined 2 times")]

    def test_a_rule_about_networks_that_are_not_there_is_refused(self, make_rule):
        with pytest.raises(InvalidRules) as raised:
            default_rules().with_rules(make_rule(certainty="probable", second=["network:nowhere"]))
        assert problems(raised) == [("rule own", "names the network nowhere, which does not exist")]

    @pytest.mark.parametrize("given", ["192.0.2.0/24", 7, ["192.0.2.0/24", "home"]])
    def test_what_are_no_networks_is_refused(self, given):
        with pytest.raises(InvalidRules, match=r"^network office"):
            default_rules().with_networks(office=given)


class TestRules:
    @pytest.mark.parametrize(
        ("changes", "reason"),
        [
            ({"code": "Own Rule"}, "the code must be"),
            ({"code": "x" * 65}, "the code must be"),
            ({"code": None}, "the code must be"),
            ({"kind": "robot"}, "the kind must be one of human, proxy,"),
            ({"kind": []}, "the kind must be"),
            ({"certainty": "sure"}, "the certainty must be one of certain, probable"),
            ({"rank": "first"}, "the rank must be a whole number"),
            ({"rank": True}, "the rank must be a whole number"),
            ({"text": ""}, "the text must be one line"),
            ({"text": "two\nlines"}, "the text must be one line"),
            ({"text": "x" * 301}, "the text must be one line"),
            ({"vendor": "x" * 65}, "the vendor must be one line"),
            ({"user_agent": "("}, "the user agent is not a regular expression: missing ), unterminated subpattern"),
            ({"user_agent": 5}, "the user agent must be a regular expression"),
            ({"user_agent": None}, "it needs a condition"),
            ({"signal": "loud"}, "the signal must be one of " + ", ".join(sorted(SIGNALS))),
            ({"signal": ["burst"]}, "the signal must be one of"),
            ({"network": "Our Office"}, "the network must be a name"),
            ({"early": 1}, "early must be true or false"),
            ({"certainty": "probable"}, "a probable rule for a machine needs a second signal"),
            ({"second": ["early"]}, "a certain rule must not have second signals"),
            ({"certainty": "probable", "second": ["late"]}, "a second signal must be one of early, burst,"),
            ({"certainty": "probable", "second": ["network:"]}, "a second signal must be"),
            ({"certainty": "probable", "second": [7]}, "a second signal must be"),
            ({"certainty": "probable", "second": "early"}, "a second signal must be"),
        ],
    )  # fmt: skip
    def test_a_rule_that_can_not_be_used_is_refused(self, make_rule, changes, reason):
        with pytest.raises(InvalidRules) as raised:
            make_rule(**changes)
        assert any(problem.startswith(reason) for _, problem in problems(raised))

    def test_all_that_is_wrong_with_a_rule_is_listed_under_its_code(self, make_rule):
        with pytest.raises(InvalidRules) as raised:
            make_rule("bad", kind="robot", rank=None, text="", user_agent="[")
        assert [place for place, _ in problems(raised)] == ["rule bad"] * 4

    def test_a_signal_may_be_written_as_one(self, make_rule):
        rule = make_rule(certainty="probable", second=["signal:no-language", "burst"])
        assert rule.second == ("no-language", "burst")

    def test_words_become_the_models_own(self, make_rule):
        rule = make_rule()
        assert repr((rule.kind, rule.certainty)) == "(<VerdictKind.BOT: 'bot'>, <Certainty.CERTAIN: 'certain'>)"

    def test_rules_are_values(self, make_rule):
        assert make_rule() == make_rule()
        assert hash(make_rule()) == hash(make_rule())
        assert isinstance(make_rule(), Rule)


class TestFiles:
    def test_a_file_is_a_table_of_its_own(self, load):
        table = load(OWN)
        assert [rule.code for rule in table.rules] == ["our-monitor"]
        assert Judge(table).judge("curl/8", ip="192.0.2.1").reasons == ("our-monitor",)
        assert Judge(table).judge("curl/8").reasons == ("no-rule",)

    def test_a_file_is_added_to_a_table(self, load):
        judge = Judge(load(OWN, base=default_rules()))
        assert judge.judge("curl/8", ip="192.0.2.1").reasons == ("our-monitor",)
        assert judge.judge("curl/8").reasons == ("http-library",)

    def test_a_file_can_fill_a_network_and_replace_a_rule_of_the_base(self, load):
        text = """
            version = 1
            networks.proofpoint = ["192.0.2.0/24"]
            [[rules]]
            code = "http-library"
            rank = 850
            kind = "human"
            certainty = "probable"
            user_agent = "curl"
            text = "We read our mail with curl."
        """
        judge = Judge(load(text, base=default_rules()))
        assert judge.judge("curl/8").kind == "human"
        assert judge.judge("", ip="192.0.2.1", age=1.0).vendor == "Proofpoint"

    def test_a_files_version_is_its_own_and_changes_with_it(self, load):
        first = load(OWN).version
        assert first // 1_000_000 == 3
        assert load(OWN).version == first
        assert load(OWN.replace("rank = 1", "rank = 2")).version != first

    def test_everything_that_is_wrong_is_listed_with_its_place(self, load):
        text = """
            version = 0
            rulez = []
            networks.office = ["192.0.2.0/24", "here"]
            networks."Our Home" = ["192.0.2.0/24"]
            networks.cellar = "192.0.2.0/24"
            [[rules]]
            code = "one"
            rank = 1
            kind = "robot"
            certainty = "certain"
            text = "It is ours."
            [[rules]]
            rank = 1
            colour = "red"
            [[rules]]
            code = "three"
            rank = 1
            kind = "bot"
            certainty = "certain"
            network = "attic"
            text = "It is ours."
        """
        with pytest.raises(InvalidRules) as raised:
            load(text)
        assert problems(raised) == [
            ("the file", "has an unknown section 'rulez'"),
            ("version", "must be a whole number from 1 to 2,000"),
            ("network office, network 2", "is not a network"),
            ("network Our Home", "the name must be lower-case words with hyphens or underscores"),
            ("network cellar", "must be a list of networks"),
            ("rule one", "the kind must be one of human, proxy, prefetch, scanner, bot, unknown"),
            ("rule one", "it needs a condition"),
            ("rule 2", "has an unknown key 'colour'"),
            ("rule 2", "has no code"),
            ("rule 2", "has no kind"),
            ("rule 2", "has no certainty"),
            ("rule 2", "has no text"),
            ("rule three", "names the network attic, which does not exist"),
        ]
        assert str(raised.value).endswith("; and 3 more")

    @pytest.mark.parametrize(
        ("text", "place"),
        [
            ("version =", "the file"),
            (b"version = 1 # \xff", "the file"),
            ("version = 1\nnetworks = 5", "networks"),
            ("version = 1\nrules = 5", "rules"),
            ("version = 1\nrules = [5]", "rule 1"),
            ("version = 1.5", "version"),
            ("version = 2001", "version"),
            ("", "version"),
        ],
    )
    def test_a_file_of_another_form_is_refused(self, load, text, place):
        with pytest.raises(InvalidRules) as raised:
            load(text)
        assert [where for where, _ in problems(raised)] == [place]

    def test_codes_given_twice_in_a_file_are_refused(self, load):
        rule = OWN[OWN.index("[[rules]]") :]
        with pytest.raises(InvalidRules, match="rule our-monitor: is defined 2 times"):
            load(OWN + rule)

    def test_a_file_that_is_not_there_is_no_table(self, tmp_path):
        with pytest.raises(FileNotFoundError):
            load_rules(tmp_path / "none.toml")


def test_the_error_is_an_invalid_input_that_carries_its_problems():
    error = InvalidRules([RuleProblem("rule own", "is wrong")])
    assert isinstance(error, InvalidInput)
    assert isinstance(error, ValueError)
    assert str(error) == "rule own: is wrong"


class TestBorders:
    """What is just within a limit is taken, and what is just over it is refused."""

    @pytest.mark.parametrize(
        "changes",
        [{"code": "a" * 64}, {"text": "x"}, {"text": "x" * 300}, {"vendor": "x"}, {"vendor": "x" * 64}],
        ids=repr,
    )
    def test_within(self, make_rule, changes):
        rule = make_rule(**changes)
        assert all(getattr(rule, name) == value for name, value in changes.items())

    @pytest.mark.parametrize(
        "changes",
        [
            {"code": "a" * 65},
            {"text": ""},
            {"text": "x" * 301},
            {"vendor": ""},
            {"vendor": "x" * 65},
            {"second": ""},
            {"second": 5},
        ],
        ids=repr,
    )
    def test_over(self, make_rule, changes):
        with pytest.raises(InvalidRules):
            make_rule(**changes)

    def test_the_last_version(self, load):
        assert load(OWN.replace("version = 3", "version = 2000")).version // 1_000_000 == 2000
        with pytest.raises(InvalidRules):
            load(OWN.replace("version = 3", "version = 2001"))


class TestProblems:
    """Each problem has its place, and a reason that says what is wrong."""

    def test_a_rule_without_a_usable_code_has_a_place(self, make_rule):
        with pytest.raises(InvalidRules) as raised:
            make_rule("Not a code")
        assert problems(raised)[0][0] == "a rule"
        with pytest.raises(InvalidRules) as raised:
            make_rule("own", rank="first")
        assert problems(raised)[0][0] == "rule own"

    @pytest.mark.parametrize(
        ("text", "place", "reason"),
        [
            ("version = ", "the file", "is not TOML: "),
            ("version = 1\nnetworks = 1", "networks", "must be "),
            ("version = 1\nrules = 1", "rules", "must be "),
            ("version = 1\nrules = [1]", "rule 1", "must be "),
            ("version = 1\nnetworks = {office = 1}", "network office", "must be "),
        ],
    )
    def test_what_has_another_form(self, load, text, place, reason):
        with pytest.raises(InvalidRules) as raised:
            load(text)
        assert problems(raised)[0][0] == place
        assert problems(raised)[0][1].startswith(reason)

    def test_long_names_are_cut_after_64_characters(self, load):
        long = "N" * 70
        with pytest.raises(InvalidRules) as raised:
            load(f"version = 1\n{long} = 1\n[networks]\n{long} = []\n[[rules]]\n{long} = 1")
        found = problems(raised)
        assert [reason for _, reason in found if "N" in reason] == [
            f"has an unknown section {long[:64]!r}",
            f"has an unknown key {long[:64]!r}",
        ]
        assert f"network {long[:64]}" in [place for place, _ in found]

    @pytest.mark.parametrize(
        ("change", "name"),
        [
            (lambda: default_rules().with_rules("own"), "rule"),
            (lambda: default_rules().without_rules(["own"]), "code"),
            (lambda: Networks("192.0.2.0/24"), "networks"),
            (lambda: parse_networks("192.0.2.0/24"), "lines"),
        ],
    )
    def test_an_argument_of_another_type_is_named(self, change, name):
        with pytest.raises(InvalidArgument) as raised:
            change()
        assert raised.value.name == name


def test_the_version_of_a_changed_table_is_a_whole_number(make_rule):
    assert type(default_rules().with_rules(make_rule()).version) is int
