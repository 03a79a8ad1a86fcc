"""gunicorn's settings are read once, and say what they said before."""

from gunicorn.config import Config

from web.server.worker import read_once


def test_every_setting_is_an_attribute_and_what_gunicorn_makes_of_it_stays() -> None:
    settings, usual = Config(), Config()
    for each in (settings, usual):
        each.set("keepalive", 95)
        each.set("bind", "127.0.0.1:1")

    read_once(settings)

    assert {name: vars(settings)[name] for name in usual.settings} == {
        name: setting.get() for name, setting in usual.settings.items()
    }
    made = ("worker_class_str", "address", "uid", "is_ssl", "sendfile", "reuse_port")
    assert [getattr(settings, name) for name in (*made, "keepalive")] == [
        getattr(usual, name) for name in (*made, "keepalive")
    ]
