// Asks for a report, shows it, and asks again while its task waits.

import { AIRFLOW, count, download, framed, h, outLink, say, shape, when } from "./dom.js";
import { showJobs } from "./jobs.js";
import { showOverview } from "./overview.js";
import { showHistory } from "./plot.js";

const PLACE = ["dag_id", "run_id", "task_id", "map_index"];
const VIEWS = { all: "All", failed: "Failed", alarm: "Alarms", pending: "Waiting", passed: "Passed" };
const RETRY_S = 10;

const page = document.getElementById("page");
const place = Object.fromEntries(new URLSearchParams(location.search));
const opened = new Set();
// What is looked at is kept in the address, so that a reload shows the same.
const choice = { view: "all", q: "", offset: 0, ...Object.fromEntries(new URLSearchParams(location.hash.slice(1))) };

let shownText = "";
let timer = 0;
let asked = 0;
let history = null;
let current = null;

// Where Airflow has a heading of its own.
document.documentElement.classList.toggle("framed", framed && Boolean(place.dag_id));

function reportAddress(other) {
  const query = new URLSearchParams(PLACE.map((name) => [name, other[name] ?? place[name] ?? "-1"]));
  return `report?${query}`;
}

function dataAddress(what, extra = {}) {
  const isOverview = !place.dag_id;
  const asks = isOverview ? { offset: choice.offset } : { ...Object.fromEntries(PLACE.map((name) => [name, place[name] ?? "-1"])), ...extra };
  return `data/${what}?${new URLSearchParams(asks)}`;
}

async function ask(address) {
  const response = await fetch(address, { headers: { Accept: "application/json" } });
  if (!response.ok) throw Object.assign(new Error(response.statusText), { status: response.status });
  return response.text();
}

async function refresh() {
  clearTimeout(timer);
  const turn = ++asked;
  const isOverview = !place.dag_id;
  try {
    const text = await ask(isOverview ? dataAddress("overview") : dataAddress("report", choice));
    // An answer to an older question comes late.
    if (turn !== asked) return;
    const answer = (current = JSON.parse(text));
    if (text !== shownText) render(isOverview ? showOverview(answer, reportAddress, (offset) => choose({ offset })) : showReport(answer));
    shownText = text;
    if (!isOverview && history === null) loadHistory();
    plan(isOverview ? RETRY_S : answer.refresh_s);
  } catch (error) {
    if (turn !== asked) return;
    shownText = "";
    render(showTrouble(error));
    if (!error.status || error.status >= 500) plan(RETRY_S);
  }
}

function plan(seconds) {
  // Nobody looks at a hidden page; it asks as soon as it is seen.
  if (seconds) timer = setTimeout(() => (document.hidden ? null : refresh()), seconds * 1000);
}

async function loadHistory() {
  history = false;
  try {
    history = JSON.parse(await ask(dataAddress("history")));
    const slot = document.getElementById("history");
    if (slot) slot.replaceWith(historyCard());
  } catch {
    // The report is what counts; it is there without its history.
  }
}

/** Put new parts in place of the old ones; what has the focus keeps it. */
function render(parts) {
  const active = document.activeElement;
  const key = active?.dataset?.key;
  const caret = active?.selectionStart;
  page.replaceChildren(...parts.flat().filter(Boolean));
  page.setAttribute("aria-busy", "false");
  const again = key && page.querySelector(`[data-key="${CSS.escape(key)}"]`);
  if (again) {
    again.focus({ preventScroll: true });
    if (caret !== undefined && caret !== null) again.setSelectionRange?.(caret, caret);
  }
  performance.mark("drs-shown");
}

function choose(change) {
  Object.assign(choice, { offset: 0 }, change);
  const set = Object.entries(choice).filter(([name, value]) => String(value) !== { view: "all", q: "", offset: "0" }[name]);
  window.history.replaceState(null, "", set.length ? `#${new URLSearchParams(set)}` : location.pathname + location.search);
  return refresh();
}

