"""A Tryton of our own: make its database, drive opportunities through their life with its client, and note each day.

Run as a program, ``python tests/tryton.py TRUTH.json``, with ``TRYTOND_DATABASE_URI`` set: Tryton keeps one pool a
process. Its clock is the one of the story, so that its history has a day for each day of the story.
"""

from __future__ import annotations

import datetime as dt
import json
import random
import sys
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

DATABASE = "tryton"
FIRST_DAY, DAYS, EVENTS = dt.date(2026, 3, 2), 12, 5
#: The records of Tryton's XML files that business needs; views, menus, actions and texts are a minute's work.
NEEDED = {
    *("res.user", "ir.lang", "ir.configuration", "ir.sequence.type", "ir.sequence", "ir.sequence.strict"),
    *("party.configuration.party_sequence", "sale.configuration", "sale.configuration.sequence"),
    *("product.uom.category", "product.uom", "stock.location", "ir.action.act_window"),
}


class Clock:
    """The time of the story."""

    now = dt.datetime(FIRST_DAY.year, FIRST_DAY.month, FIRST_DAY.day, 8)


def set_clock() -> None:
    """Let Tryton's server take the time of the story for the database's."""
    import trytond.ir.date as dates
    import trytond.model.modelsql as modelsql
    from sql import Literal

    modelsql.CurrentTimestamp = lambda: Literal(Clock.now)
    dates.Date.today = staticmethod(lambda timezone=None: Clock.now.date())


def do_without_interface() -> None:
    """Let a text of Tryton be its own name, and a record that was left out of the database have no id."""
    from trytond.ir.message import Message
    from trytond.ir.model import ModelData

    known = ModelData.get_id.__func__

    def get_id(cls: Any, *names: str) -> int:
        try:
            return known(cls, *names)
        except KeyError:
            return -1

    Message.gettext = classmethod(lambda cls, module, message_id, language, **fields: message_id)
    ModelData.get_id = classmethod(get_id)


# ---- the database ----------------------------------------------------------------------------------------------------


def make_database() -> None:
    """What ``trytond-admin -u sale_opportunity --activate-dependencies`` does, without views, menus, texts and keys.

    To look foreign keys up in the catalogue again after each one takes half of the time.
    """
    import trytond.admin
    import trytond.commandline
    from trytond.backend.postgresql import TableHandler

    TableHandler.add_fk = lambda self, *columns, **options: None
    skip_interface()
    options = f"-d {DATABASE} -u sale_opportunity --activate-dependencies --no-indexes --email a@example.com"
    trytond.admin.run(trytond.commandline.get_parser_admin().parse_args(options.split()))


def skip_interface() -> None:
    """Leave out the records of models that are not in ``NEEDED``; what refers to one of them finds none."""
    from trytond import convert

    record, menu = convert.RecordTagHandler, convert.MenuitemTagHandler
    start, text, end = record.startElement, record.characters, record.endElement

    def start_element(self: Any, name: str, attributes: Any) -> Any:
        if name == "record":
            self.skipped = attributes["model"] not in NEEDED
            if self.skipped and "." not in attributes["id"]:
                known = SimpleNamespace(model=attributes["model"], db_id=None)
                self.mh.to_delete.discard(attributes["id"])
                self.mh.fs2db.set(self.mh.module, attributes["id"], known)
        return None if self.skipped else start(self, name, attributes)

    record.startElement = start_element
    record.characters = lambda self, data: None if self.skipped else text(self, data)
    record.endElement = lambda self, name: (None if name == "record" else self) if self.skipped else end(self, name)
    menu.startElement = lambda self, name, attributes: None
    menu.endElement = lambda self, name: None if name == "menuitem" else self


# ---- the story -------------------------------------------------------------------------------------------------------


