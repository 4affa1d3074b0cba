// What is shown instead of a report.

import { AIRFLOW, count, h, outLink, shape } from "./dom.js";

/** Return why there is no report, and what there is instead. */
export function showPlaceholder(data) {
  const { task, kind, live, reason, neighbors } = data;
  if (kind === "waiting") {
    const why = {
      off: [
        "Pre-check running",
        "Live progress is disabled ([drs] live_report). The report appears when the task ends.",
      ],
      unreachable: [
        "Pre-check running",
        `Live progress is not available: ${reason}. The task continues. Its report appears when the task ends.`,
      ],
      loading: ["Loading live progress", "The pre-check is running. Its progress appears in a moment."],
    }[live];
    return empty("pending", ...why);
  }
  if (kind === "submissions") return showSubmissions(data.submissions);
  if (kind === "unreadable")
    return empty(
      "unknown",
      "The report cannot be read",
      `The XCom precheck_report of this task cannot be read: ${reason}.`,
    );
  if (!task.exists)
    return empty(
      "unknown",
      "Task not found",
      "The run may have been deleted, or the URL is incomplete.",
    );
  if (data.refresh_s)
    return empty(
      "pending",
      "No report yet",
      `The task is ${task.state ? task.state.replaceAll("_", " ") : "not scheduled yet"}. Its report appears here.`,
    );
  const hint = neighbors.length
    ? "Other tasks of this run have reports: see the links above."
    : "DrsPrecheckSensor and DrsBatchPrecheckOperator(wait_for_completion=True) create reports.";
  return empty(
    "unknown",
    "This task has no pre-check report",
    task.state === "failed" ? `The task failed before it had a verdict. See the log of the task. ${hint}` : hint,
  );
}

function empty(kind, title, text) {
  return h(
    "section",
    { class: `card empty ${kind}` },
    shape(kind, true),
    h("h2", {}, title),
    h("p", {}, text),
  );
}

function showSubmissions(rows) {
  const rejected = rows.filter((row) => row.status === "rejected").length;
  const title = rejected
    ? `${rows.length - rejected} of ${count(rows.length, "pre-check")} started`
    : "Pre-check started";
  const hint = "This task does not wait for its pre-checks. Open the report of the task that waits for them.";
  const cells = rows.map((row) =>
    h(
      "tr",
      {},
      h("td", { class: "name" }, row.name ? `${row.name} (${row.job_id})` : row.job_id),
      h("td", {}, row.status),
      h("td", { class: "muted" }, row.error),
    ),
  );
  return [
    empty(rejected ? "failed" : "passed", title, rejected === rows.length ? "DRS accepted none of them." : hint),
    h(
      "section",
      { class: "card" },
      h("h2", {}, count(rows.length, "job")),
      h("div", { class: "scroller" }, h("table", {}, h("tbody", {}, cells))),
    ),
  ];
}

/** Return what is shown if the data cannot be loaded. */
export function showError(error, place) {
  if (error.status === 401)
    return [
      h(
        "section",
        { class: "card empty" },
        h("h2", {}, "Not logged in"),
        h("p", {}, outLink(AIRFLOW.href, {}, "Log in to Airflow"), " and reload this page."),
      ),
    ];
  if (error.status === 403)
    return [
      empty(
        "unknown",
        "You don't have permission to view this report",
        `This page requires permission to read the XComs of ${place.dag_id ? `the Dag ${place.dag_id}` : "a Dag"}. Ask your Airflow administrator to grant it.`,
      ),
    ];
  if (error.status && error.status < 500)
    return [empty("unknown", "The URL is incomplete", "The URL is missing dag_id, run_id or task_id.")];
  return [
    empty(
      "failed",
      "Airflow does not respond",
      `${error.message || "Connection lost"}. This page retries automatically.`,
    ),
  ];
}
