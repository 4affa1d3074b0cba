// The latest reports of all Dags, and the waiting tasks.

import { count, h, shape, when } from "./dom.js";

/** Return the page under Browse; `address` returns the URL of a report, `go` opens another page. */
export function showOverview(data, address, go) {
  const parts = [
    h(
      "header",
      { class: "top" },
      h(
        "div",
        {},
        h("h1", {}, "DRS pre-checks"),
        h("p", { class: "path" }, "The latest reports of the Dags that you can view."),
      ),
    ),
  ];
  const rows = [
    ...data.waiting.map((task) => showWaiting(task, address)),
    ...data.reports.map((report) => showReport(report, address)),
  ];
  parts.push(rows.length ? h("section", { class: "card" }, table(rows)) : showNothing());
  parts.push(showPages(data, go));
  return parts;
}

function showNothing() {
  return h(
    "section",
    { class: "card empty" },
    shape("pending", true),
    h("h2", {}, "No reports yet"),
    h(
      "p",
      {},
      "Reports of DrsPrecheckSensor and DrsBatchPrecheckOperator(wait_for_completion=True) appear here.",
    ),
  );
}

function table(rows) {
  const heads = ["Result", "Dag", "Run", "Task", "Failed and alarming checks", "When"];
  return h(
    "div",
    { class: "scroller" },
    h(
      "table",
      {},
      h(
        "thead",
        {},
        h(
          "tr",
          {},
          heads.map((head) => h("th", { scope: "col" }, head)),
        ),
      ),
      h("tbody", {}, rows),
    ),
  );
}

function showReport(report, address) {
  const result =
    report.outcome === "failed"
      ? `${report.failed} of ${count(report.jobs, "job")} failed`
      : report.outcome === "unreadable"
        ? "report cannot be read"
        : `${count(report.jobs, "job")} ${report.outcome === "pending" ? "partly checked" : "passed"}`;
  return row(report, address, report.outcome, result, report.items.join(", "), report.at);
}

function showWaiting(task, address) {
  return row(task, address, "pending", task.state.replaceAll("_", " "), "", task.start);
}

function row(place, address, kind, text, items, at) {
  const task = place.map_index < 0 ? place.task_id : `${place.task_id} [${place.map_index}]`;
  const link = h("a", { href: address(place), class: "verdict-link" }, shape(kind), h("span", {}, text));
  return h(
    "tr",
    {},
    h("td", {}, link),
    h("td", { class: "whole" }, place.dag_id),
    h("td", { class: "run" }, place.run_id),
    h("td", { class: "whole" }, task),
    h("td", { class: "muted" }, items),
    h("td", {}, at && when(at)),
  );
}

function showPages(data, go) {
  if (!data.offset && !data.has_more) return "";
  const size = data.reports.length;
  return h(
    "nav",
    { class: "pages", "aria-label": "Pages" },
    h(
      "button",
      { type: "button", disabled: !data.offset, onclick: () => go(Math.max(0, data.offset - 25)) },
      "Newer",
    ),
    h("span", {}, `${data.offset + 1} to ${data.offset + size}`),
    h(
      "button",
      { type: "button", disabled: !data.has_more, onclick: () => go(data.offset + 25) },
      "Older",
    ),
  );
}