function showReport(answer) {
  const { summary } = answer;
  document.title = `${summary ? headline(summary).text : "Pre-check"} · ${answer.task.task_id}`;
  if (!summary) return [showTop(answer), showNeighbours(answer), showWithout(answer), historyCard()];
  if (!opened.size && !shownText) answer.jobs.filter((job) => job.verdict === "failed").slice(0, 1).forEach((job) => opened.add(job.job_id));
  return [
    showTop(answer),
    showNeighbours(answer),
    showVerdict(answer),
    h("div", { class: "columns" }, showRanking(answer), historyCard()),
    showFilters(summary, answer.page),
    answer.jobs.length ? showJobs(answer.jobs, answer.facts, opened) : showNoJobs(),
    showPages(answer.page),
  ];
}

function showTop(answer) {
  const { task } = answer;
  const name = task.map_index < 0 ? task.task_id : `${task.task_id} [${task.map_index}]`;
  return h(
    "header",
    { class: "top" },
    h(
      "div",
      {},
      h("h1", {}, "DRS pre-check"),
      h(
        "p",
        { class: "path" },
        [task.dag_id, task.run_id].map((part) => [h("span", { class: "name" }, part), h("span", { class: "slash", "aria-hidden": "true" }, "/")]),
        task.page ? outLink(task.page, { class: "name" }, name) : h("span", { class: "name" }, name),
        task.state && h("span", { class: "state" }, task.state.replaceAll("_", " ")),
      ),
    ),
    answer.summary && showActions(),
  );
}

function showActions() {
  const address = (form) => dataAddress("export", { view: choice.view, q: choice.q, form });
  const button = (label, onclick) => h("button", { type: "button", "data-key": label, onclick }, label);
  return h(
    "div",
    { class: "actions", role: "group", "aria-label": "Take the report away" },
    button("Copy as Markdown", (event) => copy(address("markdown"), "Markdown", event.currentTarget)),
    button("Copy as CSV", (event) => copy(address("csv"), "CSV", event.currentTarget)),
    button("Download CSV", () => download(new URL(address("csv"), location.href).href, "precheck.csv")),
  );
}

async function copy(address, what, button) {
  let told;
  try {
    await write(await ask(address));
    told = `Copied as ${what}`;
  } catch {
    told = "Could not copy";
  }
  say(told);
  const label = button.textContent;
  button.textContent = told;
  setTimeout(() => (button.textContent = label), 1800);
}

async function write(text) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  // Without TLS a browser has no clipboard but this one.
  const field = h("textarea", { class: "for-readers" });
  field.value = text;
  document.body.append(field);
  field.select();
  const done = document.execCommand("copy");
  field.remove();
  if (!done) throw new Error("no clipboard");
}

function headline(summary) {
  const { failed, unknown, pending } = summary.verdicts;
  const bad = failed + unknown;
  const all = count(summary.jobs, "job");
  if (!summary.jobs) return { kind: "unknown", text: "The report names no job" };
  if (bad) return { kind: "failed", text: `${bad.toLocaleString("en")} of ${all} did not pass` };
  if (pending) return { kind: "pending", text: `${pending.toLocaleString("en")} of ${all} ${pending === 1 ? "is" : "are"} still being checked` };
  return { kind: "passed", text: summary.jobs === 1 ? "The job passed" : `All ${all} passed` };
}

function showVerdict(answer) {
  const { summary } = answer;
  const { kind, text } = headline(summary);
  const { passed, alarm, waived, failed, other } = summary.items;
  const said = [
    failed && `${count(failed, "check")} failed`,
    other && `${count(other, "check")} with an unknown result`,
    alarm && count(alarm, "alarm"),
    waived && `${count(waived, "alarm")} waived`,
    passed && `${count(passed, "check")} passed`,
  ].filter(Boolean);
  return h(
    "section",
    { class: `card verdict ${kind}` },
    shape(kind, true),
    h("div", { class: "verdict-text" }, h("h2", {}, text), h("p", {}, said.join(" · ") || "DRS tells the checks one by one when a pre-check has ended."), showSource(answer)),
    h("div", { class: "shares" }, showShares(summary)),
  );
}

function showSource(answer) {
  const { live, at, trouble } = answer;
  if (answer.kind === "report") return h("p", { class: "source" }, "Reported ", when(at));
  const told = live === "unreachable" ? `The last answer of DRS is from ` : "Live from DRS, ";
  return h("p", { class: `source ${live}` }, h("span", { class: "pulse", "aria-hidden": "true" }), told, when(at), live === "unreachable" && ` — ${trouble}.`, live === "on" && ". The task has the last word when it ends.");
}

