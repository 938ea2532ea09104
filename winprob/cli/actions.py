"""Commands of the actions wing: flags, levers, what-if, post-mortem, questions, visits and the visit sheet."""

import datetime as dt
from dataclasses import replace
from pathlib import Path

import click

import winprob
from winprob.cli import app, options
from winprob.cli.options import Output, Source, load_model, load_settings
from winprob.cli.show import echo_notes, progress, require_writable, show, stdout_for_tables, write_page
from winprob.i18n import gettext

GROUPS = click.Choice(["decision_method", "stage", "segment", "region", "seller"])
GOALS = click.Choice(["bookings", "quarter", "wins"])
LEVER_EVIDENCE = ("to", "standing", "verdict", "evidence", "e_value", "e_value_lower")
LEVER_PERCENT = ("win_prob_lift", "lower", "upper", "prob_best")
LEVER_MONEY = ("bookings_lift", "bookings_lower", "bookings_upper")
#: Columns that a narrow screen leaves out, least important first.
LEVER_LEAST = ("to", "e_value_lower", "e_value", "log_odds_lift", "evidence", "odds_ratio", "rank")
GROUP_LEAST = (
    "log_odds_lift",
    "evidence",
    "odds_ratio",
    "rank",
    "no_amount",
    *LEVER_MONEY[1:],
    "verdict",
    "deals",
    "prob_best",
)
QUESTION_LEAST = ("bits_alone", "bits_error", "rank", "changes_lever", "channel", "ask")
VISIT_COLUMNS = ("executive", "deal_id", "role", "expected_gain", "lower", "upper", "prob_in_best")
QUESTION_COLUMNS = ("deal_id", "fact", "rank", "bits", "expected_shift", "changes_lever", "question")


@app.main.command()
@options.source()
@click.option("--deal", help="The flags of this deal only, open or closed.")
@options.file("--model", help="Order the deals by expected value under this model; the flags are the same.")
@options.day("--as-of", help="The day on which dates and ages are judged; by default the newest reading.")
@options.file("--answers", help="Filled worksheets: where they differ from the record is a flag.")
@options.settings
@options.output
def flags(
    source: Source,
    deal: str | None,
    model: Path | None,
    as_of: dt.date | None,
    answers: Path | None,
    settings: Path | None,
    output: Output,
) -> None:
    """Red flags of the open deals: contradictions and warning signs in the record, each with its next step."""
    from winprob.actions.flags import deal_flag_sentences, flag_sentences, order_by_value

    table, thresholds = source.read_review(as_of), load_settings(settings).flags
    if model:
        table = order_by_value(table, load_model(model))
    given = winprob.read_answers(answers, table, as_of=dt.date.today()) if answers else None
    found = winprob.find_flags(table, as_of=as_of, settings=thresholds, deal_id=deal, answers=given)
    show(found, output)
    echo_notes(*(deal_flag_sentences(table, found, deal) if deal else flag_sentences(table, found)))


@app.main.command()
@options.source(waiting=True)
@click.option("--deal", help="The levers of this deal only, with a sentence for each.")
@click.option("--by", type=GROUPS, help="Average over the open deals of each group, with what that adds in bookings.")
@click.option("--rope", type=click.FloatRange(0, 1), help="The smallest relevant lift; 0.02 is two points.")
@click.option("--evidence", is_flag=True, help="More columns: verdict, evidence behind the lever, E-values.")
@options.model
@options.settings
@options.unseen_seed
@options.output
def levers(
    source: Source,
    deal: str | None,
    by: str | None,
    rope: float | None,
    evidence: bool,
    model: Path,
    settings: Path | None,
    seed: int | None,
    output: Output,
) -> None:
    """Rank what would raise each deal's win probability: a role's support, the coach, contact with the approver."""
    from winprob.actions.levers import bound_sentence, deal_sentences, group_sentences, table_sentences
    from winprob.data.schema import last_reading, validate_deals

    if deal and by:
        raise click.UsageError(gettext("Give --deal or --by, not both."))
    posterior, table = load_model(model, seed), source.read_known()
    if rope is None and settings:
        rope = load_settings(settings).levers.smallest_lift
    if by:
        ranked = winprob.rank_roles(posterior, table, by=by, rope=rope)
        show(ranked, output, percent=LEVER_PERCENT, money=LEVER_MONEY, least=GROUP_LEAST)
        echo_notes(*group_sentences(ranked, by))
        return
    if deal:
        table = last_reading(validate_deals(table), deal)
    ranked = winprob.rank_levers(posterior, table, rope=rope, evidence=True)
    shown = ranked if evidence else ranked.drop(columns=list(LEVER_EVIDENCE))
    show(shown, output, percent=LEVER_PERCENT, least=LEVER_LEAST)
    echo_notes(*(deal_sentences(ranked) if deal else table_sentences(ranked)))
    if deal or evidence:
        echo_notes(bound_sentence(posterior))
    _note_prior_only(posterior)


