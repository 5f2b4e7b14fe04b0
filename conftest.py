"""Hypothesis profiles, and no logic. Another than "default": pytest --hypothesis-profile=thorough."""

from hypothesis import HealthCheck, settings

# New random problems in every run, in CI as well. Where CI is set, Hypothesis starts from its own profile "ci", which draws the
# same ones each time and forgets what failed: so build on "default" by name, and load it.
settings.register_profile(
    "default",
    settings.get_profile("default"),
    derandomize=False,
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile("thorough", settings.get_profile("default"), max_examples=5_000)
settings.load_profile("default")