function showShares({ jobs, verdicts, percent }) {
  const bar = h("div", { class: "bar", "aria-hidden": "true" });
  for (const [kind, number] of Object.entries(verdicts)) {
    if (!number) continue;
    const part = h("span", { class: kind });
    part.style.flexGrow = number / jobs;
    bar.append(part);
  }
  const legend = Object.entries(verdicts).filter(([, number]) => number);
  return [bar, h("ul", { class: "legend" }, legend.map(([kind, number]) => h("li", {}, shape(kind), number.toLocaleString("en"))), verdicts.pending > 0 && h("li", { class: "muted" }, `${Math.round(percent)}% done`))];
}

function showRanking(answer) {
  if (!answer.ranking.length) return null;
  const most = Math.max(...answer.ranking.map(([, failed, alarmed]) => failed + alarmed));
  const rows = answer.ranking.map(([name, failed, alarmed]) => {
    const bar = h("span", { class: "bar", "aria-hidden": "true" }, failed > 0 && part("failed", failed, most), alarmed > 0 && part("alarm", alarmed, most));
    const told = [failed && `failed in ${failed}`, alarmed && `alarm in ${alarmed}`].filter(Boolean).join(", ");
    return h("li", {}, h("button", { type: "button", "data-key": `rank ${name}`, title: `Show the jobs with ${name}`, onclick: () => choose({ q: name, view: "all" }) }, h("span", { class: "item-name" }, name), h("span", { class: "told" }, told), bar));
  });
  return h("section", { class: "card ranking" }, h("h2", {}, "What came up"), h("ul", {}, rows));
}

function part(kind, number, most) {
  const span = h("span", { class: kind });
  span.style.width = `${(number / most) * 100}%`;
  return span;
}

function historyCard() {
  if (!history) return h("section", { id: "history", hidden: true });
  const runs = [...history.runs];
  // A run that waits has no report yet, and is the latest.
  if (current.kind === "waiting") runs.push({ run_id: place.run_id, at: current.task.start, outcome: "pending", jobs: current.summary?.jobs ?? 0, failed: 0, hits: history.items.map(() => [0, 0]) });
  if (runs.length < 2) return h("section", { id: "history", hidden: true });
  return h("section", { id: "history", class: "card" }, h("h2", {}, "Run by run"), showHistory({ ...history, runs }, place.run_id, (run_id) => reportAddress({ run_id })));
}

function showFilters(summary, { found }) {
  let delay = 0;
  const onInput = (event) => {
    clearTimeout(delay);
    delay = setTimeout(() => choose({ q: event.target.value }).then(() => say(count(Number(page.dataset.found), "job"))), 200);
  };
  page.dataset.found = found;
  return h(
    "div",
    { class: "filters", role: "search", "aria-label": "Jobs" },
    h(
      "div",
      { class: "views", role: "group", "aria-label": "Which jobs" },
      Object.entries(VIEWS)
        .filter(([view]) => view === "all" || view === choice.view || summary.views[view])
        .map(([view, label]) =>
        h("button", { type: "button", "data-key": `view ${view}`, "aria-pressed": choice.view === view, onclick: () => choose({ view }) }, label, h("span", { class: "number" }, summary.views[view].toLocaleString("en"))),
      ),
    ),
    h("input", { type: "search", "data-key": "search", placeholder: "Search jobs, checks, reasons  ( / )", "aria-label": "Search jobs, checks and reasons", value: choice.q, oninput: onInput }),
  );
}

function showNoJobs() {
  return h("section", { class: "card empty" }, h("h2", {}, "No job fits"), h("p", {}, "Take another filter, or ", h("button", { type: "button", class: "plain", "data-key": "all", onclick: () => choose({ view: "all", q: "" }) }, "show all jobs"), "."));
}

