"use strict";
// Tables sort by a click on a heading and filter by a word; without this script the page is complete, in one order.
(() => {
  const keyOf = (group, column) => {
    const cell = group.rows[0].cells[column];
    return cell.dataset.key ?? cell.textContent.trim();
  };
  const compare = (one, other) => {
    const difference = Number(one) - Number(other);
    return Number.isNaN(difference) ? one.localeCompare(other, document.documentElement.lang) : difference;
  };
  const sort = (table, heads, column) => {
    const head = heads[column];
    const first = head.classList.contains("number") ? "descending" : "ascending";
    const second = first === "ascending" ? "descending" : "ascending";
    const order = head.getAttribute("aria-sort") === first ? second : first;
    heads.forEach((each) => each.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", order);
    const sign = order === "ascending" ? 1 : -1;
    const keyed = [...table.tBodies].map((group) => [keyOf(group, column), group]);
    keyed.sort(([one], [other]) => (one === "") - (other === "") || sign * compare(one, other));
    table.append(...keyed.map(([, group]) => group));
  };
  for (const place of document.querySelectorAll(".sortable")) {
    const table = place.querySelector("table");
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      button.addEventListener("click", () => sort(table, heads, column));
      head.append(button);
    });
    const filter = place.querySelector(".filter");
    const count = filter.querySelector("output");
    const look = (word) => {
      const groups = [...table.tBodies];
      groups.forEach((group) => { group.hidden = !group.textContent.toLowerCase().includes(word); });
      count.textContent = `${groups.filter((group) => !group.hidden).length} / ${groups.length}`;
    };
    filter.querySelector("input").addEventListener("input", (event) => look(event.target.value.trim().toLowerCase()));
    look("");
    filter.hidden = false;
    place.classList.add("alive");
  }
})();
