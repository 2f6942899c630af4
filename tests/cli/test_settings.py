"""Settings come from options, then the environment, then their defaults."""

from pathlib import Path

import attrs
import pytest

from mailtrack import InvalidRules, InvalidSetting
from mailtrack.cli._settings import Settings
from mailtrack.verdicts import default_rules


class TestResolve:
    def test_there_is_a_default_for_everything(self) -> None:
        assert Settings.resolve({}, {}) == Settings()

    def test_the_server_listens_to_this_machine_only_by_default(self) -> None:
        assert (Settings().host, Settings().port) == ("127.0.0.1", 8000)

    def test_the_storage_is_a_file_in_the_working_directory_by_default(self) -> None:
        assert Settings().database == "sqlite:///mailtrack.db"

    def test_no_proxy_is_trusted_by_default(self) -> None:
        assert Settings().trusted_proxies == 0

    @pytest.mark.parametrize(
        ("name", "text", "value"),
        [
            ("host", "0.0.0.0", "0.0.0.0"),
            ("port", "80", 80),
            ("database", "memory://", "memory://"),
            ("base_url", "https://mail.example.com/", "https://mail.example.com"),
            ("workers", "2", 2),
            ("trusted_proxies", "1", 1),
            ("window", "2.5", 2.5),
            ("counted", "human", "human"),
            ("networks", "a=b.txt", "a=b.txt"),
            ("allow_anonymous", "1", True),
            ("allow_anonymous", "true", True),
            ("allow_anonymous", "Yes", True),
            ("allow_anonymous", "0", False),
            ("allow_anonymous", "false", False),
            ("allow_anonymous", "no", False),
        ],
    )
    def test_each_is_read_from_the_environment(self, name: str, text: str, value: object) -> None:
        assert getattr(Settings.resolve({}, {f"MAILTRACK_{name.upper()}": text}), name) == value

    def test_what_is_given_goes_before_the_environment(self) -> None:
        assert Settings.resolve({"port": 1}, {"MAILTRACK_PORT": "2"}).port == 1

    def test_none_counts_as_not_given(self) -> None:
        assert Settings.resolve({"port": None}, {"MAILTRACK_PORT": "2"}).port == 2

    @pytest.mark.parametrize("name", [field.name for field in attrs.fields(Settings)])
    def test_an_empty_variable_counts_as_not_set(self, name: str) -> None:
        assert Settings.resolve({}, {f"MAILTRACK_{name.upper()}": ""}) == Settings()

    def test_other_variables_count_for_nothing(self) -> None:
        assert Settings.resolve({}, {"PORT": "1", "MAILTRACK_PORTS": "1"}) == Settings()

    def test_it_reads_the_environment_of_the_process(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("MAILTRACK_PORT", "1234")
        assert Settings.resolve({}).port == 1234


class TestValidation:
    @pytest.mark.parametrize(
        ("name", "low", "high"), [("port", 1, 65_535), ("workers", 1, 64), ("trusted_proxies", 0, 10)]
    )
    def test_numbers_have_a_range(self, name: str, low: int, high: int) -> None:
        for value in (low, high):
            assert getattr(Settings(**{name: value}), name) == value
        for value in (low - 1, high + 1):
            with pytest.raises(InvalidSetting, match=f"between {low} and {high}") as caught:
                Settings(**{name: value})
            assert caught.value.name == name

    @pytest.mark.parametrize("text", ["", "x", "-1", "1.5", "1_000", " 1", "\uff11", "1" * 5000, "0x10"])
    def test_a_number_is_written_in_digits(self, text: str) -> None:
        with pytest.raises(InvalidSetting, match="whole number"):
            Settings(port=text)

    def test_the_base_url_is_checked(self) -> None:
        with pytest.raises(InvalidSetting, match="base_url"):
            Settings(base_url="mail.example.com")

    def test_settings_are_frozen(self) -> None:
        with pytest.raises(attrs.exceptions.FrozenInstanceError):
            Settings().port = 1  # type: ignore[misc]  # that is the point

    @pytest.mark.parametrize("text", ["", "2", "maybe", " 1", "tru"])
    def test_a_flag_is_yes_or_no(self, text: str) -> None:
        with pytest.raises(InvalidSetting, match="allow_anonymous: must be one of 1, true, yes, 0, false, no"):
            Settings(allow_anonymous=text)

    @pytest.mark.parametrize(("text", "expected"), [("1", True), ("Yes", True), ("false", False), ("0", False)])
    def test_special_domains_are_a_flag(self, text: str, expected: bool) -> None:
        environment = {"MAILTRACK_ALLOW_SPECIAL_DOMAINS": text}
        assert Settings.resolve({}, environment).allow_special_domains is expected

    @pytest.mark.parametrize("text", ["", "x", "-1", "nan", "inf", "86401", "1e9"])
    def test_a_window_is_up_to_a_day(self, text: str) -> None:
        with pytest.raises(InvalidSetting, match="window"):
            Settings(window=text)

    @pytest.mark.parametrize("text", ["", "people", "human,", "human, proxy", "HUMAN"])
    def test_what_counts_are_kinds_of_verdict(self, text: str) -> None:
        with pytest.raises(InvalidSetting, match="counted"):
            Settings(counted=text)

    @pytest.mark.parametrize("text", ["x", "=file", "name=", "a=b,c"])
    def test_networks_have_names_and_files(self, text: str) -> None:
        with pytest.raises(InvalidSetting, match="networks"):
            Settings(networks=text)


class TestSpool:
    @pytest.mark.parametrize(
        ("database", "folder"),
        [
            ("sqlite:///mail.db", "mail.db.spool"),
            ("sqlite:////srv/mail.db", "/srv/mail.db.spool"),
            ("postgresql://db/mail", "mailtrack.spool"),
            ("third-party://x", "mailtrack.spool"),
        ],
    )
    def test_it_lies_beside_a_local_file_and_else_in_the_working_directory(self, database: str, folder: str) -> None:
        assert Settings(database=database).spool_folder == Path(folder)
        assert Settings(database=database, spool="other").spool_folder == Path("other")
        assert Settings(database=database, spool="off").spool_folder is None

    def test_there_is_none_for_a_storage_that_each_process_has_for_itself(self, tmp_path: Path) -> None:
        assert Settings(database="memory://").make_spool() is None
        with pytest.raises(InvalidSetting, match="memory"):
            Settings(database="memory://", spool=str(tmp_path)).make_spool()


class TestJudge:
    def test_it_is_the_bundled_one_by_default(self) -> None:
        judge = Settings().make_judge()
        assert judge.table == default_rules()
        assert (judge.window, judge.counted) == (10.0, {"human", "proxy", "unknown"})

    def test_it_has_the_rules_and_networks_of_files(self, tmp_path: Path) -> None:
        (tmp_path / "rules.toml").write_text(
            'version = 1\n[[rules]]\ncode = "ours"\nkind = "bot"\ncertainty = "certain"\nrank = 1\ntext = "Ours."\n'
            'network = "apple-relay"\n'
        )
        (tmp_path / "relays.csv").write_text("192.0.2.0/24,GB,GB-EN,London,\n")
        settings = Settings(
            rules=str(tmp_path / "rules.toml"),
            networks=f"apple-relay={tmp_path}/relays.csv",
            window="60",
            counted="human,bot",
        )
        judge = settings.make_judge()
        verdict = judge.judge("Thunderbird/1", ip="192.0.2.7")
        assert (verdict.reasons, judge.counts(verdict), judge.window) == (("ours",), True, 60.0)

    @pytest.mark.parametrize("name", ["rules", "networks"])
    def test_a_file_that_is_not_there_is_told_of(self, tmp_path: Path, name: str) -> None:
        value = f"{tmp_path}/none" if name == "rules" else f"a={tmp_path}/none"
        with pytest.raises(InvalidSetting, match=f"{name}: can't be read"):
            Settings(**{name: value}).make_judge()

    @pytest.mark.parametrize("name", ["rules", "networks"])
    def test_a_file_that_can_not_be_used_is_told_of(self, tmp_path: Path, name: str) -> None:
        (tmp_path / "file").write_text("rubbish")
        value = f"{tmp_path}/file" if name == "rules" else f"a={tmp_path}/file"
        with pytest.raises(InvalidRules):
            Settings(**{name: value}).make_judge()
