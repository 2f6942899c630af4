import attrs
import pytest

from mailtrack import InvalidSetting
from mailtrack.settings import Settings


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
