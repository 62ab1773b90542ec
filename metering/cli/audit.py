"""`metering audit`: every check of a period, as findings."""

from typing import TYPE_CHECKING, Annotated

import typer

from metering.cli.common import (
    EXIT_FOUND,
    AsOfOption,
    CheckOption,
    Common,
    Format,
    KnownAtOption,
    NotifyOption,
    OutputOption,
    PeriodOrLastMonthOption,
    errors_told,
    message,
    meter,
    notifier,
    progress,
    with_common_options,
)
from metering.model.units import counted

if TYPE_CHECKING:
    from metering.model.records import Finding


@with_common_options
def audit(
    common: Common,
    period: PeriodOrLastMonthOption = None,
    as_of: AsOfOption = None,
    known_at: KnownAtOption = None,
    output: OutputOption = None,
    check: CheckOption = False,
    notify: NotifyOption = None,
    list_checks: Annotated[bool, typer.Option("--list", help="List the checks, what each means and what to do.")] = False,
) -> None:
    """Every check of a period, as findings.

    What is missing, wrong, unlikely, or does not add up: usage is added up again from the samples, apart from
    billing. -v shows what is for information only, too. Limits are set under [audit] in metering.toml. For cron: --check with
    --notify, which posts a signed summary of what was found.
    """
    if list_checks:
        if check or any(option is not None for option in (period, as_of, known_at, output, notify)):
            raise typer.BadParameter("it lists the checks and looks at no period: give it alone", param_hint="--list")
        from metering.cli.render import print_table
        from metering.reporting.audit import checks_table

        print_table(common, checks_table())
        return
    with meter(common) as opened:
        from metering.reporting.alerts import audit_alert

        tell = notifier(common, notify, check=check)
        named = opened.last_full_month()[0] if period is None else period
        with progress(common, "Auditing") as show:
            found = opened.audit(named, as_of=as_of, known_at=known_at, progress=show)
        if output is not None:
            opened.write_findings(output, found)
            message(common, f"{output}: {counted(len(found), 'finding')}")
        names = opened.account_names() if output is None and found and common.format is Format.TABLE else {}
    if output is None:
        _print(common, found, names)
    with errors_told():
        tell(lambda: audit_alert(named, found))
    if check and any(finding.severity != "info" for finding in found):
        raise typer.Exit(EXIT_FOUND)


def _print(common: Common, found: "list[Finding]", names: dict[str, str]) -> None:
    from metering.cli.bill_view import print_findings
    from metering.cli.documents import print_json
    from metering.cli.render import console, print_table
    from metering.model.records import Finding
    from metering.model.tables import table_of
    from metering.reporting.checks import CHECKS

    if common.format is Format.JSON:
        print_json([finding.document() for finding in found])
    elif common.format is Format.CSV:
        print_table(common, table_of("findings", Finding, found))
    elif found:
        print_findings(console(), common, found, names)
    else:
        console().print(f"no findings: {len(CHECKS)} checks, and nothing is known to be wrong")
