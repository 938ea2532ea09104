"use strict";
// Collects the answers of the form into a file that the browser saves; reads such a file back. Nothing is sent anywhere.
(() => {
  const version = document.querySelector("main").dataset.worksheet;
  const status = document.getElementById("status");
  const days = [...document.querySelectorAll("input.day")];
  let unsaved = false;
  const pad = (number) => String(number).padStart(2, "0");
  const now = new Date();
  const today = `${now.getFullYear()}-${pad(now.getMonth() + 1)}-${pad(now.getDate())}`;
  days.forEach((day) => { day.value = today; day.max = today; });

  const valueOf = (question) => {
    const chosen = question.querySelector(".choices input:checked, .choices input[type=number]");
    return chosen ? chosen.value.trim() : "";
  };
  const noteOf = (question) => question.querySelector(".note input").value.trim();
  const idOf = (question) => [
    question.closest(".deal").dataset.deal,
    question.closest(".block").dataset.role,
    question.closest(".block").dataset.person,
    question.dataset.question,
  ];
  const questions = [...document.querySelectorAll(".question")];
  const answered = (question) => valueOf(question) !== "" || noteOf(question) !== "";

  const done = new Set();
  const note = (question) => (answered(question) ? done.add(question) : done.delete(question));
  const showPart = (part) => {
    const mine = [...part.querySelectorAll(".question")];
    part.querySelector(".count").textContent = `${mine.filter((one) => done.has(one)).length} / ${mine.length}`;
  };
  const showAll = () => {
    status.textContent = status.dataset.answered.replace("{done}", done.size).replace("{all}", questions.length);
  };
  const count = () => {
    questions.forEach(note);
    document.querySelectorAll("details").forEach(showPart);
    showAll();
  };

  const collect = () => questions.filter((question) => done.has(question)).map((question) => {
    const [deal, role, person, id] = idOf(question);
    return {
      deal_id: deal, role, person, question: id,
      value: valueOf(question),
      day: question.dataset.day ?? question.closest(".deal").querySelector("input.day").value,
      note: noteOf(question),
    };
  });

  const save = () => {
    days.forEach((day) => day.classList.remove("missing"));
    const missing = days.filter((day) => !day.value && [...day.closest(".deal").querySelectorAll(".question")].some((one) => done.has(one)));
    if (missing.length) {
      missing.forEach((day) => day.classList.add("missing"));
      missing[0].focus();
      status.textContent = status.dataset.days;
      return;
    }
    const content = JSON.stringify({ worksheet: version, answers: collect() }, null, 1);
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([content], { type: "application/json" }));
    link.download = `winprob-answers-${today}.json`;
    document.body.append(link);
    link.click();
    link.remove();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
    unsaved = false;
    status.textContent = status.dataset.saved;
  };

  const fill = (content) => {
    if (content?.worksheet !== version || !Array.isArray(content.answers)) throw new Error("version");
    const places = new Map(questions.map((question) => [JSON.stringify(idOf(question)), question]));
    for (const one of content.answers) {
      const question = places.get(JSON.stringify([one.deal_id, one.role, one.person, one.question]));
      if (!question) continue;
      for (const input of question.querySelectorAll(".choices input")) {
        if (input.type === "number") input.value = one.value;
        else input.checked = input.value === String(one.value);
      }
      question.querySelector(".note input").value = one.note ?? "";
      if (one.day) question.dataset.day = one.day;
    }
    count();
  };

  document.addEventListener("input", (event) => {
    const question = event.target.closest(".question");
    if (event.target.id === "open") return;
    // A changed answer is of the day of the sheet, no longer of the day on which it was saved.
    if (question) {
      delete question.dataset.day;
      note(question);
      showPart(question.closest("details"));
    }
    unsaved = true;
    showAll();
  });
  document.getElementById("save").addEventListener("click", save);
  document.getElementById("open").addEventListener("change", async (event) => {
    try {
      fill(JSON.parse(await event.target.files[0].text()));
    } catch {
      status.textContent = status.dataset.stale;
    }
  });
  window.addEventListener("beforeunload", (event) => { if (unsaved) event.preventDefault(); });
  count();
})();