function showPages({ found, offset, size }) {
  if (found <= size) return null;
  const turn = (by) => choose({ offset: offset + by }).then(() => page.querySelector(".filters").scrollIntoView({ block: "start" }));
  return h(
    "nav",
    { class: "pages", "aria-label": "Pages" },
    h("button", { type: "button", "data-key": "previous", disabled: offset === 0, onclick: () => turn(-size) }, "Previous"),
    h("span", {}, `${(offset + 1).toLocaleString("en")} to ${Math.min(offset + size, found).toLocaleString("en")} of ${count(found, "job")}`),
    h("button", { type: "button", "data-key": "next", disabled: offset + size >= found, onclick: () => turn(size) }, "Next"),
  );
}

function showNeighbours({ neighbours, task }) {
  const others = neighbours.filter((other) => other.task_id !== task.task_id || other.map_index !== task.map_index);
  if (!others.length) return null;
  const name = (other) => (other.map_index < 0 ? other.task_id : `${other.task_id} [${other.map_index}]`);
  const links = others.slice(0, 20).map((other) => h("a", { href: reportAddress(other) }, name(other)));
  return h("nav", { class: "neighbours", "aria-label": "Other reports of this run" }, h("span", {}, "Also in this run:"), links, others.length > 20 && `and ${others.length - 20} more`);
}

/** Say why there is no report, and what there is instead. */
function showWithout(answer) {
  const { task, kind, live, trouble, neighbours } = answer;
  if (kind === "waiting") {
    const why = { off: ["The checks are running", "Live progress is switched off in this Airflow (live_report in section drs). The report is here when the task has ended."], unreachable: ["The checks are running", `Their progress cannot be shown: ${trouble}. The task itself goes on, and the report is here when it has ended.`], asking: ["Asking DRS", "The checks are running. How far they are is here in a moment."] }[live];
    return empty("pending", ...why);
  }
  if (kind === "submissions") return [empty("passed", "The checks were started", "This task starts pre-checks and does not wait for them. Their verdicts are in the report of the task that does."), showSubmissions(answer.submissions)];
  if (kind === "unreadable") return empty("unknown", "This is no report", `The XCom precheck_report of this task cannot be read: ${trouble}.`);
  if (!task.exists) return empty("unknown", "There is no such task in this run", "The run may have been deleted, or the address is not whole.");
  if (answer.refresh_s) return empty("pending", "Nothing has been checked yet", `The task is ${task.state ? task.state.replaceAll("_", " ") : "not scheduled yet"}. Its report is here as soon as there is one.`);
  const hint = neighbours.length ? "Another task of this run has one, see above." : "Reports come from DrsPrecheckSensor, and from DrsBatchPrecheckOperator if it waits.";
  return empty("unknown", "This task has no pre-check report", task.state === "failed" ? `It failed before there was a verdict; its log says why. ${hint}` : hint);
}

function empty(kind, title, text) {
  return h("section", { class: `card empty ${kind}` }, shape(kind, true), h("h2", {}, title), h("p", {}, text));
}

function showSubmissions(rows) {
  const cells = rows.map((row) => h("tr", {}, h("td", { class: "name" }, row.job_id), h("td", {}, row.status), h("td", { class: "muted" }, row.error)));
  return h("section", { class: "card" }, h("h2", {}, count(rows.length, "job")), h("div", { class: "scroller" }, h("table", {}, h("tbody", {}, cells))));
}

function showTrouble(error) {
  if (error.status === 401) return [h("section", { class: "card empty" }, h("h2", {}, "You are not logged in"), h("p", {}, outLink(AIRFLOW.href, {}, "Log in to Airflow"), ", then come back."))];
  if (error.status === 403) return [empty("unknown", "This is not for you to see", `It takes the right to read the XComs of ${place.dag_id ? `the DAG ${place.dag_id}` : "a DAG"}. Ask whoever runs this Airflow.`)];
  if (error.status && error.status < 500) return [empty("unknown", "The address is not whole", "It takes dag_id, run_id and task_id.")];
  return [empty("failed", "Airflow does not answer", `${error.message || "The connection is gone"}. This page tries again by itself.`)];
}

document.addEventListener("keydown", (event) => {
  const search = page.querySelector("input[type=search]");
  if (event.key !== "/" || !search || event.target === search || event.ctrlKey || event.metaKey) return;
  event.preventDefault();
  search.focus();
});
document.addEventListener("visibilitychange", () => document.hidden || !timer || refresh());

refresh();