def _note_prior_only(posterior: "winprob.Posterior") -> None:
    if posterior.provenance.prior_only:
        echo_notes(gettext("This model has seen no deal: every figure here is prior."))


@app.main.command()
@options.source(waiting=True)
@click.option("--deal", required=True, help="The lost deal's id.")
@options.model
@options.unseen_seed
@options.output
def postmortem(source: Source, deal: str, model: Path, seed: int | None, output: Output) -> None:
    """What a lost deal lacked: its terms relative to the same deal with all roles covered, and known loss patterns."""
    from winprob.actions.levers import post_mortem_sentences

    posterior, table = load_model(model, seed), source.read_past()
    costs = winprob.post_mortem(posterior, table, deal)
    show(costs, output)
    echo_notes(*post_mortem_sentences(posterior, table, deal, costs))


@app.main.command()
@options.source(waiting=True)
@options.deal
@click.option("--set", "sets", multiple=True, required=True, metavar="COLUMN=VALUE", help="A change; may be repeated.")
@options.model
@options.unseen_seed
@options.output
def whatif(source: Source, deal: str, sets: tuple[str, ...], model: Path, seed: int | None, output: Output) -> None:
    """What if: a deal's win probability now and with some facts changed, one by one and together."""
    from winprob.actions.levers import what_if_sentences

    changes = _parse_changes(sets)
    posterior, table = load_model(model, seed), source.read_known()
    scenarios = winprob.what_if(posterior, table, deal, changes)
    show(scenarios, output, percent=tuple(scenarios.columns[1:]), least=("lift_lower", "lift_upper"))
    echo_notes(*what_if_sentences(scenarios, changes, posterior))


def _parse_changes(sets: tuple[str, ...]) -> dict[str, str]:
    parts = [one.partition("=") for one in sets]
    wrong = [one for one, (name, sign, _) in zip(sets, parts, strict=True) if not (sign and name.strip())]
    names = [name.strip() for name, _, _ in parts]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if wrong:
        raise click.UsageError(
            gettext("--set takes COLUMN=VALUE, such as approver_support=3; got {got}", got=", ".join(wrong))
        )
    if repeated:
        raise click.UsageError(gettext("--set names {columns} twice", columns=", ".join(repeated)))
    return {name: value.strip() for name, (_, _, value) in zip(names, parts, strict=True)}


@app.main.command()
@options.source(waiting=True)
@click.option("--deal", help="The questions about this deal only.")
@click.option("--top", type=click.IntRange(1), help="Only this number of questions: the most valuable of all deals.")
@click.option("--more", is_flag=True, help="More columns: the channel, whom to ask, and the uncertainty of the bits.")
@options.model
@options.unseen_seed
@options.output
def intel(
    source: Source,
    deal: str | None,
    top: int | None,
    more: bool,
    model: Path,
    seed: int | None,
    output: Output,
) -> None:
    """Rank the unknown facts of each open deal by the information that the answer has about the outcome."""
    from winprob.actions import questions as wing
    from winprob.data.schema import is_open, last_reading, validate_deals
    from winprob.data.tables import read_people_table

    posterior, table = load_model(model, seed), source.read_known()
    # A deal given by name is included whatever its outcome.
    table = last_reading(validate_deals(table), deal).assign(outcome="open") if deal else table[is_open(table)]
    questions = winprob.plan_questions(posterior, table, top) if top else winprob.rank_unknowns(posterior, table)
    people = read_people_table(source.people, encoding=source.encoding) if source.people else None
    questions = wing.name_sources(questions, table, people)
    shown = questions if more else _with_source(questions)
    show(shown, output, percent=("expected_shift", "changes_lever"), digits=4, least=QUESTION_LEAST)
    echo_notes(*(wing.plan_sentences(questions) if top else wing.ranking_sentences(questions)))
    _note_prior_only(posterior)


def _with_source(questions: options.Frame) -> options.Frame:
    """The contract's columns, with whom to ask at the end of each question."""
    texts = [
        gettext("{question} (Ask {who}.)", question=question, who=who)
        for question, who in zip(questions["question"], questions["ask"], strict=True)
    ]
    return questions[list(QUESTION_COLUMNS)].assign(question=texts)


