"""Flags of `videomae eval` that would have no effect are refused."""

from collections.abc import Collection, Mapping

from videomae_cli.errors import UsageError

UNUSED_BY_CURVE = frozenset(
    ("--protocol", "--dump", "--dump-v1", "--dry-run", "--allow-untrained-head")
)


def refuse_with(main: str, flags: Mapping[str, object], allowed: Collection[str]) -> None:
    """Refuse flags that were given, but have no effect with the flag `main`."""
    for flag, value in flags.items():
        if value not in (None, False, []) and flag not in allowed:
            hint = "give the data too: --data DIR" if flag == "--split" else f"leave out {flag}"
            raise UsageError(f"{flag} has no effect with {main}", hint)


def check_flags(flags: Mapping[str, object]) -> None:
    """Refuse flags that would have no effect."""
    has_curve = flags["--label-fractions"] is not None
    for flag in ("--probe", "--against"):
        if flags[flag] and not has_curve:
            raise UsageError(
                f"{flag} has no effect without --label-fractions",
                "add --label-fractions 1,5,10,50,100",
            )
    if flags["--group-column"] is not None and not has_curve and not flags["--baselines"]:
        raise UsageError(
            "--group-column has no effect without --baselines or --label-fractions",
            "add --baselines",
        )
    if has_curve and flags["--baselines"]:
        raise UsageError(
            "--baselines and --label-fractions answer different questions",
            "run one after the other",
        )
    if has_curve:
        refuse_with("--label-fractions", flags, flags.keys() - UNUSED_BY_CURVE)