class Story:
    """Sellers, customers and opportunities, and what the client knows of them at the end of each day."""

    def __init__(self, seed: int) -> None:
        from proteus import Model

        self.get = Model.get
        self.chance = random.Random(seed)
        self.opportunities: list[Any] = []
        people = ["李娜", "Müller, Eva"]
        self.sellers = [self.employee(name) for name in people]
        self.customers = [self.party(name) for name in ("华为技术有限公司", 'Acme "GmbH"', "国网")]

    def party(self, name: str) -> Any:
        party = self.get("party.party")(name=name)
        party.addresses.new()
        party.save()
        return party

    def employee(self, name: str) -> Any:
        employee = self.get("company.employee")(party=self.party(name))
        employee.save()
        return employee

    def some_amount(self) -> Decimal:
        return Decimal(self.chance.randint(10_000, 99_999_999)) / 100

    def day(self, days: int) -> dt.date:
        return Clock.now.date() + dt.timedelta(days=days)

    def open_lead(self) -> None:
        lead = self.get("sale.opportunity")()
        lead.description = f"商机 {len(self.opportunities)}"
        if self.chance.random() < 0.5:
            lead.amount, lead.end_date = self.some_amount(), self.day(60)
        lead.save()
        self.opportunities.append(lead)

    def step(self, one: Any) -> None:
        """The next step of an opportunity, as its state allows."""
        kind = self.chance.choice(("forward", "forward", "amount", "date", "odds", "end"))
        if one.state in ("lost", "cancelled"):
            if kind == "forward":
                one.click("lead")
        elif one.state == "converted":
            self.settle(one, won=kind != "end")
        elif one.state in ("lead", "opportunity"):
            getattr(self, kind)(one)

    def forward(self, one: Any) -> None:
        if one.state == "opportunity":
            one.click("convert")
            return
        one.party, one.employee = self.chance.choice(self.customers), self.chance.choice(self.sellers)
        one.amount = one.amount or self.some_amount()
        one.save()
        one.click("opportunity")

    def amount(self, one: Any) -> None:
        one.amount = self.some_amount()
        one.save()

    def date(self, one: Any) -> None:
        one.end_date = self.day(self.chance.randint(5, 120))
        one.save()

    def odds(self, one: Any) -> None:
        one.conversion_probability = self.chance.randint(1, 99) / 100
        one.save()

    def end(self, one: Any) -> None:
        one.click(self.chance.choice(("lost", "cancel")))

    def settle(self, one: Any, *, won: bool) -> None:
        """Confirm or cancel the quotation of a converted opportunity: it is won, or lost."""
        (sale,) = self.get("sale.sale").find([("origin", "=", f"sale.opportunity,{one.id}")])
        if not won:
            sale.click("cancel")
        else:
            line = sale.lines.new()
            line.description, line.quantity, line.unit_price = "服务", 1.0, self.some_amount()
            sale.invoice_method = sale.shipment_method = "manual"
            sale.click("quote")
            sale.click("confirm")
        one.reload()

    def known(self) -> list[dict[str, Any]]:
        """What the client reads at the end of a day."""
        return [record(self.get("sale.opportunity")(one.id)) for one in self.opportunities]


def record(one: Any) -> dict[str, Any]:
    """An opportunity in the words of a deal table."""
    outcomes = {"won": "won", "lost": "lost", "cancelled": "no_decision"}
    ended = one.state in outcomes
    end = None if one.end_date is None else one.end_date.isoformat()
    return {
        "deal_id": one.number,
        "account": one.party.name if one.party else None,
        "seller": one.employee.party.name if one.employee else None,
        "opened_on": one.start_date.isoformat(),
        "expected_close_on": None if ended else end,
        "closed_on": end if ended else None,
        "outcome": outcomes.get(one.state, "open"),
        "amount": None if one.amount is None else float(one.amount),
        "currency": one.currency.code,
        "rep_probability": one.conversion_probability,
    }


def make_company(connection: Any) -> None:
    """The company whose opportunities they are."""
    from proteus import Model
    from trytond.modules.currency.tests.tools import get_currency

    party = Model.get("party.party")(name="示例公司")
    party.save()
    company = Model.get("company.company")(party=party, currency=get_currency("EUR"))
    company.save()
    user = Model.get("res.user")
    (admin,) = user.find([("login", "=", "admin")])
    admin.companies.append(company)
    admin.company = company
    admin.save()
    connection._context = user.get_preferences(True, {})


def tell(seed: int) -> dict[str, list[dict[str, Any]]]:
    """Live through the days, and return what was known at the end of each."""
    from proteus import config

    make_company(config.set_trytond(user="admin"))
    story = Story(seed)
    truth = {}
    for day in range(DAYS):
        Clock.now = dt.datetime.combine(FIRST_DAY + dt.timedelta(days=day), dt.time(9))
        for _ in range(EVENTS):
            Clock.now += dt.timedelta(minutes=7)
            if len(story.opportunities) < 4 or story.chance.random() < 0.3:
                story.open_lead()
            else:
                story.step(story.chance.choice(story.opportunities))
        truth[Clock.now.date().isoformat()] = story.known()
    return truth


def main() -> None:
    from trytond import config

    config.update_etc()
    set_clock()
    do_without_interface()
    if "--made" not in sys.argv:
        make_database()
    Path(sys.argv[1]).write_text(json.dumps(tell(seed=1), ensure_ascii=False), encoding="utf-8")


if __name__ == "__main__":
    main()