@app.main.command()
@options.source(waiting=True)
@click.option(
    "--executives", type=options.FILE, required=True, help="A TOML file: the executives, their slots and limits."
)
@options.model
@options.file("--visits", help="A log of past visits, from which their effect is learned.")
@click.option(
    "--goal",
    type=GOALS,
    default="bookings",
    show_default=True,
    help="What the plan maximises: bookings ever or in a quarter, or wins.",
)
@click.option("--quarter", help="The quarter of the goal and of the target, such as 2026Q4; by default the coming one.")
@click.option("--target", type=float, help="Bookings to reach in the quarter: adds what the plan does to that chance.")
@click.option(
    "--risk",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    help="Maximise the mean of the worst draws; 0.9 means the worst tenth.",
)
@click.option(
    "--time-limit",
    type=click.FloatRange(0, 86400, min_open=True),
    default=30.0,
    show_default=True,
    help="Effort of the search, in seconds of a usual machine; counted in steps, not by the clock.",
)
@options.settings
@options.seed
@options.output
def allocate(
    source: Source,
    executives: Path,
    model: Path,
    visits: Path | None,
    goal: str,
    quarter: str | None,
    target: float | None,
    risk: float | None,
    time_limit: float,
    settings: Path | None,
    seed: int,
    output: Output,
) -> None:
    """Plan the executives' visits: those that add most expected bookings, within slots and limits."""
    from winprob.actions.visits import plan_sentences
    from winprob.quarter import coming_quarter, target_effect, target_effect_sentence

    roster, posterior, table = winprob.read_executives(executives), load_model(model), source.read_known()
    with stdout_for_tables(), progress() as follow:
        plan = winprob.plan_visits(
            posterior,
            table,
            roster,
            visits=winprob.read_visits(visits) if visits else None,
            readings=source.read_past() if visits and source.path.is_dir() else None,
            settings=load_settings(settings).visits if settings else None,
            goal=goal,
            quarter=quarter,
            risk=risk,
            time_limit=time_limit,
            seed=seed,
            follow=follow,
        )
    gains = () if plan.unit is None else ("expected_gain", "lower", "upper")
    show(plan.visits[list(VISIT_COLUMNS)], output, percent=("prob_in_best",), money=gains, digits=3)
    echo_notes(*plan_sentences(plan))
    wanted = quarter or (coming_quarter(table, posterior.settings.calendar) if "as_of" in table else "")
    asked = options.QuarterRequest(quarter="", as_of=None, target=target, currency=None, rates=None)
    reach = asked.target_in(wanted)
    if reach is not None:
        effect = target_effect(posterior, table, wanted, plan.win_prob_gain, target=reach, seed=seed)
        echo_notes(target_effect_sentence(effect))


@app.main.command()
@options.source(waiting=True)
@options.deal
@options.model
@click.option("--role", help="Whom to visit; by default the role whose support has the largest lift.")
@options.file("--before", help="The export from before the last visit, to compare then and now.")
@options.file("--people-before", help="The people table of that time.")
@options.file("--answers", help="Filled worksheets: where they differ from the record is a flag.")
@options.target("--out", help="Write the page to this file: .pdf (one A4 page) or .html by the suffix, else Markdown.")
@options.unseen_seed
def brief(
    source: Source,
    deal: str,
    model: Path,
    role: str | None,
    before: Path | None,
    people_before: Path | None,
    answers: Path | None,
    out: Path | None,
    seed: int | None,
) -> None:
    """The visit sheet of one deal: its state, whom to see, what to ask for; after the visit, then and now.

    Where DEALS holds several readings of the deal, the last two are compared without --before.
    """
    from winprob.report.pdf import require_pdf, write_pdf

    if people_before and not before:
        raise click.UsageError(gettext("--people-before goes with --before."))
    require_writable(out)
    suffix = out.suffix.lower() if out else ""
    if suffix == ".pdf":
        require_pdf()
    page = winprob.render_brief(
        load_model(model, seed),
        source.read_known(),
        deal,
        role=role,
        people=source.people,
        before=replace(source, path=before, people=people_before).read_known() if before else None,
        encoding=source.encoding,
        answers=winprob.read_answers(answers, source.read_review(), as_of=dt.date.today()) if answers else None,
        output_format="html" if suffix in (".pdf", ".html", ".htm") else "md",
    )
    note = gettext("The visit sheet is in {path}.", path=out)
    if out and suffix == ".pdf":
        write_pdf(page, out)
        echo_notes(note)
        return
    write_page(page, out, note)
