// Load a report, show it, and refresh it while its task is waiting.

import { fetchText, framed, h, outLink } from "./dom.js";
import { showActions } from "./actions.js";
import { showFilters, showNoJobs, showPages } from "./filters.js";
import { showJobs } from "./jobs.js";
import { showError, showPlaceholder } from "./messages.js";
import { showOverview } from "./overview.js";
import { showHistory } from "./plot.js";
import { headline, showRanking, showVerdict } from "./verdict.js";

const PLACE = ["dag_id", "run_id", "task_id", "map_index"];
const RETRY_S = 10;
/** Number of runs whose plot fits next to another card. */
const FEW_RUNS = 12;

const page = document.getElementById("page");
const place = Object.fromEntries(new URLSearchParams(location.search));
const opened = new Set();
// The filter is stored in the URL, so that a reload shows the same.
const saved = new URLSearchParams(location.hash.slice(1));
const choice = { view: saved.get("view") ?? "all", q: saved.get("q") ?? "", offset: saved.get("offset") ?? 0 };

let shownText = "";
let timer = 0;
let requests = 0;
let history = null;
let current = null;

// Airflow shows its own heading.
document.documentElement.classList.toggle("framed", framed && Boolean(place.dag_id));

function reportAddress(other) {
  const query = new URLSearchParams(PLACE.map((name) => [name, other[name] ?? place[name] ?? "-1"]));
  return `report?${query}`;
}

function dataAddress(what, extra = {}) {
  const isOverview = !place.dag_id;
  const query = isOverview
    ? { offset: choice.offset }
    : { ...Object.fromEntries(PLACE.map((name) => [name, place[name] ?? "-1"])), ...extra };
  return `data/${what}?${new URLSearchParams(query)}`;
}

async function refresh() {
  clearTimeout(timer);
  const request = ++requests;
  const isOverview = !place.dag_id;
  try {
    const text = await fetchText(isOverview ? dataAddress("overview") : dataAddress("report", choice));
    // Ignore the late response of an earlier request.
    if (request !== requests) return;
    const data = (current = JSON.parse(text));
    if (text !== shownText)
      render(
        isOverview ? showOverview(data, reportAddress, (offset) => choose({ offset })) : showReport(data),
      );
    shownText = text;
    if (!isOverview && history === null) loadHistory();
    plan(isOverview ? RETRY_S : data.refresh_s);
  } catch (error) {
    if (request !== requests) return;
    shownText = "";
    render(showError(error, place));
    if (!error.status || error.status >= 500) plan(RETRY_S);
  }
}

function plan(seconds) {
  // A hidden page is refreshed when it becomes visible.
  if (seconds) timer = setTimeout(() => (document.hidden ? null : refresh()), seconds * 1000);
}

async function loadHistory() {
  history = false;
  try {
    history = JSON.parse(await fetchText(dataAddress("history")));
    document.getElementById("history")?.replaceWith(historyCard());
    showLatest();
  } catch {
    // The report is shown even if its history is not available.
  }
}

/** Replace the content, and keep the focus. */
function render(parts) {
  const active = document.activeElement;
  const key = active?.dataset?.key;
  const caret = active?.selectionStart;
  page.replaceChildren(...parts.flat().filter(Boolean));
  page.setAttribute("aria-busy", "false");
  const again = key && page.querySelector(`[data-key="${CSS.escape(key)}"]`);
  if (again) {
    // The user may be typing.
    if (again.matches("input")) again.value = active.value;
    again.focus({ preventScroll: true });
    if (caret !== undefined && caret !== null) again.setSelectionRange?.(caret, caret);
  }
  showLatest();
}

/** Scroll to the latest runs if not all fit. */
function showLatest() {
  const scroller = page.querySelector("#history .scroller");
  if (scroller) scroller.scrollLeft = scroller.scrollWidth;
}

function choose(change) {
  Object.assign(choice, { offset: 0 }, change);
  const set = Object.entries(choice).filter(
    ([name, value]) => String(value) !== { view: "all", q: "", offset: "0" }[name],
  );
  window.history.replaceState(
    null,
    "",
    set.length ? `#${new URLSearchParams(set)}` : location.pathname + location.search,
  );
  return refresh();
}

function showReport(data) {
  const { summary } = data;
  document.title = `${summary ? headline(summary).text : "Pre-check"} · ${data.task.task_id}`;
  if (!summary) return [showTop(data), showNeighbors(data), showPlaceholder(data), historyCard()];
  if (!opened.size && !shownText)
    data.jobs
      .filter((job) => job.verdict === "failed")
      .slice(0, 1)
      .forEach((job) => opened.add(job.job_id));
  return [
    showTop(data),
    showNeighbors(data),
    showVerdict(data),
    h("div", { class: "columns" }, showRanking(data, choose), historyCard()),
    showFilters(summary, data.page, choice, choose),
    data.jobs.length ? showJobs(data.jobs, data.facts, opened) : showNoJobs(choose),
    showPages(data.page, choose),
  ];
}

/** Return the URL of the current view in an export format. */
function exportAddress(form) {
  return dataAddress("export", { view: choice.view, q: choice.q, form });
}

function showTop(data) {
  const { task } = data;
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
        [task.dag_id, task.run_id].map((part) => [
          h("span", { class: "name" }, part),
          h("span", { class: "slash", "aria-hidden": "true" }, "/"),
        ]),
        task.page ? outLink(task.page, { class: "name" }, name) : h("span", { class: "name" }, name),
        task.state && h("span", { class: "state" }, task.state.replaceAll("_", " ")),
      ),
    ),
    data.summary && showActions(exportAddress),
  );
}

function historyCard() {
  if (!history) return h("section", { id: "history", hidden: true });
  const runs = [...history.runs];
  // A waiting run has no report yet, and is the latest.
  if (current.kind === "waiting")
    runs.push({
      run_id: place.run_id,
      at: current.task.start,
      outcome: "pending",
      jobs: current.summary?.jobs ?? 0,
      failed: 0,
      hits: history.items.map(() => [0, 0]),
    });
  if (runs.length < 2) return h("section", { id: "history", hidden: true });
  return h(
    "section",
    { id: "history", class: runs.length > FEW_RUNS ? "card wide" : "card" },
    h("h2", {}, "History"),
    showHistory({ ...history, runs }, place.run_id, (run_id) => reportAddress({ run_id })),
  );
}

function showNeighbors({ neighbors, task }) {
  const others = neighbors.filter(
    (other) => other.task_id !== task.task_id || other.map_index !== task.map_index,
  );
  if (!others.length) return null;
  const name = (other) => (other.map_index < 0 ? other.task_id : `${other.task_id} [${other.map_index}]`);
  const links = others.slice(0, 20).map((other) => h("a", { href: reportAddress(other) }, name(other)));
  return h(
    "nav",
    { class: "neighbors", "aria-label": "Other reports of this run" },
    h("span", {}, "Also in this run:"),
    links,
    others.length > 20 && `and ${others.length - 20} more`,
  );
}

document.addEventListener("keydown", (event) => {
  const search = page.querySelector("input[type=search]");
  if (event.key !== "/" || !search || event.target === search || event.ctrlKey || event.metaKey) return;
  event.preventDefault();
  search.focus();
});
document.addEventListener("visibilitychange", () => document.hidden || !timer || refresh());

refresh();
